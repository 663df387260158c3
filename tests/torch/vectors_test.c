/* SPDX-License-Identifier: Apache-2.0
 *
 * The C library against the golden values of the Python reference (spec/vectors/step_w*.json): init, calibration, ids, every
 * traced tensor, gradients, RANGE results, and states after several steps. */
#include "job.h"

#include "crypto/blake3.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { CASES_MAX = 8, TRACE_MAX = 256 };

static const char *const files[] = { "step_w8", "step_w12", "step_w16" };

static json_t *load(const char *name)
{
    char path[512];
    json_error_t error;
    snprintf(path, sizeof path, "%s/spec/vectors/%s.json", TB_SOURCE_DIR, name);
    json_t *root = json_load_file(path, 0, &error);
    assert_non_null(root);
    return root;
}

static int64_t integer(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static void assert_hash(const json_t *text, const hash256 *hash, const char *what)
{
    char hex[65];
    base_hex_encode(hex, hash->b, sizeof hash->b);
    if (strcmp(hex, json_string_value(text)) != 0)
        fail_msg("%s: %s instead of %s", what, hex, json_string_value(text));
}

static hash256 hash_le(const void *data, size_t elements, size_t elem_bytes)
{
    /* The tests run on little-endian machines only. */
    return cr_blake3_hash(bytes_of(data, elements * elem_bytes));
}

static uint16_t *tokens_of(const json_t *row, uint32_t vocab, uint64_t *count)
{
    const char *hex = json_string_value(json_object_get(row, "tokens"));
    const size_t width = vocab <= 256 ? 1 : 2, n_bytes = strlen(hex) / 2;
    uint8_t *raw = malloc(n_bytes);
    uint16_t *tokens = malloc(n_bytes / width * sizeof *tokens);
    assert_true(raw && tokens);
    assert_int_equal(base_hex_decode(raw, n_bytes, hex), OK);
    *count = n_bytes / width;
    for (uint64_t i = 0; i < *count; i++)
        tokens[i] = width == 1 ? raw[i] : load_le16(raw + 2 * i);
    free(raw);
    return tokens;
}

static void open_job(job *j, const json_t *row)
{
    const json_t *s = json_object_get(row, "shape");
    *j = (job){
        .shape = { .vocab = (uint32_t)integer(s, "V"), .context = (uint32_t)integer(s, "T"), .width = (uint32_t)integer(s, "d"),
                   .layers = (uint32_t)integer(s, "L"), .heads = (uint32_t)integer(s, "H"), .bits = (uint32_t)integer(s, "w"),
                   .helper = strcmp(json_string_value(json_object_get(s, "helper")), "wide") == 0 ? NUM_WIDE : NUM_NARROW },
        .schedule = { .lr_max = (int32_t)integer(row, "lr_max"), .warm_steps = (uint64_t)integer(row, "warm"),
                      .total_steps = (uint64_t)integer(row, "steps") },
        .batch = (uint32_t)integer(row, "batch"),
    };
    assert_int_equal(base_hex_decode(j->id.b, 32, json_string_value(json_object_get(row, "job"))), OK);
    j->tokens = tokens_of(row, j->shape.vocab, &j->token_count);
    assert_int_equal(job_init(j, (uint64_t)integer(row, "determinism_seed"), 1, NULL), OK);
    assert_int_equal(j->windows, integer(row, "windows"));
}

static void close_job(job *j)
{
    free((void *)j->tokens);
    job_deinit(j);
}

/* JSON objects keep the order of the file, which is the order of section 3. */
static void assert_tensors(const json_t *hashes, const job *j, const void *data, size_t elem_bytes)
{
    const char *name;
    json_t *hash;
    uint32_t index = 0;
    json_object_foreach((json_t *)hashes, name, hash) {
        num_tensor_info t = num_tensor_describe(&j->shape, index++);
        hash256 got = hash_le((const uint8_t *)data + t.offset * elem_bytes, (size_t)t.rows * t.cols, elem_bytes);
        assert_hash(hash, &got, name);
    }
    assert_int_equal(index, num_tensor_count(&j->shape));
}

static int8_t *fraction_at(num_fractions *f, uint32_t layers, size_t index)
{
    const size_t per_layer = sizeof(num_layer_fractions);
    if (index < per_layer * layers)
        return (int8_t *)&f->layer[index / per_layer] + index % per_layer;
    return (int8_t *)&f->top + (index - per_layer * layers);
}

static void assert_fractions(const json_t *array, job *j, const char *what)
{
    size_t i;
    json_t *value;
    json_array_foreach(array, i, value) {
        if (json_integer_value(value) != *fraction_at(&j->fractions, j->shape.layers, i))
            fail_msg("%s: fraction %zu is %d instead of %d", what, i, *fraction_at(&j->fractions, j->shape.layers, i),
                     (int)json_integer_value(value));
    }
    assert_int_equal(i, sizeof(num_layer_fractions) * j->shape.layers + sizeof(num_top_fractions));
}

static void check_calibration(const json_t *row, job *j)
{
    size_t i;
    json_t *repeated;
    json_array_foreach(json_object_get(row, "repeated"), i, repeated) {
        assert_int_equal(job_calibrate(j, (uint32_t)integer(repeated, "repetition"), NULL), OK);
        assert_fractions(json_object_get(repeated, "fractions"), j, "repeated");
    }
    assert_int_equal(job_calibrate(j, 0, NULL), OK);
    assert_fractions(json_object_get(row, "fractions"), j, "first");
    assert_hash(json_object_get(row, "tables"), &j->model.tables_hash, "tables");
    assert_hash(json_object_get(row, "weight_root"), &j->model.weight_root, "weight root");
    assert_hash(json_object_get(row, "model_id"), &j->model.id, "model id");
    hash256 id = bt_state_id(&j->state, &j->model);
    assert_hash(json_object_get(row, "state_id"), &id, "state id");
}

typedef struct watch {
    const json_t *rows;
    const json_t *sequences;
    uint32_t      seen;
} watch;

static err compare_tensor(void *ctx, uint32_t id, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols,
                          uint32_t elem_bytes)
{
    watch *w = ctx;
    size_t i, k;
    json_t *row, *number;
    char what[64];
    snprintf(what, sizeof what, "layer %u slot %u sequence %u", id / 64, id % 64, (unsigned)sequence);
    hash256 got = hash_le(data, (size_t)rows * cols, elem_bytes);
    json_array_foreach(w->sequences, k, number) {
        if ((uint64_t)json_integer_value(number) == sequence)
            break;
    }
    json_array_foreach(w->rows, i, row) {
        if (integer(row, "id") == id) {
            assert_hash(json_array_get(json_object_get(row, "sequences"), k), &got, what);
            w->seen++;
            return OK;
        }
    }
    fail_msg("no golden value for %s", what);
    return ERR_NOT_FOUND;
}

static uint32_t sequences_of(const json_t *row, uint64_t out[CASES_MAX])
{
    const json_t *array = json_object_get(row, "sequences");
    size_t count = json_array_size(array);
    assert_true(count <= CASES_MAX);
    for (size_t i = 0; i < count; i++)
        out[i] = (uint64_t)json_integer_value(json_array_get(array, i));
    return (uint32_t)count;
}

static void check_gradient(const json_t *row, job *j)
{
    uint64_t sequences[CASES_MAX];
    uint32_t count = sequences_of(row, sequences);
    int64_t loss, sum = 0;
    bt_result result;
    watch w = { .rows = json_object_get(row, "trace"), .sequences = json_object_get(row, "sequences") };
    const size_t n_bytes = num_parameter_count(&j->shape) * sizeof *j->gradient;
    memset(j->gradient, 0, n_bytes);
    assert_int_equal(job_gradient(j, sequences, count, &loss, &result, compare_tensor, &w, NULL), OK);
    assert_false(result.range);
    assert_int_equal(w.seen, count * json_array_size(w.rows));
    assert_int_equal(loss, integer(row, "loss_sum"));
    assert_tensors(json_object_get(row, "gradients"), j, j->gradient, sizeof *j->gradient);

    memset(j->gradient, 0, n_bytes);
    for (uint32_t i = count; i-- > 0; sum += loss) /* any split, any order: the same integers */
        assert_int_equal(job_gradient(j, &sequences[i], 1, &loss, &result, NULL, NULL, NULL), OK);
    assert_int_equal(sum, integer(row, "loss_sum"));
    assert_tensors(json_object_get(row, "gradients"), j, j->gradient, sizeof *j->gradient);
}

/* A model whose published fractions leave no room ends in the RANGE that the specification orders first. */
static void check_range(const json_t *row, job *j)
{
    static const struct { const char *name; size_t offset; } names[] = {
        { "y1", offsetof(num_layer_fractions, y1) },   { "q", offsetof(num_layer_fractions, q) },
        { "k", offsetof(num_layer_fractions, k) },     { "dh", offsetof(num_layer_fractions, dh) },
        { "dp", offsetof(num_layer_fractions, dp) },   { "ds", offsetof(num_layer_fractions, ds) },
        { "dn2", offsetof(num_layer_fractions, dn2) }, { "dn1", offsetof(num_layer_fractions, dn1) },
    };
    uint64_t sequences[CASES_MAX];
    uint32_t count = sequences_of(row, sequences);
    const num_fractions kept = j->fractions;
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(row, "range"), i, one) {
        const char *name = json_string_value(json_object_get(one, "fraction"));
        int8_t *fraction = strcmp(name, "gx") == 0 ? &j->fractions.top.gx : strcmp(name, "dnF") == 0 ? &j->fractions.top.dnf : NULL;
        for (size_t k = 0; k < COUNT_OF(names); k++)
            if (strcmp(name, names[k].name) == 0)
                fraction = (int8_t *)&j->fractions.layer[0] + names[k].offset;
        assert_non_null(fraction);
        *fraction = (int8_t)(*fraction + integer(one, "raised"));
        assert_int_equal(job_publish(j, NULL), OK);
        int64_t loss;
        bt_result result;
        assert_int_equal(job_gradient(j, sequences, count, &loss, &result, NULL, NULL, NULL), OK);
        const json_t *expected = json_object_get(one, "range");
        uint64_t where[3] = { result.tensor, result.sequence, result.index };
        for (size_t k = 0; k < 3; k++)
            if (!result.range || where[k] != (uint64_t)json_integer_value(json_array_get(expected, k)))
                fail_msg("%s raised by %d: range %d at tensor %u, sequence %u, index %u", name, (int)integer(one, "raised"), result.range,
                         result.tensor, (unsigned)result.sequence, (unsigned)result.index);
        j->fractions = kept;
    }
    assert_int_equal(job_publish(j, NULL), OK);
}

static void check_state(const json_t *row, job *j, uint64_t step)
{
    char key[32];
    snprintf(key, sizeof key, "state_id_%u", (unsigned)step);
    const json_t *expected = json_object_get(row, key);
    if (!expected)
        return;
    assert_true(bt_state_calibrates(&j->state));
    assert_int_equal(job_calibrate(j, 0, NULL), OK);
    hash256 id = bt_state_id(&j->state, &j->model);
    assert_hash(expected, &id, key);
}

static void check_training(const json_t *row, job *j)
{
    const json_t *losses = json_object_get(row, "loss_sums");
    for (uint64_t step = 0; step < j->schedule.total_steps; step++) {
        int64_t loss;
        assert_int_equal(job_step(j, &loss, NULL), OK);
        assert_int_equal(loss, json_integer_value(json_array_get(losses, step)));
        check_state(row, j, step + 1);
    }
    assert_int_equal(j->ranges, json_array_size(json_object_get(row, "repeated_steps")));
}

static void test_file(void **state)
{
    json_t *root = load(*state);
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(root, "cases"), i, row) {
        job j;
        open_job(&j, row);
        assert_tensors(json_object_get(row, "init"), &j, j.state.master, sizeof *j.state.master);
        check_calibration(row, &j);
        check_gradient(row, &j);
        check_range(row, &j);
        check_training(row, &j);
        close_job(&j);
    }
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_file, (void *)files[0]),
        cmocka_unit_test_prestate(test_file, (void *)files[1]),
        cmocka_unit_test_prestate(test_file, (void *)files[2]),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
