/* SPDX-License-Identifier: Apache-2.0
 *
 * The header of a model file: what the model id is a hash of (spec/numerics.md section 14), in canonical CBOR:
 * `[1, [V, T, d, L, H, w, helper], [fractions ...], weight root, tables hash]`. */
#ifndef NUMERICS_MODEL_HEADER_H
#define NUMERICS_MODEL_HEADER_H

#include "numerics/config.h"

enum { NUM_MODEL_HEADER_BYTES_MAX = 2304 };

typedef struct num_model_header {
    num_shape     shape;
    num_fractions fractions;
    hash256       weight_root, tables_hash;
} num_model_header;

/* Writes into `out` (cap bytes, NUM_MODEL_HEADER_BYTES_MAX always suffice); *view is what was written. The shape must be
 * valid; ERR_LIMIT if it does not fit. */
err num_model_header_encode(uint8_t *out, size_t cap, const num_model_header *header, bytes *view) MUST_USE;

/* Accepts exactly what the encoder writes for a valid shape and valid fractions; layers past L are zero in *out. On failure
 * *out is unspecified and the fault names the field. */
err num_model_header_decode(num_model_header *out, bytes encoded, fault *f) MUST_USE;

/* Model id of an encoded header. */
hash256 num_model_id(bytes encoded);

#endif
