# SPDX-License-Identifier: Apache-2.0
"""F_p and K = F_p[X] / (X^3 - 2), section 2 of spec/proof.md: elements as Python integers, vectors in NumPy."""
import functools

import numpy as np

P = 225179565293569
HALF = (P - 1) // 2
TWO_ADICITY = 26
LOW = np.uint64((1 << 24) - 1)


class K:
    """An element c0 + c1 X + c2 X^2."""

    __slots__ = ("c",)

    def __init__(self, c0, c1=0, c2=0):
        self.c = (int(c0) % P, int(c1) % P, int(c2) % P)

    def __add__(self, o):
        o = as_k(o)
        return K(*(x + y for x, y in zip(self.c, o.c)))

    def __sub__(self, o):
        return self + -as_k(o)

    def __neg__(self):
        return K(*(-x for x in self.c))

    def __rsub__(self, o):
        return as_k(o) - self

    def __mul__(self, o):
        if isinstance(o, V):
            return o * self
        (a0, a1, a2), (b0, b1, b2) = self.c, as_k(o).c
        return K(a0 * b0 + 2 * (a1 * b2 + a2 * b1), a0 * b1 + a1 * b0 + 2 * a2 * b2, a0 * b2 + a1 * b1 + a2 * b0)

    __radd__, __rmul__ = __add__, __mul__

    def __eq__(self, o):
        return self.c == as_k(o).c

    __hash__ = None

    def __repr__(self):
        return f"K{self.c}"

    def inverse(self):
        a0, a1, a2 = self.c
        adjoint = K(a0 * a0 - 2 * a1 * a2, 2 * a2 * a2 - a0 * a1, a1 * a1 - a0 * a2)
        norm = (self * adjoint).c[0]
        return adjoint * pow(norm, -1, P)


def encode(elements):
    return b"".join(c.to_bytes(6, "little") for x in elements for c in x.c)


def as_k(x):
    return x if isinstance(x, K) else K(x)


def mul(a, b):
    """Products mod p of residues (uint64 arrays): the quotient by floats is off by at most one."""
    quotient = (a.astype(np.float64) * b.astype(np.float64) * (1 / P)).astype(np.uint64)
    rest = (a * b - quotient * np.uint64(P)).view(np.int64)
    rest = np.where(rest < 0, rest + P, rest)
    return np.where(rest >= P, rest - P, rest).astype(np.uint64)


def total(a):
    """Sums mod p over the last axis; at most 2^16 x 2^24 elements."""
    high = (a >> np.uint64(24)).sum(-1, dtype=np.uint64) % np.uint64(P)
    low = (a & LOW).sum(-1, dtype=np.uint64)
    return (mul(high, np.uint64(1 << 24)) + low) % np.uint64(P)


def residues(x):
    """Integers of any sign (an array that fits int64, or Python integers) as residues."""
    x = np.asarray(x)
    if x.dtype == np.uint64:
        return x % np.uint64(P)
    if x.dtype == object:
        return np.array([int(v) % P for v in x.reshape(-1)], np.uint64).reshape(x.shape)
    return np.mod(x.astype(np.int64), P).astype(np.uint64)


class V:
    """A vector over K: residues of shape (3, n)."""

    def __init__(self, c):
        self.c = c

    @classmethod
    def of(cls, ints):
        """Integers as elements of F_p."""
        low = residues(ints)
        return cls(np.stack([low, np.zeros_like(low), np.zeros_like(low)]))

    @classmethod
    def zeros(cls, n):
        return cls(np.zeros((3, n), np.uint64))

    @classmethod
    def join(cls, elements):
        """From elements of K."""
        return cls(np.array([[e.c[i] for e in elements] for i in range(3)], np.uint64).reshape(3, len(elements)))

    def __len__(self):
        return self.c.shape[1]

    def __getitem__(self, i):
        if isinstance(i, (slice, np.ndarray)):
            return V(self.c[:, i])
        return K(*self.c[:, i].tolist())

    def __setitem__(self, i, value):
        self.c[:, i] = value.c

    def __add__(self, o):
        return V((self.c + o.c) % np.uint64(P))

    def __neg__(self):
        return V((np.uint64(P) - self.c) % np.uint64(P))

    def __mul__(self, o):
        """By an element, an integer, a vector over K, or an array of integers."""
        if isinstance(o, np.ndarray):
            return V(mul(self.c, residues(o)[None, :]))
        if isinstance(o, int):
            return V(mul(self.c, np.uint64(o % P)))
        a, b = self.c, o.c if isinstance(o, V) else np.array(o.c, np.uint64)[:, None]
        out = [mul(a[0], b[0]) + 2 * (mul(a[1], b[2]) + mul(a[2], b[1])), mul(a[0], b[1]) + mul(a[1], b[0]) + 2 * mul(a[2], b[2]),
               mul(a[0], b[2]) + mul(a[1], b[1]) + mul(a[2], b[0])]
        return V(np.stack(out) % np.uint64(P))

    def sum(self):
        return K(*total(self.c).tolist())

    def dot(self, o):
        """sum_i self_i o_i; o a vector over K or integers."""
        if isinstance(o, np.ndarray) and o.dtype == np.int64 and len(o) << 24 < (1 << 63) // (int(np.abs(o).max(initial=0)) + 1):
            low, high = ((x.astype(np.int64) @ o).tolist() for x in (self.c & LOW, self.c >> np.uint64(24)))
            return K(*(a + (b << 24) for a, b in zip(low, high)))
        return (self * o).sum()

    def under(self, matrix):
        """The vector sum_j matrix[i, j] self_j over i; a matrix of integers."""
        return V(np.stack([total(mul(residues(matrix), row[None, :])) for row in self.c]))

    def times(self, slow):
        """Entry i len(self) + j is slow_i self_j."""
        n, m = len(slow), len(self)
        return V(np.repeat(slow.c, m, axis=1)) * V(np.tile(self.c, (1, n)))

    def padded(self, n):
        out = V.zeros(n)
        out[slice(0, len(self))] = self
        return out


def eq(point):
    """eq(point, i) for every i, as a vector of 2^len(point)."""
    return (long_eq if len(point) > 12 else eq_of)(tuple(r.c for r in point))


def eq_of(point):
    out = V.of([1])
    for r in point:
        r = K(*r)
        high = out * r
        out = V(np.concatenate([(out + -high).c, high.c], axis=1))
    return out


# Kept, because a test verifies many proofs that begin alike.
long_eq = functools.lru_cache(maxsize=8)(eq_of)


def powers(x, n):
    out, last = [], K(1)
    for _ in range(n):
        out.append(last)
        last = last * x
    return out


def root(k):
    """Of order 2^k."""
    return pow(7, (P - 1) >> k, P)


def log2_ceil(n):
    return (n - 1).bit_length()
