# SPDX-License-Identifier: Apache-2.0
"""Model id and state id: spec/numerics.md section 14; Merkle tree: spec/merkle.md."""
import cbor2
import numpy as np

from .blake3 import blake3, derive, derive_rows, le64
from .numerics import fraction_array, weight_names, weight_operands
from .tables import tables_hash

TILE = 16


def merkle_root(leaves):
    """Root of a tree in the shape of RFC 6962 over hashed leaves, uint8 (N, 32)."""
    while len(leaves) > 1:
        pairs = len(leaves) // 2
        nodes = derive_rows("theblock 2026 merkle node v1", leaves[:2 * pairs].reshape(pairs, 64))
        leaves = np.concatenate([nodes, leaves[2 * pairs:]])
    return leaves[0].tobytes()


def tile_rows(index, q):
    """The leaf messages of one operand matrix, uint8 (tiles, 64 + 512)."""
    rows, columns = (-(-n // TILE) for n in q.shape)
    padded = np.zeros((rows * TILE, columns * TILE), "<i2")
    padded[:q.shape[0], :q.shape[1]] = q
    tiles = padded.reshape(rows, TILE, columns, TILE).transpose(0, 2, 1, 3).reshape(rows * columns, TILE * TILE)
    head = np.zeros((rows * columns, 16), "<u4")
    head[:, 0] = index
    head[:, 1], head[:, 2] = np.divmod(np.arange(rows * columns), columns)
    return np.concatenate([head.view(np.uint8), np.ascontiguousarray(tiles).view(np.uint8)], axis=1)


def weight_root(c, fractions, master):
    operands = weight_operands(c, fractions, master)
    rows = np.concatenate([tile_rows(i, operands[n]) for i, n in enumerate(weight_names(c))])
    return merkle_root(derive_rows("theblock 2026 merkle leaf v1", rows))


def model_file(c, fractions, root, tables):
    return cbor2.dumps([1, c.shape_list(), fraction_array(c, fractions), root, tables], canonical=True)


def model_id(c, fractions, master):
    return derive("theblock 2026 model id v1", model_file(c, fractions, weight_root(c, fractions, master), tables_hash(c, fractions)))


def state_id(c, model, step, master, adam):
    def joined(arrays, dtype):
        return blake3(b"".join(arrays[n].astype(dtype).tobytes() for n in weight_names(c)))

    body = model + le64(step) + joined(master, "<i4") + joined(adam.m, "<i8") + joined(adam.v, "<i8")
    return derive("theblock 2026 state id v1", body)
