/* SPDX-License-Identifier: Apache-2.0
 *
 * The statement of a lease's proof (spec/proof.md section 1), from what worker, coordinator and auditor hold alike: the model, the data
 * set, the signed lease, and what the worker attests. */
#ifndef TRAIN_STATEMENT_H
#define TRAIN_STATEMENT_H

#include "chain/lease.h"
#include "proof/public.h"
#include "torch/gpt.h"
#include "torch/tables.h"
#include "train/dataset.h"

typedef struct tr_statement {
    pf_subject      subject; /* its gradient is the caller's */
    pf_tables       tables;
    const int32_t **layers;  /* of GELU, then of its slope; owned, as is */
    int32_t        *entries; /* what they point to */
    uint64_t       *numbers;
    uint16_t       *tokens;
} tr_statement;

/* What follows from the lease. Model (borrowed) and lease were checked: the model's id is the lease's, the tokens of `data` give its root.
 * `tables` fit the shape. ERR_MEMORY, ERR_SHAPE. Deinit after every outcome. */
err  tr_statement_init(tr_statement *s, const bt_model *model, bt_tables *tables, const chain_lease *lease, const hash256 *lease_hash,
                       const tr_dataset *data, fault *f) MUST_USE;
/* The same where no data set is at hand: `tokens` (copied), T + 1 of each sequence, were checked against the lease's root. */
err  tr_statement_init_shown(tr_statement *s, const bt_model *model, bt_tables *tables, const chain_lease *lease, const hash256 *lease_hash,
                             const uint16_t *tokens, fault *f) MUST_USE;
void tr_statement_deinit(tr_statement *s);

/* The rest, of NORMAL: level, loss and gradient root as attested, and the gradient (num_parameter_count elements, borrowed) that has this root. */
void tr_statement_normal(tr_statement *s, uint8_t level, int64_t loss, const hash256 *gradient_root, const int64_t *gradient);

/* The rest, of RANGE: level and the element as attested. */
void tr_statement_range(tr_statement *s, uint8_t level, uint32_t tensor, uint64_t sequence, uint64_t index);

/* The rest, of either: as attested. The gradient is read only if the result is NORMAL. */
void tr_statement_answer(tr_statement *s, const chain_attestation *said, const int64_t *gradient);

#endif
