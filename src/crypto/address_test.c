/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char *refusal(const char *text)
{
    cr_address a = { .kind = 99 };
    fault f = { 0 };
    assert_int_equal(cr_address_decode(&a, "tb", text, &f), ERR_ADDRESS);
    assert_int_equal(f.code, ERR_ADDRESS);
    assert_int_equal(a.kind, 99);
    return f.what;
}

static void round_trip_of_all_kinds(void **state)
{
    (void)state;
    const struct { uint8_t kind; char letter; } kinds[] = {
        { CR_ADDRESS_ACCOUNT, 'a' }, { CR_ADDRESS_MULTISIG, 'm' }, { CR_ADDRESS_CHAIN, 'c' },
    };
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        for (unsigned n = 0; n < 64; n++) {
            cr_address a = { .kind = kinds[k].kind }, back;
            for (unsigned i = 0; i < 32; i++)
                a.hash[i] = (uint8_t)(n == 0 ? 0 : n == 1 ? 255 : (n * 2654435761u + i * 40503u) >> 7);
            char text[CR_ADDRESS_TEXT_MAX];
            cr_address_encode(text, "tb", &a);
            assert_int_equal(strlen(text), 62);
            assert_memory_equal(text, "tb1", 3);
            assert_int_equal(text[3], kinds[k].letter);
            assert_int_equal(cr_address_decode(&back, "tb", text, NULL), OK);
            assert_true(cr_address_equal(&a, &back));
            for (char *c = text; *c; c++)
                if (*c >= 'a' && *c <= 'z')
                    *c = (char)(*c - 32);
            assert_int_equal(cr_address_decode(&back, "tb", text, NULL), OK);
            assert_true(cr_address_equal(&a, &back));
        }
    }
}

/* Computed with the reference code of BIP-350 (tools/vectors/address.py). */
static void pinned_addresses(void **state)
{
    (void)state;
    char text[CR_ADDRESS_TEXT_MAX];
    cr_public_key key;
    memset(key.b, 1, sizeof key.b);
    cr_address a = cr_address_of_key(&key);
    cr_address_encode(text, "tb", &a);
    assert_string_equal(text, "tb1a9naxvz0adjr3n7fam5m3pugyhn75kfkfmj77rhz7qasgz2r3rs7s8u4esf");
    a = cr_address_of_chain("treasury");
    cr_address_encode(text, "tb", &a);
    assert_string_equal(text, "tb1cy0ya768xxtgm385j2w8nphvs8gym55n33ty2gqkenfuf6mf09s0qytkfnn");
    cr_address_encode(text, "tbdev", &a);
    assert_string_equal(text, "tbdev1cy0ya768xxtgm385j2w8nphvs8gym55n33ty2gqkenfuf6mf09s0qndgfu8");
}

static void every_changed_character_is_refused(void **state)
{
    (void)state;
    cr_address a = cr_address_of_chain("treasury");
    char text[CR_ADDRESS_TEXT_MAX];
    cr_address_encode(text, "tb", &a);
    for (size_t i = 0; text[i]; i++) {
        char kept = text[i];
        for (int c = 1; c < 128; c++) {
            if (c == kept)
                continue;
            text[i] = (char)c;
            assert_non_null(refusal(text));
        }
        text[i] = 0; /* every truncation, too */
        assert_non_null(refusal(text));
        text[i] = kept;
    }
}

static void refusals_say_why(void **state)
{
    (void)state;
    const struct { const char *text, *what; } cases[] = {
        /* BIP-173 and BIP-350 examples */
        { "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", "address: a Bitcoin segwit address" },
        { "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", "address: a Bitcoin segwit address" },
        { "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c", "address: a Bitcoin segwit address" },
        { "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "address: a Bitcoin segwit address" },
        { "", "address: no prefix" },
        { "tb", "address: no prefix" },
        { "1qqqqqqq", "address: no prefix" },
        { "tb1", "address: too short" },
        { "tb1A", "address: mixed case" },
        { "a1lqfn3a", "address: prefix of another network" }, /* BIP-350 valid string */
        { "tb1abqqqqqqq", "address: character outside the alphabet" },
        { "tb1aqqqqqqqqq", "address: length" },
        { "tb1a qqqqqqqq", "address: not a printable character" },
        { "tb1a9naxvz0adjr3n7fam5m3pugyhn75kfkfmj77rhz7qasgz2r3rs7362pvdm", "address: padding" },
        { "tb1l9naxvz0adjr3n7fam5m3pugyhn75kfkfmj77rhz7qasgz2r3rs7ss2unru", "address: unknown kind" },
        { "tb1a9naxvz0adjr3n7fam5m3pugyhn75kfkfmj77rhz7qasgz2r3rs7sjq944t", "address: checksum" },
        { "tb1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          "address: too long" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(refusal(cases[i].text), cases[i].what);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip_of_all_kinds),
        cmocka_unit_test(pinned_addresses),
        cmocka_unit_test(every_changed_character_is_refused),
        cmocka_unit_test(refusals_say_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
