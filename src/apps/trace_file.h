/* SPDX-License-Identifier: Apache-2.0
 *
 * Trace files of `tb train --trace`: every committed tensor of a step, then the exact weight gradients. A stream of records, so that two
 * traces are compared in one pass and bounded memory.
 *   file    "TBTRACE1", records
 *   record  le32 tensor id (0x80000000 + index: gradient of a weight tensor), le64 sequence, le32 rows, le32 cols, le32 element bytes,
 *           rows * cols elements, little-endian */
#ifndef APPS_TRACE_FILE_H
#define APPS_TRACE_FILE_H

#include "torch/gpt.h"

#include <stdio.h>

typedef struct trace_writer {
    FILE *file;
} trace_writer;

err trace_writer_open(trace_writer *w, const char *path, fault *f) MUST_USE;
/* A bt_trace_fn; ctx is the writer. */
err trace_writer_tensor(void *ctx, uint32_t tensor, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols, uint32_t elem_bytes);
err trace_writer_gradients(trace_writer *w, const num_shape *shape, const int64_t *gradient, fault *f) MUST_USE;
/* Closes; `e` is what happened so far: a write error is reported only if it is OK. */
err trace_writer_close(trace_writer *w, err e, fault *f) MUST_USE;

typedef struct trace_record {
    uint32_t tensor, rows, cols, elem_bytes;
    uint64_t sequence;
} trace_record;

enum { TRACE_GRADIENT = 0x80000000u };

err trace_reader_open(FILE **out, const char *path, fault *f) MUST_USE;
/* *more = false at a clean end. */
err trace_reader_next(FILE *file, trace_record *r, bool *more, fault *f) MUST_USE;

/* "layer 2 dh", "head lg", "gradient layer2.w1": for people. */
void trace_name(char out[64], const num_shape *shape, uint32_t tensor);

#endif
