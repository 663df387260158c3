# SPDX-License-Identifier: Apache-2.0
"""BLAKE3 in key derivation mode, from its definition: any input length, any output length. For the vector writers of this folder."""

IV = [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19]
PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
START, END, PARENT, ROOT, CONTEXT, MATERIAL = 1, 2, 4, 8, 32, 64
MASK = 0xFFFFFFFF
CHUNK = 1024


def compress(chain, block, counter, length, flags):
    """The sixteen words of one compression."""
    m = [int.from_bytes(block[4 * i:4 * i + 4], "little") for i in range(16)]
    v = list(chain) + IV[:4] + [counter & MASK, counter >> 32, length, flags]

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
    return [v[i] ^ v[i + 8] for i in range(8)] + [v[i + 8] ^ chain[i] for i in range(8)]


def node(key, data, counter, flags):
    """The last compression of the subtree over data, as its arguments: a caller adds ROOT or takes the chaining value."""
    if len(data) <= CHUNK:
        chain = key
        blocks = [data[i:i + 64] for i in range(0, len(data), 64)] or [b""]
        for i, block in enumerate(blocks):
            f = flags | (START if i == 0 else 0) | (END if i == len(blocks) - 1 else 0)
            last = (chain, block.ljust(64, b"\0"), counter, len(block), f)
            chain = compress(*last)[:8]
        return last
    left = CHUNK
    while 2 * left < len(data):
        left *= 2
    block = b""
    for part, at in ((data[:left], counter), (data[left:], counter + left // CHUNK)):
        block += b"".join(w.to_bytes(4, "little") for w in compress(*node(key, part, at, flags))[:8])
    return key, block, 0, 64, flags | PARENT


def output(key, data, flags, length):
    chain, block, _, block_len, f = node(key, data, 0, flags)
    out = b""
    while len(out) < length:
        out += b"".join(w.to_bytes(4, "little") for w in compress(chain, block, len(out) // 64, block_len, f | ROOT))
    return out[:length]


def blake3_in(context, data, length=32):
    key = output(IV, context.encode(), CONTEXT, 32)
    return output([int.from_bytes(key[4 * i:4 * i + 4], "little") for i in range(8)], data, MATERIAL, length)
