/* SPDX-License-Identifier: Apache-2.0
 *
 * What a receipt refers to, in a directory: the model file MODEL_ID.model (spec/numerics.md section 14), the data set's manifest
 * and shards under their content ids, and, of a lease at level full, its proof PROOF_HASH.proof and, unless it ended in RANGE, its gradient
 * GRADIENT_ROOT.gradient (spec/gradient-wire.md). With it anyone can compute the lease again, or verify its proof. */
#ifndef APPS_BUNDLE_H
#define APPS_BUNDLE_H

#include "apps/receipt.h"
#include "proof/verify.h"
#include "torch/gpt.h"
#include "train/dataset.h"

/* Made if absent; a model or data set that is there already is left alone. Each may be NULL. */
err tb_bundle_write(const char *dir, const bt_model *model, const tr_dataset *data, fault *f) MUST_USE;

/* Proof and gradient of an attested lease, from a coordinator's folder `from`, where `gradient_file` names the gradient. Does nothing below
 * level full. */
err tb_bundle_keep(const char *dir, const char *from, bytes attestation, const hash256 *gradient_file, fault *f) MUST_USE;

typedef struct tb_recheck {
    hash256   gradient, trace_root; /* as computed here; zero gradient for RANGE, both zero unless computed */
    uint64_t  parameters, tokens;
    bool      computed; /* the lease was computed again: below level full, or as the gradient is not in the bundle */
    bool      proved;   /* its proof was verified: at level full */
    pf_report proof;
} tb_recheck;

/* Model file against the lease's model id, shape against the job, tokens against the job's data set id; then at level full the proof, for the
 * gradient with the attested root; below, the lease once more: gradient root, trace root and result against the attestation. ERR_UNPROVED. ERR_NOT_FOUND: a file is missing; ERR_HASH, ERR_CHEAT name what
 * differs; the codes of the decoders, mapped to exit code 8 as in receipt.h. */
err tb_receipt_recheck(tb_recheck *out, const tb_receipt *r, const char *dir, unsigned threads, fault *f) MUST_USE;

#endif
