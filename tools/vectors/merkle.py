#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes spec/vectors/merkle.json and src/crypto/merkle_vectors_int.h: roots, paths and range proofs of small trees.

Trees, paths and BLAKE3 (derive mode, inputs of one chunk) are written here from their definitions, independent of the product.
Usage: tools/vectors/merkle.py (from the root of the repository)."""
import hashlib
import json

IV = [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19]
PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
START, END, ROOT, CONTEXT, MATERIAL = 1, 2, 8, 32, 64
MASK = 0xFFFFFFFF


def compress(chain, block, length, flags):
    m = [int.from_bytes(block[4 * i:4 * i + 4], "little") for i in range(16)]
    v = list(chain) + IV[:4] + [0, 0, length, flags]

    def g(a, b, c, d, x, y):
        for word, r1, r2 in ((x, 16, 12), (y, 8, 7)):
            v[a] = (v[a] + v[b] + word) & MASK
            t = v[d] ^ v[a]
            v[d] = (t >> r1 | t << (32 - r1)) & MASK
            v[c] = (v[c] + v[d]) & MASK
            t = v[b] ^ v[c]
            v[b] = (t >> r2 | t << (32 - r2)) & MASK

    for _ in range(7):
        for i in range(4):
            g(i, 4 + i, 8 + i, 12 + i, m[2 * i], m[2 * i + 1])
        for i in range(4):
            g(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, m[8 + 2 * i], m[9 + 2 * i])
        m = [m[p] for p in PERMUTATION]
    return [v[i] ^ v[i + 8] for i in range(8)]


def chunk(key, data, flags):
    assert len(data) <= 1024
    chain = key
    blocks = [data[i:i + 64] for i in range(0, len(data), 64)] or [b""]
    for i, block in enumerate(blocks):
        f = flags | (START if i == 0 else 0) | (END | ROOT if i == len(blocks) - 1 else 0)
        chain = compress(chain, block.ljust(64, b"\0"), len(block), f)
    return chain


def blake3_in(context, data):
    words = chunk(chunk(IV, context.encode(), CONTEXT), data, MATERIAL)
    return b"".join(w.to_bytes(4, "little") for w in words)


RULES = {
    "sha256": (lambda d: hashlib.sha256(b"\0" + d).digest(), lambda l, r: hashlib.sha256(b"\1" + l + r).digest(),
               hashlib.sha256(b"").digest()),
    "blake3": (lambda d: blake3_in("theblock 2026 merkle leaf v1", d),
               lambda l, r: blake3_in("theblock 2026 merkle node v1", l + r),
               blake3_in("theblock 2026 merkle node v1", b"")),
}


def split(n):
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def root(rule, leaves):
    if not leaves:
        return rule[2]
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return rule[1](root(rule, leaves[:k]), root(rule, leaves[k:]))


def path(rule, leaves, index):
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return path(rule, leaves[:k], index) + [root(rule, leaves[k:])]
    return path(rule, leaves[k:], index - k) + [root(rule, leaves[:k])]


def siblings(rule, leaves, first, end):
    if end <= 0 or first >= len(leaves):
        return [root(rule, leaves)]
    if first <= 0 and end >= len(leaves):
        return []
    k = split(len(leaves))
    return siblings(rule, leaves[:k], first, end) + siblings(rule, leaves[k:], first - k, end - k)


def data(i):
    """Leaf i is i % 100 bytes: i, i + 1, ... mod 256."""
    return bytes((i + j) % 256 for j in range(i % 100))


def main():
    rows = []
    for name, rule in RULES.items():
        for count in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 31, 33, 64, 100]:
            leaves = [rule[0](data(i)) for i in range(count)]
            row = {"rule": name, "count": count, "root": root(rule, leaves).hex()}
            if count:
                index, first = count * 2 // 3, count // 3
                opened = max(1, count // 4)
                row.update(index=index, path=[h.hex() for h in path(rule, leaves, index)], first=first, opened=opened,
                           siblings=[h.hex() for h in siblings(rule, leaves, first, first + opened)])
            rows.append(row)
    with open("spec/vectors/merkle.json", "w") as f:
        json.dump(rows, f, indent=1)
        f.write("\n")
    with open("src/crypto/merkle_vectors_int.h", "w") as f:
        f.write("/* SPDX-License-Identifier: Apache-2.0\n"
                " * Written by tools/vectors/merkle.py; the same rows as spec/vectors/merkle.json. Leaf i is i %% 100 bytes: i, i + 1, ...\n"
                " * mod 256. Hashes of path and siblings are joined. */\n"
                "#ifndef CRYPTO_MERKLE_VECTORS_INT_H\n#define CRYPTO_MERKLE_VECTORS_INT_H\n\n#include <stddef.h>\n\n"
                "static const struct {\n    const char *rule;\n    size_t count, index, first, opened;\n"
                "    const char *root, *path, *siblings;\n} merkle_vectors[] = {\n".replace("%%", "%"))

        def text(hashes):
            return "\n      ".join('"%s"' % h for h in hashes) or '""'
        for r in rows:
            f.write('    { "%s", %d, %d, %d, %d,\n      "%s",\n      %s,\n      %s },\n' % (
                r["rule"], r["count"], r.get("index", 0), r.get("first", 0), r.get("opened", 0), r["root"],
                text(r.get("path", [])), text(r.get("siblings", []))))
        f.write("};\n\n#endif\n")


main()
