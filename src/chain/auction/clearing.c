/* SPDX-License-Identifier: Apache-2.0
 * The price of an auction and who gets what (spec/auction.md section 3). */
#include "chain/auction/auction_int.h"
#include "crypto/sha256.h"

hash256 chain_auction_commitment(const hash256 *network, const hash256 *auction, const cr_address *bidder, const chain_sealed_bid *bid)
{
    static const char tag[] = "theblock/auction/v1";
    uint8_t packed[33], price[8], units[4];
    chain_address_pack(packed, bidder);
    store_be64(price, bid->price);
    store_be32(units, bid->units);
    const bytes parts[] = { bytes_of(tag, sizeof tag), BYTES_OF(*network), BYTES_OF(*auction), BYTES_OF(packed),
                            BYTES_OF(price),           BYTES_OF(units),    BYTES_OF(bid->salt) };
    return cr_sha256_concat(parts, COUNT_OF(parts));
}

hash256 chain_order_tie(const hash256 *commitment)
{
    static const char tag[] = "theblock/auction-tie/v1";
    return cr_sha256_concat((const bytes[]){ bytes_of(tag, sizeof tag), BYTES_OF(*commitment) }, 2);
}

static bool before(const chain_order *a, const chain_order *b)
{
    return a->price != b->price ? a->price > b->price : memcmp(a->tie.b, b->tie.b, sizeof a->tie.b) < 0;
}

/* By insertion: n is at most LIMIT_AUCTION_BIDS. */
static void sort(chain_order *o, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const chain_order x = o[i];
        size_t at = i;
        for (; at > 0 && before(&x, &o[at - 1]); at--)
            o[at] = o[at - 1];
        o[at] = x;
    }
}

/* `left` units among n orders of one price that want more, `wanted` together. At equal remainders the first of the group, which is in the
 * order of its ties. */
static void share(chain_order *o, size_t n, uint64_t left, uint64_t wanted)
{
    uint64_t remainder[LIMIT_AUCTION_BIDS_N], given = 0;
    bool topped[LIMIT_AUCTION_BIDS_N] = { false };
    for (size_t i = 0; i < n; i++) {
        u128 product = (u128)left * o[i].units;
        o[i].won = (uint32_t)(product / wanted);
        remainder[i] = (uint64_t)(product % wanted);
        given += o[i].won;
    }
    for (; given < left; given++) {
        size_t best = n;
        for (size_t i = 0; i < n; i++)
            if (!topped[i] && (best == n || remainder[i] > remainder[best]))
                best = i;
        CHECK(best < n); /* the floors leave less than one unit for each order */
        topped[best] = true;
        o[best].won++;
    }
}

chain_clearing chain_orders_clear(chain_order *o, size_t n, uint32_t units, uint64_t reserve)
{
    CHECK(n <= LIMIT_AUCTION_BIDS_N);
    sort(o, n);
    uint64_t left = units;
    size_t i = 0;
    while (i < n) {
        size_t end = i;
        uint64_t wanted = 0; /* at most 64 x 2^32 */
        for (; end < n && o[end].price == o[i].price; end++)
            wanted += o[end].units;
        if (wanted > left)
            break;
        for (; i < end; i++)
            o[i].won = o[i].units;
        left -= wanted;
    }
    if (i == n)
        return (chain_clearing){ .price = reserve, .sold = units - (uint32_t)left };
    size_t end = i;
    uint64_t wanted = 0;
    for (; end < n && o[end].price == o[i].price; end++)
        wanted += o[end].units;
    share(o + i, end - i, left, wanted);
    for (size_t k = end; k < n; k++)
        o[k].won = 0;
    return (chain_clearing){ .price = o[i].price, .sold = units };
}
