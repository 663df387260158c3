# SPDX-License-Identifier: Apache-2.0
"""Constants and tables of spec/numerics.md sections 2 and 11.

Table entries are computed in double precision; an entry whose double lies too close to a rounding boundary is computed
again with mpmath at 60 digits, and the only true ties (powers of two in EXP) with integers. So every entry is correctly rounded."""
import functools
import math
from fractions import Fraction

import mpmath
import numpy as np

from .blake3 import blake3

mpmath.mp.dps = 60
K_LOG2E = 1549082005
NEAR_TIE = 1e-6

HELPERS = {
    "narrow": dict(f_res=10, f_r=12, f_R=12, b_C=10, x_2=10, f_z=6, f_l=8, f_hmax=8, f_gd=10, Q_l=2**16 - 1, n_l=40, h_bits=12, dn_bits=11, gx_bits=18),
    "wide": dict(f_res=12, f_r=16, f_R=16, b_C=14, x_2=14, f_z=9, f_l=11, f_hmax=12, f_gd=14, Q_l=2**20 - 1, n_l=48, h_bits=15, dn_bits=14, gx_bits=20),
}
HELPER_CODE = {"narrow": 0, "wide": 1}


def rhu(a, s):
    """Round half up by 2^s; integers and int64 arrays alike."""
    return (a + (1 << (s - 1))) >> s if s else a


def scaled_constant(n, bits):
    """(C, x_C): n * 2^-30 rounded to an integer of at least `bits` bits with the smallest such fraction."""
    x = bits - 1
    while rhu(n, 30 - x) < 1 << (bits - 1):
        x += 1
    return rhu(n, 30 - x), x


class Constants:
    """The shape of a model and everything that follows from it."""

    def __init__(self, V, T, d, L, H, w, helper=None):
        self.V, self.T, self.d, self.L, self.H, self.w = V, T, d, L, H, w
        self.helper = helper or ("narrow" if w <= 12 else "wide")
        self.hd, self.F, self.Q = d // H, 4 * d, (1 << (w - 1)) - 1
        if self.hd * H != d:
            raise ValueError("heads do not divide the width")
        for key, value in HELPERS[self.helper].items():
            setattr(self, key, value)
        self.D_t = (1 << 18) - 1 if w > 12 else (1 << 15) - 1
        wide = self.helper == "wide"
        self.D_b = (1 << 20) - 1 if wide else (1 << 17) - 1
        self.D_g = (1 << 24) - 1 if wide else (1 << 23) - 1
        self.D_s = (1 << 46) - 1 if wide else (1 << 42) - 1
        n = math.isqrt((1 << 60) // self.hd)
        self.Cb, self.x_Cb = scaled_constant(n, self.b_C)
        self.C, self.x_C = scaled_constant(rhu(n * K_LOG2E, 30), self.b_C)
        self.C2 = rhu(K_LOG2E, 30 - self.x_2)

    def shape_list(self):
        return [self.V, self.T, self.d, self.L, self.H, self.w, HELPER_CODE[self.helper]]

    def exp(self):
        return exp_table(self.Q, self.f_z, 2 * self.D_t)

    def expl(self):
        return exp_table(self.Q_l, self.f_l, 2 * self.D_t)


def _settle(values, exact):
    """Rounds doubles to nearest; asks `exact(i)` (an mpmath value) for those within NEAR_TIE of a boundary."""
    out = np.floor(values + 0.5).astype(np.int64)
    distance = np.abs(values - np.floor(values) - 0.5)
    for i in np.nonzero(distance < NEAR_TIE)[0]:
        out[i] = int(mpmath.floor(exact(int(i)) + mpmath.mpf(1) / 2))
    return out


@functools.lru_cache(maxsize=None)
def exp_table(top, f, last):
    index = np.arange(last + 1)
    out = _settle(top * np.exp2(-index / 2.0**f), lambda i: top * mpmath.power(2, -mpmath.mpf(i) / (1 << f)))
    for i in range(0, last + 1, 1 << f):
        out[i] = math.floor(Fraction(top, 1 << (i >> f)) + Fraction(1, 2))
    return out


def _phi(x):
    return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _cdf(x):
    return np.array([math.erfc(v) for v in -x * math.sqrt(0.5)]) / 2


@functools.lru_cache(maxsize=None)
def _gelu_doubles(f_h, domain):
    x = np.arange(-domain, domain + 1) / 2.0**f_h
    cdf = _cdf(x)
    return x * cdf, cdf + x * _phi(x)


@functools.lru_cache(maxsize=256)
def gelu_table(f_h, f_g, domain):
    """round(gelu(h 2^-f_h) 2^f_g), not yet saturated, h = -domain .. domain."""
    scale = mpmath.mpf(2) ** f_g

    def exact(i):
        x = mpmath.mpf(i - domain) / mpmath.mpf(2) ** f_h
        return x * mpmath.ncdf(x) * scale

    return _settle(_gelu_doubles(f_h, domain)[0] * 2.0**f_g, exact)


@functools.lru_cache(maxsize=256)
def gelu_slope_table(f_h, f_gd, domain):
    scale = mpmath.mpf(2) ** f_gd

    def exact(i):
        x = mpmath.mpf(i - domain) / mpmath.mpf(2) ** f_h
        return (mpmath.ncdf(x) + x * mpmath.npdf(x)) * scale

    return _settle(_gelu_doubles(f_h, domain)[1] * 2.0**f_gd, exact)


def gelu_operand_table(c, f_h, f_g):
    return np.clip(gelu_table(f_h, f_g, c.D_t), -c.Q, c.Q)


def table_bytes(table):
    return table.astype("<i4").tobytes()


def tables_hash(c, fractions):
    parts = [table_bytes(c.exp()), table_bytes(c.expl())]
    for layer in range(c.L):
        parts.append(table_bytes(gelu_operand_table(c, fractions["h", layer], fractions["g", layer])))
        parts.append(table_bytes(gelu_slope_table(fractions["h", layer], c.f_gd, c.D_t)))
    return blake3(b"".join(parts))


def cos30(x):
    """2^30 cos(pi x / 2^30), 0 <= x <= 2^30, by the alternating series of section 12."""
    if x > 1 << 29:
        return -cos30((1 << 30) - x)
    y = (14488038916154245685 * x) >> 30
    term, total = 1 << 62, 1 << 62
    for k in range(1, 15):
        term = ((((term * y) >> 62) * y) >> 62) // (2 * k * (2 * k - 1))
        total += -term if k & 1 else term
    return rhu(total, 32)
