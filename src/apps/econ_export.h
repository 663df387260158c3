/* SPDX-License-Identifier: Apache-2.0
 *
 * Finished epochs as files that others can check: epochs.csv, markets.csv, epochs.json, and manifest.json, which names the network, the block and
 * the SHA-256 of each of them. Amounts are nBLOCK, q32 numbers are integers: divide by 2^32. */
#ifndef APPS_ECON_EXPORT_H
#define APPS_ECON_EXPORT_H

#include "apps/ledger.h"

enum { TB_EXPORT_EPOCHS_MAX = 60000 }; /* more than a year */

/* Epochs [from, to] into the new directory `dir`. *manifest is the document that was written; the caller's. ERR_EXISTS if there is one in `dir`,
 * ERR_RANGE "from", ERR_LIMIT "epochs"; ERR_NOT_FOUND for an epoch that has not ended. The manifest is written last. */
err tb_econ_export(json_t **manifest, tb_ledger *l, uint64_t from, uint64_t to, const char *dir, fault *f) MUST_USE;

/* Whether each file is what the manifest in `dir` says: ERR_HASH naming the file that is not. *manifest is the caller's. */
err tb_econ_export_check(json_t **manifest, const char *dir, fault *f) MUST_USE;

#endif
