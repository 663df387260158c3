/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb train`: the same step that the network takes, on one machine. */
#include "apps/cli.h"
#include "apps/corpus.h"
#include "apps/home.h"
#include "apps/term.h"
#include "apps/trace_file.h"

#include "base/port/file.h"
#include "numerics/data.h"
#include "torch/cpu.h"
#include "torch/optim.h"
#include "torch/tables.h"
#include "train/checkpoint.h"
#include "train/safetensors.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct trainer {
    const tb_cli *cli;
    const char   *about; /* the file or folder in hand, for an error's message; NULL: none */
    int           lock;  /* of --dir; -1: none */
    term          term;
    bt_device    *device;
    bt_gpt       *gpt;
    tr_dataset    data;
    const char   *data_name;
    tr_checkpoint at;    /* state, fractions, schedule, job */
    bt_model      model;
    uint32_t      batch, split;
    int64_t      *gradient;
    uint16_t     *tokens;   /* batch x (T + 1) */
    uint64_t     *sequences;
    double       *losses;   /* nats per token, one a step of this run: as many as the schedule has */
    size_t        n_losses;
    double        started, last_validation;
    hash256       state_id; /* over the state and the model of its last step, as everywhere: the next step's model is not trained on yet */
} trainer;

static double nats(int64_t loss_q16, uint64_t tokens)
{
    return (double)loss_q16 / 65536.0 * log(2.0) / (double)tokens;
}

static err read_shape(const tb_cli *cli, uint32_t vocab, num_shape *s, fault *f)
{
    uint64_t bits = tb_uint(cli, "bits");
    const char *helper = tb_text(cli, "helper");
    if (*helper && strcmp(helper, "narrow") != 0 && strcmp(helper, "wide") != 0)
        return fail(f, ERR_USAGE, "helper", 0);
    const uint64_t values[] = { tb_uint(cli, "context"), tb_uint(cli, "width"), tb_uint(cli, "layers"), tb_uint(cli, "heads"), bits };
    for (size_t i = 0; i < COUNT_OF(values); i++)
        if (values[i] > UINT32_MAX)
            return fail(f, ERR_LIMIT, "model shape", values[i]);
    *s = (num_shape){ .vocab = vocab, .context = (uint32_t)values[0], .width = (uint32_t)values[1], .layers = (uint32_t)values[2],
                      .heads = (uint32_t)values[3], .bits = (uint32_t)bits,
                      .helper = *helper ? (strcmp(helper, "wide") == 0 ? NUM_WIDE : NUM_NARROW) : (bits > 12 ? NUM_WIDE : NUM_NARROW) };
    num_const c;
    return num_const_of(&c, s, f);
}

static err read_rate(const tb_cli *cli, int32_t *rate, fault *f)
{
    char *end;
    double value = strtod(tb_text(cli, "rate"), &end);
    if (*end || !(value > 0 && value <= 1))
        return fail(f, ERR_USAGE, "rate: a number above 0, at most 1", 0);
    *rate = (int32_t)lrint(value * (1 << 28));
    return OK;
}

static err fresh(trainer *t, const num_shape *shape, fault *f)
{
    const tb_cli *cli = t->cli;
    t->at.determinism_seed = tb_uint(cli, "seed");
    const char *job = tb_text(cli, "job");
    if (*job && base_hex_decode(t->at.job.b, 32, job) != OK)
        return fail(f, ERR_USAGE, "job: 64 hex digits", 0);
    if (!*job) {
        uint8_t seed[8];
        store_le64(seed, t->at.determinism_seed);
        t->at.job = cr_blake3_hash_in("theblock 2026 local job v1", bytes_of(seed, sizeof seed));
    }
    t->at.dataset = t->data.cid;
    t->at.schedule.warm_steps = tb_uint(cli, "warm");
    t->at.schedule.total_steps = tb_uint(cli, "steps");
    TRY(read_rate(cli, &t->at.schedule.lr_max, f));
    return bt_state_init(&t->at.state, shape, t->at.determinism_seed, f);
}

static err resumed(trainer *t, const num_shape *shape, fault *f)
{
    hash256 id;
    t->about = tb_text(t->cli, "dir");
    TRY(tr_checkpoint_head(tb_text(t->cli, "dir"), false, &id, f));
    TRY(tr_checkpoint_load(&t->at, tb_text(t->cli, "dir"), &id, f));
    if (memcmp(&t->at.state.shape, shape, sizeof *shape) != 0)
        return fail(f, ERR_SHAPE, "checkpoint: model of another shape", 0);
    if (!hash256_equal(&t->at.dataset, &t->data.cid))
        return fail(f, ERR_HASH, "checkpoint: another data set", 0);
    t->about = NULL;
    return OK;
}

/* Made if it is not there; one trainer at a time writes to it. */
static err open_dir(trainer *t, fault *f)
{
    char path[TB_PATH_MAX];
    const char *dir = tb_text(t->cli, "dir");
    if (!*dir)
        return tb_flag(t->cli, "resume") ? fail(f, ERR_USAGE, "--dir is missing: --resume needs it", 0) : OK;
    if (snprintf(path, sizeof path, "%s/lock", dir) >= (int)sizeof path)
        return fail(f, ERR_LIMIT, "dir: path too long", sizeof path - 1);
    t->about = dir;
    TRY(tb_make_folders(dir, f));
    TRY(base_file_lock(&t->lock, path, f));
    t->about = NULL;
    return OK;
}

static err make_buffers(trainer *t, fault *f)
{
    const num_shape *s = &t->at.state.shape;
    uint64_t steps = t->at.schedule.total_steps;
    if (steps > LIMIT_TRAIN_STEPS)
        return fail(f, ERR_LIMIT, "steps", steps);
    size_t widest = t->batch > NUM_CALIBRATION_SEQUENCES ? t->batch : NUM_CALIBRATION_SEQUENCES;
    t->gradient = malloc(num_parameter_count(s) * sizeof *t->gradient);
    t->tokens = malloc(widest * (s->context + 1) * sizeof *t->tokens);
    t->sequences = malloc(widest * sizeof *t->sequences);
    t->losses = calloc(steps + 1, sizeof *t->losses);
    return t->gradient && t->tokens && t->sequences && t->losses ? OK : fail(f, ERR_MEMORY, "train", t->batch);
}

static err trainer_open(trainer *t, fault *f)
{
    const tb_cli *cli = t->cli;
    if (*tb_text(cli, "isa")) {
        err e = bt_cpu_select(tb_text(cli, "isa"));
        if (e != OK)
            return fail(f, e, "isa", 0);
    }
    uint64_t context = tb_uint(cli, "context"), batch = tb_uint(cli, "batch"), split = tb_uint(cli, "split"), threads = tb_uint(cli, "threads");
    if (context == 0 || context > LIMIT_MODEL_CONTEXT || batch == 0 || batch > LIMIT_LEASE_TOKENS / context || split == 0 || batch % split != 0)
        return fail(f, ERR_USAGE, "context, batch or split", batch);
    if (threads > 1024 || tb_uint(cli, "steps") > LIMIT_TRAIN_STEPS)
        return fail(f, ERR_USAGE, "threads or steps", tb_uint(cli, "steps"));
    t->batch = (uint32_t)batch;
    t->split = (uint32_t)split;
    TRY(open_dir(t, f));
    t->about = tb_text(cli, "data");
    TRY(corpus_open(&t->data, tb_text(cli, "data"), (uint32_t)context, &t->data_name, f));
    t->about = NULL;
    num_shape shape;
    TRY(read_shape(cli, t->data.manifest.vocab, &shape, f));
    TRY(tb_flag(cli, "resume") ? resumed(t, &shape, f) : fresh(t, &shape, f));
    TRY(make_buffers(t, f));
    err e = bt_backend_cpu.open(&t->device, 0, (unsigned)threads);
    if (e != OK)
        return fail(f, e, "threads", threads);
    t->at.state.pool = t->device->pool;
    TRY(bt_gpt_new(&t->gpt, &shape, t->device, f));
    return bt_model_init(&t->model, &shape, f);
}

static void trainer_close(trainer *t)
{
    free(t->gradient);
    free(t->tokens);
    free(t->sequences);
    free(t->losses);
    bt_model_deinit(&t->model);
    bt_gpt_free(t->gpt);
    if (t->device)
        t->device->backend->close(t->device);
    tr_checkpoint_deinit(&t->at);
    tr_dataset_deinit(&t->data);
    base_file_close(t->lock);
}

static err calibrate(trainer *t, fault *f)
{
    const num_shape *s = &t->model.shape;
    uint32_t count = num_calibration_sequences(t->sequences, &t->at.job, t->at.state.step, t->at.state.retries, tr_dataset_windows(&t->data, s->context));
    for (uint32_t k = 0; k < count; k++)
        tr_dataset_sequence(t->tokens + k * (s->context + 1), &t->data, &t->at.job, t->sequences[k], s->context);
    bt_batch b = { .count = count, .sequences = t->sequences, .tokens = t->tokens };
    return bt_gpt_calibrate(t->gpt, &t->at.fractions, t->at.state.master, &b, t->at.state.retries, f);
}

/* Publishes the model of the current step. */
static err publish(trainer *t, fault *f)
{
    if (bt_state_calibrates(&t->at.state))
        TRY(calibrate(t, f));
    return bt_state_publish(&t->at.state, &t->at.fractions, &t->model, bt_gpt_tables(t->gpt), f);
}

/* One step; a step that ends in RANGE is repeated with new fractions. */
static err step(trainer *t, bt_trace_fn trace, void *trace_ctx, fault *f)
{
    const num_shape *s = &t->model.shape;
    uint64_t n = num_parameter_count(s);
    for (;;) {
        TRY(publish(t, f));
        memset(t->gradient, 0, n * sizeof *t->gradient);
        int64_t loss = 0;
        bt_result result = { 0 };
        uint32_t piece = t->batch / t->split;
        for (uint32_t k = 0; k < t->batch; k++) {
            t->sequences[k] = t->at.state.step * t->batch + k;
            tr_dataset_sequence(t->tokens + k * (s->context + 1), &t->data, &t->at.job, t->sequences[k], s->context);
        }
        for (uint32_t p = 0; p < t->split && !result.range; p++) {
            bt_batch b = { .job_id = t->at.job, .step = t->at.state.step, .count = piece, .sequences = t->sequences + p * piece,
                           .tokens = t->tokens + (size_t)p * piece * (s->context + 1) };
            int64_t part = 0;
            TRY(bt_gpt_gradient(t->gpt, &t->model, &b, t->gradient, &part, &result, trace, trace_ctx, f));
            loss += part;
        }
        if (!result.range) {
            t->losses[t->n_losses++] = nats(loss, (uint64_t)t->batch * s->context);
            err e = bt_state_update(&t->at.state, &t->at.fractions, t->gradient, (uint64_t)t->batch * s->context, &t->at.schedule);
            t->at.cursor = t->at.state.step * t->batch;
            return e == OK ? OK : fail(f, e, "update", t->at.state.step);
        }
        if (++t->at.state.retries > 8)
            return fail(f, ERR_STEP_RANGE, "the model has diverged: tensor", result.tensor);
    }
}

/* Mean loss over evenly spaced validation windows, by the published model. */
static err validate(trainer *t, double *out, fault *f)
{
    const num_shape *s = &t->model.shape;
    uint64_t windows = tr_dataset_valid_windows(&t->data, s->context), want = tb_uint(t->cli, "validate");
    uint64_t total = windows < want ? windows : want, loss = 0;
    for (uint64_t k = 0; k < total; k += t->batch) {
        uint32_t count = total - k < t->batch ? (uint32_t)(total - k) : t->batch;
        for (uint32_t i = 0; i < count; i++) {
            tr_dataset_valid_window(t->tokens + i * (s->context + 1), &t->data, (k + i) * windows / total, s->context);
            t->sequences[i] = i;
        }
        bt_batch b = { .count = count, .sequences = t->sequences, .tokens = t->tokens };
        int64_t part = 0;
        bt_result result = { 0 };
        TRY(bt_gpt_loss(t->gpt, &t->model, &b, &part, &result, f));
        if (result.range)
            return fail(f, ERR_STEP_RANGE, "validation: tensor", result.tensor);
        loss += (uint64_t)part;
    }
    *out = total ? nats((int64_t)loss, total * s->context) : 0;
    return OK;
}

static err show_sample(trainer *t, const char *label, fault *f)
{
    uint64_t count = tb_uint(t->cli, "sample");
    if (count == 0 || t->cli->json)
        return OK;
    if (count > 10000)
        return fail(f, ERR_LIMIT, "sample", count);
    uint8_t *text = malloc(count);
    if (!text)
        return fail(f, ERR_MEMORY, "sample", count);
    err e = corpus_sample(text, count, t->gpt, &t->model, &t->data, t->at.determinism_seed, f);
    if (e == OK)
        term_quote(&t->term, label, text, count);
    free(text);
    return e;
}

static void show_start(const trainer *t)
{
    const num_shape *s = &t->model.shape;
    char cpu[200];
    bt_cpu_describe(cpu, sizeof cpu);
    double unigram, bigram;
    tr_dataset_entropy(&t->data, &unigram, &bigram);
    fprintf(t->term.out, "%s: %" PRIu64 " + %" PRIu64 " tokens, %u symbols, entropy %.3f, bigram %.3f nats\n", t->data_name,
            t->data.manifest.train_tokens, t->data.manifest.valid_tokens, s->vocab, unigram, bigram);
    fprintf(t->term.out, "GPT: %" PRIu64 " parameters, width %u, %u layers, %u heads, context %u, %u-bit operands\n%s\n", num_parameter_count(s),
            s->width, s->layers, s->heads, s->context, s->bits, cpu);
}

static err checkpoint(trainer *t, fault *f)
{
    const char *dir = tb_text(t->cli, "dir");
    hash256 id;
    t->at.model = t->model.id;
    if (!*dir)
        return OK;
    t->about = dir;
    TRY(tr_checkpoint_save(dir, &t->at, &id, f));
    t->about = NULL;
    return OK;
}

static err run(trainer *t, fault *f)
{
    uint64_t total = t->at.schedule.total_steps, every = tb_uint(t->cli, "every");
    t->started = term_now();
    t->model.id = t->at.model; /* of the step before, where this run goes on from one */
    t->state_id = bt_state_id(&t->at.state, &t->model);
    TRY(publish(t, f));
    TRY(show_sample(t, "before: ", f));
    trace_writer trace = { 0 };
    while (t->at.state.step < total) {
        bool last = t->at.state.step + 1 == total, traced = last && *tb_text(t->cli, "trace");
        if (traced) {
            t->about = tb_text(t->cli, "trace");
            TRY(trace_writer_open(&trace, t->about, f));
        }
        err e = step(t, traced ? trace_writer_tensor : NULL, &trace, f);
        if (e == OK && traced)
            e = trace_writer_gradients(&trace, &t->model.shape, t->gradient, f);
        if (traced)
            e = trace_writer_close(&trace, e, f);
        if (e != OK)
            return e;
        t->about = NULL;
        bool look = t->at.state.step % (every ? every : total) == 0 || last;
        if (look) {
            t->state_id = bt_state_id(&t->at.state, &t->model);
            TRY(checkpoint(t, f));
            TRY(publish(t, f));
            TRY(validate(t, &t->last_validation, f));
        }
        char line[120];
        double seconds = term_now() - t->started;
        snprintf(line, sizeof line, "%" PRIu64 "/%" PRIu64 "  loss %.3f  %.0f tok/s", t->at.state.step, total, t->losses[t->n_losses - 1],
                 (double)(t->n_losses * t->batch * t->model.shape.context) / seconds);
        if (!t->cli->json)
            term_progress(&t->term, t->at.state.step, total, line);
        if (look && !t->cli->json) {
            term_clear(&t->term);
            fprintf(t->term.out, "step %s  validation %.4f nats\n", line, t->last_validation);
        }
    }
    return OK;
}

static void print_result(const trainer *t, const char *state_id, const char *model_id)
{
    const num_shape *s = &t->model.shape;
    double unigram, bigram;
    tr_dataset_entropy(&t->data, &unigram, &bigram);
    bt_memory memory;
    t->device->backend->memory(t->device, &memory);
    tb_print_json(json_pack("{s:s, s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:s, s:s, s:I, s:I, s:f}", "schema", "tb-train-1", "data", t->data_name, "steps",
                            (json_int_t)t->at.state.step, "parameters", (json_int_t)num_parameter_count(s), "loss_nats",
                            t->n_losses ? t->losses[t->n_losses - 1] : 0.0, "validation_nats", t->last_validation, "unigram_nats", unigram, "bigram_nats",
                            bigram, "state_id", state_id, "model_id", model_id, "peak_tensor_bytes", (json_int_t)memory.peak_bytes, "scratch_bytes",
                            (json_int_t)memory.scratch_bytes, "seconds", term_now() - t->started));
}

int cmd_train(const tb_cli *cli)
{
    trainer t = { .cli = cli, .lock = -1, .term = term_on(cli->json ? stderr : stdout, cli->color_out) };
    fault f = { 0 };
    err e = trainer_open(&t, &f);
    if (e == OK && !cli->json)
        show_start(&t);
    if (e == OK)
        e = run(&t, &f);
    if (e == OK)
        e = show_sample(&t, "after:  ", &f);
    if (e == OK && *tb_text(cli, "export"))
        e = tr_st_export_master(t.about = tb_text(cli, "export"), &t.model.shape, t.at.state.master, &f);
    int code = 0;
    if (e == OK) {
        char state_id[65], model_id[65];
        base_hex_encode(state_id, t.state_id.b, 32);
        base_hex_encode(model_id, t.model.id.b, 32);
        if (cli->json) {
            print_result(&t, state_id, model_id);
        } else {
            term_chart(&t.term, t.losses, t.n_losses, 10, "loss in nats per token");
            printf("model id  %s\nstate id  %s\n", model_id, state_id);
        }
    } else {
        code = tb_report(cli, e, t.about && *t.about ? t.about : NULL, &f);
    }
    trainer_close(&t);
    return code;
}
