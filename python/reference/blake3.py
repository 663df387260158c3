# SPDX-License-Identifier: Apache-2.0
"""BLAKE3 in NumPy: hash, keyed hash, key derivation, extendable output.

Written from the BLAKE3 paper (https://github.com/BLAKE3-team/BLAKE3-specs). Lanes of a NumPy array are independent
compressions, so chunks of a long message, blocks of a long output, or many short messages cost one pass."""
import functools
import struct

import numpy as np

IV = np.array([0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19], np.uint32)
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
KEYED_HASH, DERIVE_CONTEXT, DERIVE_MATERIAL = 16, 32, 64
PERMUTATION = np.array([2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8])
BLOCK, CHUNK = 64, 1024


def _schedule():
    order, out = np.arange(16), []
    for _ in range(7):
        out.append([order[0:8:2], order[1:8:2], order[8:16:2], order[9:16:2]])
        order = order[PERMUTATION]
    return out


SCHEDULE = _schedule()


def _rotr(x, n):
    return (x >> np.uint32(n)) | (x << np.uint32(32 - n))


def _half(a, b, c, d, m0, m1):
    a = a + b + m0
    d = _rotr(d ^ a, 16)
    c = c + d
    b = _rotr(b ^ c, 12)
    a = a + b + m1
    d = _rotr(d ^ a, 8)
    c = c + d
    b = _rotr(b ^ c, 7)
    return a, b, c, d


def compress(cv, m, counter, length, flags):
    """cv (8, N), m (16, N) uint32; counter, length and flags scalars or (N,). Returns the full output (16, N)."""
    n = m.shape[1]
    counter = np.broadcast_to(np.asarray(counter, np.uint64), (n,))
    d = np.empty((4, n), np.uint32)
    d[0] = counter & np.uint64(0xFFFFFFFF)
    d[1] = counter >> np.uint64(32)
    d[2] = length
    d[3] = flags
    a, b = cv[0:4], cv[4:8]
    c = np.broadcast_to(IV[0:4, None], (4, n))
    for columns0, columns1, diagonals0, diagonals1 in SCHEDULE:
        a, b, c, d = _half(a, b, c, d, m[columns0], m[columns1])
        b, c, d = b[[1, 2, 3, 0]], c[[2, 3, 0, 1]], d[[3, 0, 1, 2]]
        a, b, c, d = _half(a, b, c, d, m[diagonals0], m[diagonals1])
        b, c, d = b[[3, 0, 1, 2]], c[[2, 3, 0, 1]], d[[1, 2, 3, 0]]
    return np.concatenate([a ^ c, b ^ d, c ^ cv[0:4], d ^ cv[4:8]])


def _words(rows):
    """uint8 (N, 64) -> (16, N) little-endian words."""
    return np.ascontiguousarray(rows.view("<u4").T.astype(np.uint32))


def _chunks(key, rows, length, first, mode):
    """Chaining input of N equally long chunks (uint8 (N, length), length <= 1024): all blocks but the last.
    Returns what compresses the last block: (cv, words, counter, block length, flags)."""
    n = rows.shape[0]
    blocks = max(1, -(-length // BLOCK))
    padded = np.zeros((n, blocks * BLOCK), np.uint8)
    padded[:, :length] = rows
    counter = np.arange(first, first + n, dtype=np.uint64) if first is not None else np.zeros(n, np.uint64)
    cv = np.repeat(key[:, None], n, axis=1)
    for i in range(blocks):
        flags = mode | (CHUNK_START if i == 0 else 0)
        block = _words(np.ascontiguousarray(padded[:, i * BLOCK:(i + 1) * BLOCK]))
        if i == blocks - 1:
            return cv, block, counter, length - i * BLOCK, flags | CHUNK_END
        cv = compress(cv, block, counter, BLOCK, flags)[:8]


def _output_bytes(out):
    """(16, N) words -> uint8 (N, 64)."""
    return np.ascontiguousarray(out.T.astype("<u4")).view(np.uint8).reshape(out.shape[1], BLOCK)


def _root(key, data, mode):
    """The root node of a message as compress arguments with one lane, ROOT not yet set."""
    data = np.frombuffer(bytes(data), np.uint8)
    whole, rest = divmod(len(data), CHUNK)
    if len(data) <= CHUNK:
        return _chunks(key, data[None, :], len(data), 0, mode)
    cvs = []
    if whole:
        cvs.append(compress(*_chunks(key, data[:whole * CHUNK].reshape(whole, CHUNK), CHUNK, 0, mode))[:8])
    if rest:
        cvs.append(compress(*_chunks(key, data[whole * CHUNK:][None, :], rest, whole, mode))[:8])
    cvs = np.concatenate(cvs, axis=1)
    while True:
        n = cvs.shape[1]
        pairs = n // 2
        m = np.concatenate([cvs[:, 0:2 * pairs:2], cvs[:, 1:2 * pairs:2]])
        node = (np.repeat(key[:, None], pairs, axis=1), m, 0, BLOCK, mode | PARENT)
        if n == 2:
            return node
        # An odd node is carried up unchanged: adjacent pairing then gives the left-complete tree of the paper.
        cvs = np.concatenate([compress(*node)[:8], cvs[:, 2 * pairs:]], axis=1)


def _finish(node, length):
    cv, m, _, block_length, flags = node
    blocks = -(-length // BLOCK)
    out = compress(np.repeat(cv, blocks, axis=1), np.repeat(m, blocks, axis=1), np.arange(blocks, dtype=np.uint64),
                   block_length, flags | ROOT)
    return _output_bytes(out).reshape(-1)[:length].tobytes()


def _key_words(key):
    return np.frombuffer(bytes(key), "<u4").astype(np.uint32)


def blake3(data, length=32):
    return _finish(_root(IV, data, 0), length)


def keyed(key, data, length=32):
    return _finish(_root(_key_words(key), data, KEYED_HASH), length)


@functools.lru_cache(maxsize=None)
def derive_key(context, length=32):
    return _finish(_root(IV, context.encode(), DERIVE_CONTEXT), length)


def _one_compression():
    """compress() for one lane of Python integers, written out: faster than NumPy below a dozen lanes."""
    lines = ["def one(cv, m, counter, length, flags):", " " + "".join(f"v{i}," for i in range(8)) + "=cv"]
    lines += [f" v{8 + i}={IV[i]}" for i in range(4)] + [" v12,v13,v14,v15=counter&M,counter>>32,length,flags"]
    lanes = [(i, 4 + i, 8 + i, 12 + i) for i in range(4)] + [(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4) for i in range(4)]
    for columns0, columns1, diagonals0, diagonals1 in SCHEDULE:
        words = list(zip([*columns0, *diagonals0], [*columns1, *diagonals1]))
        for (a, b, c, d), pair in zip(lanes, words):
            for word, r1, r2 in zip(pair, (16, 8), (12, 7)):
                lines += [f" v{a}=v{a}+v{b}+m[{word}]&M", f" t=v{d}^v{a}", f" v{d}=t>>{r1}|t<<{32 - r1}&M", f" v{c}=v{c}+v{d}&M",
                          f" t=v{b}^v{c}", f" v{b}=t>>{r2}|t<<{32 - r2}&M"]
    lines.append(" return (" + "".join(f"v{i}^v{i + 8}," for i in range(8)) + "".join(f"v{i + 8}^cv[{i}]," for i in range(8)) + ")")
    scope = {"M": 0xFFFFFFFF}
    exec("\n".join(lines), scope)
    return scope["one"]


one_compression = _one_compression()


def _short(key, data, flags):
    """The last compression of at most 1024 bytes, as arguments of one_compression: flags without ROOT."""
    words = struct.unpack(f"<{max(16, -(-len(data) // BLOCK) * 16)}I", data + bytes(-len(data) % BLOCK if data else BLOCK))
    cv, last, flags = key, max(0, len(words) // 16 - 1), flags | CHUNK_START
    for i in range(last):
        cv = one_compression(cv, words[16 * i:16 * i + 16], 0, BLOCK, flags)[:8]
        flags &= ~CHUNK_START
    return cv, words[16 * last:], 0, len(data) - last * BLOCK, flags | CHUNK_END


@functools.lru_cache(maxsize=None)
def _context_words(context):
    return tuple(struct.unpack("<8I", derive_key(context)))


def derive_stream(context, data, first, length):
    """Bytes [first, first + length) of the extendable output over at most 1024 bytes; first is a multiple of 64."""
    cv, m, _, size, flags = _short(_context_words(context), data, DERIVE_MATERIAL)
    if length == BLOCK:
        return struct.pack("<16I", *one_compression(cv, m, first // BLOCK, size, flags | ROOT))
    blocks = -(-length // BLOCK)
    cv, m = (np.repeat(np.array(a, np.uint32)[:, None], blocks, axis=1) for a in (cv, m))
    counter = np.arange(first // BLOCK, first // BLOCK + blocks, dtype=np.uint64)
    return _output_bytes(compress(cv, m, counter, size, flags | ROOT)).reshape(-1)[:length].tobytes()


def derive(context, data, length=32):
    if length == 32 and len(data) <= CHUNK:
        cv, m, counter, size, flags = _short(_context_words(context), bytes(data), DERIVE_MATERIAL)
        return struct.pack("<8I", *one_compression(cv, m, counter, size, flags | ROOT)[:8])
    return _finish(_root(_key_words(derive_key(context)), data, DERIVE_MATERIAL), length)


def keyed_outputs(key, messages, lengths):
    """Keyed output of many messages of at most 64 bytes each: lengths[i] bytes of message i, as a list of uint8 arrays."""
    blocks = np.array([-(-n // BLOCK) for n in lengths])
    packed = np.zeros((len(messages), BLOCK), np.uint8)
    sizes = np.array([len(m) for m in messages], np.uint32)
    for i, m in enumerate(messages):
        packed[i, :len(m)] = np.frombuffer(m, np.uint8)
    lane = np.repeat(np.arange(len(messages)), blocks)
    start = np.concatenate([[0], np.cumsum(blocks)])
    counter = (np.arange(len(lane)) - start[lane]).astype(np.uint64)
    cv = np.repeat(_key_words(key)[:, None], len(lane), axis=1)
    flags = KEYED_HASH | CHUNK_START | CHUNK_END | ROOT
    out = _output_bytes(compress(cv, _words(packed)[:, lane], counter, sizes[lane], flags))
    return [out[start[i]:start[i + 1]].reshape(-1)[:lengths[i]] for i in range(len(messages))]


def _rows(key, rows, mode):
    cv, m, counter, length, flags = _chunks(key, rows, rows.shape[1], None, mode)
    return _output_bytes(compress(cv, m, counter, length, flags | ROOT))[:, :32]


def derive_rows(context, rows):
    """derive(context, row) for each row of uint8 (N, length <= 1024); returns uint8 (N, 32)."""
    return _rows(_key_words(derive_key(context)), rows, DERIVE_MATERIAL)


def keyed_rows(key, rows):
    """keyed(key, row) for each row of uint8 (N, length <= 1024); returns uint8 (N, 32)."""
    return _rows(_key_words(key), rows, KEYED_HASH)


def le32(n):
    return struct.pack("<I", n)


def le64(n):
    return struct.pack("<Q", n)
