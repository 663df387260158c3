/* SPDX-License-Identifier: Apache-2.0
 *
 * How long a proof may be: part by part, as spec/proof.md section 12 orders them. */
#include "proof/reduce.h"
#include "proof/verify.h"

enum { K_BYTES = 3 * FP_BYTES, ROUND = 2 * K_BYTES, PRODUCTS_PER_LAYER = 32, ROWS_PER_TENSOR = 16 };

static uint64_t lookup_bytes(const pf_instance *in)
{
    return K_BYTES * (2 + 4 * (uint64_t)in->bits + in->segments) + (uint64_t)in->bits * in->bits * ROUND;
}

err pf_proof_bytes_max(uint64_t *out, const pf_layout *y, fault *f)
{
    pf_geometry g = { 0 };
    if (y->tensor_count)
        TRY(pf_geometry_of(&g, y, f));
    uint64_t layers = (uint64_t)y->shape.layers + 1, products = layers * PRODUCTS_PER_LAYER;
    uint64_t product = PF_VARS_MAX * ROUND + 4 * K_BYTES, tensors = y->tensor_count + 4 * layers;
    uint64_t sum = 36 + pf_rows_size(y) + 4 * (uint64_t)y->rounding_count + 12 * (uint64_t)PF_EXCEPTIONS_MAX;
    for (uint32_t i = 0; i < y->instance_count; i++)
        sum += lookup_bytes(&y->instances[i]);
    sum += products * product;                                               /* the gradient's among them */
    sum += 2 * PF_VARS_MAX * ROUND + tensors * (1 + ROWS_PER_TENSOR) * K_BYTES; /* claims: U, t */
    sum += 8 * ((uint64_t)y->k.hidden + y->shape.vocab + 2 * (uint64_t)y->shape.context); /* RANGE: inputs of the failed check */
    sum += 2 * ((uint64_t)K_BYTES << g.m);                                   /* opening: the vectors, */
    sum += (uint64_t)PF_QUERIES * (g.rows * FP_BYTES + 32 * ((uint64_t)g.m + 1)); /* columns and their siblings */
    *out = sum;
    return OK;
}
