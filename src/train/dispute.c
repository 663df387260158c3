/* SPDX-License-Identifier: Apache-2.0
 *
 * Narrowing: leaf, tile, element. Packing is dispute_evidence.c; sums over the lease are dispute_sum.c. */
#include "train/dispute.h"

#include <stdlib.h>

err tr_capture_init(tr_capture *c, const num_shape *shape, uint64_t sequence, fault *f)
{
    *c = (tr_capture){ .shape = *shape, .sequence = sequence };
    c->tensors = calloc(num_trace_count(shape), sizeof *c->tensors);
    return c->tensors ? OK : fail(f, ERR_MEMORY, "dispute.capture", 0);
}

void tr_capture_reset(void *ctx)
{
    tr_capture *c = ctx;
    for (uint32_t k = 0; k < num_trace_count(&c->shape); k++) {
        free(c->tensors[k]);
        c->tensors[k] = NULL;
    }
}

void tr_capture_deinit(tr_capture *c)
{
    if (c->tensors)
        tr_capture_reset(c);
    free(c->tensors);
    c->tensors = NULL;
}

err tr_capture_take(void *ctx, uint32_t tensor_id, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols,
                    uint32_t elem_bytes)
{
    tr_capture *c = ctx;
    num_trace_tensor t;
    uint32_t k;
    if (sequence != c->sequence)
        return OK;
    TRY(num_trace_find(&t, &k, &c->shape, tensor_id));
    if (t.rows != rows || t.cols != cols || t.elem_bytes != elem_bytes || c->tensors[k])
        return ERR_SHAPE;
    size_t len = (size_t)rows * cols * elem_bytes;
    c->tensors[k] = malloc(len);
    if (!c->tensors[k])
        return ERR_MEMORY;
    memcpy(c->tensors[k], data, len);
    return OK;
}

err tr_dispute_leaves(tr_dispute *d, const tr_trace *mine, const hash256 *leaves, const chain_attestation *attestation, fault *f)
{
    hash256 root = cr_merkle_root(&cr_merkle_blake3, leaves, (size_t)mine->leaf_count);
    if (!hash256_equal(&root, &attestation->trace_root))
        return fail(f, ERR_PROOF, "dispute.leaves", mine->leaf_count);
    err e = tr_trace_difference(mine, leaves, &d->place);
    return e == OK ? OK : fail(f, e, "dispute.leaves", 0);
}

/* Where an element of the lease's trace lies; ERR_NOT_FOUND. */
static err place_element(tr_dispute *d, const tr_trace *mine, uint32_t tensor, uint64_t sequence, uint64_t index, fault *f)
{
    tr_place *p = &d->place;
    *p = (tr_place){ .sequence = sequence };
    d->element = index;
    err e = num_trace_find(&p->tensor, NULL, &mine->shape, tensor);
    while (e == OK && p->seq_index < mine->count && mine->sequences[p->seq_index] != sequence)
        p->seq_index++;
    if (e != OK || p->seq_index == mine->count || index >= (uint64_t)p->tensor.rows * p->tensor.cols)
        return fail(f, ERR_NOT_FOUND, "dispute.element", index);
    p->tile_row = (uint32_t)(index / p->tensor.cols / NUM_TILE);
    p->tile_col = (uint32_t)(index % p->tensor.cols / NUM_TILE);
    p->leaf = num_trace_leaf(&p->tensor, mine->count, p->seq_index, p->tile_row, p->tile_col);
    return OK;
}

err tr_dispute_domain(tr_dispute *d, const tr_trace *mine, uint32_t tensor, uint64_t sequence, uint64_t index, fault *f)
{
    d->domain = true;
    return place_element(d, mine, tensor, sequence, index, f);
}

err tr_dispute_range(tr_dispute *d, const tr_trace *mine, const chain_attestation *a, fault *f)
{
    d->range = true;
    d->bare = place_element(d, mine, a->range_tensor, a->range_sequence, a->range_index, f) != OK ||
              !pf_slot_has_domain(a->range_tensor % 64);
    if (d->bare)
        d->place.tensor.id = a->range_tensor;
    return OK;
}

err tr_dispute_tile(tr_dispute *d, bytes tile, const hash256 *leaves, const tr_capture *mine, fault *f)
{
    const num_trace_tensor *t = &d->place.tensor;
    uint8_t own[NUM_LEAF_BYTES_MAX];
    uint32_t k;
    if (tile.len != num_leaf_bytes(t->elem_bytes))
        return fail(f, ERR_SHAPE, "dispute.tile", tile.len);
    hash256 h = cr_merkle_leaf(&cr_merkle_blake3, tile);
    if (!hash256_equal(&h, &leaves[d->place.leaf]))
        return fail(f, ERR_PROOF, "dispute.tile", d->place.leaf);
    d->malformed = !num_leaf_is_formed(tile, t, d->place.sequence, d->place.tile_row, d->place.tile_col);
    if (d->malformed || d->domain)
        return OK;
    TRY(num_trace_find(&(num_trace_tensor){ 0 }, &k, &mine->shape, t->id));
    if (!mine->tensors[k])
        return fail(f, ERR_NOT_FOUND, "dispute.capture", t->id);
    num_leaf_encode(own, t, d->place.sequence, d->place.tile_row, d->place.tile_col, mine->tensors[k]);
    for (uint32_t at = 0; at < NUM_TILE_ELEMENTS; at++) {
        uint32_t row = d->place.tile_row * NUM_TILE + at / NUM_TILE, col = d->place.tile_col * NUM_TILE + at % NUM_TILE;
        d->mine = num_leaf_element(own, t->elem_bytes, at);
        d->theirs = num_leaf_element(tile.data, t->elem_bytes, at);
        if (row < t->rows && col < t->cols && d->mine != d->theirs) {
            d->element = (uint64_t)row * t->cols + col;
            return OK;
        }
    }
    return fail(f, ERR_NOT_FOUND, "dispute.tile", d->place.leaf);
}

err tr_dispute_leaf(uint64_t *count, const chain_leaf *leaf, fault *f)
{
    /* Width of operands and helper tier have no part in the layout. */
    num_shape s = { .vocab = leaf->job->vocabulary, .context = leaf->job->context, .width = leaf->job->width,
                    .layers = leaf->job->layers, .heads = leaf->job->heads, .bits = leaf->job->operand_bits };
    *count = num_trace_leaves(&s, leaf->to - leaf->from);
    if (!leaf->text.data)
        return OK;
    num_trace_tensor t;
    uint64_t seq_index;
    uint32_t row, col;
    if (num_trace_locate(&t, &seq_index, &row, &col, &s, leaf->to - leaf->from, leaf->leaf) != OK ||
        !num_leaf_is_formed(leaf->text, &t, leaf->from + seq_index, row, col))
        return fail(f, ERR_PROOF, "trace.leaf", leaf->leaf);
    return OK;
}

pf_statement tr_dispute_statement(const chain_lease *lease, const chain_attestation *a)
{
    return (pf_statement){ .job_id = lease->job, .model_id = lease->model, .trace_root = a->trace_root, .gradient_root = a->gradient,
                           .tokens_root = lease->tokens, .loss = a->loss, .step = lease->step, .from = lease->from, .to = lease->to,
                           .range = a->result == CHAIN_RESULT_RANGE, .range_tensor = a->range_tensor,
                           .range_sequence = a->range_sequence, .range_index = a->range_index };
}
