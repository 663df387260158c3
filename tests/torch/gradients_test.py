# SPDX-License-Identifier: Apache-2.0
"""Gradients of the integer tier against PyTorch autograd in float64.

`--tool PATH` takes them from the C library (`PATH gradient ...`) instead of the Python reference.
At w = 16 the two must point the same way: cosine >= 0.99999 over all weights and >= 0.9999 for every tensor."""
import pathlib
import subprocess

import numpy as np
import pytest
import torch

import training
from reference import data, ids, numerics, optim
import gpt
from reference.blake3 import keyed
from reference.tables import Constants

SHAPES = [(31, 16, 32, 2, 4), (17, 9, 24, 1, 3), (64, 32, 64, 3, 4)]
MIN_ALL, MIN_TENSOR = 0.99999, 0.9999


def from_reference(c, master, fractions, step, sequences, tokens, targets, _):
    seed = numerics.dither_seed(training.JOB, ids.model_id(c, fractions, master), step)
    grads, loss = numerics.gradient(c, master, fractions, seed, sequences, tokens, targets)
    return grads, loss.sum(1)


def from_tool(tool):
    """Raw little-endian files: shape int32, masters int32 in the order of section 3, fractions int32, job, step and sequences 64 bit,
    tokens 16 bit as rows of T + 1. The tool answers with gradients and the loss of each sequence, int64."""

    def run(c, master, fractions, step, sequences, tokens, targets, folder):
        def put(name, array, dtype):
            (folder / name).write_bytes(np.ascontiguousarray(array).astype(dtype).tobytes())

        names = numerics.weight_names(c)
        put("shape", c.shape_list(), "<i4")
        put("fractions", numerics.fraction_array(c, fractions), "<i4")
        put("sequences", sequences, "<i8")
        put("step", [step], "<i8")
        put("tokens", np.concatenate([tokens, targets[:, -1:]], axis=1), "<u2")
        put("master", np.concatenate([master[n].reshape(-1) for n in names]), "<i4")
        (folder / "job").write_bytes(training.JOB)
        subprocess.run([tool, "gradient", str(folder)], check=True)
        flat = np.fromfile(folder / "gradient", "<i8")
        ends = np.cumsum([master[n].size for n in names])
        parts = np.split(flat, ends[:-1])
        return {n: part.reshape(master[n].shape) for n, part in zip(names, parts)}, np.fromfile(folder / "loss", "<i8")

    return run


def trained_masters(c, plan, steps):
    """Masters after a few steps of the fp32-like float64 twin, so that weights are not only noise of the init."""
    p = gpt.parameters(c, optim.init(c, plan.seed), torch.float64)
    adam = gpt.adam(p)
    adam.param_groups[0]["lr"] = 4e-3
    for step in range(steps):
        tokens, targets = (torch.from_numpy(a) for a in plan.data.batch(plan.sequences(step)))
        adam.zero_grad()
        (gpt.loss_sum(c, p, tokens, targets) / tokens.numel()).backward()
        adam.step()
    return {n: np.round(v.detach().numpy() * 2**28).astype(np.int32) for n, v in p.items()}


def markov_text(V, n):
    """A text with structure to learn: the next token depends on the last one."""
    noise = np.frombuffer(keyed(bytes(32), b"markov", n), np.uint8).astype(np.int64)
    out = np.zeros(n, np.int64)
    for i in range(1, n):
        out[i] = (3 * out[i - 1] + noise[i] % 4) % V
    return out


def seen_weights(c, fractions, master):
    """The operands as real numbers: the model of which the worker computes the gradient."""
    operands = numerics.weight_operands(c, fractions, master)
    return {n: torch.from_numpy(q * 2.0 ** -numerics.weight_fraction(fractions, n)).requires_grad_() for n, q in operands.items()}


def cosine(a, b):
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


@pytest.fixture
def source(request):
    tool = request.config.getoption("--tool", default=None)
    return from_tool(str(pathlib.Path(tool).resolve())) if tool else from_reference


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("steps", [0, 60])
def test_gradients_match_autograd(shape, steps, source, tmp_path):
    c = Constants(*shape, 16)
    text = markov_text(c.V, 40 * c.T + 1)
    plan = training.Plan(c, text, text, steps=100, batch=8)
    master = trained_masters(c, plan, steps)
    fractions = numerics.calibrate(c, master, *plan.data.batch(plan.data.calibration_sequences(steps)))
    sequences = plan.sequences(steps)
    tokens, targets = plan.data.batch(sequences)
    grads, loss = source(c, master, fractions, steps, sequences, tokens, targets, tmp_path)

    p = seen_weights(c, fractions, master)
    expected = gpt.loss_sum(c, p, torch.from_numpy(tokens), torch.from_numpy(targets))
    expected.backward()
    assert abs(loss.sum() / 65536 * training.LN2 - float(expected)) < 1e-3 * tokens.size
    ours, theirs = [], []
    for n in numerics.weight_names(c):
        a = grads[n].reshape(-1) * 2.0 ** -numerics.gradient_fraction(c, fractions, n)
        b = p[n].grad.numpy().reshape(-1)
        assert cosine(a, b) >= MIN_TENSOR, n
        ours.append(a)
        theirs.append(b)
    ours, theirs = np.concatenate(ours), np.concatenate(theirs)
    assert cosine(ours, theirs) >= MIN_ALL
    assert abs(np.linalg.norm(ours) / np.linalg.norm(theirs) - 1) < 1e-3


def test_tool_equals_reference(source, tmp_path):
    """Bit by bit, at a size beyond the golden vectors, at the width that training uses."""
    c = Constants(73, 48, 128, 2, 4, 12)
    text = markov_text(c.V, 40 * c.T + 1)
    plan = training.Plan(c, text, text, steps=10, batch=3)
    master = trained_masters(c, plan, 3)
    fractions = numerics.calibrate(c, master, *plan.data.batch(plan.data.calibration_sequences(3)))
    batch = (c, master, fractions, 3, plan.sequences(3), *plan.data.batch(plan.sequences(3)), tmp_path)
    ours, loss = source(*batch)
    expected, expected_loss = from_reference(*batch)
    assert np.array_equal(loss, expected_loss)
    assert all(np.array_equal(ours[n], expected[n]) for n in expected)


def test_any_split_gives_the_same_integers():
    c = Constants(31, 16, 32, 2, 4, 12)
    text = markov_text(c.V, 40 * c.T + 1)
    plan = training.Plan(c, text, text, steps=10, batch=6)
    master = optim.init(c, 7)
    fractions = numerics.calibrate(c, master, *plan.data.batch(plan.data.calibration_sequences(0)))
    seed = numerics.dither_seed(training.JOB, bytes(32), 0)

    def total(parts):
        out = None
        for part in parts:
            grads, _ = numerics.gradient(c, master, fractions, seed, part, *plan.data.batch(part))
            out = grads if out is None else {n: out[n] + grads[n] for n in out}
        return out

    whole = total([list(range(6))])
    for parts in ([[0], [1], [2], [3], [4], [5]], [[5, 0], [3, 1, 2, 4]]):
        split = total(parts)
        assert all(np.array_equal(whole[n], split[n]) for n in whole)


def test_permutation_is_a_bijection():
    for windows in (1, 2, 3, 5, 64, 100, 1000):
        for epoch in (0, 1):
            seen = data.permute(training.JOB, windows, epoch, np.arange(windows))
            assert sorted(seen.tolist()) == list(range(windows))
