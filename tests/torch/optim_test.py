# SPDX-License-Identifier: Apache-2.0
"""The vectorised 64-bit steps of the reference optimiser against plain Python integers."""
import math

import numpy as np
from hypothesis import given, strategies as st

import training  # noqa: F401  (puts the reference on the path)
from reference import numerics, optim

GRADIENTS = st.integers(-optim.G_MAX, optim.G_MAX)


def one(values):
    return np.array([values], np.int64)


@given(GRADIENTS)
def test_scaled_square(g):
    assert optim.scaled_square(one(g))[0] == (g * g) >> 8


@given(GRADIENTS, st.integers(1, 200))
def test_first_moment_quotient(m, steps):
    p = 1 << 32
    for _ in range(steps):
        p = (p * 7) >> 3
    c = (1 << 32) - p
    assert optim.shifted_quotient(one(m), c)[0] == (m << 32) // c


@given(st.integers(0, optim.G_MAX), st.integers(1, 2000))
def test_second_moment_root(g, steps):
    p, v = 1 << 32, 0
    for _ in range(steps):
        p = (p * 127) >> 7
        v += (((g * g) >> 8) - v) >> 7
    c = (1 << 32) - p
    assert optim.isqrt(optim.shifted_quotient(one(v), c))[0] == math.isqrt((v << 32) // c)


@given(st.integers(-(2**62), 2**62), st.integers(-32, 62), st.integers(1, 2**40))
def test_mean_gradient(total, fraction, tokens):
    if fraction <= 34:
        exact = (2 * total * 2 ** (34 - fraction) + tokens) // (2 * tokens)
    else:
        exact = (2 * total + (tokens << (fraction - 34))) // (tokens << (fraction - 33))
    assert optim.mean_gradient(one(total), fraction, tokens)[0] == max(-optim.G_MAX, min(optim.G_MAX, exact))


@given(st.integers(1, 2**80))
def test_ilog2(n):
    assert abs(numerics.ilog2(n) / 65536 - math.log2(n)) < 2e-5
