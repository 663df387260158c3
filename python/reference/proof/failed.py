# SPDX-License-Identifier: Apache-2.0
"""The result RANGE: section 14 of spec/proof.md."""
from math import isqrt

import numpy as np

from .. import numerics, tables
from .field import K, V, powers
from .lookup import Claim, Stream
from .public import M_MAX
from .transcript import require

CHECKED = "r1 r2 y1 y2 q k v z o b1 h b2 lg dl dn1 dn2 m1 m2 dx1 dx2 dm dh da dp dv ds dq dk".split()
CELL_MAX = 1 << 15


class Block:
    """A rectangle of a tensor: first token and their number, first feature and their number."""

    def __init__(self, tensor, tokens, features):
        self.tensor, self.tokens, self.features = tensor, tokens, features
        self.values = None


class Check:
    """The element that the statement names, and its inputs."""

    def __init__(self, layout, public):
        self.y, self.pub, c = layout, public, layout.c
        ident, sequence, index = public.s.range
        require(sequence in public.s.numbers, "range sequence")
        slots = {v: k for k, v in numerics.SLOT.items()}
        self.layer, self.name = ident // 64, slots.get(ident % 64)
        require(self.name in CHECKED and (self.layer, self.name) in layout.places, "range tensor")
        self.ident = ident
        self.q = public.s.numbers.index(sequence)
        scores = self.name in ("z", "ds")
        columns = {"z": c.T, "ds": c.T, "h": c.F, "dh": c.F, "lg": c.V, "dl": c.V}.get(self.name, 1 if self.name in ("r1", "r2", "m1", "m2") else c.d)
        require(0 <= index < (c.H if scores else 1) * c.T * columns, "range index")
        row, self.j = divmod(index, columns)
        self.head, self.i = divmod(row, c.T) if scores else (self.j // c.hd, row)
        require(not scores or self.j <= self.i, "range index")
        self.token = self.q * layout.T2 + self.i
        self.blocks = [Block(*b) for b in self.inputs()]

    # --- the table ------------------------------------------------------------------------------------------------------

    def tensor(self, name):
        top = {"y1": "yF", "dn1": "dnF"} if self.layer == self.y.c.L else {}
        return self.y.by_name[top.get(name, name), self.layer]

    def row(self, name):
        t = self.tensor(name)
        return t, (self.token, 1), (0, t.features)

    def one(self, tensor, feature):
        return tensor, (self.token, 1), (feature, 1)

    def of_head(self, name, position):
        c = self.y.c
        return self.tensor(name), (self.q * self.y.T2 + position, 1), (self.head * c.hd, c.hd)

    def attended(self, scores, operand):
        first = self.q * self.y.T2
        return [(self.tensor(scores), (self.token, 1), (self.head * self.y.T2, self.i + 1)), (self.tensor(operand), (first, self.i + 1), (self.j, 1))]

    def attending(self, scores, operand):
        rows = (self.token, self.y.c.T - self.i)
        return [(self.tensor(scores), rows, (self.head * self.y.T2 + self.i, 1)), (self.tensor(operand), rows, (self.j, 1))]

    def inputs(self):
        name, layer, top = self.name, self.layer, self.layer == self.y.c.L
        y = self.y
        if name in ("r1", "r2", "y1", "y2"):
            second = name[1] == "2"
            return [(Stream(("x", layer, second), y.streams_before(layer, second), True), (self.token, 1), (0, y.c.d))]
        if name in ("dm", "da"):
            return [self.one(Stream(("gx", layer, name == "da"), y.gradients_above(layer, name == "da"), False), self.j)]
        if name == "z":
            return [self.of_head("q", self.i), self.of_head("k", self.j)]
        if name == "ds":
            return [self.one(self.tensor("e"), self.head * y.T2 + self.j), self.of_head("dp", self.i), self.of_head("v", self.j), self.of_head("o", self.i)]
        if name in ("o", "dq"):
            return self.attended(*{"o": ("e", "v"), "dq": ("ds", "k")}[name])
        if name in ("dv", "dk"):
            return self.attending(*{"dv": ("e", "dp"), "dk": ("ds", "q")}[name])
        if name == "dl":
            return [self.one(self.tensor("el"), self.j)]
        if name == "dh":
            return [self.row("dm"), self.one(self.tensor("h"), self.j)]
        if name in ("m1", "dx1", "m2", "dx2"):
            return [self.row("dn" + name[-1]), self.row("y" + name[-1])]
        if name == "dn1":
            return [self.row("dl")] if top else [self.row(n) for n in ("dq", "dk", "dv")]
        return [self.row({"q": "y1", "k": "y1", "v": "y1", "lg": "y1", "b1": "o", "h": "y2", "b2": "g", "dn2": "dh", "dp": "da"}[name])]

    # --- in the clear ---------------------------------------------------------------------------------------------------

    def receive(self, reader, transcript):
        c, first = self.y.c, reader.at
        for b in self.blocks:
            n = b.tokens[1] * b.features[1]
            b.values = [reader.integer(8, "input", True) for _ in range(n)]
        transcript.absorb("inputs", reader.data[first:reader.at])
        for b in self.blocks:
            most = CELL_MAX
            if isinstance(b.tensor, Stream):
                most = (2 * c.L + 2) * (c.D_b + 1) if b.tensor.public else (2 * c.L + 1) * c.D_g
            require(all(abs(v) <= most for v in b.values), "range input")
        require(self.fails(), "range element")

    def check_x0(self):
        """Nothing is committed: x_0 is known."""
        require(self.blocks[0].values == [int(v) for v in self.pub.x0[self.token]], "range x0")

    # --- N4 and N5 for one element --------------------------------------------------------------------------------------

    def round(self, acc):
        """rhu, or dith with the words of the element."""
        s = self.y.shift[self.name if self.layer < self.y.c.L else {"y1": "yF", "dn1": "dnF", "dx1": "dxF"}.get(self.name, self.name), self.layer]
        if self.name in ("dl", *numerics.DITHERED):
            rows, columns = self.pub.words[self.ident]
            c = self.y.c
            across = self.head * c.T if self.name == "ds" else 0
            height = c.H * c.T if self.name == "ds" else c.T
            row = int(np.asarray(rows).reshape(self.y.S, height)[self.q][across + self.i])
            u = (row ^ int(columns[across + self.j])) & ((1 << s) - 1)
        else:
            u = 1 << (s - 1) if s else 0
        return (acc + u) >> s

    def column(self, weight, transpose=False):
        w = self.pub.weights[weight]
        return [int(v) for v in (w[self.j, :] if transpose else w[:, self.j])]

    def times(self, k, weight, transpose=False):
        return sum(a * b for a, b in zip(self.blocks[k].values, self.column(weight, transpose), strict=True))

    def dot(self, a, b):
        return sum(x * y for x, y in zip(self.blocks[a].values, self.blocks[b].values, strict=True))

    def norm_r(self):
        c = self.y.c
        name = "yF" if self.layer == c.L else "y" + self.name[-1]
        if (name, self.layer) in self.pub.norms:
            return self.pub.norms[name, self.layer]["r"][self.token]
        S = sum(v * v for v in self.blocks[0].values)
        require(S <= c.D_s, "range sum of squares")
        return isqrt((c.d << (2 * c.f_r + 2 * c.f_res)) // (S + (c.d << (2 * c.f_res - 17))))

    def norm_m(self):
        c = self.y.c
        f = self.y.f["yF", None] if self.layer == c.L else self.y.f["y" + self.name[-1], self.layer]
        top, unit = 2 * self.norm_r() * self.dot(0, 1), c.d
        return (top + (unit << 2 * f)) // (unit << 2 * f + 1) if f >= 0 else ((top << -2 * f) + unit) // (2 * unit)

    def fails(self):
        c, f, name, layer = self.y.c, self.y.f, self.name, self.layer
        if name in ("r1", "r2"):
            return sum(v * v for v in self.blocks[0].values) > c.D_s
        if name in ("m1", "m2"):
            return abs(self.norm_m()) > M_MAX
        if name in ("dx1", "dx2"):
            m = self.norm_m()
            require(abs(m) <= M_MAX, "range m")
            acc = self.norm_r() * self.blocks[0].values[self.j] - self.blocks[1].values[self.j] * m
            return abs(self.round(acc)) > c.D_g
        most = c.D_b if name in ("b1", "b2") else c.D_t
        return abs(self.round(self.accumulator(f, name, layer))) > most

    def accumulator(self, f, name, layer):
        c, top = self.y.c, self.layer == self.y.c.L
        if name in ("y1", "y2"):
            return self.blocks[0].values[self.j] * self.norm_r()
        if name in ("dm", "da"):
            return self.blocks[0].values[0]
        if name == "z":
            return self.dot(0, 1) * c.C
        if name == "o":
            return self.dot(0, 1) * self.pub.heads[layer]["R"][self.token, self.head]
        if name == "lg":
            return self.times(0, "Wh") * c.C2
        if name == "dl":
            hit = self.j == self.pub.targets[self.token]
            return (self.blocks[0].values[0] + CELL_MAX) * self.pub.logits["R"][self.token, 0] - (int(hit) << c.n_l)
        if name == "dn1" and top:
            return self.times(0, "Wh", True)
        if name == "dn1":
            highest = max(f[n, layer] for n in ("dq", "dk", "dv"))
            return sum(self.times(i, f"W{n}{layer}", True) << (highest - f[f"d{n}", layer]) for i, n in enumerate("qkv"))
        if name == "dh":
            h, = self.blocks[1].values
            require(abs(h) <= c.D_t, "range input")
            return self.times(0, f"W2{layer}", True) * int(tables.gelu_slope_table(f["h", layer], c.f_gd, c.D_t)[h + c.D_t])
        if name == "dp":
            return self.times(0, f"Wo{layer}", True) * self.pub.heads[layer]["R"][self.token, self.head]
        if name == "ds":
            return self.blocks[0].values[0] * ((self.dot(1, 2) << (f["o", layer] - f["v", layer])) - self.dot(1, 3))
        if name == "dv":
            return self.dot(0, 1)
        if name in ("dq", "dk"):
            return self.dot(0, 1) * c.Cb
        if name == "dn2":
            return self.times(0, f"W1{layer}", True)
        return self.times(0, {"b1": "Wo", "h": "W1", "b2": "W2"}.get(name, "W" + name) + str(layer))

    # --- claims ---------------------------------------------------------------------------------------------------------

    def claims(self, kappa):
        out = []
        for b in self.blocks:
            (token, n), (feature, m) = b.tokens, b.features
            weights = powers(kappa, n * m)
            value = sum((w * v for w, v in zip(weights, b.values)), K(0))
            tiles = -(-self.y.c.d // self.y.B) if isinstance(b.tensor, Stream) else b.tensor.tiles
            omega, phi = V.zeros(self.y.N), V.zeros(tiles * self.y.B)
            for k in range(n):
                omega[token + k] = weights[k * m]
            for k in range(m):
                phi[feature + k] = weights[k]
            out.append(Claim(value, [(b.tensor, omega, phi)]))
        return out
