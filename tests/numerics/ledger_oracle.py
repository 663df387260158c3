#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The no-wrap ledger once more, read from spec/numerics.md section 9 with Python integers. Usage: ledger_oracle.py LEDGER."""
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "python"))
from reference.ledger import ledger, misfits  # noqa: E402


def shapes():
    yield 73, 64, 128, 4, 4, 12, 0
    yield 65536, 4096, 8192, 48, 128, 12, 0
    yield 65536, 4096, 8192, 48, 128, 16, 1
    rng = random.Random(7)
    for _ in range(200):
        H, hd = rng.choice((1, 2, 4, 8, 12, 32)), rng.randint(1, 256)
        helper = rng.randint(0, 1)
        yield (rng.randint(2, 65536), rng.randint(1, 4096), H * hd, rng.randint(1, 48), H,
               rng.choice((8, 10, 12, 14, 16) if helper else (8, 10, 12)), helper)


def main():
    fit = 0
    subprocess.run([sys.argv[1], "check"], check=True)
    for shape in shapes():
        want = ledger(*shape)
        run = subprocess.run([sys.argv[1], "table", *map(str, shape)], stdout=subprocess.PIPE, universal_newlines=True)
        lines = [line.split("\t") for line in run.stdout.splitlines()]
        got = {name: int(value) for name, value, _ in (line for line in lines if len(line) == 3)}
        assert got == want, (shape, {k: (got.get(k), v) for k, v in want.items() if got.get(k) != v})
        wrong = misfits(want)
        assert run.returncode == (1 if wrong else 0), (shape, wrong)
        if wrong:
            assert lines[-1] == ["does not fit: " + wrong[0]], (shape, wrong, lines[-1])
        fit += not wrong
    print(f"203 ledgers equal, {fit} fit")


if __name__ == "__main__":
    main()
