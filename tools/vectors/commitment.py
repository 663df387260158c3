#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes spec/vectors/commitment.json and src/prove/commit_vectors_int.h: commitments and openings of spec/proof.md section 11.

The code is computed by interpolation, the tree and the transcript by this folder's own scripts, independent of the product.
Usage: tools/vectors/commitment.py (from the root of the repository)."""
import hashlib
import json

from blake3_plain import blake3_in
from transcript import P, Transcript, encode

QUERIES, BAND = 244, 144


def base():
    b = 2
    while pow(b, (P - 1) // 2, P) == 1:
        b += 1
    return b


def root_of(k):
    return pow(base(), (P - 1) >> k, P)


def mul(a, b):
    """In F_p[X] / (X^3 - 2)."""
    c = [0] * 5
    for i in range(3):
        for j in range(3):
            c[i + j] += a[i] * b[j]
    return [(c[0] + 2 * c[3]) % P, (c[1] + 2 * c[4]) % P, c[2] % P]


def add(a, b):
    return [(x + y) % P for x, y in zip(a, b)]


def parity(values, m):
    """Values of the polynomial of degree < M through (root(m)^i, values[i]) at root(m + 1) root(m)^i."""
    n, w, g = 1 << m, root_of(m), root_of(m + 1)
    inverse = [pow(w, -i, P) for i in range(n)]
    coefficients = [sum(v * inverse[i * k % n] for i, v in enumerate(values)) * pow(n, -1, P) % P for k in range(n)]
    powers = [pow(w, i, P) for i in range(n)]
    shifted = [c * pow(g, k, P) % P for k, c in enumerate(coefficients)]
    return [sum(c * powers[i * k % n] for k, c in enumerate(shifted)) % P for i in range(n)]


def column_bytes(matrix, c, m):
    if c < 1 << m:
        return b"".join((row[c] % 65536).to_bytes(2, "little") for row in matrix)
    return b"".join(row[c].to_bytes(6, "little") for row in matrix)


def column_hash(data, symbol):
    h = bytes(32)
    for at in range(0, len(data), BAND * symbol):
        h = blake3_in("theblock 2026 proof column v1", h + data[at:at + BAND * symbol])
    return h


def tree_of(leaves):
    levels = [leaves]
    while len(levels[-1]) > 1:
        last = levels[-1]
        levels.append([blake3_in("theblock 2026 merkle node v1", last[i] + last[i + 1]) for i in range(0, len(last), 2)])
    return levels


def siblings(levels, indices):
    out, known = b"", set(indices)
    for level in levels[:-1]:
        out += b"".join(level[i ^ 1] for i in sorted(known) if i ^ 1 not in known)
        known = {i // 2 for i in known}
    return out


def cell(i):
    return (i * 40503 + 12345) % 65536 - 32768


def weighted(matrix, weights, m):
    return [[sum(w[k] * row[j] for w, row in zip(weights, matrix)) % P for k in range(3)] for j in range(1 << m)]


def opening(m, rows):
    """The statement is: start 1, the commitment. e_w = chi (w + 1), the column factor of place j is (j + 1, j, 7)."""
    n = 1 << m
    matrix = [[cell(w * n + j) for j in range(n)] for w in range(rows)]
    for row in matrix:
        row += parity(row, m)
    columns = [column_bytes(matrix, c, m) for c in range(2 * n)]
    levels = tree_of([column_hash(c, 2 if i < n else 6) for i, c in enumerate(columns)])
    t = Transcript(1)
    t.absorb("commitment", levels[-1][0])
    s = t.squeeze("opening")
    chi = s.fx()
    g = [s.fx() for _ in range(rows)]
    vectors = [weighted(matrix, weights, m) for weights in (g, [[c * (w + 1) % P for c in chi] for w in range(rows)])]
    value = [0, 0, 0]
    for j, x in enumerate(vectors[1]):
        value = add(value, mul(x, [j + 1, j, 7]))
    proof = b""
    for label, v in zip(("proximity", "evaluation"), vectors):
        t.absorb(label, encode(v))
        proof += encode(v)
    s = t.squeeze("queries")
    queries = set(range(2 * n)) if 2 * n <= QUERIES else set()
    while len(queries) < min(QUERIES, 2 * n):
        queries.add(s.index(m + 1))
    queries = sorted(queries)
    proof += b"".join(columns[q] for q in queries) + siblings(levels, queries)
    return {"m": m, "rows": rows, "root": levels[-1][0].hex(), "value": value, "proof_bytes": len(proof),
            "proof_sha256": hashlib.sha256(proof).hexdigest()}


def main():
    table = [opening(m, rows) for m, rows in ((0, 1), (1, 2), (3, 147), (6, 17), (7, 150), (8, 5))]
    with open("spec/vectors/commitment.json", "w") as f:
        json.dump(table, f, indent=1)
        f.write("\n")
    with open("src/prove/commit_vectors_int.h", "w") as f:
        f.write("/* SPDX-License-Identifier: Apache-2.0\n"
                " * Written by tools/vectors/commitment.py, which says what is opened; the same rows as spec/vectors/commitment.json. */\n"
                "#ifndef PROVE_COMMIT_VECTORS_INT_H\n#define PROVE_COMMIT_VECTORS_INT_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n"
                "static const struct {\n    unsigned    m;\n    size_t      rows;\n    const char *root;\n    uint64_t    value[3];\n"
                "    size_t      proof_bytes;\n    const char *proof_sha256;\n} commit_vectors[] = {\n")
        for r in table:
            f.write('    { %d, %d,\n      "%s",\n      { %s },\n      %d, "%s" },\n' % (
                r["m"], r["rows"], r["root"], ", ".join("UINT64_C(%d)" % c for c in r["value"]), r["proof_bytes"], r["proof_sha256"]))
        f.write("};\n\n#endif\n")


main()
