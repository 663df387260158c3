# SPDX-License-Identifier: Apache-2.0
"""Training runs that the convergence test compares: the Python reference and PyTorch fp32, same init, same batches."""
import json
import math
import pathlib
import subprocess
import sys

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "python"))
from reference import data, ids, numerics, optim  # noqa: E402
import gpt  # noqa: E402

JOB = bytes(range(32))
LN2 = math.log(2.0)


def bible_tokens():
    """King James text as ids of the bytes that occur, in ascending order; (training, held out, vocabulary)."""
    text = subprocess.run(["bible", "-f", "Gen1:1-Rev22:21"], check=True, capture_output=True).stdout
    raw = np.frombuffer(text, np.uint8)
    alphabet = np.unique(raw)
    tokens = np.searchsorted(alphabet, raw)
    return *data.split(tokens), len(alphabet)


def held_out_windows(tokens, T, count):
    """`count` windows spread evenly over the held-out text."""
    start = np.linspace(0, len(tokens) - T - 1, count).astype(np.int64)[:, None] + np.arange(T)
    return tokens[start], tokens[start + 1]


class Plan:
    def __init__(self, c, train, held_out, steps, batch=16, lr=4e-3, warm=100, seed=1, validation=128, every=50, job=JOB):
        self.c, self.steps, self.batch, self.warm, self.seed, self.every = c, steps, batch, warm, seed, every
        self.lr_max = round(lr * 2**28)
        self.data = data.Dataset(job, train, c.T)
        self.held_out = held_out_windows(held_out, c.T, validation)

    def sequences(self, step):
        return list(range(step * self.batch, (step + 1) * self.batch))

    def rate(self, step):
        return optim.learning_rate(step, self.steps, self.warm, self.lr_max)

    def write(self, folder):
        """The plan as files for a program that trains: what tests/torch/convergence.py documents."""
        c = self.c
        plan = {"shape": c.shape_list(), "job": self.data.job.hex(), "determinism_seed": self.seed, "steps": self.steps, "warm": self.warm,
                "lr_max": self.lr_max, "batch": self.batch, "threads": 1}
        (folder / "plan.json").write_text(json.dumps(plan))
        (folder / "train").write_bytes(self.data.tokens.astype("u1").tobytes())
        windows, targets = self.held_out
        (folder / "held").write_bytes(np.concatenate([windows, targets[:, -1:]], axis=1).astype("u1").tobytes())

    def validates(self, step):
        return (step + 1) % self.every == 0 or step + 1 == self.steps


def mean_nats(loss):
    return float(loss.sum()) / loss.size / 65536 * LN2


def reference_run(plan, log, observe=None):
    """Returns the validation curve {step: nats}, the training losses, the number of RANGE steps, and saturation counts."""
    c = plan.c
    master, adam = optim.init(c, plan.seed), optim.Adam(c)
    curve, losses, ranges, counts, fractions, model = {}, [], 0, {}, None, None
    for step in range(plan.steps):
        repetition = 0
        while True:
            if data.calibrates(step) or repetition:
                fractions = numerics.calibrate(c, master, *plan.data.batch(plan.data.calibration_sequences(step, repetition)), repetition)
            model = ids.model_id(c, fractions, master)
            seed = numerics.dither_seed(plan.data.job, model, step)
            sequences = plan.sequences(step)
            try:
                grads, loss = numerics.gradient(c, master, fractions, seed, sequences, *plan.data.batch(sequences), counts=counts)
                break
            except numerics.StepRange as failed:
                ranges += 1
                repetition += 1
                log(f"step {step}: {failed}")
                if repetition > 8:
                    raise
        if observe:
            observe(step, fractions, grads)
        g_fractions = {n: numerics.gradient_fraction(c, fractions, n) for n in master}
        adam.step(master, grads, g_fractions, plan.batch * c.T, plan.rate(step))
        losses.append(mean_nats(loss))
        if plan.validates(step):
            run = numerics.Pass(c, numerics.weight_operands(c, fractions, master), fractions)
            try:
                curve[step + 1] = mean_nats(run.forward(*plan.held_out))
            except numerics.StepRange as failed:
                log(f"validation after step {step}: {failed}")
            log(f"step {step + 1}: train {np.mean(losses[-plan.every:]):.4f} validation {curve.get(step + 1, float('nan')):.4f}")
    return curve, losses, ranges, counts


def fp32_run(plan, log, nudge=0.0, nudge_seed=0):
    c = plan.c
    torch.set_num_threads(1)
    p = gpt.parameters(c, optim.init(c, plan.seed), torch.float32, nudge, nudge_seed)
    adam = gpt.adam(p)
    curve, losses = {}, []
    for step in range(plan.steps):
        tokens, targets = (torch.from_numpy(a) for a in plan.data.batch(plan.sequences(step)))
        adam.param_groups[0]["lr"] = plan.rate(step) * 2.0**-28
        adam.zero_grad()
        loss = gpt.loss_sum(c, p, tokens, targets) / tokens.numel()
        loss.backward()
        adam.step()
        losses.append(float(loss))
        if plan.validates(step):
            with torch.no_grad():
                tokens, targets = (torch.from_numpy(a) for a in plan.held_out)
                curve[step + 1] = float(gpt.loss_sum(c, p, tokens, targets)) / tokens.numel()
            log(f"step {step + 1}: train {np.mean(losses[-plan.every:]):.4f} validation {curve[step + 1]:.4f}")
    return curve, losses
