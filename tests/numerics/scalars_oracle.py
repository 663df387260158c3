#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the scalars of src/numerics (roots, norms, cosine, learning rate, Adam) with Python integers and mpmath, on edges
and on seeded random arguments. Usage: scalars_oracle.py DUMP."""
import json
import math
import pathlib
import random
import subprocess
import sys

import mpmath
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from python.reference import data, optim, tables, vectors  # noqa: E402

mpmath.mp.prec = 300
rng = random.Random(20261125)


def any_bits(most, signed=False):
    """A number whose length is uniform up to `most` bits."""
    n = rng.getrandbits(rng.randint(1, most))
    return -n if signed and rng.random() < 0.5 else n


def cos30(x):
    """Section 12, and never more than one unit from the cosine."""
    if x > 1 << 29:
        return -cos30((1 << 30) - x)
    y, a, total = (14488038916154245685 * x) >> 30, 1 << 62, 1 << 62
    for k in range(1, 15):
        a = ((((a * y) >> 62) * y) >> 62) // (2 * k * (2 * k - 1))
        total += -a if k % 2 else a
    value = (total + (1 << 31)) >> 32
    assert abs(value - mpmath.cos(mpmath.pi * x / 2**30) * 2**30) < 1
    return value


def ilog2(n):
    b = n.bit_length() - 1
    m = (n << 62) >> b
    out = b
    for _ in range(16):
        m = (m * m) >> 62
        bit = int(m >= 1 << 63)
        m >>= bit
        out = 2 * out + bit
    return out


def norm_r(S, d, f_r, f_res):
    return math.isqrt((d << (2 * f_r + 2 * f_res)) // (S + (d << (2 * f_res - 17))))


def norm_m(r, M, d, f_y):
    up, down = max(0, -2 * f_y), max(0, 2 * f_y)
    m = (((2 * r * M) << up) + (d << down)) // ((2 * d) << down)
    return max(-(1 << 62), min(1 << 62, m))  # beyond that it is only "outside the domain"


def rate(lr_max, warm, total, t):
    if t < warm:
        return lr_max * (t + 1) // warm
    span = max(1, total - warm)
    x = (min(t - warm, span) << 30) // span
    low = lr_max // 10
    return low + (((lr_max - low) * ((1 << 30) + cos30(x))) >> 31)


def gradient(G, f_G, N):
    up, down = max(0, 34 - f_G), max(0, f_G - 34)
    g = (2 * G * (1 << up) + (N << down)) // (2 * N << down)
    return max(-(1 << 35) + 1, min((1 << 35) - 1, g))


def adam(w, m, v, g, lr, step):
    p1 = p2 = 1 << 32
    for _ in range(step + 1):
        p1, p2 = (p1 * 7) >> 3, (p2 * 127) >> 7
    m += (g - m) >> 3
    v += (((g * g) >> 8) - v) >> 7
    mh = (m << 32) // ((1 << 32) - p1)
    s = math.isqrt((v << 32) // ((1 << 32) - p2)) + 11
    w -= (lr * mh // s + 8) >> 4
    return max(-(1 << 31) + 1, min((1 << 31) - 1, w)), m, v


def cases():
    for x in [0, 1, 2, 2**28 - 1, 2**28, 2**28 + 1, 2**29 - 1, 2**29, 2**29 + 1, 2**30 - 1, 2**30]:
        yield "cos30", (x,), cos30(x)
    for _ in range(3000):
        x = rng.randint(0, 2**30)
        yield "cos30", (x,), cos30(x)
    for n in [1, 2, 3, 2**62 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1] + [max(1, any_bits(64)) for _ in range(500)]:
        yield "ilog2", (n,), ilog2(n)
    squares = [k * k + e for k in (1, 2, 3, 2**16, 2**31, 2**32 - 1, 2**32 - 2) for e in (-1, 0, 1)]
    for n in squares + [0, 2**64 - 1] + [any_bits(64) for _ in range(3000)] + [(any_bits(31) + 1) ** 2 - 1 for _ in range(1000)]:
        yield "isqrt", (n, 0), math.isqrt(n)
    for _ in range(300):
        n, s = any_bits(64), rng.randint(0, 60)
        yield "isqrt", (n, s), math.isqrt(n << s)
    for _ in range(1000):
        d, wide = rng.randint(1, 8192), rng.randint(0, 1)
        f_r, f_res = (16, 12) if wide else (12, 10)
        S = any_bits(62)
        yield "norm_r", (S, d, f_r, f_res), norm_r(S, d, f_r, f_res)
        r, M, f_y = any_bits(24), any_bits(46, True), rng.randint(-8, 28)
        yield "norm_m", (r, M, d, f_y), norm_m(r, M, d, f_y)
        r, M, f_y = any_bits(8), any_bits(8, True), rng.randint(-32, -8)
        yield "norm_m", (r, M, d, f_y), norm_m(r, M, d, max(f_y, -24))
    for _ in range(500):
        lr, warm, total = any_bits(31), rng.randint(0, 50), rng.randint(0, 400)
        t = rng.randint(0, 500)
        yield "rate", (lr, warm, total, t), rate(lr, warm, total, t)
    for G in (-(1 << 63), (1 << 63) - 1, 0, 1, -1):
        for f in (-64, -1, 0, 34, 35, 97, 98, 99, 124):
            for N in (1, 1 << 48):
                yield "gradient", (G, f, N), gradient(G, f, N)
    for _ in range(3000):
        G, f, N = any_bits(63, True), rng.randint(-64, 124), max(1, any_bits(48))
        yield "gradient", (G, f, N), gradient(G, f, N)
    edge = (1 << 35) - 1
    for w, m, v, g, lr, step in [(2**31 - 1, -(1 << 35), 0, -edge, 2**31 - 1, 0), (-(2**31) + 1, 1 << 35, 0, edge, 2**31 - 1, 0),
                                 (0, edge, 1 << 62, edge, 2**31 - 1, 500), (0, -edge, 1 << 62, -edge, 1, 0), (5, 0, 0, 0, 9, 3)]:
        yield "adam", (w, m, v, g, lr, step), adam(w, m, v, g, lr, step)
    for _ in range(3000):
        a = (any_bits(31, True), any_bits(35, True), any_bits(62), any_bits(35, True), any_bits(31), rng.randint(0, 300))
        yield "adam", a, adam(*a)
    for t in list(range(70)) + [2**40, 2**40 + 1, 2**40 + 32]:
        yield "calibrates", (t,), int(t % min(32, 1 << max(0, t.bit_length() - 4)) == 0)
    pins = json.loads((ROOT / "spec/vectors/tables.json").read_text(encoding="ascii"))
    for n, value in pins["ilog2"]:
        yield "ilog2", (int(n),), value
    for x, value in pins["cos30"]:
        yield "cos30", (x,), value
    for t, value in pins["learning_rate"]:
        yield "rate", (vectors.LR_MAX, 20, 300, t), value
    for windows, epoch, order in pins["permutation"]:
        for i, window in enumerate(order):
            yield "window", (vectors.JOB.hex(), windows, epoch * windows + i), window
    for windows in (1, 2, 3, 5, 17, 64, 65, 1000):
        for epoch in (0, 1, 2**33):
            for i, window in enumerate(data.permute(vectors.JOB, windows, epoch, np.arange(min(windows, 20))).tolist()):
                yield "window", (vectors.JOB.hex(), windows, epoch * windows + i), window
        job = data.Dataset(vectors.JOB, np.zeros(windows * 8 + 1), 8)
        for step, repetition in ((0, 0), (5, 0), (5, 3), (2**40, 1)):
            yield "calibration", (vectors.JOB.hex(), step, repetition, windows), tuple(job.calibration_sequences(step, repetition))
    c = tables.Constants(40, 20, 48, 2, 3, 12)
    for seed in (0, 7, 2**63):
        for k, values in enumerate(optim.init(c, seed).values()):
            for n in (0, 127, 128, values.size - 1):
                yield "init", ("-", seed, k, n), int(values.reshape(-1)[n])
    dither = pins["dither"]
    for i, word in enumerate(dither["rows"]):
        yield "row", (dither["seed"], dither["tensor"], dither["sequence"], i), (int(word), int(word))
    for i, word in enumerate(dither["columns"]):
        yield "col", (dither["seed"], dither["tensor"], i), (int(word), int(word))


def main():
    rows = list(cases())
    lines = []
    for name, args, _ in rows:
        digest, args = (args[0], args[1:]) if isinstance(args[0], str) else ("-", args)
        lines.append(" ".join([name, digest, *map(str, args)]))
    answer = subprocess.run([sys.argv[1], "eval"], input="\n".join(lines) + "\n", check=True, stdout=subprocess.PIPE,
                            universal_newlines=True).stdout.splitlines()
    assert len(answer) == len(rows), (len(answer), len(rows))
    for line, (_, _, want), got in zip(lines, rows, answer):
        want = " ".join(map(str, want)) if isinstance(want, tuple) else str(want)
        assert got == want, f"{line}: got {got}, want {want}"
    print(f"{len(rows)} values equal")


if __name__ == "__main__":
    main()
