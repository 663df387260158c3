#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A training step of the integer tier against the same step in PyTorch fp32: same model (RMSNorm without gain, no bias, erf GELU,
untied head), same tokens, same number of threads, both processes alive, rounds alternating.

Usage: train_step.py --tool PATH [--widths 128,256,768] [--threads 2] [--rounds N]
Both sides do forward, backward and update; ours also publishes the model (quantises and hashes the weights), as training does.
Prints per width PyTorch's time / ours: median and quartiles (above 1 we are faster), by the clock and by processor time (which counts
what threads spin, but not what else the machine does: --threads 1 gives it alone), peak memory of both processes, and ours over the raw
tensor bytes. Calibration is due every 32nd step in the long run; its cost is printed as a share of a step."""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import blas

ROOT = pathlib.Path(__file__).resolve().parents[1]
SHAPES = {  # width: (V, T, layers, heads, sequences)
    128: (73, 64, 4, 4, 16),
    256: (73, 256, 4, 4, 4),
    768: (73, 256, 2, 12, 4),
}
REST_S = 0.03  # threads of either side that still spin after a step go to sleep


def rival(shape, threads, token_file, update=True):
    """The PyTorch side: a step for each line of input, answered by nanoseconds and loss."""
    import numpy as np
    import torch

    sys.path[:0] = [str(ROOT / "tests" / "torch"), str(ROOT / "python")]
    import gpt
    from reference import optim
    from reference.tables import Constants

    width, V, T, L, H, batch = shape
    torch.set_num_threads(threads)
    c = Constants(V, T, width, L, H, 12)
    p = gpt.parameters(c, optim.init(c, 1), torch.float32)
    adam = gpt.adam(p)
    adam.param_groups[0]["lr"] = 1e-3
    text = torch.from_numpy(np.fromfile(token_file, "<u2").astype(np.int64))
    windows = (len(text) - 1) // T
    print("PyTorch", torch.__version__, flush=True)
    step = 0
    for line in sys.stdin:
        if line == "memory\n":
            print(peak_of_process(), flush=True)
            continue
        start, cpu = time.perf_counter_ns(), time.process_time_ns()
        rows = [(step * batch + k) % windows * T for k in range(batch)]
        tokens = torch.stack([text[r:r + T] for r in rows])
        targets = torch.stack([text[r + 1:r + T + 1] for r in rows])
        adam.zero_grad(set_to_none=True)
        loss = gpt.loss_sum(c, p, tokens, targets) / tokens.numel()
        loss.backward()
        if update:
            adam.step()
        step += 1
        value = float(loss)
        print(time.perf_counter_ns() - start, time.process_time_ns() - cpu, f"{value:.4f}", flush=True)


def peak_of_process():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


class Side:
    def __init__(self, command, threads):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=blas.environment(blas.fastest()[0], threads))
        self.name = self.process.stdout.readline().strip()
        if not self.name:
            sys.exit(f"cannot start {command[0]}")

    def ask(self, what):
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().split()

    def step(self):
        time.sleep(REST_S)
        ns, cpu_ns, loss = self.ask("step")
        return int(ns), int(cpu_ns), float(loss)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def tokens(path, V):
    import array
    z, last, out = 7, 0, array.array("H")
    for _ in range(60000):
        z = (z * 1664525 + 1013904223) % 2**32
        last = (3 * last + (z >> 28) % 5) % V
        out.append(last)
    if sys.byteorder != "little":
        out.byteswap()
    path.write_bytes(out.tobytes())


def quartiles(values):
    q = statistics.quantiles(values, n=4, method="inclusive")
    return f"{q[1]:.2f} ({q[0]:.2f}..{q[2]:.2f})"


def compare(tool, width, threads, rounds, path):
    V, T, L, H, batch = SHAPES[width]
    tokens(path, V)
    ours = Side([tool, *map(str, (V, T, width, L, H, batch, threads)), str(path)], threads)
    theirs = Side([sys.executable, __file__, "--rival", str(width), str(threads), str(path)], threads)
    for _ in range(4):
        ours.step()
        theirs.step()
    ratios, cpu_ratios, our_ns = [], [], []
    for _ in range(rounds):
        a, b = theirs.step(), ours.step()
        ratios.append(a[0] / b[0])
        cpu_ratios.append(a[1] / b[1])
        our_ns.append(b[0])
    calibration = int(ours.ask("calibrate")[0]) / 32 / statistics.median(our_ns)
    raw, beside, peak = map(int, ours.ask("memory"))
    their_peak = int(theirs.ask("memory")[0])
    print(f"width {width}, {L} layers, {H} heads, T = {T}, {batch * T} tokens: PyTorch / ours {quartiles(ratios)}, "
          f"processor time {quartiles(cpu_ratios)}, {rounds} rounds; calibration +{100 * calibration:.1f} % of a step\n"
          f"    loss {b[2]:.3f}, PyTorch {a[2]:.3f}; memory over raw tensor bytes {(raw + beside) / raw:.3f}; "
          f"peak of the process {peak / 2**20:.0f} MiB, PyTorch {their_peak / 2**20:.0f} MiB", flush=True)
    first = ours.name, theirs.name
    ours.close()
    theirs.close()
    return statistics.median(ratios), (raw + beside) / raw, first


def machine():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return "unknown processor"


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tool", help="bench_train_step of the build")
    options.add_argument("--widths", default="128,256,768")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--rival", nargs=3, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.rival:
        width = int(given.rival[0])
        return rival((width, *SHAPES[width]), int(given.rival[1]), given.rival[2])
    if not given.tool:
        options.error("--tool is needed")
    try:
        import torch  # noqa: F401
    except ImportError:
        print("SKIP train_step: PyTorch is not installed for this Python")
        return 0
    print(f"{machine()}, {os.cpu_count()} processors, {given.threads} threads for each side")
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for width in map(int, given.widths.split(",")):
            results[width] = compare(given.tool, width, given.threads, given.rounds, pathlib.Path(folder) / "tokens")
    ours, theirs = next(iter(results.values()))[2]
    print(f"ours: {ours}; rival: {theirs}; {blas.describe()}")
    bad = [w for w, r in results.items() if r[1] > 1.10 or (w == 768 and r[0] < 1.3)]
    for w in bad:
        print(f"width {w}: below what must be reached (1.3x at 768, memory at most 1.10)")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
