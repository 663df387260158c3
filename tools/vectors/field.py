#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes spec/vectors/field.json and src/field/field_vectors_int.h: F_p, K, eq and the code of spec/proof.md sections 2 and 11, by plain integers.

Usage: tools/vectors/field.py (from the root of the repository)."""
import json

P = 225179565293569
EDGES = [0, 1, 2, P - 1, P - 2, (P - 1) // 2, (P + 1) // 2, 2**26, 2**46]


def stream():
    """Residues without structure: powers of a primitive element."""
    x = 1
    while True:
        x = x * 7**11 % P
        yield x


def root(k):
    return pow(7, (P - 1) >> k, P)


def mul(a, b):
    c = [0] * 5
    for i in range(3):
        for j in range(3):
            c[i + j] += a[i] * b[j]
    return [(c[k] + 2 * (c[k + 3] if k < 2 else 0)) % P for k in range(3)]


def power(a, n):
    x = [1, 0, 0]
    while n:
        if n & 1:
            x = mul(x, a)
        a, n = mul(a, a), n >> 1
    return x


def inverse(a):
    return power(a, P**3 - 2)


def sub(a, b):
    return [(x - y) % P for x, y in zip(a, b)]


def eq(point, i):
    out = [1, 0, 0]
    for b, r in enumerate(point):
        out = mul(out, r if i >> b & 1 else sub([1, 0, 0], r))
    return out


def interpolate(xs, ys, at):
    """The value at a point of the polynomial of degree < len(xs) through the pairs, by Lagrange."""
    total = 0
    for i, (xi, yi) in enumerate(zip(xs, ys)):
        above, below = yi, 1
        for j, xj in enumerate(xs):
            if j != i:
                above, below = above * (at - xj) % P, below * (xi - xj) % P
        total += above * pow(below, -1, P)
    return total % P


def parity(message):
    m = len(message).bit_length() - 1
    xs = [pow(root(m), i, P) for i in range(len(message))]
    return [interpolate(xs, message, root(m + 1) * x % P) for x in xs]


def tables():
    residues = stream()
    base = [(a, b) for a in EDGES for b in EDGES[:5]] + [(next(residues), next(residues)) for _ in range(16)]
    elements = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [P - 1] * 3, [P - 1, 1, 0]] + [[next(residues) for _ in range(3)] for _ in range(6)]
    point = [[next(residues) for _ in range(3)] for _ in range(3)]
    message = [0, 1, P - 1, next(residues), 32767, P - 32768, next(residues), 5]
    return {
        "base": [dict(a=a, b=b, sum=(a + b) % P, difference=(a - b) % P, product=a * b % P, inverse=pow(a, P - 2, P)) for a, b in base],
        "roots": [root(k) for k in range(27)],
        "extension": [dict(a=a, b=b, product=mul(a, b), inverse=inverse(a), encoding=b"".join(c.to_bytes(6, "little") for c in a).hex())
                      for a, b in zip(elements, elements[3:] + elements[:3])],
        "eq": dict(point=point, values=[eq(point, i) for i in range(8)]),
        "code": dict(message=message, parity=parity(message)),
    }


def number(n):
    return "UINT64_C(%d)" % n


def braces(numbers):
    return "{ %s }" % ", ".join(map(number, numbers))


def array(name, kind, rows):
    return "static const %s %s = {\n%s};\n\n" % (kind, name, "".join("    %s,\n" % r for r in rows))


def main():
    t = tables()
    with open("spec/vectors/field.json", "w", encoding="ascii") as f:
        json.dump(t, f, indent=1)
        f.write("\n")
    with open("src/field/field_vectors_int.h", "w", encoding="ascii") as f:
        f.write("/* SPDX-License-Identifier: Apache-2.0\n"
                " * Written by tools/vectors/field.py; the same rows as spec/vectors/field.json. */\n"
                "#ifndef FIELD_FIELD_VECTORS_INT_H\n#define FIELD_FIELD_VECTORS_INT_H\n\n#include <stdint.h>\n\n")
        f.write("/* a, b, a + b, a - b, a b, 1 / a (0 of 0) */\n" + array("vector_base[][6]", "uint64_t", [
            braces([r[k] for k in ("a", "b", "sum", "difference", "product", "inverse")]) for r in t["base"]]))
        f.write("/* root(0), root(1) ... */\n" + array("vector_roots[]", "uint64_t", map(number, t["roots"])))
        f.write("static const struct {\n    uint64_t    a[3], b[3], product[3], inverse[3];\n    const char *encoding; /* of a */\n} vector_extension[] = {\n")
        for r in t["extension"]:
            f.write("    { %s,\n      \"%s\" },\n" % (",\n      ".join(braces(r[k]) for k in ("a", "b", "product", "inverse")), r["encoding"]))
        f.write("};\n\n")
        f.write("/* A point, and eq(point, 0), eq(point, 1) ... */\n" + array("vector_point[][3]", "uint64_t", map(braces, t["eq"]["point"])))
        f.write(array("vector_eq[][3]", "uint64_t", map(braces, t["eq"]["values"])))
        f.write("/* A row and its parity. */\n" + array("vector_message[]", "uint64_t", map(number, t["code"]["message"])))
        f.write(array("vector_parity[]", "uint64_t", map(number, t["code"]["parity"])) + "#endif\n")


if __name__ == "__main__":
    main()
