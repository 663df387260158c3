# SPDX-License-Identifier: Apache-2.0
"""Transcript and reader of a proof: sections 3 and 12 of spec/proof.md."""
import numpy as np

from ..blake3 import derive, derive_stream, le64
from .field import K, P, V


class Refused(Exception):
    """The proof or the statement is refused: what fails, and where."""

    def __init__(self, what, where=0):
        super().__init__(f"{what} ({where})")
        self.what, self.where = what, where


def require(holds, what, where=0):
    if not holds:
        raise Refused(what, where)


def context(what):
    return f"theblock 2026 proof {what} v1"


def labelled(label):
    return le64(len(label)) + label.encode()


class Stream:
    """The bytes that a squeeze gives after the new state."""

    def __init__(self, data):
        self.data, self.at, self.bytes = data, 32, derive_stream(context("squeeze"), data, 0, 64)

    def take(self, n):
        if self.at + n > len(self.bytes):
            more = -(-(n + n // 4) // 64) * 64
            self.bytes += derive_stream(context("squeeze"), self.data, len(self.bytes), more)
        self.at += n
        return self.bytes[self.at - n:self.at]

    def fp(self):
        while True:
            x = int.from_bytes(self.take(6), "little")
            if x < P:
                return x

    def k(self):
        return K(self.fp(), self.fp(), self.fp())

    def ks(self, n):
        return [self.k() for _ in range(n)]

    def vector(self, n):
        """n elements of K as a vector."""
        found, count = [], 0
        while count < 3 * n:
            x = elements(self.take(6 * (3 * n - count)))
            found.append(x[x < P])
            count += len(found[-1])
        return V(np.ascontiguousarray(np.concatenate(found).reshape(n, 3).T))

    def index(self, bits):
        return int.from_bytes(self.take(4), "little") % (1 << bits)


def elements(data):
    """6-byte integers as uint64."""
    wide = np.zeros((len(data) // 6, 8), np.uint8)
    wide[:, :6] = np.frombuffer(data, np.uint8).reshape(-1, 6)
    return wide.view("<u8")[:, 0].astype(np.uint64)


class Transcript:
    def __init__(self, version):
        self.state = derive(context("start"), le64(version))

    def absorb(self, label, data):
        self.state = derive(context("absorb"), self.state + labelled(label) + le64(len(data)) + data)

    def squeeze(self, label):
        stream = Stream(self.state + labelled(label))
        self.state = stream.bytes[:32]
        return stream

    def fork(self, label, n):
        out = object.__new__(Transcript)
        out.state = derive(context("fork"), self.state + labelled(label) + le64(n))
        return out

    def join(self, forks):
        self.absorb("join", b"".join(f.state for f in forks))


class Reader:
    """The bytes of a proof, from the first. `marks` says where each message lies: (name, first, end)."""

    def __init__(self, data):
        self.data, self.at, self.marks = data, 0, []

    def take(self, n, name):
        require(self.at + n <= len(self.data), "truncated", self.at)
        self.marks.append((name, self.at, self.at + n))
        self.at += n
        return self.data[self.at - n:self.at]

    def integer(self, size, name, signed=False):
        return int.from_bytes(self.take(size, name), "little", signed=signed)

    def field(self, n, name):
        """n elements of K, and their bytes."""
        data = self.take(18 * n, name)
        x = elements(data)
        require(not (x >= P).any(), "canonical", self.at)
        return V(np.ascontiguousarray(x.reshape(n, 3).T)), data

    def receive_vector(self, transcript, label, n, name=None):
        out, data = self.field(n, name or label)
        transcript.absorb(label, data)
        return out

    def receive(self, transcript, label, n, name=None):
        out = self.receive_vector(transcript, label, n, name)
        return [out[i] for i in range(n)]

    def end(self):
        require(self.at == len(self.data), "trailing", self.at)
