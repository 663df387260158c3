/* SPDX-License-Identifier: Apache-2.0
 *
 * The table list (spec/proof.md section 7) at a point: what the verifier evaluates by itself. */
#ifndef PROOF_TABLES_H
#define PROOF_TABLES_H

#include "proof/public.h"

/* The sum over all entries of eq(point, entry) times the entry's fingerprint; the point has the variables of the table instance. ERR_MEMORY. */
err pf_tables_evaluate(fx *out, const pf_layout *y, const pf_tables *tables, const fx *point, fx gamma, fault *f) MUST_USE;

#endif
