#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the tables of src/numerics with mpmath at 400 bits, and with the hashes pinned in spec/vectors/tables.json.

Usage: tables_oracle.py DUMP [--full]. Without --full the large tables of the wide helper set are read with a stride."""
import json
import pathlib
import subprocess
import sys
from fractions import Fraction

import mpmath
import numpy as np

mpmath.mp.prec = 400
ROOT = pathlib.Path(__file__).resolve().parents[2]
HELPERS = ({"f_z": 6, "f_l": 8, "Q_l": 2**16 - 1, "f_gd": 10}, {"f_z": 9, "f_l": 11, "Q_l": 2**20 - 1, "f_gd": 14})
HALF = mpmath.mpf(1) / 2


def dump(*args):
    return subprocess.run([sys.argv[1], *map(str, args)], check=True, stdout=subprocess.PIPE).stdout


def table(*args):
    return np.frombuffer(dump("table", *args), "<i4").tolist()


def nearest(value):
    """Ties up; `value` is a Fraction (exact) or an mpf that is no tie."""
    if isinstance(value, Fraction):
        return (2 * value.numerator + value.denominator) // (2 * value.denominator)
    return int(mpmath.floor(value + HALF))


def exp_entry(top, f, D):
    if D % (1 << f) == 0:
        return nearest(Fraction(top, 1 << (D >> f)))
    return nearest(top * mpmath.power(2, -mpmath.mpf(D) / (1 << f)))


def check_exp(name, w, helper, top, f):
    got = table(name, w, helper)
    end = (top.bit_length() + 1) << f  # below 1/2 from here on
    for D in range(end):
        assert got[D] == exp_entry(top, f, D), (name, w, helper, D)
    assert not any(got[end:])
    return len(got)


def gelu_entry(h, f_h, f_g, q):
    x = Fraction(h) / Fraction(2) ** f_h
    if x <= -16:  # |x Phi(x)| 2^62 < 1/2
        return 0
    if x >= 16:  # just below x 2^f_g: a tie goes down
        value = x * Fraction(2) ** f_g
        return min(q, -((-2 * value.numerator + value.denominator) // (2 * value.denominator)))
    x = mpmath.mpf(x.numerator) / x.denominator
    return max(-q, min(q, nearest(x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2 * mpmath.mpf(2) ** f_g)))


def slope_entry(h, f_h, f_gd):
    x = Fraction(h) / Fraction(2) ** f_h
    if abs(x) >= 16:
        return (1 << f_gd) if x > 0 else 0
    x = mpmath.mpf(x.numerator) / x.denominator
    return nearest((mpmath.erfc(-x / mpmath.sqrt(2)) / 2 + x * mpmath.npdf(x)) * (1 << f_gd))


def check_gelu(w, helper, f_h, f_g, stride):
    got, slope = table("GELU", w, helper, f_h, f_g), table("GELUD", w, helper, f_h)
    d_t, q = len(got) // 2, (1 << (w - 1)) - 1
    checked = 0
    for i in range(f_g % stride, len(got), stride):
        h = i - d_t
        assert got[i] == gelu_entry(h, f_h, f_g, q), ("GELU", w, f_h, f_g, h, got[i])
        assert slope[i] == slope_entry(h, f_h, HELPERS[helper]["f_gd"]), ("GELUD", w, f_h, h, slope[i])
        checked += 2
    return checked


def check_pins():
    rows = json.loads((ROOT / "spec/vectors/tables.json").read_text(encoding="ascii"))["tables"]
    for row in rows:
        args = [row["table"], row["w"], int(row["helper"] == "wide")] + [row[k] for k in ("f_h", "f_g") if k in row]
        assert dump("hash", *args).decode().strip() == row["blake3"], row
    return len(rows)


def main():
    stride = 1 if "--full" in sys.argv else 61
    checked = 0
    for w, helper in ((8, 0), (10, 0), (12, 0), (12, 1), (16, 1)):
        checked += check_exp("EXP", w, helper, (1 << (w - 1)) - 1, HELPERS[helper]["f_z"])
    for helper, w in ((0, 12), (1, 16)):
        checked += check_exp("EXPL", w, helper, HELPERS[helper]["Q_l"], HELPERS[helper]["f_l"])
    for w, helper, f_h, f_g, s in ((12, 0, 8, 10, 1), (12, 0, 6, 8, 1), (8, 0, 8, 3, stride // 4 or 1), (10, 0, 2, 1, stride),
                                   (12, 0, -3, 5, stride), (12, 0, 7, 50, stride), (8, 0, 8, -4, stride), (12, 1, 12, 9, stride),
                                   (16, 1, 12, 13, stride), (14, 1, 10, 12, stride), (16, 1, 12, 62, stride), (16, 1, 3, 5, stride)):
        checked += check_gelu(w, helper, f_h, f_g, s)
    print(f"{checked} entries equal, {check_pins()} pinned hashes hold")


if __name__ == "__main__":
    main()
