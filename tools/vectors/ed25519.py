#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes spec/vectors/ed25519.json and src/crypto/ed25519_vectors_int.h: signatures at the edges of the acceptance rule.

The arithmetic is written from RFC 8032 section 5.1 with Python integers, independent of the library that the product uses.
Usage: tools/vectors/ed25519.py (from the root of the repository); the output does not depend on anything but this file.
"""
import hashlib
import json

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2 % P
    return ((x1 * y2 + x2 * y1) * pow(1 + k, P - 2, P) % P, (y1 * y2 + x1 * x2) * pow(1 - k, P - 2, P) % P)


def mul(n, a):
    out = (0, 1)
    while n:
        if n & 1:
            out = add(out, a)
        a = add(a, a)
        n >>= 1
    return out


def x_of(y, sign):
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if x * x % P != xx:
        x = x * ROOT % P
    if x * x % P != xx:
        return None
    return P - x if x and x & 1 != sign else x


BASE = (x_of(4 * pow(5, P - 2, P) % P, 0), 4 * pow(5, P - 2, P) % P)


def encode(a):
    return (a[1] | (a[0] & 1) << 255).to_bytes(32, "little")


def h512(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def secret(seed):
    h = bytearray(hashlib.sha512(seed).digest())
    h[0] &= 248
    h[31] = h[31] & 127 | 64
    return int.from_bytes(h[:32], "little"), bytes(h[32:])


def sign(seed, message):
    a, prefix = secret(seed)
    key = encode(mul(a, BASE))
    r = h512(prefix, message) % L
    big_r = encode(mul(r, BASE))
    s = (r + h512(big_r, key, message) * a) % L
    return key, big_r + s.to_bytes(32, "little")


def scalar(s):
    return s.to_bytes(32, "little")


def torsion():
    """The eight points of small order, from a point of order eight."""
    y = 2
    while True:
        x = x_of(y, 0)
        if x is not None:
            t = mul(L, (x, y))
            if mul(4, t) != (0, 1):
                return [mul(i, t) for i in range(8)]
        y += 1


def build():
    rows = []

    def row(name, accept, key, message, signature):
        rows.append(dict(name=name, accept=accept, key=key.hex(), message=message.hex(), signature=signature.hex()))

    rfc = [  # RFC 8032 section 7.1: seed, public key, message
        ("rfc8032 test 1", "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", ""),
        ("rfc8032 test 2", "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72"),
        ("rfc8032 test 3", "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82"),
        ("rfc8032 test sha(abc)", "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
         "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
         hashlib.sha512(b"abc").hexdigest()),
    ]
    for name, seed, key, message in rfc:
        got_key, signature = sign(bytes.fromhex(seed), bytes.fromhex(message))
        if got_key.hex() != key:
            raise SystemExit("%s: public key differs" % name)
        row(name, True, got_key, bytes.fromhex(message), signature)

    seed = bytes.fromhex(rfc[1][1])
    a, _ = secret(seed)
    key = encode(mul(a, BASE))
    message = b"the block"
    _, honest = sign(seed, message)
    row("honest", True, key, message, honest)
    row("another message", False, key, b"the blocK", honest)
    row("R altered", False, key, message, bytes([honest[0] ^ 1]) + honest[1:])
    row("S altered", False, key, message, honest[:32] + bytes([honest[32] ^ 1]) + honest[33:])
    row("S + L", False, key, message, honest[:32] + scalar(int.from_bytes(honest[32:], "little") + L))
    row("S + 8 L", False, key, message, honest[:32] + scalar(int.from_bytes(honest[32:], "little") + 8 * L))
    row("S = L, R and A of order one", False, encode((0, 1)), message, encode((0, 1)) + scalar(L))

    points = torsion()
    # R of small order, honest key: S = h a + r with r = 0 satisfies the cofactored equation for each, and the plain
    # equation for the identity.
    for i, t in enumerate(points):
        big_r = encode(t)
        row("R of small order %d" % i, False, key, message, big_r + scalar(h512(big_r, key, message) * a % L))
    big_r = (P + 1).to_bytes(32, "little")
    row("R of order one, y = p + 1", False, key, message, big_r + scalar(h512(big_r, key, message) * a % L))

    # A of small order: S = r and R = r B satisfy the plain equation when h A = 0.
    keys = [("A of small order %d" % i, encode(t), 8) for i, t in enumerate(points)]
    keys += [("A of order one, y = p + 1", (P + 1).to_bytes(32, "little"), 1),
             ("A of order one, x = -0", (1 | 1 << 255).to_bytes(32, "little"), 1),
             ("A of order two, x = -0", (P - 1 | 1 << 255).to_bytes(32, "little"), 2),
             ("A of order four, y = p", P.to_bytes(32, "little"), 4),
             ("A of order four, y = p, other sign", (P | 1 << 255).to_bytes(32, "little"), 4),
             ("A of order one, y = p + 1, x = -0", (P + 1 | 1 << 255).to_bytes(32, "little"), 1)]
    for name, small, order in keys:
        r = 1
        while h512(encode(mul(r, BASE)), small, message) % order:
            r += 1
        row(name, False, small, message, encode(mul(r, BASE)) + scalar(r))

    # A not canonical and of large order: its discrete logarithm is unknown, so the equation fails as well.
    for k in range(2, 19):
        if x_of(k, 0) is not None:
            row("A not canonical, y = p + %d" % k, False, (P + k).to_bytes(32, "little"), message, honest)
            break

    # R of mixed order: an honest commitment plus a point of order eight. The cofactored equation holds, ours does not.
    r = 12345
    for i in (1, 2, 4):
        big_r = encode(add(mul(r, BASE), points[i]))
        row("R of mixed order %d" % i, False, key, message, big_r + scalar((r + h512(big_r, key, message) * a) % L))

    # A of mixed order is not of small order: the plain equation decides, and it depends on h mod 8.
    mixed = encode(add(mul(a, BASE), points[1]))
    wanted = {True: "A of mixed order, h T = 0", False: "A of mixed order, h T not 0"}
    r = 1
    while wanted:
        big_r = encode(mul(r, BASE))
        h = h512(big_r, mixed, message)
        name = wanted.pop(h % 8 == 0, None)
        if name:
            row(name, h % 8 == 0, mixed, message, big_r + scalar((r + h * a) % L))
        r += 1
    return rows


def main():
    rows = build()
    with open("spec/vectors/ed25519.json", "w") as f:
        json.dump(rows, f, indent=1)
        f.write("\n")
    with open("src/crypto/ed25519_vectors_int.h", "w") as f:
        f.write("/* SPDX-License-Identifier: Apache-2.0\n"
                " * Written by tools/vectors/ed25519.py; the same rows as spec/vectors/ed25519.json. */\n"
                "#ifndef CRYPTO_ED25519_VECTORS_INT_H\n#define CRYPTO_ED25519_VECTORS_INT_H\n\n"
                "#include <stdbool.h>\n\n"
                "static const struct { const char *name, *key, *message, *signature; bool accept; } ed25519_vectors[] = {\n")
        for r in rows:
            f.write('    { "%s",\n      "%s",\n      "%s",\n      "%s"\n      "%s", %s },\n' % (
                r["name"], r["key"], r["message"], r["signature"][:64], r["signature"][64:],
                "true" if r["accept"] else "false"))
        f.write("};\n\n#endif\n")


main()
