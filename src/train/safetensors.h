/* SPDX-License-Identifier: Apache-2.0
 *
 * safetensors, in and out. A file is le64 header length, a JSON object (name -> dtype, shape, data_offsets), and the data. Files
 * come from strangers: the header is bounded, every product and sum is checked, ranges must be disjoint and cover the data exactly,
 * names must not repeat. Source: the format's README; alignment of the data is not assumed. */
#ifndef TRAIN_SAFETENSORS_H
#define TRAIN_SAFETENSORS_H

#include "base/int.h"
#include "torch/optim.h"

typedef enum tr_st_dtype { TR_ST_I8, TR_ST_U8, TR_ST_BOOL, TR_ST_I16, TR_ST_U16, TR_ST_F16, TR_ST_BF16, TR_ST_I32, TR_ST_U32,
                           TR_ST_F32, TR_ST_I64, TR_ST_U64, TR_ST_F64, TR_ST_DTYPES } tr_st_dtype;

typedef struct tr_st_tensor {
    char        name[LIMIT_TENSOR_RANK_N * 8 + 64]; /* NUL-terminated */
    tr_st_dtype dtype;
    uint32_t    rank;
    uint64_t    shape[LIMIT_TENSOR_RANK_N];
    uint64_t    begin, end; /* in the data */
} tr_st_tensor;

typedef struct tr_st_file {
    tr_st_tensor *tensors; /* in order of begin; owned */
    size_t        count;
    uint64_t      data_at; /* file offset of the data */
    uint64_t      data_len;
} tr_st_file;

void tr_st_deinit(tr_st_file *s);

/* `head` is the start of the file: 8 bytes and the whole header (more is ignored); `file_len` the length of the file. ERR_TRUNCATED,
 * ERR_LIMIT (header, tensors, rank, name), ERR_SYNTAX, ERR_FIELD (missing, unknown or repeated), ERR_DTYPE, ERR_OVERFLOW, ERR_RANGE
 * (range does not fit shape), ERR_OVERLAP (ranges overlap or leave a gap). `at`: a byte offset, or the tensor's place in the file. */
err tr_st_parse(tr_st_file *s, bytes head, uint64_t file_len, fault *f) MUST_USE;

/* NULL if there is none of this name. */
const tr_st_tensor *tr_st_find(const tr_st_file *s, const char *name);

/* Master weights as F32: master * 2^-28, nearest. Names as num_tensor_describe gives them. Atomic, durable. */
err tr_st_export_master(const char *path, const num_shape *shape, const int32_t *master, fault *f) MUST_USE;

/* Operand weights of a model as I16; metadata: the fraction of each tensor ("embed.fraction": "10"), the width w, the model id. */
err tr_st_export_operands(const char *path, const bt_model *model, fault *f) MUST_USE;

/* F32 tensors into master weights: round(x * 2^28), nearest, ties to even. Exactly the tensors of the shape, in any order. ERR_NOT_FOUND or
 * ERR_FIELD (one too few, one too many), ERR_DTYPE, ERR_SHAPE, ERR_RANGE (not finite, or |x| * 2^28 above 2^31 - 1); `at` is the tensor's
 * index in the order of spec/numerics.md section 3. On failure `master` is unchanged. */
err tr_st_import_master(int32_t *master, const num_shape *shape, const char *path, fault *f) MUST_USE;
/* The same from memory. */
err tr_st_import_master_bytes(int32_t *master, const num_shape *shape, bytes file, fault *f) MUST_USE;

#endif
