#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Does the integer tier train as well as fp32? Three integer runs, each of its own job (so its own dither and order of batches), against
three fp32 runs of the same jobs, their initial weights nudged by a relative 1e-6. Same init, batches, optimiser, learning rate.

Usage: convergence.py [--tool PATH] [--steps N] [--runs N] [--limit PERCENT]
Without --tool the integer runs are those of the Python reference. The tool is called as
    PATH train FOLDER
with FOLDER/plan.json (shape, job, determinism seed, steps, warm, lr_max, batch) and the token files train and held (a byte a token; held
as windows of T + 1); it writes FOLDER/result.json: {"train": [nats per step], "validation": nats, "ranges": count}.
Prints both means, the gap, a 95 % interval, and fails when the gap is above the limit and the interval excludes the limit too."""
import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import training  # noqa: E402
from reference.tables import Constants  # noqa: E402

T_95 = {2: 4.303, 4: 2.776, 6: 2.447, 8: 2.306}  # Student's t, two-sided 95 %, by degrees of freedom


def reference(plan, log):
    """Validation loss at the end, mean training loss of the last tenth, RANGE steps."""
    curve, losses, ranges, _ = training.reference_run(plan, log)
    return curve[plan.steps], np.mean(losses[-max(1, plan.steps // 10):]), ranges


def job_of(run):
    return bytes([run]) + bytes(range(1, 32))


def tool(path):
    def run_tool(plan, log):
        c = plan.c
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            plan.write(folder)
            subprocess.run([path, "train", str(folder)], check=True)
            result = json.loads((folder / "result.json").read_text())
        log(f"validation {result['validation']:.4f}, RANGE {result['ranges']}")
        return result["validation"], np.mean(result["train"][-max(1, plan.steps // 10):]), result["ranges"]

    return run_tool


def compare(name, ours, theirs):
    """Gap of the means in percent of the fp32 mean and the half width of its 95 % interval (Student, pooled variance)."""
    a, b = np.array(ours), np.array(theirs)
    freedom = len(a) + len(b) - 2
    pooled = math.sqrt((a.var(ddof=1) * (len(a) - 1) + b.var(ddof=1) * (len(b) - 1)) / freedom) if freedom else 0.0
    half = T_95.get(freedom, 2.0) * pooled * math.sqrt(1 / len(a) + 1 / len(b))
    gap, half = (100 * v / b.mean() for v in (a.mean() - b.mean(), half))
    print(f"{name}: integer {np.round(a, 4).tolist()}, fp32 {np.round(b, 4).tolist()}, gap {gap:+.2f} % +- {half:.2f} %")
    return gap, half


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tool")
    options.add_argument("--steps", type=int, default=400)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--width", type=int, default=12, help="operand width w")
    options.add_argument("--limit", type=float, default=0.5, help="largest gap in percent of the fp32 loss")
    given = options.parse_args()
    train, held_out, V = training.bible_tokens()
    c = Constants(V, 64, 128, 4, 4, given.width)
    source = tool(given.tool) if given.tool else reference
    ours, theirs, ranges = [], [], 0
    for run in range(given.runs):
        plan = training.Plan(c, train, held_out, given.steps, job=job_of(run), warm=min(100, given.steps // 4), every=given.steps)
        validation, training_loss, failed = source(plan, lambda s: print(f"integer run {run}: {s}", flush=True))
        ours.append((validation, training_loss))
        ranges += failed
        curve, losses = training.fp32_run(plan, lambda s: print(f"fp32 run {run}: {s}", flush=True), nudge=1e-6, nudge_seed=run)
        theirs.append((curve[plan.steps], np.mean(losses[-max(1, plan.steps // 10):])))
    print(f"w = {given.width}, {given.steps} steps, {given.runs} runs each, {ranges} steps repeated after RANGE")
    gap, half = compare("validation", [v for v, _ in ours], [v for v, _ in theirs])
    compare("training", [t for _, t in ours], [t for _, t in theirs])
    if gap - half > given.limit or ranges > 3 + given.runs * given.steps // 100:
        sys.exit("the integer tier trains worse than the limit allows")


if __name__ == "__main__":
    main()
