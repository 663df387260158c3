# SPDX-License-Identifier: Apache-2.0
"""The two sumchecks of sections 7 and 9 of spec/proof.md."""
from .field import K
from .transcript import require


def rounds(reader, transcript, n, claim, r=None):
    """n rounds; with r of the polynomial eq(r, x) h(x). Returns the end point and the claim there (on h, if r is given)."""
    point = [None] * n
    for b in reversed(range(n)):
        zero, square = reader.receive(transcript, "round", 2)
        if r is None:
            one = claim - zero
        else:
            require(r[b] != 0, "round", b)
            one = (claim - (1 - r[b]) * zero) * r[b].inverse()
        x = transcript.squeeze("round").k()
        point[b] = x
        claim = zero + (one - zero - square) * x + square * x * x
    return point, claim


def inner_product(reader, transcript, n, claim, pairs):
    """sum_x sum_m P_m(x) B_m(x) = claim. Returns the end point and [P_1, B_1, P_2, B_2, ...] there."""
    point, claim = rounds(reader, transcript, n, claim)
    ends = reader.receive(transcript, "end", 2 * pairs)
    value = K(0)
    for i in range(pairs):
        value = value + ends[2 * i] * ends[2 * i + 1]
    require(value == claim, "inner product", reader.at)
    return point, ends
