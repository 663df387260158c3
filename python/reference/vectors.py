#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes spec/vectors/step_w*.json and tables.json from the Python reference: golden values for every other implementation.

Usage: PYTHONPATH=python /usr/bin/python3 -m reference.vectors (from the root of the repository)."""
import json

import numpy as np

from . import data, ids, numerics, optim, tables
from .blake3 import blake3, keyed, keyed_outputs, le32, le64

JOB = bytes(range(32))
OPERANDS = {numerics.SLOT[n] for n in "y1 q k v e o y2 g dm dh da dp dv ds dq dk dl".split()}
SCALARS = {numerics.SLOT[n] for n in "Z R c r1 r2 m1 m2 ZL RL loss".split()}
PER_HEAD = {numerics.SLOT[n] for n in "Z R c".split()}
SCORES = {numerics.SLOT[n] for n in "z e ds".split()}
BATCH, STEPS, WARM, LR_MAX = 3, 20, 4, round(4e-3 * 2**28)
SHAPES = [(11, 5, 16, 2, 2), (13, 7, 24, 1, 3), (300, 9, 32, 1, 1)]


def tensor_bytes(ident, value):
    """One sequence's tensor in the layout of section 7."""
    slot = ident % 64
    dtype = "<i2" if slot in OPERANDS else "<i8" if slot in SCALARS else "<i4"
    if slot in PER_HEAD:
        value = value.T
    return np.ascontiguousarray(value).astype(dtype).tobytes()


def text(V, count):
    noise = np.frombuffer(keyed(bytes(32), b"text", count), np.uint8).astype(np.int64)
    out = np.zeros(count, np.int64)
    for i in range(1, count):
        out[i] = (3 * out[i - 1] + noise[i] % 3 + (noise[i] > 250) * 7) % V
    return out


def token_bytes(c, tokens):
    return tokens.astype("u1" if c.V <= 256 else "<u2").tobytes()


def first_range(c, master, fractions, sequences, batch):
    seed = numerics.dither_seed(JOB, ids.model_id(c, fractions, master), 0)
    try:
        numerics.gradient(c, master, fractions, seed, sequences, *batch)
    except numerics.StepRange as failed:
        return [failed.tensor, failed.sequence, failed.index]
    return None


def range_cases(c, master, fractions, sequences, batch):
    """A published fraction raised too far makes the values of one tensor leave their domain: which check fails first."""
    out = []
    for name, layer in [("y1", 0), ("q", 0), ("k", 0), ("dh", 0), ("dp", 0), ("ds", 0), ("dn2", 0), ("dn1", 0), ("dnF", None), ("gx", None)]:
        for up in (5, 7, 9):
            changed = dict(fractions)
            changed[name, layer] += up
            if not numerics.admitted(c, changed):
                continue
            where = first_range(c, master, changed, sequences, batch)
            if where:
                out.append({"fraction": name, "layer": layer, "raised": up, "range": where})
                break
    return out


class Job:
    """A training run of section 12 and 13 on the reference."""

    def __init__(self, c, tokens, determinism_seed):
        self.c, self.data = c, data.Dataset(JOB, tokens, c.T)
        self.master, self.adam, self.fractions = optim.init(c, determinism_seed), optim.Adam(c), None
        self.repeated = []

    def calibrate(self, step, repetition=0):
        batch = self.data.batch(self.data.calibration_sequences(step, repetition))
        self.fractions = numerics.calibrate(self.c, self.master, *batch, repetition=repetition)

    def model(self):
        return ids.model_id(self.c, self.fractions, self.master)

    def step(self, step, observe=None):
        repetition = 0
        while True:
            if data.calibrates(step) or repetition:
                self.calibrate(step, repetition)
            seed = numerics.dither_seed(JOB, self.model(), step)
            sequences = list(range(step * BATCH, (step + 1) * BATCH))
            trace = {} if observe else None
            try:
                grads, loss = numerics.gradient(self.c, self.master, self.fractions, seed, sequences, *self.data.batch(sequences), trace)
                break
            except numerics.StepRange:
                repetition += 1
                self.repeated.append(step)
                if repetition > 8:
                    raise
        if observe:
            observe(seed, sequences, grads, loss, trace)
        of = {n: numerics.gradient_fraction(self.c, self.fractions, n) for n in self.master}
        self.adam.step(self.master, grads, of, BATCH * self.c.T, optim.learning_rate(step, STEPS, WARM, LR_MAX))
        return int(loss.sum())


def case(c, determinism_seed):
    tokens = text(c.V, 40 * c.T + 1)
    job = Job(c, tokens, determinism_seed)
    names = numerics.weight_names(c)
    row = {"shape": dict(V=c.V, T=c.T, d=c.d, L=c.L, H=c.H, w=c.w, helper=c.helper), "job": JOB.hex(), "determinism_seed": determinism_seed,
           "tokens": token_bytes(c, tokens).hex(), "batch": BATCH, "steps": STEPS, "warm": WARM, "lr_max": LR_MAX,
           "constants": dict(C=c.C, x_C=c.x_C, C_prime=c.Cb, x_C_prime=c.x_Cb, C2=c.C2),
           "init": {n: blake3(job.master[n].astype("<i4").tobytes()).hex() for n in names},
           "calibration_sequences": job.data.calibration_sequences(0), "windows": job.data.windows}
    row["repeated"] = []
    for n in (1, 2, 5):
        job.calibrate(0, n)
        row["repeated"].append({"repetition": n, "calibration_sequences": job.data.calibration_sequences(0, n),
                                "fractions": numerics.fraction_array(c, job.fractions)})
    job.calibrate(0)
    f = job.fractions
    row.update(fractions=numerics.fraction_array(c, f), tables=tables.tables_hash(c, f).hex(),
               weight_root=ids.weight_root(c, f, job.master).hex(), model_id=job.model().hex(),
               state_id=ids.state_id(c, job.model(), 0, job.master, job.adam).hex())

    def first(seed, sequences, grads, loss, trace):
        row.update(dither_seed=seed.hex(), sequences=sequences, loss_sum=int(loss.sum()), loss=loss.tolist(),
                   gradients={n: blake3(grads[n].astype("<i8").tobytes()).hex() for n in names},
                   trace=[{"id": i, "sequences": [blake3(tensor_bytes(i, one)).hex() for one in trace[i]]} for i in sorted(trace)],
                   range=range_cases(c, job.master, f, sequences, job.data.batch(sequences)))

    losses = []
    for step in range(STEPS):
        losses.append(job.step(step, first if step == 0 else None))
        if step + 1 in (3, STEPS):
            if data.calibrates(step + 1):
                job.calibrate(step + 1)
            row[f"state_id_{step + 1}"] = ids.state_id(c, job.model(), step + 1, job.master, job.adam).hex()
    row.update(loss_sums=losses, repeated_steps=job.repeated)
    return row


def helper_values():
    seed = bytes(range(100, 132))
    return {
        "ilog2": [[str(n), numerics.ilog2(n)] for n in (1, 2, 3, 5, 255, 65535, 65536, 1000003, 2**31 - 1, 2**40 + 12345, 2**62 - 1)],
        "cos30": [[x, tables.cos30(x)] for x in (0, 1, 12345, 2**20, 2**27 + 3, 2**28, 2**29 - 1, 2**29, 2**29 + 1, 800000000, 2**30 - 7, 2**30)],
        "learning_rate": [[t, optim.learning_rate(t, 300, 20, LR_MAX)] for t in (0, 1, 18, 19, 20, 21, 100, 160, 299)],
        "permutation": [[n, e, data.permute(JOB, n, e, np.arange(n)).tolist()] for n, e in ((1, 0), (2, 0), (5, 3), (40, 0), (40, 1))],
        "dither": {"seed": seed.hex(), "tensor": 65, "sequence": 7,
                   "rows": [str(w) for w in keyed_outputs(seed, [b"a" + le32(65) + le64(7)], [80])[0].copy().view("<u8")],
                   "columns": [str(w) for w in keyed_outputs(seed, [b"b" + le32(65)], [80])[0].copy().view("<u8")]},
    }


def table_hashes():
    rows = []

    def add(name, helper, values, **of):
        rows.append({"table": name, "helper": helper, **of, "entries": len(values), "blake3": blake3(tables.table_bytes(values)).hex()})

    for w in (8, 10, 12, 14, 16):
        for helper in ("narrow", "wide") if w <= 12 else ("wide",):
            c = tables.Constants(11, 4, 16, 1, 2, w, helper)
            add("EXP", helper, c.exp(), w=w)
            add("EXPL", helper, c.expl(), w=w)
            for f_h in (c.f_hmax - 4, c.f_hmax):
                add("GELUD", helper, tables.gelu_slope_table(f_h, c.f_gd, c.D_t), w=w, f_h=f_h)
                for f_g in (w - 4, w - 2):
                    add("GELU", helper, tables.gelu_operand_table(c, f_h, f_g), w=w, f_h=f_h, f_g=f_g)
    return rows


def write(name, value):
    with open(f"spec/vectors/{name}.json", "w", encoding="ascii") as f:
        json.dump(value, f, indent=1)
        f.write("\n")


def main():
    write("tables", {"tables": table_hashes(), **helper_values()})
    for w in (8, 12, 16):
        cases = [case(tables.Constants(*shape, w), 2026 + i) for i, shape in enumerate(SHAPES)]
        write(f"step_w{w}", {"layout": "gradients little-endian int64, traces as in spec/numerics.md section 7, row-major", "cases": cases})


if __name__ == "__main__":
    main()
