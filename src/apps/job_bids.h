/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom a buyer works with: of all bids on a job those accepted already, then the cheapest. */
#ifndef APPS_JOB_BIDS_H
#define APPS_JOB_BIDS_H

#include "apps/train_ledger.h"

enum { TB_BIDDERS_MAX = 64 }; /* of one match */

typedef struct tb_bidder {
    cr_address    address;
    cr_public_key key;
    chain_row_bid bid;
} tb_bidder;

/* At most TB_BIDDERS_MAX of them whose workers are active; of equal prices the earlier bid. Looks at every bid, however many there are. */
err tb_job_bids(tb_bidder out[TB_BIDDERS_MAX], size_t *count, tb_ledger *l, const hash256 *job, fault *f) MUST_USE;

#endif
