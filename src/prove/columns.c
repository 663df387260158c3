/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/columns_int.h"

#include <string.h>

_Static_assert(PF_BAND % PV_GROUP == 0, "a band is whole groups");
_Static_assert(32 + PF_BAND * FP_BYTES <= 1024, "a band is one chunk");

static const pv_column_kernels *const tables[FX_ISA_COUNT] = {
    [FX_ISA_PORTABLE] = &pv_columns_portable,
#ifdef PROVE_HAVE_AVX2
    [FX_ISA_AVX2] = &pv_columns_avx2,
#endif
#ifdef PROVE_HAVE_AVX512IFMA
    [FX_ISA_AVX512IFMA] = &pv_columns_avx512ifma,
#endif
};

const pv_column_kernels *pv_columns(void)
{
    return tables[fx_isa_in_use()];
}

static const uint32_t iv[8] = { 0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19 };

void pv_columns_key(const pv_column_kernels *k, pv_word key[8], const char *context)
{
    uint8_t text[64] = { 0 };
    pv_word block[16];
    size_t  len = strlen(context);
    CHECK(len <= sizeof text);
    memcpy(text, context, len);
    for (size_t lane = 0; lane < PV_LANES; lane++) {
        for (size_t i = 0; i < 8; i++)
            key[i][lane] = iv[i];
        for (size_t i = 0; i < 16; i++)
            block[i][lane] = load_le32(text + 4 * i);
    }
    k->compress(key, block, (uint32_t)len, PV_CONTEXT | PV_START | PV_END | PV_ROOT);
}

static void store_hashes(hash256 *out, const pv_word *chain, size_t n)
{
    for (size_t lane = 0; lane < n; lane++)
        for (size_t i = 0; i < 8; i++)
            store_le32(out[lane].b + 4 * i, chain[i][lane]);
}

void pv_stripe_hashes(const pv_stripe *s, hash256 *out, size_t n)
{
    store_hashes(out, s->chain, n);
}

void pv_columns_nodes(const pv_column_kernels *k, const pv_word key[8], hash256 *tree, size_t first, size_t n)
{
    pv_word chain[8], block[16] = { { 0 } };
    memcpy(chain, key, sizeof chain);
    for (size_t lane = 0; lane < n; lane++)
        for (size_t i = 0; i < 16; i++) /* siblings are neighbours */
            block[i][lane] = load_le32(tree[2 * (first + lane) + i / 8].b + 4 * (i % 8));
    k->compress(chain, (const pv_word *)block, 64, PV_MATERIAL | PV_START | PV_END | PV_ROOT);
    store_hashes(tree + first, (const pv_word *)chain, n);
}
