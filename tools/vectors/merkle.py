#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes spec/vectors/merkle.json and src/crypto/merkle_vectors_int.h: roots, paths, range proofs and multi-openings of small trees.

Trees, paths and BLAKE3 are written from their definitions, independent of the product.
Usage: tools/vectors/merkle.py (from the root of the repository)."""
import hashlib
import json

from blake3_plain import blake3_in

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


def multi(rule, leaves, indices):
    """The siblings of several leaves of a full tree, level by level."""
    out, level, known = [], leaves, set(indices)
    while len(level) > 1:
        out += [level[i ^ 1] for i in sorted(known) if i ^ 1 not in known]
        level = [rule[1](level[i], level[i + 1]) for i in range(0, len(level), 2)]
        known = {i // 2 for i in known}
    return out


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
            if count and count & (count - 1) == 0:
                several = [i for i in range(count) if i % 5 in (1, 2)] or [0]
                row.update(several=several, several_siblings=[h.hex() for h in multi(rule, leaves, several)])
            rows.append(row)
    with open("spec/vectors/merkle.json", "w") as f:
        json.dump(rows, f, indent=1)
        f.write("\n")
    with open("src/crypto/merkle_vectors_int.h", "w") as f:
        f.write("/* SPDX-License-Identifier: Apache-2.0\n"
                " * Written by tools/vectors/merkle.py; the same rows as spec/vectors/merkle.json. Leaf i is i %% 100 bytes: i, i + 1, ...\n"
                " * mod 256. Hashes of path and siblings are joined. several: the siblings of the leaves 1 and 2 mod 5 (of leaf 0 if there is\n"
                " * none), where the tree is full. */\n"
                "#ifndef CRYPTO_MERKLE_VECTORS_INT_H\n#define CRYPTO_MERKLE_VECTORS_INT_H\n\n#include <stddef.h>\n\n"
                "static const struct {\n    const char *rule;\n    size_t count, index, first, opened;\n"
                "    const char *root, *path, *siblings, *several;\n} merkle_vectors[] = {\n".replace("%%", "%"))

        def text(hashes):
            return "\n      ".join('"%s"' % h for h in hashes) or '""'
        for r in rows:
            f.write('    { "%s", %d, %d, %d, %d,\n      "%s",\n      %s,\n      %s,\n      %s },\n' % (
                r["rule"], r["count"], r.get("index", 0), r.get("first", 0), r.get("opened", 0), r["root"],
                text(r.get("path", [])), text(r.get("siblings", [])), text(r.get("several_siblings", []))))
        f.write("};\n\n#endif\n")


main()
