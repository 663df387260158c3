/* SPDX-License-Identifier: Apache-2.0
 * Any job specification is refused with a member named, or keeps the promises that the ledger asks for. */
#include "apps/job_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static tb_job_spec s;
    fault f = { 0 };
    uint64_t cost;
    if (tb_job_spec_parse(&s, bytes_of(data, size), &f) != OK) {
        CHECK(f.code != OK && f.what);
        return 0;
    }
    CHECK(tb_job_spec_cost(&cost, &s, NULL) == OK && s.escrow >= cost);
    CHECK(s.lease > 0 && s.batch % s.lease == 0 && (uint64_t)s.lease * s.shape.context <= LIMIT_LEASE_TOKENS);
    CHECK(s.schedule.lr_max >= 0 && s.sample_ppm <= 250000 && memchr(s.data, 0, sizeof s.data));
    return 0;
}
