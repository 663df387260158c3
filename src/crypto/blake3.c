/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/blake3.h"

#include <blake3.h>

_Static_assert(sizeof(blake3_hasher) <= sizeof(cr_blake3), "cr_blake3 is too small for the library's state");
_Static_assert(_Alignof(blake3_hasher) <= _Alignof(cr_blake3), "cr_blake3 is not aligned enough");

static blake3_hasher *inside(cr_blake3 *h)
{
    return (blake3_hasher *)(void *)h->opaque;
}

void cr_blake3_init(cr_blake3 *h)
{
    blake3_hasher_init(inside(h));
}

void cr_blake3_init_keyed(cr_blake3 *h, const uint8_t key[32])
{
    blake3_hasher_init_keyed(inside(h), key);
}

void cr_blake3_init_derive(cr_blake3 *h, const char *context)
{
    blake3_hasher_init_derive_key(inside(h), context);
}

void cr_blake3_reset(cr_blake3 *h)
{
    blake3_hasher_reset(inside(h));
}

void cr_blake3_update(cr_blake3 *h, bytes in)
{
    if (in.len != 0)
        blake3_hasher_update(inside(h), in.data, in.len);
}

hash256 cr_blake3_final(const cr_blake3 *h)
{
    hash256 out;
    cr_blake3_final_xof(h, 0, out.b, sizeof out.b);
    return out;
}

void cr_blake3_final_xof(const cr_blake3 *h, uint64_t at, uint8_t *out, size_t len)
{
    blake3_hasher_finalize_seek((const blake3_hasher *)(const void *)h->opaque, at, out, len);
}

hash256 cr_blake3_hash(bytes in)
{
    cr_blake3 h;
    cr_blake3_init(&h);
    cr_blake3_update(&h, in);
    return cr_blake3_final(&h);
}

hash256 cr_blake3_hash_in(const char *context, bytes in)
{
    cr_blake3 h;
    cr_blake3_init_derive(&h, context);
    cr_blake3_update(&h, in);
    return cr_blake3_final(&h);
}
