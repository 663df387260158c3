/* SPDX-License-Identifier: Apache-2.0
 * The vectors of spec/vectors/treasury.json: limits, reserve and breaker through random histories. treasury_vectors.py computes each
 * result again from the specification. `chain_treasury_vectors_test print` writes them. */
#include "chain/treasury/breaker.h"
#include "chain/treasury/velocity.h"

#include "chain/chain_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char text[200000];
static size_t text_len;

static void put(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void put(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text + text_len, sizeof text - text_len, format, args);
    va_end(args);
    CHECK(n > 0 && (size_t)n < sizeof text - text_len);
    text_len += (size_t)n;
}

#define LLU(x) ((unsigned long long)(x))

/* --- limits --- */

typedef struct books {
    chain_row_treasury t;
    uint64_t           treasury;
    uint64_t           epochs[CHAIN_DAY_EPOCHS], days[CHAIN_MONTH_BUCKETS];
} books;

static void end_epoch(books *b, const chain_velocity_limits *l)
{
    uint64_t next = b->t.epoch + 1, day = chain_day_of_epoch(next), old_day = 0;
    uint64_t *epoch_slot = &b->epochs[next % CHAIN_DAY_EPOCHS], *day_slot = &b->days[day % CHAIN_MONTH_BUCKETS];
    if (day != chain_day_of_epoch(b->t.epoch)) {
        old_day = *day_slot;
        *day_slot = 0;
    }
    CHECK(chain_velocity_next(&b->t, l, b->treasury, *epoch_slot, old_day, NULL) == OK);
    *epoch_slot = 0;
}

/* Amounts around what each limit leaves, so that their edges are met. */
static uint64_t some_amount(const books *b, const chain_velocity_limits *l, uint64_t *seed)
{
    uint64_t of = 0, base = b->t.base;
    switch (kit_random(seed) % 6) {
    case 0: of = (uint64_t)(base * (u128)l->proposal_ppm / 1000000); break;
    case 1: of = (uint64_t)(base * (u128)l->day_ppm / 1000000); of -= of > b->t.day_out ? b->t.day_out : of; break;
    case 2: of = (uint64_t)(base * (u128)l->month_ppm / 1000000); of -= of > b->t.month_out ? b->t.month_out : of; break;
    case 3: of = (uint64_t)(base * (u128)l->epoch_ppm / 1000000); of -= of > b->t.epoch_out ? b->t.epoch_out : of; break;
    default: return kit_random(seed) % (base / 50 + 1);
    }
    return of + kit_random(seed) % 2;
}

static void put_velocity(const chain_velocity_limits *l, uint64_t seed)
{
    books b = { .t = { .epoch = 1 } };
    put("  {\"limits\": [%llu, %llu, %llu, %llu, %llu, %llu],\n   \"steps\": [", LLU(l->epoch_ppm), LLU(l->proposal_ppm),
        LLU(l->day_ppm), LLU(l->month_ppm), LLU(l->large_ppm), LLU(l->cooldown_epochs));
    for (unsigned i = 0; i < 250; i++) {
        static const uint64_t skips[] = { 0, 0, 0, 1, 1, 2, 5, 60, 143, 144, 300 };
        uint64_t skip = skips[kit_random(&seed) % COUNT_OF(skips)], gift = kit_random(&seed) % 3 ? 0 : kit_random(&seed) % 10000000019u;
        for (uint64_t k = 0; k < skip; k++)
            end_epoch(&b, l);
        b.treasury += gift;
        uint64_t amount = some_amount(&b, l, &seed);
        err code = chain_velocity_check(&b.t, l, amount, NULL);
        if (code == OK && amount <= b.treasury) {
            CHECK(chain_velocity_take(&b.t, amount) == OK);
            b.treasury -= amount;
            b.epochs[b.t.epoch % CHAIN_DAY_EPOCHS] += amount;
            b.days[chain_day_of_epoch(b.t.epoch) % CHAIN_MONTH_BUCKETS] += amount;
        }
        put("%s\n    [%llu, %llu, %llu, %d, %llu, %llu, %llu, %llu]", i ? "," : "", LLU(skip), LLU(gift), LLU(amount), (int)code,
            LLU(b.t.base), LLU(b.t.day_out), LLU(b.t.month_out), LLU(b.t.cooldown_epoch));
    }
    put("]}");
}

/* --- reserve --- */

static void put_reserve(void)
{
    uint64_t seed = 71;
    for (unsigned i = 0; i < 200; i++) {
        uint64_t rate = kit_random(&seed) % 1000000007u, epochs = 1 + kit_random(&seed) % 52560, ppm = 1 + kit_random(&seed) % 1000000;
        uint64_t edge = i % 2 ? rate * epochs : (uint64_t)((u128)rate * epochs * ppm / 1000000);
        uint64_t treasury = edge + kit_random(&seed) % 3;
        treasury -= treasury ? 1 : 0;
        if (i % 10 == 9)
            rate = 0;
        put("%s\n  [%llu, %llu, %llu, %llu, %d]", i ? "," : "", LLU(treasury), LLU(rate), LLU(epochs), LLU(ppm),
            (int)chain_reserve_judge(treasury, rate, epochs, ppm));
    }
}

/* --- breaker --- */

static void put_breaker(const chain_breaker_rules *r, uint64_t seed)
{
    chain_row_breaker b = chain_breaker_new();
    uint64_t height = 1, epoch = 1;
    put("  {\"rules\": [%llu, %llu, %llu, %llu, %llu, %llu, %llu],\n   \"steps\": [", LLU(r->failures), LLU(r->window), LLU(r->open),
        LLU(r->successes), LLU(r->tighten_ppm), LLU(r->scale_min_ppm), LLU(r->recover_ppm));
    for (unsigned i = 0; i < 300; i++) {
        /* Much of what moves the state that it is in. */
        static const char *const ops[] = { "fffffffffffsei", "fseeeeeei", "fssssseei" };
        const char *of = ops[b.state];
        char op = of[kit_random(&seed) % strlen(of)];
        height += kit_random(&seed) % 4 ? 0 : kit_random(&seed) % ((b.state == CHAIN_BREAKER_OPEN ? r->open : r->window / 5) + 2);
        switch (op) {
        case 'f': chain_breaker_failure(&b, r, height, epoch); break;
        case 's': chain_breaker_success(&b, r, height); break;
        case 'i': chain_breaker_incident(&b, r, epoch); break;
        default: epoch++, chain_breaker_epoch(&b, r, height); break;
        }
        put("%s\n    [\"%c\", %llu, %d, %d, %llu, %u]", i ? "," : "", op, LLU(height), b.state, chain_breaker_admits(&b, height),
            LLU(chain_breaker_threshold(&b, r)), b.scale_ppm);
    }
    put("]}");
}

static void make_vectors(void)
{
    static const chain_velocity_limits limits[] = { { 100000, 50000, 50000, 100000, 50000, 4 }, { 100000, 30000, 41000, 70001, 20000, 1 },
                                                    { 1000, 1000, 1000, 1000, 1000, 4320 }, { 60000, 50000, 50000, 100000, 1000, 9 } };
    static const chain_breaker_rules rules[] = { { 5, 60, 12, 2, 900000, 400000, 10000 }, { 8, 30, 1, 1, 500000, 100000, 1000 },
                                                 { 3, 7, 25, 4, 999999, 1000000, 1000000 }, { 1, 1, 1, 8, 700000, 300000, 33333 } };
    text_len = 0;
    put("{\"comment\": \"made by chain_treasury_vectors_test print; checked by src/chain/treasury/treasury_vectors.py\",\n \"velocity\": [\n");
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        if (i)
            put(",\n");
        put_velocity(&limits[i], 5 + i);
    }
    put("\n ],\n \"reserve\": [");
    put_reserve();
    put("\n ],\n \"breaker\": [\n");
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        if (i)
            put(",\n");
        put_breaker(&rules[i], 50 + i);
    }
    put("\n ]}\n");
}

static void vectors(void **state)
{
    (void)state;
    make_vectors();
    FILE *file = fopen(TB_SOURCE_DIR "/spec/vectors/treasury.json", "rb");
    assert_non_null(file);
    static char stored[sizeof text];
    size_t n = fread(stored, 1, sizeof stored, file);
    (void)fclose(file);
    assert_int_equal(n, text_len);
    assert_memory_equal(stored, text, n);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "print") == 0) {
        make_vectors();
        return fwrite(text, 1, text_len, stdout) == text_len ? 0 : 1;
    }
    const struct CMUnitTest tests[] = { cmocka_unit_test(vectors) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
