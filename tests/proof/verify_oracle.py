#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two verifiers, src/proof and the one of python/reference/proof that was written from spec/proof.md: both accept the same proofs, and both refuse each
change of one bit of statement or proof.

Usage: verify_oracle.py TB_PROOF_TOOL [-v]. The tool makes proofs and verifies changed ones; -v says what each verifier finds."""
import copy
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "python"))
from reference.proof.transcript import Refused  # noqa: E402
from reference.proof.verify import verify  # noqa: E402

# V T d L H w, sequences, seed, bits of fraction more than calibrated (then operands saturate), and which changes.
SHAPES = [
    ([20, 8, 16, 1, 2, 12, 2, 1, 2], "all"),
    ([5, 1, 3, 1, 1, 12, 1, 2, 0], "few"),
    ([7, 3, 15, 3, 5, 10, 2, 4, 0], "few"),
    ([73, 64, 64, 2, 2, 12, 4, 1, 0], "few"),  # several instances
]
# Of tests/proof/proof_tool.c "range cases": which of them are changed, too; the others are only accepted.
RANGE_CHANGED = (0, 2, 9, 25, 30)
HASHES = ("model_id", "weight_root", "tables_hash", "job_id", "tokens_root", "lease_hash", "worker", "gradient_root")


class Tool:
    """The C verifier: changes go in, answers come out while Python works."""

    def __init__(self, program, folder, shape):
        self.process = subprocess.Popen([program, folder, *map(str, shape)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit(f"{program}: no proof of {shape}")

    def ask(self, changes):
        self.process.stdin.write("".join(f"{field} {index} {mask}\n" for field, index, mask in changes))
        self.process.stdin.close()

    def answers(self):
        lines = self.process.stdout.read().splitlines()
        if self.process.wait() != 0:
            raise SystemExit("the tool failed")
        return lines


def changed(statement, proof, change):
    field, index, mask = change
    if field == "length":
        return statement, proof[:index] + bytes(max(0, index - len(proof)))
    if field == "proof":
        return statement, proof[:index] + bytes([proof[index] ^ mask]) + proof[index + 1:]
    statement = copy.copy(statement)
    if field.startswith("range_"):
        at = ("range_tensor", "range_sequence", "range_index").index(field)
        statement["range"] = [v ^ mask if i == at else v for i, v in enumerate(statement["range"])]
        return statement, proof
    value = statement[field]
    if field in HASHES:
        raw = bytearray.fromhex(value)
        raw[index] ^= mask
        statement[field] = raw.hex()
    elif isinstance(value, list):
        statement[field] = value[:index] + [value[index] ^ mask] + value[index + 1:]
    else:
        statement[field] = value ^ mask
    return statement, proof


def statement_changes(statement, which):
    gradient, layer = len(statement["gradient"]), len(statement["layer_fractions"])
    vocabulary, context, width = statement["shape"][:3]
    out = [("gradient", gradient - 1, 1), ("weights", gradient - 1, 1), ("tokens", 0, 1), ("step", 0, 1)]
    if which == "all":
        out += [("gradient", 0, 1), ("loss", 0, 1)]
        at = (vocabulary + context) * width  # the first layer
        out += [("gradient", i, 1) for i in (vocabulary * width, at, at + 4 * width * width, at + 8 * width * width)]
        out += [("gradient", at, 1 << 50), ("gradient", at, 1 << 20), ("weights", vocabulary * width, 1), ("weights", at, 1), ("weights", at + 3 * width * width, 4)]
        out += [("tokens", context, 1), ("numbers", 0, 1), ("level", 0, 1), ("loss", 0, 1 << 40)]
        out += [("layer_fractions", 12, 1), ("layer_fractions", layer - 1, 1), ("top_fractions", 5, 1)]
        out += [(name, 5, 1) for name in HASHES]
    return out


def range_changes(statement, public):
    """`public`: nothing is committed, so that nothing is bound but what the check depends on."""
    width = statement["shape"][2]
    out = [("range_tensor", 0, 1), ("range_tensor", 0, 64), ("range_sequence", 0, 1 << 40), ("range_index", 0, width), ("range_index", 0, 1 << 40)]
    if not public:
        out += [("range_index", 0, 1), ("weights", statement["shape"][0] * width, 1), ("tokens", 0, 1), ("step", 0, 1), ("level", 0, 1), ("worker", 5, 1)]
    return out


def proof_changes(marks, size, which):
    """The first bit of the first and last, and the last bit of some, of each kind of message."""
    kinds = {}
    for name, first, end in marks:
        kinds.setdefault(name, []).append((first, end))
    out = [("length", size - 1, 0), ("length", size + 1, 0)]
    few = ("round", "values", "column", "sibling", "input")
    for name, places in kinds.items():
        if which == "few" and name not in few:
            continue
        n = len(places)
        chosen = {0, n - 1} if which == "all" else {n // 2}
        if which == "all" and name in ("round", "end", "root", "parts"):
            chosen |= {n // 5, n // 2}
        out += [("proof", places[i][0], 1) for i in sorted(chosen)]
        if which == "all":
            out.append(("proof", places[n // 3][1] - 1, 0x80))
    if which == "all":
        out.append(("length", size // 2, 0))
    return out


def outcome(statement, proof):
    try:
        verify(statement, proof)
    except Refused as e:
        return str(e)
    return None


def check(program, shape, which):
    with tempfile.TemporaryDirectory() as folder:
        tool = Tool(program, folder, shape)
        statement = json.loads(pathlib.Path(folder, "statement.json").read_text(encoding="ascii"))
        proof = pathlib.Path(folder, "proof").read_bytes()
    marks = verify(statement, proof).marks
    changes = [("loss", 0, 0)]
    if which == "range":
        changes += range_changes(statement, len(marks) == 1 + statement["shape"][2]) + proof_changes(marks, len(proof), "few")
    elif which != "none":
        changes += statement_changes(statement, which) + proof_changes(marks, len(proof), which)
    tool.ask(changes)
    ours = [outcome(*changed(statement, proof, change)) for change in changes]
    theirs = tool.answers()
    assert len(theirs) == len(changes)
    for change, a, b in zip(changes, ours, theirs):
        if "-v" in sys.argv:
            print(shape, change, "|", a, "|", b)
        honest = change[2] == 0 and change[0] != "length"
        assert (a is None) == honest, (shape, change, a)
        assert b.startswith("OK") == honest, (shape, change, b)
    return len(changes) - 1


def main():
    cases = int(subprocess.run([sys.argv[1], "range", "cases"], check=True, capture_output=True, text=True).stdout)
    steps = SHAPES + [(["range", i], "range" if i in RANGE_CHANGED else "none") for i in range(cases)]
    refused = sum(check(sys.argv[1], step, which) for step, which in steps)
    print(f"{len(steps)} proofs accepted, {cases} of them of RANGE; {refused} changes refused by both")


if __name__ == "__main__":
    main()
