#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes spec/vectors/transcript.json and src/proof/transcript_vectors_int.h: one run of the transcript of spec/proof.md section 3.

Usage: tools/vectors/transcript.py (from the root of the repository)."""
import json

from blake3_plain import blake3_in

P = 225179565293569


def le64(n):
    return n.to_bytes(8, "little")


def context(what):
    return "theblock 2026 proof %s v1" % what


def labelled(label):
    return le64(len(label)) + label.encode()


class Stream:
    """The bytes of a squeeze after the new state."""

    def __init__(self, data):
        self.data, self.at, self.bytes = data, 32, b""

    def take(self, n):
        while self.at + n > len(self.bytes):
            self.bytes = blake3_in(context("squeeze"), self.data, len(self.bytes) + 16384)
        self.at += n
        return self.bytes[self.at - n:self.at]

    def fp(self):
        while True:
            x = int.from_bytes(self.take(6), "little")
            if x < P:
                return x

    def fx(self):
        return [self.fp() for _ in range(3)]

    def index(self, bits):
        return int.from_bytes(self.take(4), "little") % (1 << bits)


class Transcript:
    def __init__(self, version):
        self.state = blake3_in(context("start"), le64(version))

    def absorb(self, label, data):
        self.state = blake3_in(context("absorb"), self.state + labelled(label) + le64(len(data)) + data)

    def squeeze(self, label):
        s = Stream(self.state + labelled(label))
        self.state = blake3_in(context("squeeze"), s.data)
        return s

    def fork(self, label, n):
        t = Transcript(0)
        t.state = blake3_in(context("fork"), self.state + labelled(label) + le64(n))
        return t

    def join(self, forks):
        self.absorb("join", b"".join(f.state for f in forks))


def encode(elements):
    return b"".join(c.to_bytes(6, "little") for x in elements for c in x)


def rows():
    """The steps of src/proof/transcript_test.c, each with what it gives: the state, then elements and indices."""
    out = []

    def note(step, t, **more):
        out.append(dict(step=step, state=t.state.hex(), **more))

    t = Transcript(1)
    note("start 1", t)
    t.absorb("empty", b"")
    note("absorb empty, nothing", t)
    t.absorb("", bytes(i % 251 for i in range(5000)))
    note("absorb with an empty label: i mod 251 for i < 5000", t)
    t.absorb("n", le64(2**64 - 1))
    note("absorb n, le64 of 2^64 - 1", t)
    t.absorb("elements", encode([[0, 1, P - 1], [2, 3, 4]]))
    note("absorb elements (0, 1, p - 1), (2, 3, 4)", t)
    s = t.squeeze("first")
    elements = [s.fx() for _ in range(200)]
    note("squeeze first: elements of K 0, 1, 198, 199, then an index below 2^10", t,
         elements=[elements[i] for i in (0, 1, 198, 199)], indices=[s.index(10)])
    s = t.squeeze("queries")
    note("squeeze queries: indices below 2^0, 2^1, 2^18, 2^32", t, indices=[s.index(b) for b in (0, 1, 18, 32)])
    forks = [t.fork("part", i) for i in range(3)]
    note("fork part 0", forks[0])
    note("fork part 2", forks[2])
    forks[1].absorb("inside", b"x")
    note("fork part 1, absorb inside, x", forks[1])
    t.join(forks)
    note("join of the three", t)
    t.join([])
    note("join of none", t)
    return out


def main():
    table = rows()
    with open("spec/vectors/transcript.json", "w") as f:
        json.dump(table, f, indent=1)
        f.write("\n")
    with open("src/proof/transcript_vectors_int.h", "w") as f:
        f.write("/* SPDX-License-Identifier: Apache-2.0\n"
                " * Written by tools/vectors/transcript.py; the same rows as spec/vectors/transcript.json. */\n"
                "#ifndef PROOF_TRANSCRIPT_VECTORS_INT_H\n#define PROOF_TRANSCRIPT_VECTORS_INT_H\n\n#include <stdint.h>\n\n"
                "static const struct {\n    const char *step, *state;\n    uint64_t    elements[4][3];\n    uint32_t    indices[4];\n"
                "} transcript_vectors[] = {\n")
        for r in table:
            f.write('    { "%s",\n      "%s",\n      { %s },\n      { %s } },\n' % (
                r["step"], r["state"],
                ",\n        ".join("{ %s }" % ", ".join("UINT64_C(%d)" % c for c in x) for x in r.get("elements", [])) or "{ 0 }",
                ", ".join("UINT32_C(%d)" % i for i in r.get("indices", [])) or "0"))
        f.write("};\n\n#endif\n")


if __name__ == "__main__":
    main()
