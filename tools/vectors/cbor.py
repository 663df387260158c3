#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes spec/vectors/cbor.json and src/base/cbor_vectors_int.h: values and their canonical CBOR, encoded by cbor2.

Usage: tools/vectors/cbor.py (from the root of the repository; needs python3-cbor2)."""
import json

import cbor2

EDGES = [0, 1, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1]


def values():
    yield from EDGES
    yield from [-1 - v for v in EDGES if v < 2**63]
    yield from [True, False, None]
    yield from [bytes(n) for n in (0, 1, 23, 24, 255, 256)]
    yield from [bytes(range(256))]
    yield from ["", "a", "block", "\u00fc", "\u20bf", "\U0001f9f1", "x\x00y", "\ud7ff\ue000\U0010ffff", "n" * 24, "\u00e9" * 130]
    yield from [[], [1, -1, True, None, b"\x01", "t"], [[], [[]], [[[7]]]], list(range(30))]
    yield [["theblock", 1, [b"\xff" * 32, 10**18, -(10**18), None], False], []]
    deep = []
    for _ in range(15):
        deep = [deep]
    yield deep


def shown(v):
    if isinstance(v, bytes):
        return {"bytes": v.hex()}
    if isinstance(v, list):
        return [shown(x) for x in v]
    if isinstance(v, int) and not isinstance(v, bool):
        return {"int": str(v)}
    return v


def main():
    rows = [(v, cbor2.dumps(v, canonical=True)) for v in values()]
    with open("spec/vectors/cbor.json", "w") as f:
        json.dump([{"value": shown(v), "cbor": e.hex()} for v, e in rows], f, indent=1)
        f.write("\n")
    with open("src/base/cbor_vectors_int.h", "w") as f:
        f.write("/* SPDX-License-Identifier: Apache-2.0\n"
                " * Written by tools/vectors/cbor.py; the encodings of spec/vectors/cbor.json. The kind is + or - (integer), b, s, a (array),\n"
                " * t, f, 0 (null). magnitude: the integer (m of -1 - m for a negative one), or the length or count.\n"
                " */\n"
                "#ifndef BASE_CBOR_VECTORS_INT_H\n#define BASE_CBOR_VECTORS_INT_H\n\n#include <stdint.h>\n\n"
                "static const struct { char kind; uint64_t magnitude; const char *hex; } cbor_vectors[] = {\n")
        for v, e in rows:
            if v is None or isinstance(v, bool):
                kind, magnitude = {None: "0", True: "t", False: "f"}[v], 0
            elif isinstance(v, int):
                kind, magnitude = ("-", -1 - v) if v < 0 else ("+", v)
            elif isinstance(v, bytes):
                kind, magnitude = "b", len(v)
            elif isinstance(v, str):
                kind, magnitude = "s", len(v.encode())
            else:
                kind, magnitude = "a", len(v)
            text = e.hex()
            lines = "\n      ".join('"%s"' % text[i:i + 100] for i in range(0, len(text), 100))
            f.write("    { '%s', %dull,\n      %s },\n" % (kind, magnitude, lines))
        f.write("};\n\n#endif\n")


main()
