# SPDX-License-Identifier: Apache-2.0
"""Windows, their order, and the calibration batch: spec/numerics.md sections 10 and 13."""
import numpy as np

from .blake3 import derive, keyed_rows, le64


def split(text):
    """(training, held out)"""
    cut = len(text) * 95 // 100
    return text[:cut], text[cut:]


def permute(job, windows, epoch, positions):
    """Feistel permutation of [0, windows), cycle walking; positions is an int array."""
    half = (max(2, (windows - 1).bit_length()) + 1) // 2
    mask = np.uint32((1 << half) - 1)
    key = derive("theblock 2026 shuffle v1", job)
    x = np.asarray(positions, np.uint64).copy()
    open_ = np.arange(len(x))
    while len(open_):
        left, right = (x[open_] >> np.uint64(half)).astype(np.uint32), (x[open_].astype(np.uint32) & mask)
        for r in range(4):
            message = np.zeros((len(open_), 16), np.uint8)
            message[:, 0:8] = np.frombuffer(le64(epoch), np.uint8)
            message[:, 8] = r
            message[:, 12:16] = right.astype("<u4").view(np.uint8).reshape(-1, 4)
            f = keyed_rows(key, message)[:, :4].copy().view("<u4")[:, 0] & mask
            left, right = right, left ^ f
        x[open_] = (left.astype(np.uint64) << np.uint64(half)) | right
        open_ = open_[x[open_] >= windows]
    return x.astype(np.int64)


class Dataset:
    """Token ids cut into windows of T."""

    def __init__(self, job, tokens, T):
        self.job, self.tokens, self.T = job, np.asarray(tokens, np.int64), T
        self.windows = (len(self.tokens) - 1) // T

    def batch(self, sequences):
        """(tokens, targets), each (len(sequences), T), of global sequence numbers."""
        sequences = np.asarray(sequences, np.int64)
        window = np.empty(len(sequences), np.int64)
        for epoch in set((sequences // self.windows).tolist()):
            of = sequences // self.windows == epoch
            window[of] = permute(self.job, self.windows, epoch, sequences[of] % self.windows)
        at = window[:, None] * self.T + np.arange(self.T)
        return self.tokens[at], self.tokens[at + 1]

    def calibration_sequences(self, step, repetition=0):
        count = min(4, self.windows)
        out = derive("theblock 2026 calibration v1", self.job + le64(step), 8 * (64 * repetition + count))
        words = np.frombuffer(out, "<u8")[64 * repetition:]
        return [int(v) % self.windows for v in words]


def calibrates(step):
    return step % min(32, 1 << max(0, step.bit_length() - 4)) == 0
