# SPDX-License-Identifier: Apache-2.0
"""Reduction of the claims to one evaluation, and the opening of the commitment: sections 10 and 11 of spec/proof.md."""
import functools

import numpy as np

from .. import blake3
from .field import K, P, V, eq, powers, root
from .layout import BAND, QUERIES
from .lookup import Stream
from .sumcheck import rounds
from .transcript import context, elements, require

NODE = "theblock 2026 merkle node v1"


class Row:
    """All terms with one tensor and one vector of token weights."""

    def __init__(self, tensor, omega, features):
        self.tensor, self.omega, self.v = tensor, omega, V.zeros(features)


def same_tensor(t):
    return t.key if isinstance(t, Stream) else (t.name, t.layer)


def collect(y, claims, mu):
    """Rows in the order of their first appearance, and the value of all claims together."""
    rows, value = {}, K(0)
    for claim, weight in zip(claims, powers(mu, len(claims))):
        value = value + weight * claim.value
        for tensor, omega, v in claim.terms:
            key = same_tensor(tensor), id(omega)
            if key not in rows:
                rows[key] = Row(tensor, omega, len(v))
            rows[key].v = rows[key].v + v * weight
    return list(rows.values()), value


def reduce(y, public, reader, t, claims):
    """Returns rho, tau, and the evaluation of every committed tensor there."""
    rows, value = collect(y, claims, t.squeeze("claims").k())
    rho, value = rounds(reader, t, y.feature_bits, value)
    U = reader.receive(t, "features", len(rows))
    f = eq(rho)
    got = K(0)
    for row, u in zip(rows, U):
        got = got + row.v.dot(f[slice(0, len(row.v))]) * u
    require(got == value, "features", reader.at)
    theta = powers(t.squeeze("tokens").k(), len(rows))
    tau, value = rounds(reader, t, y.nu, sum((w * u for w, u in zip(theta, U)), K(0)))
    values = reader.receive(t, "values", len(y.tensors))
    e = eq(tau)
    x0 = e.dot(f[slice(0, y.c.d)].under(public.x0))
    got = K(0)
    for row, weight in zip(rows, theta):
        got = got + weight * row.omega.dot(e) * evaluation(row.tensor, values, x0)
    require(got == value, "values", reader.at)
    return rho, tau, values


def evaluation(tensor, values, x0):
    if not isinstance(tensor, Stream):
        return values[tensor.index]
    return sum((values[t.index] * factor for t, factor in tensor.parts), x0 if tensor.public else K(0))


# --- section 11 -----------------------------------------------------------------------------------------------------------


def open_commitment(y, reader, t, commitment, rho, tau, values):
    stream = t.squeeze("opening")
    chi = powers(stream.k(), len(y.tensors))
    weights = [stream.vector(y.rows), row_weights(y, chi, rho, tau)]
    vectors = [reader.receive_vector(t, label, y.M) for label in ("proximity", "evaluation")]
    want = sum((w * v for w, v in zip(chi, values)), K(0))
    columns = eq(rho[:y.b]).times(eq(tau[:y.m - y.b]))
    require(vectors[1].dot(columns) == want, "evaluation", reader.at)
    positions = queries(t.squeeze("queries"), y.m + 1)
    bytes_of = [reader.take(y.rows * (2 if c < y.M else 6), "column") for c in positions]
    check_root(commitment, y.m + 1, dict(zip(positions, column_hashes(bytes_of, y.rows))), reader)
    for position, data in zip(positions, bytes_of):
        cells = column_cells(data, position < y.M, reader)
        for weight, vector in zip(weights, vectors):
            require(symbol(vector, y.m, position) == weight.dot(cells), "column", position)


def row_weights(y, chi, rho, tau):
    """e_w of every row, in the order of the rows."""
    tiles = eq(rho[y.b:])
    inner = eq(tau[y.m - y.b:])
    return V(np.concatenate([(inner.times(tiles[slice(0, t.tiles)]) * w).c for t, w in zip(y.tensors, chi)], axis=1))


def queries(stream, bits):
    if 1 << bits <= QUERIES:
        return list(range(1 << bits))
    found = set()
    while len(found) < QUERIES:
        found.add(stream.index(bits))
    return sorted(found)


def column_cells(data, message, reader):
    if message:
        return np.frombuffer(data, "<i2").astype(np.int64)
    out = elements(data)
    require(not (out >= P).any(), "canonical", reader.at)
    return out


def symbol(vector, m, position):
    """One symbol of the codeword of a vector over K."""
    M = 1 << m
    if position < M:
        return vector[position]
    return vector.dot(lagrange(m, position - M))


@functools.lru_cache(maxsize=None)
def lagrange(m, i):
    """Weights of f(root(m)^j) in f(x), x = root(m + 1) root(m)^i: (x^M - 1) w^j / (M (x - w^j))."""
    M, w, out = 1 << m, root(m), []
    x = root(m + 1) * pow(w, i, P) % P
    top = (pow(x, M, P) - 1) * pow(M, -1, P)
    point = 1
    for _ in range(M):
        out.append(top * point * pow(x - point, -1, P) % P)
        point = point * w % P
    return np.array(out, np.uint64)


HASHES = {}  # of columns that were seen before


def column_hashes(columns, rows):
    """Side by side: each is a chain over the bands."""
    for size in (2, 6):
        new = sorted({c for c in columns if len(c) == size * rows and c not in HASHES})
        HASHES.update(zip(new, chains(new, rows, size)))
    return [HASHES[c] for c in columns]


def chains(columns, rows, size):
    hashes = [bytes(32) for _ in columns]
    for first in range(0, rows, BAND):
        bands = [h + c[first * size:(first + BAND) * size] for h, c in zip(hashes, columns)]
        if len(columns) < 16:  # NumPy is slower there
            hashes = [blake3.derive(context("column"), band) for band in bands]
        else:
            lanes = np.frombuffer(b"".join(bands), np.uint8).reshape(len(bands), -1)
            hashes = [row.tobytes() for row in blake3.derive_rows(context("column"), lanes)]
    return hashes


def check_root(commitment, depth, known, reader):
    for _ in range(depth):
        above = {}
        for i in sorted(known):
            if i >> 1 in above:
                continue
            sibling = known.get(i ^ 1) or reader.take(32, "sibling")
            pair = (known[i], sibling) if i % 2 == 0 else (sibling, known[i])
            above[i >> 1] = blake3.derive(NODE, pair[0] + pair[1])
        known = above
    require(known[0] == commitment, "root", reader.at)
