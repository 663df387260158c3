/* SPDX-License-Identifier: Apache-2.0
 * Clearing and commitments as vectors: spec/vectors/auction.json, which auction_vectors.py recomputes from the text of spec/auction.md with
 * exact fractions. `chain_clearing_test print` writes them. */
#include "chain/auction/auction_kit.h"

#include <stdio.h>
#include <stdlib.h>

enum { CASES = 200, ORDERS = 9 };

static char text[1 << 20];
static size_t text_len;

static void put(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void put(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text + text_len, sizeof text - text_len, format, args);
    va_end(args);
    CHECK(n >= 0 && (size_t)n < sizeof text - text_len);
    text_len += (size_t)n;
}

static void put_hash(const char *name, const hash256 *h, const char *after)
{
    char hex[65];
    base_hex_encode(hex, h->b, 32);
    put("\"%s\": \"%s\"%s", name, hex, after);
}

/* Few prices, so that the margin is crowded; every fourth case in the greatest numbers. */
static void make_case(uint64_t *seed, unsigned at)
{
    hash256 network = { { 1, (uint8_t)at } }, auction = { { 2, (uint8_t)(at * 7) } }, commitments[ORDERS];
    chain_order o[ORDERS];
    chain_sealed_bid bids[ORDERS];
    bool large = at % 4 == 3;
    size_t n = kit_random(seed) % (ORDERS + 1);
    uint64_t reserve = 3;
    uint32_t units = large ? UINT32_MAX - at : 1 + (uint32_t)(kit_random(seed) % 30);
    for (size_t i = 0; i < n; i++) {
        bids[i] = (chain_sealed_bid){ .price = reserve + kit_random(seed) % 3, .salt = { { (uint8_t)i, (uint8_t)at } } };
        bids[i].units = 1 + (uint32_t)(kit_random(seed) % (large ? UINT32_MAX : 20));
        cr_address who = { .kind = CR_ADDRESS_ACCOUNT, .hash = { (uint8_t)(i + 1) } };
        commitments[i] = chain_auction_commitment(&network, &auction, &who, &bids[i]);
        o[i] = (chain_order){ .tie = chain_order_tie(&commitments[i]), .price = bids[i].price, .units = bids[i].units };
    }
    chain_clearing result = chain_orders_clear(o, n, units, reserve);
    put(" {");
    put_hash("network", &network, ", ");
    put_hash("auction", &auction, ", ");
    put("\"units\": %u, \"reserve\": %llu, \"price\": \"%llu\", \"sold\": %u, \"bids\": [", units, (unsigned long long)reserve,
        (unsigned long long)result.price, result.sold);
    for (size_t i = 0; i < n; i++) {
        hash256 tie = chain_order_tie(&commitments[i]);
        size_t k = 0;
        while (!hash256_equal(&o[k].tie, &tie))
            k++;
        put("%s{\"bidder\": %zu, \"price\": \"%llu\", \"units\": %u, ", i ? ", " : "", i + 1, (unsigned long long)bids[i].price, bids[i].units);
        put_hash("salt", &bids[i].salt, ", ");
        put_hash("commitment", &commitments[i], ", ");
        put("\"won\": %u}", o[k].won);
    }
    put("]}%s\n", at + 1 < CASES ? "," : "");
}

static void make_vectors(void)
{
    uint64_t seed = 5;
    put("{\"comment\": \"made by chain_clearing_test print; checked by src/chain/auction/auction_vectors.py\",\n \"auctions\": [\n");
    for (unsigned at = 0; at < CASES; at++)
        make_case(&seed, at);
    put(" ]}\n");
}

static void vectors(void **state)
{
    (void)state;
    make_vectors();
    FILE *file = fopen(TB_SOURCE_DIR "/spec/vectors/auction.json", "rb");
    assert_non_null(file);
    char *stored = malloc(sizeof text);
    size_t n = fread(stored, 1, sizeof text, file);
    (void)fclose(file);
    assert_int_equal(n, text_len);
    assert_memory_equal(stored, text, n);
    free(stored);
}

/* What no vector can show: any 64 orders sell all that is wanted, nobody gets more than it wants, and no price is above a served bid. */
static void what_always_holds(void **state)
{
    (void)state;
    uint64_t seed = 9;
    for (unsigned round = 0; round < 2000; round++) {
        chain_order o[LIMIT_AUCTION_BIDS_N];
        size_t n = kit_random(&seed) % (LIMIT_AUCTION_BIDS_N + 1);
        uint64_t wanted = 0, won = 0;
        uint32_t units = 1 + (uint32_t)(kit_random(&seed) % (round % 2 ? 100 : UINT32_MAX));
        for (size_t i = 0; i < n; i++) {
            o[i] = (chain_order){ .price = 5 + kit_random(&seed) % 4, .units = 1 + (uint32_t)(kit_random(&seed) % units), .won = 77 };
            store_be64(o[i].tie.b, kit_random(&seed));
            wanted += o[i].units;
        }
        chain_clearing c = chain_orders_clear(o, n, units, 5);
        for (size_t i = 0; i < n; i++) {
            won += o[i].won;
            assert_true(o[i].won <= o[i].units);
            assert_true(o[i].won == 0 || o[i].price >= c.price);
            assert_true(o[i].won == o[i].units || o[i].price <= c.price);
        }
        assert_int_equal(won, wanted < units ? wanted : units);
        assert_int_equal(c.sold, won);
        assert_true(c.price >= 5);
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "print") == 0) {
        make_vectors();
        return fwrite(text, 1, text_len, stdout) == text_len ? 0 : 1;
    }
    const struct CMUnitTest tests[] = { cmocka_unit_test(vectors), cmocka_unit_test(what_always_holds) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
