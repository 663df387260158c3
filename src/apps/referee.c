/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/referee.h"

#include "train/dispute.h"

err tb_referee(bytes evidence, const chain_dispute *dispute, fault *f)
{
    pf_evidence file;
    pf_verdict verdict;
    pf_statement statement = tr_dispute_statement(dispute->lease, dispute->attestation);
    TRY(pf_evidence_decode(&file, evidence, f));
    return pf_referee_check(&verdict, &file, &statement, f);
}
