/* SPDX-License-Identifier: Apache-2.0
 * What the files of the treasury share. */
#ifndef CHAIN_TREASURY_TREASURY_INT_H
#define CHAIN_TREASURY_TREASURY_INT_H

#include "chain/treasury/treasury.h"

/* Every payee has KYC that counts at `height`: ERR_KYC naming `what` and the payee's place. */
err chain_disbursement_check_kyc(const chain *c, const chain_row_disbursement *d, uint64_t height, const char *what, fault *f) MUST_USE;

/* Whether all dependencies are finalized, or one is rolled back. */
chain_dependencies chain_disbursement_dependencies(const chain *c, const chain_row_disbursement *d);

/* The event of a new status. */
void chain_disbursement_tell(chain *c, uint64_t number, const chain_row_disbursement *d, uint64_t epoch, uint32_t tx_index);

/* Takes and frees one of the slots; `t` is the treasury's row, being edited. ERR_LIMIT if treasury.active_max are taken. */
err chain_slot_take(chain *c, chain_row_treasury *t, uint64_t number, fault *f) MUST_USE;
err chain_slot_free(chain *c, chain_row_treasury *t, uint64_t number, fault *f) MUST_USE;

/* Rolls back, and returns what is held to the treasury; frees its slot. */
err chain_disbursement_roll_back(chain *c, chain_row_treasury *t, uint64_t number, chain_row_disbursement *d, chain_rollback_reason reason,
                                 fault *f) MUST_USE;

#endif
