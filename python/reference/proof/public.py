# SPDX-License-Identifier: Apache-2.0
"""What both sides know: the statement (sections 1 and 3 of spec/proof.md), and the row scalars and exceptions of section 6."""
import struct
from math import isqrt

import numpy as np

from .. import numerics
from ..blake3 import le32, le64
from .field import HALF
from .layout import ACTIVATIONS, BAND, BLOCK_BITS, INSTANCE_BITS, QUERIES
from .transcript import require

M_MAX = 1 << 34
EXCEPTIONS_MAX = 1 << 16


class Statement:
    """Fields as in the JSON of tests/proof/proof_tool.c: hashes in hex, arrays of integers in the order of numerics section 3; range is [] if the
    result is NORMAL."""

    def __init__(self, fields):
        self.__dict__.update(fields)
        self.count = len(self.numbers)

    def absorb(self, t):
        t.absorb("shape", b"".join(le32(v) for v in self.shape))
        t.absorb("fractions", struct.pack(f"{len(self.layer_fractions) + 6}b", *self.layer_fractions, *self.top_fractions))
        for name in ("model_id", "weight_root", "tables_hash", "job_id"):
            self.absorb_hash(t, name)
        t.absorb("step", le64(self.step))
        t.absorb("sequences", le64(self.count))
        for n in self.numbers:
            t.absorb("sequence", le64(n))
        for name in ("tokens_root", "lease_hash", "worker"):
            self.absorb_hash(t, name)
        t.absorb("level", le64(self.level))
        if self.range:
            t.absorb("range", le32(self.range[0]) + le64(self.range[1]) + le64(self.range[2]))
        else:
            t.absorb("loss", le64(self.loss % 2**64))
            self.absorb_hash(t, "gradient_root")
        for name, value in (("block bits", BLOCK_BITS), ("instance bits", INSTANCE_BITS), ("queries", QUERIES), ("band", BAND)):
            t.absorb(name, le64(value))

    def absorb_hash(self, t, name):
        t.absorb(name.replace("_", " "), bytes.fromhex(getattr(self, name)))

    def tensors(self, c, name):
        """The flat array `name` (weights, gradient) by tensor."""
        out, at, flat = {}, 0, np.array(getattr(self, name), np.int64)
        for tensor in numerics.weight_names(c):
            rows, columns = numerics.weight_shape(c, tensor)
            out[tensor] = flat[at:at + rows * columns].reshape(rows, columns)
            at += rows * columns
        require(at == len(flat), "statement", at)
        return out


class Public:
    """Everything by token index with padding, zero there."""

    def __init__(self, layout, statement):
        self.y, self.s, c = layout, statement, layout.c
        self.weights = statement.tensors(c, "weights")
        self.gradient = None if statement.range else statement.tensors(c, "gradient")
        self.check = None
        tokens = np.array(statement.tokens, np.int64).reshape(statement.count, c.T + 1)
        require(((0 <= tokens) & (tokens < c.V)).all(), "statement")
        self.inputs, self.targets = self.by_token(tokens[:, :-1]), self.by_token(tokens[:, 1:])
        seed = numerics.dither_seed(bytes.fromhex(statement.job_id), bytes.fromhex(statement.model_id), statement.step)
        self.words = numerics.Dither(c, seed, statement.numbers).words
        f, w = layout.f, self.weights
        rows = (w["E"][self.inputs] << (c.f_res - f["E", None])) + (w["P"][np.minimum(layout.position, c.T - 1)] << (c.f_res - f["P", None]))
        self.x0 = np.where(layout.real[:, None], rows, 0)

    def by_token(self, values):
        """(S, T) values by token index."""
        out = np.zeros((self.y.S2, self.y.T2), np.int64)
        out[:values.shape[0], :values.shape[1]] = values
        return out.reshape(-1)

    def dither(self, r):
        """u of a rounding, (tokens, padded features)."""
        y, c = self.y, self.y.c
        scores = r.name == "ds"
        rows, columns = self.words[r.ident]
        mask = np.uint64((1 << r.s) - 1)
        out = np.zeros((y.N, r.tiles * y.B), np.uint64)
        a = np.zeros((c.H if scores else 1, y.N), np.uint64)  # by head, then token
        rows = rows.reshape(y.S, -1, c.T)
        for s in range(y.S):
            a[:, s * y.T2:s * y.T2 + c.T] = rows[s]
        if not scores:
            b = np.zeros(r.tiles * y.B, np.uint64)
            b[:len(columns)] = columns
            return (a[0][:, None] ^ b[None, :]) & mask
        for h in range(c.H):
            b = np.zeros(y.T2, np.uint64)
            b[:c.T] = columns[h * c.T:(h + 1) * c.T]
            out[:, h * y.T2:(h + 1) * y.T2] = (a[h][:, None] ^ b[None, :]) & mask
        return out

    # --- section 6 ------------------------------------------------------------------------------------------------------

    def receive(self, reader, transcript):
        y, c = self.y, self.y.c
        first = reader.at
        self.norms = {}
        for key in [(n, layer) for layer in range(c.L) for n in ("y1", "y2")] + [("yF", c.L)]:
            if y.has(*key):
                kinds = [("S", 6, False), ("Y", 6, False)] + [("M", 8, True)] * self.has_m(key)
                self.norms[key] = self.read_rows(reader, f"norm {key[0]}", kinds, 1)
        kinds = [("max", 4, True), ("index", 2, False), ("Z", 4, False)]
        self.heads = [self.read_rows(reader, "head", kinds + [("c", 8, True)] * y.has("ds", i), c.H) for i in range(c.L) if y.has("e", i)]
        kinds = [("max", 4, True), ("index", 4, False), ("Z", 8, False), ("target", 2, False)]
        self.logits = self.read_rows(reader, "logits", kinds, 1) if y.has("el", c.L) else None
        transcript.absorb("rows", reader.data[first:reader.at])
        self.exceptions = {}
        count = 0
        for r in y.roundings:
            if r.name in ACTIVATIONS:
                self.exceptions[r.name, r.layer] = self.read_list(reader, transcript, r, count)
                count += len(self.exceptions[r.name, r.layer])
        self.check_norms()
        self.check_heads()
        if self.logits:
            self.check_logits()
        if self.check:
            self.check.receive(reader, transcript)

    def has_m(self, key):
        return self.y.has({"y1": "dx1lo", "y2": "dx2lo", "yF": "dxFlo"}[key[0]], key[1])

    def read_rows(self, reader, name, kinds, width):
        """Arrays (tokens, width) of Python integers, by kind."""
        out = {kind: np.zeros((self.y.N, width), object) for kind, _, _ in kinds}
        for i in np.nonzero(self.y.real)[0]:
            for h in range(width):
                for kind, size, signed in kinds:
                    out[kind][i, h] = reader.integer(size, f"{name} {kind}", signed)
        return out

    def read_list(self, reader, transcript, r, before):
        y, c = self.y, self.y.c
        count = reader.integer(4, "exception count")
        transcript.absorb("lists", le32(count))
        require(before + count <= EXCEPTIONS_MAX, "exceptions", count)
        first, out = reader.at, []
        for _ in range(count):
            token, feature = reader.integer(4, "exception token"), reader.integer(4, "exception feature")
            t = reader.integer(4, "exception value", True)
            require(token < y.N and y.real[token] and feature < r.features, "exception place", reader.at)
            require(not out or out[-1][:2] < (token, feature), "exception order", reader.at)
            require(c.Q < abs(t) <= c.D_t and (abs(t) + 1) << r.s <= HALF, "exception value", reader.at)
            out.append((token, feature, t))
        if count:
            transcript.absorb("lists", reader.data[first:reader.at])
        return out

    def check_norms(self):
        y, c = self.y, self.y.c
        for (name, layer), n in self.norms.items():
            f_y = y.f[name, layer if layer < c.L else None]
            s = y.rounding_by_name[name, layer].s
            n["r"], n["m"] = np.zeros(y.N, object), np.zeros(y.N, object)
            for i in np.nonzero(y.real)[0]:
                S, Y = (n[k][i, 0] for k in "SY")
                M = n["M"][i, 0] if "M" in n else 0
                require(S <= c.D_s, "sum of squares", i)
                require(abs(M) <= c.d * c.D_t * c.Q, "row sum M", i)
                require(Y <= c.d * c.Q * c.Q, "sum of y squares", i)
                r = isqrt((c.d << (2 * c.f_r + 2 * c.f_res)) // (S + (c.d << (2 * c.f_res - 17))))
                unit = c.d << 2 * f_y if f_y >= 0 else 0
                require(unit > 0, "fraction")
                m = (2 * r * M + unit) // (2 * unit)
                require(abs(m) <= M_MAX, "m", i)
                theta = Y + sum(t * t - c.Q * c.Q for token, _, t in self.exceptions[name, layer] if token == i)
                require((isqrt(theta) + isqrt(c.d) + 2) ** 2 << 2 * s < (HALF * 2 + 1) * r * r, "norm", i)
                n["r"][i], n["m"][i] = r, m

    def score_reach(self, name, layer):
        """n and s for the check of a maximum."""
        t = self.y.by_name[name, layer]
        r = self.y.rounding_by_name["z" if name == "D" else "lg", layer]
        return t.n or 2 * self.y.c.D_t + 1, r.s

    def check_heads(self):
        y, c = self.y, self.y.c
        for layer, rows in enumerate(self.heads):
            n, s = self.score_reach("D", layer)
            rows["R"] = np.zeros((y.N, c.H), object)
            for i in np.nonzero(y.real)[0]:
                for h in range(c.H):
                    Z = rows["Z"][i, h]
                    require(rows["index"][i, h] <= y.position[i], "index of the maximum", i)
                    require(c.Q <= Z <= (int(y.position[i]) + 1) * c.Q, "softmax sum", i)
                    require("c" not in rows or abs(rows["c"][i, h]) <= c.hd * c.Q * c.Q, "row product c", i)
                    require(abs(rows["max"][i, h]) <= c.D_t and (abs(rows["max"][i, h]) + n) << s <= HALF, "maximum", i)
                    rows["R"][i, h] = ((1 << (c.f_R + c.w - 1)) + (Z >> 1)) // Z

    def check_logits(self):
        y, c, rows = self.y, self.y.c, self.logits
        n, s = self.score_reach("Dl", c.L)
        rows["R"] = np.zeros((y.N, 1), object)
        loss = 0
        for i in np.nonzero(y.real)[0]:
            Z = rows["Z"][i, 0]
            require(rows["index"][i, 0] < c.V, "index of the maximum", i)
            require(c.Q_l <= Z <= c.V * c.Q_l, "loss sum", i)
            require(abs(rows["max"][i, 0]) <= c.D_t and (abs(rows["max"][i, 0]) + n) << s <= HALF, "maximum", i)
            rows["R"][i, 0] = ((1 << c.n_l) + (Z >> 1)) // Z
            loss += (rows["target"][i, 0] << (16 - c.f_l)) + numerics.ilog2(Z) - numerics.ilog2(c.Q_l + 1)
        require(self.s.range or loss == self.s.loss, "loss")
