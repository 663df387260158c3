/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/corpus.h"

#include "crypto/blake3.h"
#include "torch/gpt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_CORPUS_MAX = 16 << 20 };

/* The default corpus is the output of a fixed command, so it is the same text wherever the package is. */
static err read_default(buf *out, fault *f)
{
    FILE *pipe = popen("bible -f 'Gen1:1-Rev22:21' 2>/dev/null", "r");
    if (!pipe)
        return fail(f, ERR_IO, "corpus: cannot start `bible`", 0);
    char piece[65536];
    size_t n;
    err e = OK;
    while (e == OK && (n = fread(piece, 1, sizeof piece, pipe)) > 0)
        e = buf_put(out, piece, n);
    int status = pclose(pipe);
    if (e == OK && (status != 0 || out->len < 1 << 20))
        return fail(f, ERR_NOT_FOUND, "corpus: Debian package bible-kjv (scripts/setup installs it), or give --data FILE", out->len);
    return e == OK ? OK : fail(f, e, "corpus", out->len);
}

static err read_file(buf *out, const char *path, fault *f)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return fail(f, ERR_NOT_FOUND, "corpus: file", 0);
    char piece[65536];
    size_t n;
    err e = OK;
    while (e == OK && (n = fread(piece, 1, sizeof piece, file)) > 0)
        e = buf_put(out, piece, n);
    if (e == OK && ferror(file))
        e = ERR_IO;
    fclose(file);
    return e == OK ? OK : fail(f, e, "corpus: file", out->len);
}

static unsigned symbols_of(bytes text)
{
    bool seen[256] = { false };
    unsigned count = 0;
    for (size_t i = 0; i < text.len; i++) {
        count += !seen[text.data[i]];
        seen[text.data[i]] = true;
    }
    return count;
}

err corpus_open(tr_dataset *out, const char *path, uint32_t context, const char **name, fault *f)
{
    buf text;
    bool standard = *path == 0;
    buf_init(&text, standard ? DEFAULT_CORPUS_MAX : (size_t)1 << 30);
    err e = standard ? read_default(&text, f) : read_file(&text, path, f);
    if (e == OK) {
        tr_tokenizer how = symbols_of(buf_bytes(&text)) <= 128 ? TR_TOKENIZER_CHAR : TR_TOKENIZER_BYTE;
        e = tr_dataset_from_text(out, buf_bytes(&text), how, context, f);
    }
    buf_deinit(&text);
    *name = standard ? "King James Bible" : path;
    return e;
}

/* Display only: floating point is fine here, the draw is seeded. */
static uint16_t draw(const int32_t *logits, uint32_t vocab, int fraction, const cr_blake3 *random, uint64_t at)
{
    const double temperature = 0.8;
    int32_t max = logits[0];
    for (uint32_t v = 1; v < vocab; v++)
        max = logits[v] > max ? logits[v] : max;
    double total = 0;
    for (uint32_t v = 0; v < vocab; v++)
        total += exp2((double)(logits[v] - max) / (double)(1 << fraction) / temperature);
    uint8_t word[8];
    cr_blake3_final_xof(random, 8 * at, word, sizeof word);
    double left = total * ((double)(load_le64(word) >> 11) / 9007199254740992.0);
    for (uint32_t v = 0; v < vocab; v++) {
        left -= exp2((double)(logits[v] - max) / (double)(1 << fraction) / temperature);
        if (left <= 0)
            return (uint16_t)v;
    }
    return (uint16_t)(vocab - 1);
}

err corpus_sample(uint8_t *out, size_t count, bt_gpt *gpt, const bt_model *model, const tr_dataset *data, uint64_t seed, fault *f)
{
    uint32_t context = model->shape.context, vocab = model->shape.vocab;
    num_const c;
    TRY(num_const_of(&c, &model->shape, f));
    int32_t *logits = malloc(vocab * sizeof *logits);
    uint16_t *tokens = malloc((context + 1) * sizeof *tokens);
    err e = logits && tokens ? OK : fail(f, ERR_MEMORY, "sample", 0);
    cr_blake3 random;
    uint8_t le_seed[8];
    store_le64(le_seed, seed);
    cr_blake3_init_derive(&random, "theblock 2026 sample v1");
    cr_blake3_update(&random, bytes_of(le_seed, sizeof le_seed));
    uint32_t have = context / 2;
    if (e == OK) { /* the prompt: the beginning of the validation text, not shown */
        uint16_t window[LIMIT_MODEL_CONTEXT_N + 1];
        tr_dataset_valid_window(window, data, 0, context);
        memcpy(tokens, window, have * sizeof *tokens);
    }
    for (size_t i = 0; i < count && e == OK; i++) {
        bt_result result;
        e = bt_gpt_logits(gpt, model, tokens, have, logits, &result, f);
        if (e == OK && result.range)
            e = fail(f, ERR_STEP_RANGE, "sample: tensor", result.tensor);
        if (e != OK)
            break;
        uint16_t next = draw(logits, vocab, c.f_l, &random, i);
        out[i] = tr_dataset_symbol(data, next);
        if (have == context) /* keep half, so that a window is not moved for each token */
            memmove(tokens, tokens + context / 2, (have = context - context / 2) * sizeof *tokens);
        tokens[have++] = next;
    }
    free(logits);
    free(tokens);
    return e;
}
