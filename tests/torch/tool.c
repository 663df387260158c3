/* SPDX-License-Identifier: Apache-2.0
 *
 * What the Python tests ask of the C library:
 *   tb_torch_tool gradient FOLDER   exact gradients under given fractions and dither: tests/torch/gradients_test.py
 *   tb_torch_tool train FOLDER      one training run: tests/torch/convergence.py
 * Both scripts describe the files. */
#include "job.h"

#include "numerics/data.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct blob {
    uint8_t *data;
    size_t   len;
} blob;

static _Noreturn void stop(const char *what, err code)
{
    fprintf(stderr, "tb_torch_tool: %s: %s\n", what, err_describe(code)->text);
    exit(1);
}

static void must(err code, const char *what)
{
    if (code != OK)
        stop(what, code);
}

static blob slurp(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *in = fopen(path, "rb");
    if (!in || fseek(in, 0, SEEK_END) != 0)
        stop(path, ERR_IO);
    long size = ftell(in);
    rewind(in);
    blob b = { .data = malloc((size_t)size + 1), .len = (size_t)size };
    if (!b.data || fread(b.data, 1, b.len, in) != b.len)
        stop(path, ERR_IO);
    fclose(in);
    return b;
}

static void spill(const char *folder, const char *name, const void *data, size_t len)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *out = fopen(path, "wb");
    if (!out || fwrite(data, 1, len, out) != len || fclose(out) != 0)
        stop(path, ERR_IO);
}

static uint16_t *widen(blob text, size_t *count)
{
    uint16_t *tokens = malloc((text.len + 1) * sizeof *tokens);
    if (!tokens)
        stop("tokens", ERR_MEMORY);
    for (size_t i = 0; i < text.len; i++)
        tokens[i] = text.data[i];
    *count = text.len;
    return tokens;
}

static num_shape shape_of(const uint32_t v[7])
{
    return (num_shape){ .vocab = v[0], .context = v[1], .width = v[2], .layers = v[3], .heads = v[4], .bits = v[5], .helper = v[6] };
}

/* One call for each sequence, so that losses come out a sequence at a time as well. */
static void gradient(const char *folder)
{
    fault f = { .what = "" };
    uint32_t numbers[7];
    memcpy(numbers, slurp(folder, "shape").data, sizeof numbers);
    const num_shape shape = shape_of(numbers);
    const size_t parameters = num_parameter_count(&shape);
    const int32_t *published = (const int32_t *)(void *)slurp(folder, "fractions").data;
    num_fractions fractions = { 0 };
    const size_t per_layer = sizeof(num_layer_fractions);
    for (size_t i = 0; i < per_layer * shape.layers; i++)
        ((int8_t *)&fractions.layer[i / per_layer])[i % per_layer] = (int8_t)published[i];
    for (size_t i = 0; i < sizeof(num_top_fractions); i++)
        ((int8_t *)&fractions.top)[i] = (int8_t)published[per_layer * shape.layers + i];

    bt_device *device;
    bt_gpt *gpt;
    bt_model model;
    must(bt_backend_cpu.open(&device, 0, 1), "device");
    must(bt_gpt_new(&gpt, &shape, device, &f), f.what);
    must(bt_model_init(&model, &shape, &f), f.what);
    model.fractions = fractions;
    blob master = slurp(folder, "master");
    if (master.len != parameters * sizeof(int32_t))
        stop("master", ERR_SHAPE);
    bt_quantise(model.weights, (const int32_t *)(void *)master.data, &fractions, &shape, NULL);
    must(bt_model_seal(&model, bt_gpt_tables(gpt), &f), f.what);

    blob sequences = slurp(folder, "sequences"), job_id = slurp(folder, "job"), step = slurp(folder, "step"), rows = slurp(folder, "tokens");
    const uint32_t count = (uint32_t)(sequences.len / sizeof(uint64_t));
    int64_t *sum = calloc(parameters, sizeof *sum), *losses = calloc(count, sizeof *losses);
    if (!sum || !losses || job_id.len != 32 || step.len != 8 || rows.len != (size_t)count * (shape.context + 1) * 2)
        stop("batch", ERR_SHAPE);
    for (uint32_t i = 0; i < count; i++) {
        bt_batch batch = { .step = load_le64(step.data), .count = 1, .sequences = (const uint64_t *)(void *)sequences.data + i,
                           .tokens = (const uint16_t *)(void *)rows.data + (size_t)i * (shape.context + 1) };
        memcpy(batch.job_id.b, job_id.data, 32);
        bt_result result;
        must(bt_gpt_gradient(gpt, &model, &batch, sum, &losses[i], &result, NULL, NULL, &f), f.what);
        if (result.range)
            stop("gradient", ERR_STEP_RANGE);
    }
    spill(folder, "gradient", sum, parameters * sizeof *sum);
    spill(folder, "loss", losses, count * sizeof *losses);
}

static uint64_t number(const json_t *plan, const char *key)
{
    const json_t *value = json_object_get(plan, key);
    if (!json_is_integer(value))
        stop(key, ERR_FIELD);
    return (uint64_t)json_integer_value(value);
}

static double nats(int64_t loss_q16, uint64_t tokens)
{
    return (double)loss_q16 / 65536.0 * log(2.0) / (double)tokens;
}

/* Mean loss of the held-out windows under the masters at the end, with the fractions of the last step. */
static double validate(job *j, const uint16_t *held, size_t count)
{
    const size_t row = j->shape.context + 1;
    int64_t total = 0;
    fault f = { .what = "" };
    must(job_publish(j, &f), f.what);
    for (size_t i = 0; i * row < count; i++) {
        const uint64_t sequence = i;
        bt_batch batch = { .job_id = j->id, .step = j->state.step, .count = 1, .sequences = &sequence, .tokens = held + i * row };
        bt_result result;
        int64_t loss;
        must(bt_gpt_loss(j->gpt, &j->model, &batch, &loss, &result, &f), f.what);
        if (result.range)
            stop("validation", ERR_STEP_RANGE);
        total += loss;
    }
    return nats(total, count / row * j->shape.context);
}

static void train(const char *folder)
{
    fault f = { .what = "" };
    char path[4096];
    json_error_t error;
    snprintf(path, sizeof path, "%s/plan.json", folder);
    json_t *plan = json_load_file(path, 0, &error);
    if (!plan)
        stop(path, ERR_SYNTAX);
    uint32_t numbers[7] = { 0 };
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        numbers[i] = (uint32_t)json_integer_value(json_array_get(json_object_get(plan, "shape"), i));
    size_t count, held_count;
    job j = { .shape = shape_of(numbers), .batch = (uint32_t)number(plan, "batch"),
              .schedule = { .lr_max = (int32_t)number(plan, "lr_max"), .warm_steps = number(plan, "warm"), .total_steps = number(plan, "steps") } };
    must(base_hex_decode(j.id.b, 32, json_string_value(json_object_get(plan, "job"))), "job");
    j.tokens = widen(slurp(folder, "train"), &count);
    j.token_count = count;
    must(job_init(&j, number(plan, "determinism_seed"), (unsigned)number(plan, "threads"), &f), f.what);
    json_t *losses = json_array();
    while (j.state.step < j.schedule.total_steps) {
        int64_t loss;
        must(job_step(&j, &loss, &f), f.what);
        json_array_append_new(losses, json_real(nats(loss, (uint64_t)j.batch * j.shape.context)));
    }
    const uint16_t *held = widen(slurp(folder, "held"), &held_count);
    json_t *result = json_pack("{s:o, s:f, s:I}", "train", losses, "validation", validate(&j, held, held_count), "ranges", (json_int_t)j.ranges);
    snprintf(path, sizeof path, "%s/result.json", folder);
    if (json_dump_file(result, path, JSON_INDENT(1)) != 0)
        stop(path, ERR_IO);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "gradient") == 0)
        gradient(argv[2]);
    else if (argc == 3 && strcmp(argv[1], "train") == 0)
        train(argv[2]);
    else
        stop("gradient FOLDER, train FOLDER", ERR_USAGE);
    return 0;
}
