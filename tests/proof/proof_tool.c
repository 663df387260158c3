/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests/proof/verify_oracle.py: proves one step of a small model, writes statement and proof, then answers which changes of them are refused.
 *
 * Usage: tb_proof_tool FOLDER V T d L H w SEQUENCES SEED FINER, or tb_proof_tool FOLDER range CASE for a step that ends in RANGE, of
 * prove/range_kit.h ("range cases" alone says how many there are). Operands get FINER more bits of fraction than calibration gives them, so
 * that some saturate. Writes FOLDER/statement.json and FOLDER/proof, says "ready", and reads changes from standard input, one change a
 * line, `FIELD INDEX MASK`: the element of the field is XORed with the mask, the proof is verified, and the change is undone.
 * `length N 0` verifies the first N bytes of the proof and a zero byte for each that is missing. Answers with the name of the error, and
 * what fails. */
#include "prove/range_kit.h"

#include "base/err.h"

#include <inttypes.h>
#include <stdio.h>

static FILE *create(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f) {
        perror(path);
        exit(1);
    }
    return f;
}

static void write_hash(FILE *f, const char *name, const hash256 *h)
{
    fprintf(f, " \"%s\": \"", name);
    for (size_t i = 0; i < sizeof *h; i++)
        fprintf(f, "%02x", ((const uint8_t *)h)[i]);
    fprintf(f, "\",\n");
}

#define WRITE_ARRAY(f, name, array, count)                                                     \
    do {                                                                                       \
        fprintf(f, " \"%s\": [", name);                                                        \
        for (size_t i_ = 0; i_ < (count); i_++)                                                \
            fprintf(f, "%s%" PRId64, i_ ? ", " : "", (int64_t)(array)[i_]);                    \
        fprintf(f, "],\n");                                                                    \
    } while (0)

static void write_statement(FILE *f, const pf_subject *s)
{
    const num_shape *n = &s->shape;
    const uint32_t shape[] = { n->vocab, n->context, n->width, n->layers, n->heads, n->bits, n->helper };
    size_t parameters = num_parameter_count(n);
    fprintf(f, "{\n");
    WRITE_ARRAY(f, "shape", shape, 7);
    WRITE_ARRAY(f, "layer_fractions", (const int8_t *)s->fractions.layer, n->layers * sizeof *s->fractions.layer);
    WRITE_ARRAY(f, "top_fractions", (const int8_t *)&s->fractions.top, sizeof s->fractions.top);
    const struct { const char *name; const hash256 *hash; } hashes[] = {
        { "model_id", &s->model_id },       { "weight_root", &s->weight_root }, { "tables_hash", &s->tables_hash }, { "job_id", &s->job_id },
        { "tokens_root", &s->tokens_root }, { "lease_hash", &s->lease_hash },   { "worker", &s->worker },           { "gradient_root", &s->gradient_root },
    };
    for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++)
        write_hash(f, hashes[i].name, hashes[i].hash);
    WRITE_ARRAY(f, "numbers", s->numbers, s->sequences);
    WRITE_ARRAY(f, "tokens", s->tokens, (size_t)s->sequences * (n->context + 1));
    WRITE_ARRAY(f, "weights", s->weights, parameters);
    WRITE_ARRAY(f, "gradient", s->gradient, parameters);
    const uint64_t range[] = { s->result.tensor, s->result.sequence, s->result.index };
    WRITE_ARRAY(f, "range", range, s->result.range ? COUNT_OF(range) : 0);
    fprintf(f, " \"step\": %" PRIu64 ",\n \"level\": %u,\n \"loss\": %" PRId64 "\n}\n", s->step, s->level, s->loss);
}

static void answer(const pf_subject *s, bytes proof)
{
    fault f = { 0 };
    err e = pf_verify(s, proof, NULL, &f);
    printf("%s %s %" PRIu64 "\n", err_describe(e)->name, e == OK ? "" : f.what, e == OK ? 0 : (uint64_t)f.at);
    fflush(stdout);
}

/* The element of a named field, and its size in bytes; NULL: there is none. */
static void *element(step_kit *k, buf *proof, const char *field, size_t i, size_t *size)
{
    pf_subject *s = &k->subject;
    size_t parameters = num_parameter_count(&s->shape);
    const struct { const char *name; void *base; size_t size, count; } fields[] = {
        { "proof", proof->data, 1, proof->len },
        { "gradient", k->gradient, 8, parameters },
        { "weights", k->model.weights, 2, parameters },
        { "tokens", k->tokens, 2, (size_t)s->sequences * (s->shape.context + 1) },
        { "numbers", k->numbers, 8, s->sequences },
        { "loss", &s->loss, 8, 1 },
        { "step", &s->step, 8, 1 },
        { "level", &s->level, 1, 1 },
        { "range_tensor", &s->result.tensor, 4, s->result.range },
        { "range_sequence", &s->result.sequence, 8, s->result.range },
        { "range_index", &s->result.index, 8, s->result.range },
        { "top_fractions", &s->fractions.top, 1, sizeof s->fractions.top },
        { "layer_fractions", s->fractions.layer, 1, s->shape.layers * sizeof *s->fractions.layer },
        { "model_id", &s->model_id, 1, 32 },
        { "weight_root", &s->weight_root, 1, 32 },
        { "tables_hash", &s->tables_hash, 1, 32 },
        { "job_id", &s->job_id, 1, 32 },
        { "tokens_root", &s->tokens_root, 1, 32 },
        { "lease_hash", &s->lease_hash, 1, 32 },
        { "worker", &s->worker, 1, 32 },
        { "gradient_root", &s->gradient_root, 1, 32 },
    };
    for (size_t j = 0; j < sizeof fields / sizeof *fields; j++)
        if (!strcmp(fields[j].name, field) && i < fields[j].count) {
            *size = fields[j].size;
            return (uint8_t *)fields[j].base + i * fields[j].size;
        }
    return NULL;
}

static void flip(void *at, size_t size, uint64_t mask)
{
    for (size_t b = 0; b < size; b++) /* little-endian, as every machine this test runs on */
        ((uint8_t *)at)[b] ^= (uint8_t)(mask >> 8 * b);
}

static void change_length(step_kit *k, const buf *proof, size_t n)
{
    uint8_t *copy = calloc(n + 1, 1);
    CHECK(copy);
    memcpy(copy, proof->data, n < proof->len ? n : proof->len);
    answer(&k->subject, (bytes){ copy, n });
    free(copy);
}

static void changes(step_kit *k, buf *proof)
{
    char field[32];
    uint64_t index, mask;
    while (scanf("%31s %" SCNu64 " %" SCNu64, field, &index, &mask) == 3) {
        size_t size = 0;
        if (!strcmp(field, "length")) {
            change_length(k, proof, index);
            continue;
        }
        void *at = element(k, proof, field, index, &size);
        if (!at) {
            printf("no element %" PRIu64 " of %s\n", index, field);
            fflush(stdout);
            continue;
        }
        flip(at, size, mask);
        answer(&k->subject, buf_bytes(proof));
        flip(at, size, mask);
    }
}

/* Hashes that a lease would have: any value will do, but not all the same. */
static void fill_hashes(pf_subject *s)
{
    memset(&s->tokens_root, 1, sizeof s->tokens_root);
    memset(&s->lease_hash, 2, sizeof s->lease_hash);
    memset(&s->worker, 3, sizeof s->worker);
    memset(&s->gradient_root, 4, sizeof s->gradient_root);
    s->level = 2;
}

int main(int argc, char **argv)
{
    step_kit k;
    buf proof;
    fault f = { 0 };
    uint32_t n[9];
    if (argc == 3 && !strcmp(argv[1], "range") && !strcmp(argv[2], "cases")) {
        printf("%zu\n", COUNT_OF(range_cases));
        return 0;
    }
    if (argc == 4 && !strcmp(argv[2], "range") && strtoul(argv[3], NULL, 10) < COUNT_OF(range_cases)) {
        range_make(&k, &range_cases[strtoul(argv[3], NULL, 10)]);
    } else if (argc == 11) {
        for (int i = 0; i < 9; i++)
            n[i] = (uint32_t)strtoul(argv[2 + i], NULL, 10);
        kit_make(&k, &(num_shape){ n[0], n[1], n[2], n[3], n[4], n[5], NUM_NARROW }, n[6], n[7], NULL);
        if (n[8])
            kit_finer(&k, (int)n[8]);
    } else {
        fprintf(stderr, "usage: tb_proof_tool FOLDER (V T d L H w SEQUENCES SEED FINER | range CASE) | range cases\n");
        return 2;
    }
    fill_hashes(&k.subject);
    buf_init(&proof, (size_t)1 << 30);
    err e = pv_prove(k.ws, &k.witness, &proof, &f);
    if (e != OK) {
        fprintf(stderr, "%s %s\n", err_describe(e)->name, f.what);
        return 1;
    }
    FILE *out = create(argv[1], "statement.json");
    write_statement(out, &k.subject);
    fclose(out);
    out = create(argv[1], "proof");
    fwrite(proof.data, 1, proof.len, out);
    fclose(out);
    printf("ready\n");
    fflush(stdout);
    changes(&k, &proof);
    buf_deinit(&proof);
    kit_drop(&k);
    return 0;
}
