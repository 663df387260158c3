#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes src/base/exp2_table_int.h, the constants of spec/economy.md section 2, with big integers only.

Usage: tools/vectors/exp2.py [--check FILE] (without: prints the header; with: compares it with FILE)."""
import math
import sys

DEGREE = 5
GUARD = 256


def nearest(x, bits):
    """x / 2^bits, ties up."""
    return (x + (1 << (bits - 1))) >> bits


def root64(i):
    """round(2^(62 + i/64)): six floored square roots are the floor of the 64th root."""
    x = 1 << (63 * 64 + i)
    for _ in range(6):
        x = math.isqrt(x)
    return (x + 1) >> 1


def ln2():
    """ln 2 = sum 1 / (k 2^k), scaled by 2^(62 + GUARD)."""
    one = 1 << (62 + GUARD)
    return sum((one >> k) // k for k in range(1, 62 + GUARD))


def coefficients():
    scale, power, out = ln2(), 1 << (62 + GUARD), []
    for k in range(1, DEGREE + 1):
        power = (power * scale >> (62 + GUARD)) // k
        out.append(nearest(power, GUARD))
    return out


def log2_e():
    return nearest((1 << (2 * 62 + 2 * GUARD)) // ln2(), GUARD)


def rows(values, per_line):
    text = [f"0x{v:016x}ull," for v in values]
    return "\n".join("    " + " ".join(text[i:i + per_line]) for i in range(0, len(text), per_line))


def header():
    return f"""/* SPDX-License-Identifier: Apache-2.0
 * Written by tools/vectors/exp2.py with big integers; everything rounded to nearest, in steps of 2^-62. */
#ifndef BASE_EXP2_TABLE_INT_H
#define BASE_EXP2_TABLE_INT_H

#include <stdint.h>

enum {{ EXP2_DEGREE = {DEGREE} }};

#define EXP2_LOG2_E 0x{log2_e():016x}ll /* log2(e) */

/* (ln 2)^k / k!, k = 1 .. EXP2_DEGREE. */
static const uint64_t exp2_coefficient[EXP2_DEGREE] = {{
{rows(coefficients(), 4)}
}};

/* 2^(i/64). */
static const uint64_t exp2_step[64] = {{
{rows([root64(i) for i in range(64)], 4)}
}};

#endif
"""


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--check":
        with open(sys.argv[2], encoding="ascii") as file:
            assert file.read() == header(), sys.argv[2] + " differs from what exp2.py computes"
        print("64 steps,", DEGREE, "coefficients and log2(e) as computed")
    else:
        sys.stdout.write(header())


if __name__ == "__main__":
    main()
