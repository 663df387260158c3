/* SPDX-License-Identifier: Apache-2.0
 *
 * The golden vectors of spec/vectors/step_*.json, made by the second implementation (python/reference): fractions, ids, losses,
 * every gradient and every traced tensor, RANGE results, and the state after 20 steps. */
#include "crypto/blake3.h"
#include "numerics/data.h"
#include "torch/cpu.h"
#include "torch/optim.h"
#include "torch/tables.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const char *threads_and_isa[2] = { "2", NULL };

typedef struct run {
    json_t    *c;
    num_shape  shape;
    bt_device *device;
    bt_gpt    *gpt;
    bt_state   state;
    bt_model   model;
    num_fractions fractions;
    bt_schedule schedule;
    hash256    job;
    uint64_t   windows;
    uint32_t   batch;
    uint8_t   *text; /* tokens of one byte, or le16 */
    uint32_t   token_bytes;
    int64_t   *gradient;
} run;

static uint64_t number(json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    assert_true(json_is_integer(v));
    return (uint64_t)json_integer_value(v);
}

static const char *text_of(json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    assert_true(json_is_string(v));
    return json_string_value(v);
}

static void assert_hash(const hash256 *h, const char *want, const char *what)
{
    char hex[65];
    base_hex_encode(hex, h->b, 32);
    if (strcmp(hex, want) != 0)
        fail_msg("%s: %s, wanted %s", what, hex, want);
}

static void run_open(run *r, json_t *c)
{
    json_t *s = json_object_get(c, "shape");
    *r = (run){ .c = c, .batch = (uint32_t)number(c, "batch"), .windows = number(c, "windows") };
    r->shape = (num_shape){ (uint32_t)number(s, "V"), (uint32_t)number(s, "T"), (uint32_t)number(s, "d"), (uint32_t)number(s, "L"),
                            (uint32_t)number(s, "H"), (uint32_t)number(s, "w"), strcmp(text_of(s, "helper"), "wide") == 0 ? NUM_WIDE : NUM_NARROW };
    fault f = { 0 };
    assert_int_equal(bt_backend_cpu.open(&r->device, 0, (unsigned)atoi(threads_and_isa[0])), OK);
    assert_int_equal(bt_gpt_new(&r->gpt, &r->shape, r->device, &f), OK);
    assert_int_equal(bt_state_init(&r->state, &r->shape, number(c, "determinism_seed"), &f), OK);
    assert_int_equal(bt_model_init(&r->model, &r->shape, &f), OK);
    assert_int_equal(base_hex_decode(r->job.b, 32, text_of(c, "job")), OK);
    const char *hex = text_of(c, "tokens");
    r->token_bytes = r->shape.vocab <= 256 ? 1 : 2;
    r->text = malloc(strlen(hex) / 2);
    assert_int_equal(base_hex_decode(r->text, strlen(hex) / 2, hex), OK);
    r->schedule = (bt_schedule){ (int32_t)number(c, "lr_max"), number(c, "warm"), number(c, "steps") };
    r->gradient = calloc(num_parameter_count(&r->shape), sizeof *r->gradient);
}

static void run_close(run *r)
{
    bt_state_deinit(&r->state);
    bt_model_deinit(&r->model);
    bt_gpt_free(r->gpt);
    r->device->backend->close(r->device);
    free(r->text);
    free(r->gradient);
}

enum { SEQUENCES_MAX = 16, TOKENS_MAX = 16 * 65 };

static void load(run *r, const uint64_t *sequences, uint32_t count, uint16_t *tokens)
{
    uint32_t t = r->shape.context;
    assert_true(count * (t + 1) <= TOKENS_MAX);
    for (uint32_t k = 0; k < count; k++) {
        uint64_t window = num_window_of_sequence(&r->job, r->windows, sequences[k]);
        for (uint32_t i = 0; i <= t; i++)
            tokens[k * (t + 1) + i] = r->token_bytes == 1 ? r->text[window * t + i] : load_le16(r->text + 2 * (window * t + i));
    }
}

static void calibrate(run *r, uint32_t repetitions)
{
    uint64_t sequences[NUM_CALIBRATION_SEQUENCES];
    uint16_t tokens[TOKENS_MAX];
    uint32_t count = num_calibration_sequences(sequences, &r->job, r->state.step, repetitions, r->windows);
    load(r, sequences, count, tokens);
    bt_batch b = { .count = count, .sequences = sequences, .tokens = tokens };
    fault f = { 0 };
    err e = bt_gpt_calibrate(r->gpt, &r->fractions, r->state.master, &b, repetitions, &f);
    if (e != OK)
        fail_msg("calibration: %s %s at %llu", err_describe(e)->name, f.what, (unsigned long long)f.at);
}

/* The published array: layers, then the top. */
static void assert_fractions(const run *r, json_t *want, const char *what)
{
    int8_t have[22 * 48 + 6];
    memcpy(have, r->fractions.layer, 22 * r->shape.layers);
    memcpy(have + 22 * r->shape.layers, &r->fractions.top, 6);
    assert_int_equal(json_array_size(want), 22 * r->shape.layers + 6);
    for (size_t i = 0; i < json_array_size(want); i++)
        if (have[i] != json_integer_value(json_array_get(want, i)))
            fail_msg("%s: fraction %zu is %d, wanted %d", what, i, have[i], (int)json_integer_value(json_array_get(want, i)));
}

static err gradient(run *r, uint64_t first, uint32_t count, int64_t *loss, bt_result *result, bt_trace_fn trace, void *ctx)
{
    uint64_t sequences[SEQUENCES_MAX];
    uint16_t tokens[TOKENS_MAX];
    for (uint32_t k = 0; k < count; k++)
        sequences[k] = first + k;
    load(r, sequences, count, tokens);
    bt_batch b = { .job_id = r->job, .step = r->state.step, .count = count, .sequences = sequences, .tokens = tokens };
    return bt_gpt_gradient(r->gpt, &r->model, &b, r->gradient, loss, result, trace, ctx, NULL);
}

static hash256 little_endian_hash(const void *data, uint64_t count, uint32_t size)
{
    cr_blake3 h;
    cr_blake3_init(&h);
    for (uint64_t i = 0; i < count; i++) {
        uint8_t le[8];
        store_le64(le, size == 2 ? (uint64_t)((const int16_t *)data)[i] : size == 4 ? (uint64_t)((const int32_t *)data)[i] : (uint64_t)((const int64_t *)data)[i]);
        cr_blake3_update(&h, bytes_of(le, size));
    }
    return cr_blake3_final(&h);
}

typedef struct traced {
    const run *r;
    uint32_t   seen;
} traced;

static err compare_trace(void *ctx, uint32_t tensor, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols, uint32_t elem_bytes)
{
    traced *t = ctx;
    json_t *list = json_object_get(t->r->c, "trace"), *entry;
    size_t i;
    char what[64];
    snprintf(what, sizeof what, "trace of layer %u slot %u", tensor / 64, tensor % 64);
    json_array_foreach(list, i, entry)
        if (number(entry, "id") == tensor) {
            hash256 h = little_endian_hash(data, (uint64_t)rows * cols, elem_bytes);
            assert_hash(&h, json_string_value(json_array_get(json_object_get(entry, "sequences"), sequence)), what);
            t->seen++;
            return OK;
        }
    fail_msg("%s: not in the vectors", what);
    return ERR_NOT_FOUND;
}

static void check_first_step(run *r)
{
    calibrate(r, 0);
    assert_fractions(r, json_object_get(r->c, "fractions"), "first calibration");
    fault f = { 0 };
    assert_int_equal(bt_state_publish(&r->state, &r->fractions, &r->model, bt_gpt_tables(r->gpt), &f), OK);
    assert_hash(&r->model.tables_hash, text_of(r->c, "tables"), "tables hash");
    assert_hash(&r->model.weight_root, text_of(r->c, "weight_root"), "weight root");
    assert_hash(&r->model.id, text_of(r->c, "model_id"), "model id");
    hash256 id = bt_state_id(&r->state, &r->model);
    assert_hash(&id, text_of(r->c, "state_id"), "state id");

    int64_t loss = 0;
    bt_result result = { 0 };
    traced t = { .r = r };
    assert_int_equal(gradient(r, 0, r->batch, &loss, &result, compare_trace, &t), OK);
    assert_false(result.range);
    assert_int_equal(t.seen, json_array_size(json_object_get(r->c, "trace")) * r->batch);
    assert_int_equal(loss, number(r->c, "loss_sum"));
    json_t *gradients = json_object_get(r->c, "gradients");
    assert_int_equal(json_object_size(gradients), num_tensor_count(&r->shape));
    const char *name;
    json_t *want;
    uint32_t at = 0;
    json_object_foreach(gradients, name, want) {
        num_tensor_info info = num_tensor_describe(&r->shape, at++);
        hash256 h = little_endian_hash(r->gradient + info.offset, (uint64_t)info.rows * info.cols, 8);
        assert_hash(&h, json_string_value(want), name);
    }
}

/* Twenty steps as a coordinator takes them; the batch in two unequal pieces, which must not matter. */
static void check_training(run *r)
{
    json_t *losses = json_object_get(r->c, "loss_sums");
    fault f = { 0 };
    while (r->state.step < r->schedule.total_steps) {
        if (bt_state_calibrates(&r->state))
            calibrate(r, r->state.retries);
        assert_int_equal(bt_state_publish(&r->state, &r->fractions, &r->model, bt_gpt_tables(r->gpt), &f), OK);
        memset(r->gradient, 0, num_parameter_count(&r->shape) * sizeof *r->gradient);
        int64_t one = 0, rest = 0;
        bt_result result = { 0 }, result_rest = { 0 };
        uint64_t first = r->state.step * r->batch;
        assert_int_equal(gradient(r, first, 1, &one, &result, NULL, NULL), OK);
        assert_int_equal(gradient(r, first + 1, r->batch - 1, &rest, &result_rest, NULL, NULL), OK);
        if (result.range || result_rest.range) {
            r->state.retries++;
            continue;
        }
        assert_int_equal(one + rest, json_integer_value(json_array_get(losses, r->state.step)));
        assert_int_equal(bt_state_update(&r->state, &r->fractions, r->gradient, (uint64_t)r->batch * r->shape.context, &r->schedule), OK);
        if (r->state.step == 3 || r->state.step == 20) {
            if (bt_state_calibrates(&r->state))
                calibrate(r, 0);
            assert_int_equal(bt_state_publish(&r->state, &r->fractions, &r->model, bt_gpt_tables(r->gpt), &f), OK);
            hash256 id = bt_state_id(&r->state, &r->model);
            assert_hash(&id, text_of(r->c, r->state.step == 3 ? "state_id_3" : "state_id_20"), "state id while training");
        }
    }
}

static void check_file(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/spec/vectors/%s", TB_SOURCE_DIR, name);
    json_error_t problem;
    json_t *doc = json_load_file(path, 0, &problem), *c;
    if (!doc)
        fail_msg("%s: %s", path, problem.text);
    size_t i;
    json_array_foreach(json_object_get(doc, "cases"), i, c) {
        run r;
        run_open(&r, c);
        json_t *repeated = json_object_get(c, "repeated"), *rep;
        size_t k;
        json_array_foreach(repeated, k, rep) {
            calibrate(&r, (uint32_t)number(rep, "repetition"));
            assert_fractions(&r, json_object_get(rep, "fractions"), "calibration after a repetition");
        }
        check_first_step(&r);
        check_training(&r);
        run_close(&r);
    }
    json_decref(doc);
}

static void every_isa(const char *file)
{
    const char *name;
    for (size_t i = 0; (name = bt_cpu_name_at(i)) != NULL; i++) {
        err e = bt_cpu_select(name);
        if (e != OK) {
            print_message("SKIP vectors on %s: %s\n", name, err_describe(e)->text);
            continue;
        }
        threads_and_isa[0] = i % 2 ? "1" : "3";
        threads_and_isa[1] = name;
        check_file(file);
    }
    assert_int_equal(bt_cpu_select(NULL), OK);
}

static void width_8(void **state)
{
    (void)state;
    every_isa("step_w8.json");
}

static void width_12(void **state)
{
    (void)state;
    every_isa("step_w12.json");
}

static void width_16_wide(void **state)
{
    (void)state;
    every_isa("step_w16.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(width_8),
        cmocka_unit_test(width_12),
        cmocka_unit_test(width_16_wide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
