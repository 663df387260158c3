/* SPDX-License-Identifier: Apache-2.0
 *
 * From "their trace root differs from mine" to evidence about one element (spec/evidence.md). The accused uploaded its leaf hashes and
 * opens one tile; everything before the first different leaf is common ground, so the accuser's own trace supplies the inputs of the
 * first different element, under the accused's root. What the accused sends is checked against that root: it cannot change its
 * mind. If it sends nothing it is challenged on the ledger, where silence costs the bond.
 *
 * If the traces are equal and the gradients or the losses differ, nothing has to be asked: the accused uploaded its gradient, under the
 * gradient root that it signed, the loss is in the attestation, and the trace under its trace root is the accuser's own. What depends on
 * tokens opens them under the root that the lease names. */
#ifndef TRAIN_DISPUTE_H
#define TRAIN_DISPUTE_H

#include "chain/chain.h"
#include "proof/plan.h"
#include "train/exec.h"
#include "train/gradient_root.h"
#include "train/trace_root.h"

/* All committed tensors of one sequence. */
typedef struct tr_capture {
    num_shape shape;
    uint64_t  sequence;
    uint8_t **tensors; /* num_trace_count of them, in order; NULL: not seen; owned */
} tr_capture;

err  tr_capture_init(tr_capture *c, const num_shape *shape, uint64_t sequence, fault *f) MUST_USE;
void tr_capture_deinit(tr_capture *c);
err  tr_capture_take(void *ctx, uint32_t tensor_id, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols,
                     uint32_t elem_bytes); /* the bt_trace_fn */
void tr_capture_reset(void *ctx);

typedef struct tr_dispute {
    bytes    lease, attestation; /* signed; borrowed */
    tr_place place;              /* of the first different leaf */
    bool     malformed;          /* it is not formed like a leaf at all, and there is no element; set by tr_dispute_tile, as the next ones */
    uint64_t element;            /* of the tensor, row-major */
    int64_t  mine, theirs;
    bool     domain;             /* the element is known: it leaves its domain, and NORMAL was attested */
    bool     range;              /* the element is known: RANGE was attested for it; its own tile is not opened */
    bool     bare;               /* and no check can fail there: nothing is opened */
} tr_dispute;

/* `mine` is the accuser's whole trace, `leaves` what the accused sent (mine->leaf_count of them). ERR_PROOF: they do not hash to the root
 * that it signed; ERR_NOT_FOUND: the traces are equal. */
err tr_dispute_leaves(tr_dispute *d, const tr_trace *mine, const hash256 *leaves, const chain_attestation *attestation,
                      fault *f) MUST_USE;

/* NORMAL was attested, the accuser's run ended in RANGE(tensor, sequence, index), and nothing before it differs: names that element. */
err tr_dispute_domain(tr_dispute *d, const tr_trace *mine, uint32_t tensor, uint64_t sequence, uint64_t index, fault *f) MUST_USE;

/* RANGE was attested: names the element that it is about. The file needs the accused's leaves, but nothing has to be asked; it holds if the
 * accused computed what the element is made of as the accuser did, else ERR_PROOF comes from it. */
err tr_dispute_range(tr_dispute *d, const tr_trace *mine, const chain_attestation *attestation, fault *f) MUST_USE;

/* `tile` is the leaf that the accused sent for d->place, `mine` the accuser's capture of d->place.sequence. ERR_SHAPE, ERR_PROOF: not the
 * leaf in its list; ERR_NOT_FOUND: nothing differs. */
err tr_dispute_tile(tr_dispute *d, bytes tile, const hash256 *leaves, const tr_capture *mine, fault *f) MUST_USE;

/* Writes the evidence and replays it: what comes out is what a referee accepts. `sequences`: the global numbers of the lease. `out` has
 * LIMIT_EVIDENCE_BYTES of room. ERR_LIMIT: the element has too many inputs for one evidence file. ERR_EVIDENCE: by the relation the accused
 * is right about this element, which means that the accuser's own executor is wrong: stop and look. */
err tr_dispute_evidence(buf *out, pf_verdict *verdict, const tr_dispute *d, const tr_trace *mine, const hash256 *leaves, bytes tile,
                        const tr_capture *capture, const tr_task *task, fault *f) MUST_USE;

/* About what is a sum over the lease: an element of its gradient, or its loss. */
typedef struct tr_sum_dispute {
    bytes           lease, attestation; /* signed; borrowed; set by the caller, as the next one */
    const tr_trace *trace;              /* the accuser's whole trace; its root is the one that the accused signed */
    uint32_t        tensor;             /* PF_GRADIENT + weight tensor, or PF_LOSS */
    uint64_t        element;            /* row-major in it */
    int64_t         mine, theirs;
    uint8_t         tile[NUM_GRADIENT_LEAF_BYTES]; /* the element's, of the accused's gradient */
    hash256        *leaves;             /* of that gradient; owned */
    pf_plan        *plan;               /* owned */
    tr_tile        *tiles;              /* the trace's tiles in the order of the plan; owned */
    uint32_t        tile_count;
} tr_sum_dispute;

/* Finds an element that differs, and which tiles its relation reads: in the token embedding the one of the token that occurs least in
 * the lease, which has the fewest inputs, else the first one. `mine` and `theirs` are whole gradients; `pool` may be NULL.
 * ERR_NOT_FOUND: they are equal; ERR_LIMIT: too many positions for one evidence file. Deinit after every outcome. */
err  tr_dispute_gradient(tr_sum_dispute *d, const int64_t *mine, const int64_t *theirs, const tr_task *task, base_pool *pool,
                         fault *f) MUST_USE;
/* The same for two losses. */
err  tr_dispute_loss(tr_sum_dispute *d, int64_t mine, int64_t theirs, const tr_task *task, fault *f) MUST_USE;
void tr_dispute_sum_deinit(tr_sum_dispute *d);

/* A bt_trace_fn over the tr_sum_dispute, for an execution of the same lease: keeps the tiles that the evidence opens. */
err tr_dispute_sum_take(void *ctx, uint32_t tensor_id, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols,
                        uint32_t elem_bytes);

/* As tr_dispute_evidence, after that execution. */
err tr_dispute_sum_evidence(buf *out, pf_verdict *verdict, const tr_sum_dispute *d, const tr_task *task, fault *f) MUST_USE;

/* The greatest size of evidence about an element of the gradient, or of a sum over positions, of a lease of so many sequences; and the most
 * sequences with which it fits its file, 0 if not even one does. The token embedding's gradient may have more inputs. */
uint64_t tr_dispute_bytes_max(const num_shape *shape, uint64_t sequences);
uint32_t tr_dispute_sequences_max(const num_shape *shape);

/* The chain_leaf_fn: the shape is the job's. */
err tr_dispute_leaf(uint64_t *count, const chain_leaf *leaf, fault *f) MUST_USE;

/* The statement of a lease and its attestation, for pf_referee_check. */
pf_statement tr_dispute_statement(const chain_lease *lease, const chain_attestation *attestation);

#endif
