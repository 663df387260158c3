/* SPDX-License-Identifier: Apache-2.0
 *
 * Our side of train_step.py: one training step a line. usage: bench_train_step V T d L H BATCH THREADS TOKEN_FILE (uint16, little-endian).
 * Reads commands from standard input and answers each with a line: `step` (publish the model, gradient, update) and `calibrate` with
 * nanoseconds by the clock, nanoseconds of processor time and the loss in nats; `memory` with raw tensor bytes, what is needed beside
 * them, and the peak of the process. A calibration that is due comes before a step and is not timed with it. */
#include "numerics/data.h"
#include "torch/cpu.h"
#include "torch/optim.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct side {
    num_shape     shape;
    uint32_t      batch;
    uint16_t     *text;
    uint64_t      windows;
    bt_device    *device;
    bt_gpt       *gpt;
    bt_state      state;
    bt_model      model;
    num_fractions fractions;
    int64_t      *gradient;
    uint16_t     *tokens;
    uint64_t     *sequences;
    double        loss;
} side;

static void must(err e, const char *what)
{
    if (e == OK)
        return;
    fprintf(stderr, "bench_train_step: %s: %s\n", what, err_describe(e)->text);
    exit(1);
}

static uint64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void read_text(side *s, const char *path)
{
    FILE *in = fopen(path, "rb");
    if (!in || fseek(in, 0, SEEK_END) != 0)
        must(ERR_IO, path);
    uint64_t count = (uint64_t)ftell(in) / 2;
    rewind(in);
    s->text = malloc(count * 2);
    if (!s->text || fread(s->text, 2, count, in) != count)
        must(ERR_IO, path);
    fclose(in);
    s->windows = num_windows(count, s->shape.context);
}

/* Windows in order, as the rival reads them. */
static bt_batch batch_of(side *s, uint32_t count)
{
    const uint32_t t = s->shape.context;
    for (uint32_t k = 0; k < count; k++) {
        s->sequences[k] = s->state.step * s->batch + k;
        memcpy(s->tokens + k * (t + 1), s->text + s->sequences[k] % s->windows * t, (t + 1) * sizeof *s->tokens);
    }
    return (bt_batch){ .step = s->state.step, .count = count, .sequences = s->sequences, .tokens = s->tokens };
}

static void open_side(side *s, char **argv)
{
    uint32_t v[7];
    for (int i = 0; i < 7; i++)
        v[i] = (uint32_t)strtoul(argv[1 + i], NULL, 10);
    s->shape = (num_shape){ .vocab = v[0], .context = v[1], .width = v[2], .layers = v[3], .heads = v[4], .bits = 12 };
    s->batch = v[5];
    fault f = { .what = "" };
    read_text(s, argv[8]);
    must(bt_backend_cpu.open(&s->device, 0, v[6]), "device");
    must(bt_gpt_new(&s->gpt, &s->shape, s->device, &f), f.what);
    must(bt_state_init(&s->state, &s->shape, 1, &f), f.what);
    s->state.pool = s->device->pool;
    must(bt_model_init(&s->model, &s->shape, &f), f.what);
    s->gradient = malloc(num_parameter_count(&s->shape) * sizeof *s->gradient);
    size_t widest = s->batch > NUM_CALIBRATION_SEQUENCES ? s->batch : NUM_CALIBRATION_SEQUENCES;
    s->tokens = malloc(widest * (s->shape.context + 1) * sizeof *s->tokens);
    s->sequences = malloc(widest * sizeof *s->sequences);
    must(s->gradient && s->tokens && s->sequences ? OK : ERR_MEMORY, "batch");
}

static void calibrate(side *s)
{
    fault    f = { .what = "" };
    bt_batch b = batch_of(s, NUM_CALIBRATION_SEQUENCES);
    must(bt_gpt_calibrate(s->gpt, &s->fractions, s->state.master, &b, s->state.retries, &f), f.what);
}

static void step(side *s)
{
    const bt_schedule schedule = { .lr_max = 268435, .warm_steps = 1, .total_steps = 1000000 };
    fault     f = { .what = "" };
    bt_result result = { .range = true };
    int64_t   loss = 0;
    while (result.range) {
        must(bt_state_publish(&s->state, &s->fractions, &s->model, bt_gpt_tables(s->gpt), &f), f.what);
        memset(s->gradient, 0, num_parameter_count(&s->shape) * sizeof *s->gradient);
        bt_batch b = batch_of(s, s->batch);
        must(bt_gpt_gradient(s->gpt, &s->model, &b, s->gradient, &loss, &result, NULL, NULL, &f), f.what);
        if (result.range) {
            s->state.retries++;
            calibrate(s);
        }
    }
    const uint64_t tokens = (uint64_t)s->batch * s->shape.context;
    must(bt_state_update(&s->state, &s->fractions, s->gradient, tokens, &schedule), "update");
    s->loss = (double)loss / 65536.0 * log(2.0) / (double)tokens;
}

static uint64_t peak_of_process(void)
{
    char     line[256];
    uint64_t kib = 0;
    FILE    *in = fopen("/proc/self/status", "r");
    while (in && fgets(line, sizeof line, in))
        if (sscanf(line, "VmHWM: %" SCNu64, &kib) == 1)
            break;
    if (in)
        fclose(in);
    return kib << 10;
}

/* Raw: what the graph holds at its peak, weights, masters, two moments, gradient. Beside them: packing scratch and tables (two of exp, one of GELU a layer, one
 * while calibrating). */
static void memory(const side *s)
{
    bt_memory m;
    s->device->backend->memory(s->device, &m);
    num_const c;
    must(num_const_of(&c, &s->shape, NULL), "shape");
    uint64_t n = num_parameter_count(&s->shape), table = ((uint64_t)c.d_t * 2 + 1) * 4;
    uint64_t raw = m.peak_bytes + n * (2 + 4 + 8 + 8 + 8);
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", raw, m.scratch_bytes + table * (3 + s->shape.layers), peak_of_process());
}

int main(int argc, char **argv)
{
    if (argc != 9) {
        fprintf(stderr, "usage: bench_train_step V T d L H BATCH THREADS TOKEN_FILE; see train_step.py\n");
        return 2;
    }
    side s = { .batch = 0 };
    open_side(&s, argv);
    calibrate(&s);
    char line[64], cpu[200];
    bt_cpu_describe(cpu, sizeof cpu);
    printf("%s\n", cpu);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        bool is_step = strcmp(line, "step\n") == 0;
        if (strcmp(line, "memory\n") == 0) {
            memory(&s);
            fflush(stdout);
            continue;
        }
        if (is_step && bt_state_calibrates(&s.state))
            calibrate(&s);
        uint64_t wall = now_ns(CLOCK_MONOTONIC), cpu_time = now_ns(CLOCK_PROCESS_CPUTIME_ID);
        (is_step ? step : calibrate)(&s);
        printf("%" PRIu64 " %" PRIu64 " %.4f\n", now_ns(CLOCK_MONOTONIC) - wall, now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_time, s.loss);
        fflush(stdout);
    }
    return 0;
}
