# SPDX-License-Identifier: Apache-2.0
"""Initial weights, integer Adam and the learning rate: spec/numerics.md section 12."""
import math

import numpy as np

from .blake3 import derive, keyed, le32, le64
from .numerics import bitlen, isqrt, peak, weight_names, weight_shape
from .tables import cos30, rhu

SIGMA = 5368709
G_MAX = (1 << 35) - 1
W_MAX = (1 << 31) - 1


def init(c, determinism_seed):
    key = derive("theblock 2026 init v1", le64(determinism_seed))
    out = {}
    for index, name in enumerate(weight_names(c)):
        shape = weight_shape(c, name)
        count = shape[0] * shape[1]
        words = np.frombuffer(keyed(key, le32(index), 24 * count), "<u2").astype(np.int64).reshape(count, 12)
        sigma = math.isqrt(SIGMA * SIGMA // (2 * c.L)) if name[:2] in ("Wo", "W2") else SIGMA
        out[name] = rhu((words.sum(1) - 6 * 65535) * sigma, 16).astype(np.int32).reshape(shape)
    return out


def learning_rate(t, total, warm, lr_max):
    lr_min = lr_max // 10
    if t < warm:
        return lr_max * (t + 1) // warm
    cosine = (1 << 30) + cos30(min(1 << 30, ((t - warm) << 30) // max(1, total - warm)))
    return lr_min + (((lr_max - lr_min) * cosine) >> 31)


def mean_gradient(G, f_G, tokens):
    """Gradient per token at fraction 34, rounded half up, clamped."""
    up, down = max(0, 34 - f_G), max(0, f_G - 34)
    if bitlen(peak(G)) + up + 1 > 61 or bitlen(tokens) + down + 1 > 61:
        G = G.astype(object)
    g = ((G << (up + 1)) + (tokens << down)) // (tokens << (down + 1)) if G.dtype != object else np.array(
        [((int(v) << (up + 1)) + (tokens << down)) // (tokens << (down + 1)) for v in G.reshape(-1)], object).reshape(G.shape)
    return np.minimum(np.maximum(g, -G_MAX), G_MAX).astype(np.int64)


def shifted_quotient(n, c):
    """floor(n 2^32 / c) for int64 n, 0 < c <= 2^32, result below 2^63."""
    q = n // c
    rest = ((n - q * c).astype(np.uint64) << np.uint64(32)) // np.uint64(c)
    return (q << 32) + rest.astype(np.int64)


def scaled_square(g):
    """(g * g) >> 8 for |g| < 2^35 without leaving 64 bits: the two high partial products are multiples of 256."""
    high, low = np.abs(g) >> 16, np.abs(g) & 0xFFFF
    return ((high * high) << 24) + ((high * low) << 9) + ((low * low) >> 8)


class Adam:
    def __init__(self, c):
        names = weight_names(c)
        self.m = {n: np.zeros(weight_shape(c, n), np.int64) for n in names}
        self.v = {n: np.zeros(weight_shape(c, n), np.int64) for n in names}
        self.p1 = self.p2 = 1 << 32

    def step(self, master, grads, fractions, tokens, lr):
        """Updates the masters in place. `fractions`: name -> fraction of that gradient."""
        self.p1, self.p2 = (self.p1 * 7) >> 3, (self.p2 * 127) >> 7
        c1, c2 = (1 << 32) - self.p1, (1 << 32) - self.p2
        for name, weights in master.items():
            g = mean_gradient(grads[name], fractions[name], tokens)
            m, v = self.m[name], self.v[name]
            m += (g - m) >> 3
            v += (scaled_square(g) - v) >> 7
            mh = shifted_quotient(m, c1)
            s = isqrt(shifted_quotient(v, c2)) + 11
            if peak(mh) * lr >= 1 << 62:
                delta = (mh.astype(object) * lr // s.astype(object))
                delta = np.minimum(np.maximum(delta, -(1 << 40)), 1 << 40).astype(np.int64)
            else:
                delta = mh * lr // s
            master[name] = np.clip(weights - rhu(delta, 4), -W_MAX, W_MAX).astype(np.int32)
