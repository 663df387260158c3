#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A proved gradient against our own gradient and against PyTorch's in fp32 (forward and backward; no update on either side): same model, same number of
tokens, one thread each, both processes alive, rounds alternating.

Usage: prove.py --tool PATH [--widths 64,128,256,768,2048] [--tokens 1024] [--rounds N]
Prints per width: proof (with its witness) over own gradient, proof over PyTorch, (gradient + proof) over PyTorch: median and quartiles; leaves and cells a
token, nanoseconds of proving a leaf and a cell; size; verification on the portable and the vector arithmetic; the peak memory of the prover's process over that of
one that computes the gradient alone. The trace is taken by the witness while the step runs: the witness costs what such a step and the witness's rest take longer than
a step alone."""
import argparse
import pathlib
import statistics
import sys
import tempfile

import blas
from train_step import Side, machine, quartiles, rival, tokens

SHAPES = {  # width: (T, layers, heads); one block from 2048 on
    64: (64, 2, 2),
    128: (64, 4, 4),
    256: (256, 4, 4),
    768: (256, 2, 12),
    2048: (256, 1, 16),
    4096: (256, 1, 32),
}
V = 73


def compare(tool, width, count, rounds, path):
    T, L, H = SHAPES[width]
    batch = count // T
    tokens(path, V)
    ours = Side([tool, "--serve", "1", "--width", str(width), "--layers", str(L), "--heads", str(H), "--context", str(T), "--sequences", str(batch), "--vocab", str(V)], 1)
    theirs = Side([sys.executable, __file__, "--rival", *map(str, (width, V, T, L, H, batch)), str(path)], 1)
    ours.ask("prove")
    theirs.step()
    rows, their_ns = [], []
    for _ in range(rounds):
        their_ns.append(theirs.step()[0])
        rows.append([int(x) for x in ours.ask("prove")])
    leaves, cells, size, bits = rows[0][4:]
    ratio = [(r[1] + r[2]) / r[0] for r in rows]
    proof = [(r[1] + r[2]) / t for r, t in zip(rows, their_ns)]
    both = [(r[0] + r[1] + r[2]) / t for r, t in zip(rows, their_ns)]
    verifies = [[int(x) for x in ours.ask("verify")] for _ in range(3)]
    alone, peak = map(int, ours.ask("memory"))
    portable, vectors = (min(v[i] for v in verifies) for i in (0, 1))
    step, witness, prove = (statistics.median(r[i] for r in rows) for i in (0, 1, 2))
    print(f"width {width}, {L} layers, {H} heads, T = {T}, {batch * T} tokens, level full, {rounds} rounds\n"
          f"    proof / own gradient {quartiles(ratio)}; proof / PyTorch {quartiles(proof)}; (gradient + proof) / PyTorch {quartiles(both)}; own gradient / PyTorch "
          f"{statistics.median(r[0] / t for r, t in zip(rows, their_ns)):.2f}\n"
          f"    {leaves / batch / T:.0f} leaves and {cells / batch / T:.0f} cells a token; {prove / leaves:.1f} ns a leaf, {prove / cells:.1f} ns a cell; witness {witness / prove:.2f} of the proof's time\n"
          f"    proof {size} bytes, {bits} bits; verification: {vectors / prove:.3f} of proving, {vectors / step:.2f} of the gradient; portable / vector {portable / vectors:.1f}\n"
          f"    peak memory over that of the gradient alone: {peak / alone:.2f}", flush=True)
    names = ours.name, theirs.name
    ours.close()
    theirs.close()
    return statistics.median(ratio), statistics.median(both), names


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tool", help="bench_prove of the build")
    options.add_argument("--widths", default="64,128,256,768,2048")
    options.add_argument("--tokens", type=int, default=1024)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--rival", nargs=7, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.rival:
        return rival(tuple(map(int, given.rival[:6])), 1, given.rival[6], update=False)
    if not given.tool:
        options.error("--tool is needed")
    try:
        import torch  # noqa: F401
    except ImportError:
        print("SKIP prove: PyTorch is not installed for this Python")
        return 0
    print(f"{machine()}, one thread for each side")
    widths = list(map(int, given.widths.split(",")))
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for width in widths:
            results[width] = compare(given.tool, width, given.tokens, given.rounds, pathlib.Path(folder) / "tokens")
    below = [w for w in widths if results[w][0] < 0.5]
    print(f"smallest width whose proof costs less than half of our own gradient: {min(below) if below else 'none of these'}")
    for width, limit in ((768, 2.2),):
        if width in results and results[width][1] > limit:
            print(f"width {width}: (gradient + proof) / PyTorch is {results[width][1]:.1f}; must be at most {limit}")
    print(f"rival: {results[widths[0]][2][1]}; {blas.describe()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
