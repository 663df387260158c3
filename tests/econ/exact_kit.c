/* SPDX-License-Identifier: Apache-2.0 */
#include "exact_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

uint32_t inputs = 1000000;
static uint64_t seed = 0x9e3779b97f4a7c15ull;

uint64_t bits64(void)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed * 0x2545f4914f6cdd1dull;
}

uint64_t draw(uint64_t low, uint64_t high)
{
    const uint64_t width = high - low, r = bits64();
    switch (r % 8) {
    case 0:
        return low + (width ? (bits64() >> (r / 8 % 64)) % width : 0);
    case 1:
        return r & 8 ? high : low;
    default:
        return width == UINT64_MAX ? bits64() : low + bits64() % (width + 1);
    }
}

uint32_t draw32(uint32_t low, uint32_t high)
{
    return (uint32_t)draw(low, high);
}

q32 draw_q32(q32 low, q32 high)
{
    return low + (q32)draw(0, (uint64_t)high - (uint64_t)low);
}

void note(seen *s, double off)
{
    s->below = off < s->below ? off : s->below;
    s->above = off > s->above ? off : s->above;
}

void must_hold(const char *what, const seen *s, double below, double above)
{
    print_message("  %-24s seen %10.4f .. %-10.4f stated (%.3g, %.3g)\n", what, s->below, s->above, below, above);
    assert_true(s->below > below && s->above < above);
}

void exact_start(int argc, char **argv)
{
    if (argc == 2)
        inputs = (uint32_t)strtoul(argv[1], NULL, 10);
    CHECK(inputs > 0);
    rat_start();
}
