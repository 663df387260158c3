/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/rems_int.h"

#include "field/vec.h"

static pv_rems_fn *const table[FX_ISA_COUNT] = {
    [FX_ISA_PORTABLE] = pv_rems_portable,
#ifdef PROVE_HAVE_AVX2
    [FX_ISA_AVX2] = pv_rems_avx2,
#endif
#ifdef PROVE_HAVE_AVX512IFMA
    [FX_ISA_AVX512IFMA] = pv_rems_avx512ifma,
#endif
};

pv_rems_fn *pv_rems(void)
{
    return table[fx_isa_in_use()];
}
