/* SPDX-License-Identifier: Apache-2.0
 *
 * A text as training data (spec/numerics.md section 13, spec/training-network.md "Data"): tokens of one byte, a vocabulary, 95 %
 * for training and the rest for validation, cut into shards behind a manifest. The manifest's BLAKE3 is the job's
 * dataset_manifest_cid; it names every shard by content, so whoever has the id can check every token. */
#ifndef TRAIN_DATASET_H
#define TRAIN_DATASET_H

#include "base/buf.h"
#include "crypto/blake3.h"

typedef enum tr_tokenizer {
    TR_TOKENIZER_BYTE = 0, /* token = byte, vocabulary 256 */
    TR_TOKENIZER_CHAR = 1, /* token = place of the byte in the sorted set of bytes that occur */
} tr_tokenizer;

enum { TR_SHARD_BYTES = 1 << 20 };

typedef struct tr_manifest {
    uint32_t tokenizer;
    uint32_t vocab;           /* 1 .. 256 */
    uint8_t  symbols[256];    /* byte of each token, ascending */
    hash256  tokenizer_hash;  /* BLAKE3 of the tokenizer's number and the symbols */
    uint64_t train_tokens;    /* floor(tokens * 95 / 100) */
    uint64_t valid_tokens;
    uint64_t shard_count;     /* of TR_SHARD_BYTES tokens each, the last shorter; training and validation in one row */
    hash256 *shards;          /* content ids; owned */
} tr_manifest;

void tr_manifest_deinit(tr_manifest *m);

/* Canonical CBOR; free with buf_deinit. */
err tr_manifest_encode(buf *out, const tr_manifest *m) MUST_USE;
/* Checks everything that can be checked without the shards. */
err tr_manifest_decode(tr_manifest *m, bytes in, fault *f) MUST_USE;

typedef struct tr_dataset {
    tr_manifest manifest;
    hash256     cid;     /* of the manifest */
    uint8_t    *tokens;  /* training, then validation; owned */
    uint64_t    missing; /* shards that are not here yet */
    uint8_t    *have;    /* one byte per shard; owned */
} tr_dataset;

void tr_dataset_deinit(tr_dataset *d);

/* From a text. ERR_RANGE "dataset: too short": fewer than one training or validation window of `context` tokens. ERR_LIMIT. */
err tr_dataset_from_text(tr_dataset *d, bytes text, tr_tokenizer how, uint32_t context, fault *f) MUST_USE;
/* The same from a file of at most LIMIT_DATASET_TEXT_BYTES. */
err tr_dataset_from_file(tr_dataset *d, const char *path, tr_tokenizer how, uint32_t context, fault *f) MUST_USE;

/* The tokens of a shard: what its content id is the hash of. */
bytes tr_dataset_shard(const tr_dataset *d, uint64_t index);

/* From a manifest whose id is known, shards to follow in any order: ERR_HASH "dataset.manifest". */
err tr_dataset_open(tr_dataset *d, bytes manifest, const hash256 *cid, fault *f) MUST_USE;
/* ERR_HASH, ERR_RANGE (token outside the vocabulary), ERR_NOT_FOUND; `at` is the shard. A shard that is here is ignored. */
err tr_dataset_put_shard(tr_dataset *d, uint64_t index, bytes shard, fault *f) MUST_USE;

/* Manifest and shards in a directory of content-addressed files. Loading names the damaged or missing part. */
err tr_dataset_save(const tr_dataset *d, const char *dir, fault *f) MUST_USE;
err tr_dataset_load(tr_dataset *d, const char *dir, const hash256 *cid, fault *f) MUST_USE;

/* Windows of `context` tokens and one target more. */
uint64_t tr_dataset_windows(const tr_dataset *d, uint32_t context);
uint64_t tr_dataset_valid_windows(const tr_dataset *d, uint32_t context);

/* Tokens of a global sequence number of a job (section 13): context + 1 of them. The training shards are here. */
void tr_dataset_sequence(uint16_t *out, const tr_dataset *d, const hash256 *job, uint64_t sequence, uint32_t context);
/* Tokens of validation window k < tr_dataset_valid_windows. */
void tr_dataset_valid_window(uint16_t *out, const tr_dataset *d, uint64_t k, uint32_t context);

/* For display only, in nats per token, of the validation text by its own counts: entropy of one token, and of a token given the
 * one before it. */
void tr_dataset_entropy(const tr_dataset *d, double *unigram, double *bigram);

/* Byte of a token; token of a byte (-1: it does not occur). */
uint8_t tr_dataset_symbol(const tr_dataset *d, uint16_t token);
int     tr_dataset_token(const tr_dataset *d, uint8_t symbol);

#endif
