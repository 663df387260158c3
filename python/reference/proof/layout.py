# SPDX-License-Identifier: Apache-2.0
"""Shapes, committed tensors, roundings, tables: sections 4, 5 and 7 of spec/proof.md."""
import numpy as np

from .. import numerics, tables
from ..ledger import LEASE_TOKENS, ledger, misfits
from .field import HALF, TWO_ADICITY, log2_ceil
from .transcript import Refused, require

BLOCK_BITS, INSTANCE_BITS, QUERIES, BAND = 8, 20, 244, 144
EXP_TAG = 1 << 20
ACTIVATIONS = "y1 q k v o y2 dm dh da dp dv ds dq dk yF dl".split()  # operands: saturated, so they may have exceptions
SPLIT = {"b1": (513, 511), "b2": (513, 511), "dx1": (4097, 4095), "dx2": (4097, 4095)}
# The order of a trace (numerics section 7), and what the cells of section 5 belong to there.
FORWARD = "x r1 y1 q k v z e Z R o b1 xb r2 y2 h g b2".split()
TOP = "x r1 y1 lg el ZL RL loss dl dn1 m1 dx1".split()
BACKWARD = "dm dh dn2 m2 dx2 da dp dv c ds dq dk dn1 m1 dx1 gx".split()
TRACED = {"D": "z", "Dl": "lg", "gd": "g", "yF": "y1", "dnF": "dn1", "dxF": "dx1"}
DITHERED = "dm dh dn1 dn2 dx1 dx2 da dp dv ds dq dk dl".split()


class Tensor:
    """Committed cells: `features` in whole tiles; n: size of the COUNT table of x = cell + offset, 0 for none."""

    def __init__(self, name, layer, features, n=0, offset=None):
        self.name, self.layer, self.features, self.n = name, layer, features, n
        self.offset = n // 2 if offset is None else offset
        self.tiles = self.first = self.index = None

    def __repr__(self):
        return f"{self.name}{self.layer}"


class Rounding:
    """One rounded output: outs are (tensor, factor), digits (tensor, factor), s the shift, n the size of the last lookup."""

    def __init__(self, name, layer, s, features):
        self.name, self.layer, self.s, self.features = name, layer, s, features
        self.outs, self.digits, self.n = [], [], 1 << min(s, 16)
        self.tiles = None
        slot = {"yF": "y1", "dnF": "dn1", "dxF": "dx1"}.get(name, name)
        self.ident = 64 * layer + numerics.SLOT[slot]
        self.dithered = slot in DITHERED


class Domain:
    """The lookup of z + D_t (or lg + D_t) that belongs to a rounding."""

    def __init__(self, rounding, n):
        self.rounding, self.tiles, self.n = rounding, rounding.tiles, n


def trace_places(c):
    """(layer, slot) to the place in the order."""
    out = [(layer, n) for layer in range(c.L) for n in FORWARD] + [(c.L, n) for n in TOP]
    out += [(layer, n) for layer in reversed(range(c.L)) for n in BACKWARD]
    return {key: i for i, key in enumerate(out)}


def read_fractions(shape, layer_values, top_values):
    out, step = {}, len(numerics.LAYER_FRACTIONS)
    for layer in range(shape[3]):
        for i, name in enumerate(numerics.LAYER_FRACTIONS):
            out[name, layer] = layer_values[step * layer + i]
    for name, value in zip(numerics.MODEL_FRACTIONS, top_values):
        out[name, None] = value
    return out


class Layout:
    """until: the tensor id of a check that failed; then what comes before it is all there is."""

    def __init__(self, c, fractions, sequences, until=None):
        self.c, self.f, self.S = c, fractions, sequences
        require(0 < sequences * c.T <= LEASE_TOKENS, "sequences", sequences)
        self.t_bits, self.s_bits = log2_ceil(c.T), log2_ceil(sequences)
        self.nu = self.t_bits + self.s_bits
        self.T2, self.S2, self.N = 1 << self.t_bits, 1 << self.s_bits, 1 << self.nu
        self.b = min(BLOCK_BITS, log2_ceil(c.d))
        self.B = 1 << self.b
        self.tensors, self.roundings, self.order = [], [], []  # order: what has integer tiles
        self.by_name, self.rounding_by_name, self.shift = {}, {}, {}
        self.places, self.end = trace_places(c), None
        if until is not None:
            slots = {v: k for k, v in numerics.SLOT.items()}
            self.end = self.places.get((until // 64, slots.get(until % 64)))
            require(self.end is not None, "range tensor", until)
        self.h_bits = log2_ceil(c.H)
        self.exp0 = int(np.argmax(c.exp() == 0))
        self.expl0 = int(np.argmax(c.expl() == 0))
        self.token = np.arange(self.N)
        self.position, self.sequence = self.token % self.T2, self.token // self.T2
        self.real = (self.position < c.T) & (self.sequence < sequences)
        for layer in range(c.L):
            self.add_layer(layer)
        self.add_top()
        self.empty = not self.tensors
        if not self.empty:
            self.make_tables()
            self.commit_shape()

    # --- the list of section 5 ------------------------------------------------------------------------------------------

    def reached(self, name, layer):
        base = name.split(".")[0].removesuffix("lo").removesuffix("hi")
        return self.end is None or self.places[layer, TRACED.get(base, base)] < self.end

    def has(self, name, layer):
        return (name, layer) in self.by_name

    def add(self, name, layer, features, n=0, offset=None):
        if name not in ("mult_lo", "mult_hi") and not self.reached(name, layer):
            return None
        t = Tensor(name, layer, features, n, offset)
        t.tiles = -(-features // self.B)
        t.first = self.tensors[-1].first + self.tensors[-1].tiles if self.tensors else 0
        t.index = len(self.tensors)
        self.tensors.append(t)
        self.by_name[name, layer] = t
        if n:
            self.order.append(t)
        return t

    def output(self, name, layer, s, features, outs):
        """Adds the rounding whose output tensors were just added, and its digits."""
        require(0 <= s <= 62, "shift", s)
        r = Rounding(name, layer, s, features)
        r.outs, r.tiles = outs, outs[0][0].tiles
        self.roundings.append(r)
        self.rounding_by_name[name, layer] = r
        self.order.append(r)
        if name in ("z", "lg"):
            self.order.append(Domain(r, 2 * self.c.D_t + 1))
        for k in range(1, -(-s // 16)):
            left = s - 16 * k
            r.digits.append((self.add(f"{name}.{k}", layer, features, 1 << min(left, 16)), 1 << 16 * k))

    def reach(self, s):
        """h0: the largest |t| with 2^s t far from wrapping."""
        h0 = (HALF >> s) - 1
        require(h0 >= 0, "ledger", s)
        return h0

    def operand(self, name, layer, s, features, top=None):
        self.shift[name, layer] = s
        if not self.reached(name, layer):
            return
        n = 2 * min(self.c.Q if top is None else top, self.reach(s)) + 1
        self.output(name, layer, s, features, [(self.add(name, layer, features, n), 1)])

    def split(self, name, layer, s):
        self.shift[name, layer] = s
        if not self.reached(name, layer):
            return
        lo, hi = SPLIT[name if name != "dxF" else "dx1"]
        require((lo * hi // 2 + 1) << s <= HALF, "ledger", s)
        outs = [(self.add(name + "lo", layer, self.c.d, lo), 1), (self.add(name + "hi", layer, self.c.d, hi), lo)]
        self.output(name, layer, s, self.c.d, outs)

    def scores(self, name, out, layer, s, features, products, factor, zero):
        c = self.c
        self.shift[out, layer] = s
        if not self.reached(name, layer):
            return
        m = (products * c.Q * c.Q * factor >> s) + 1
        n = 0
        if (m + 2 * c.D_t + 1) << s > HALF:
            n = 1
            while n <= 2 * m + 1 or n <= zero:
                n *= 2
        require((m + (n - 1 if n else 2 * c.D_t) + 1) << s <= HALF, "ledger", s)
        t = self.add(name, layer, features, n, c.D_t)
        self.output(out, layer, s, features, [(t, 1)])

    def add_layer(self, layer):
        c, f, w1 = self.c, self.f, self.c.w - 1
        g = {n: f[n, layer] for n in numerics.LAYER_FRACTIONS}
        gx, scores = f["gx", None], c.H * self.T2
        self.operand("y1", layer, c.f_res + c.f_r - g["y1"], c.d)
        for n in "qkv":
            self.operand(n, layer, g["y1"] + g["Wqkv"] - g[n], c.d)
        self.scores("D", "z", layer, g["q"] + g["k"] + c.x_C - c.f_z, scores, c.hd, c.C, self.exp0)
        self.add("e", layer, scores)
        self.operand("o", layer, g["v"] + c.f_R + w1 - g["o"], c.d)
        self.split("b1", layer, g["o"] + g["Wo"] - c.f_res)
        self.operand("y2", layer, c.f_res + c.f_r - g["y2"], c.d)
        s = g["y2"] + g["W1"] - g["h"]
        self.shift["h", layer] = s
        if self.reached("h", layer):
            require((c.D_t + 1) << s <= HALF, "ledger", s)
            self.output("h", layer, s, c.F, [(self.add("h", layer, c.F), 1)])
        self.add("g", layer, c.F)
        self.add("gd", layer, c.F)
        self.split("b2", layer, g["g"] + g["W2"] - c.f_res)
        self.operand("dm", layer, gx - g["dm"], c.d)
        self.operand("dh", layer, g["dm"] + g["W2"] + c.f_gd - g["dh"], c.F)
        self.operand("dn2", layer, g["dh"] + g["W1"] - g["dn2"], c.d, c.D_t)
        self.split("dx2", layer, c.f_r + g["dn2"] - gx)
        self.operand("da", layer, gx - g["da"], c.d)
        self.operand("dp", layer, g["da"] + g["Wo"] + c.f_R - g["dp"], c.d)
        self.operand("dv", layer, g["dp"] + w1 - g["dv"], c.d)
        self.operand("ds", layer, g["dp"] + g["o"] + w1 - g["ds"], scores)
        self.operand("dq", layer, g["ds"] + g["k"] + c.x_Cb - g["dq"], c.d)
        self.operand("dk", layer, g["ds"] + g["q"] + c.x_Cb - g["dk"], c.d)
        highest = max(g["dq"], g["dk"], g["dv"])
        self.operand("dn1", layer, g["Wqkv"] + highest - g["dn1"], c.d, c.D_t)
        self.split("dx1", layer, c.f_r + g["dn1"] - gx)

    def add_top(self):
        c, f, top = self.c, self.f, self.c.L
        self.operand("yF", top, c.f_res + c.f_r - f["yF", None], c.d)
        self.scores("Dl", "lg", top, f["yF", None] + f["Wh", None] + c.x_2 - c.f_l, c.V, c.d, c.C2, self.expl0)
        self.add("el", top, c.V)
        self.operand("dl", top, c.n_l - (c.w - 1), c.V)
        self.operand("dnF", top, c.w - 1 + f["Wh", None] - f["dnF", None], c.d, c.D_t)
        self.split("dxF", top, c.f_r + f["dnF", None] - f["gx", None])

    # --- section 7: tables and tiles ------------------------------------------------------------------------------------

    def make_tables(self):
        """columns: x, tag, x', x'' of every entry; then the multiplicity tensors."""
        c = self.c
        self.kappa = max(0, INSTANCE_BITS - self.nu - self.b)
        self.integer_tiles = sum(o.tiles for o in self.order)
        self.tuples = [(EXP_TAG, [self.by_name["D", i], self.by_name["e", i]], [c.D_t, 0]) for i in range(c.L) if self.has("e", i)]
        self.tuples += [(EXP_TAG + 2 + i, [self.by_name[n, i] for n in ("h", "g", "gd")], [c.D_t, 0, 0]) for i in range(c.L) if self.has("g", i)]
        if self.has("el", c.L):
            self.tuples.append((EXP_TAG + 1, [self.by_name["Dl", c.L], self.by_name["el", c.L]], [c.D_t, 1 << 15]))
        self.tuple_tiles = sum(t[1][0].tiles for t in self.tuples)
        sizes = {o.n for o in self.order}
        parts = [(np.arange(n), n, 0, 0) for n in sorted(sizes)]
        x = np.arange(2 * c.D_t + 1)
        parts += [(x, EXP_TAG, c.exp(), 0)] * self.has("e", 0) + [(x, EXP_TAG + 1, c.expl(), 0)] * self.has("el", c.L)
        for i in range(c.L):
            if not self.has("g", i):
                break
            g = tables.gelu_operand_table(c, self.f["h", i], self.f["g", i])
            parts.append((x, EXP_TAG + 2 + i, g, tables.gelu_slope_table(self.f["h", i], c.f_gd, c.D_t)))
        self.entries = [np.concatenate([np.broadcast_to(p[i], p[0].shape) for p in parts]).astype(np.int64) for i in range(4)]
        self.entry_count = len(self.entries[0])
        features = -(-self.entry_count // (self.N * self.B)) * self.B
        self.add("mult_lo", c.L, features)
        self.add("mult_hi", c.L, features)

    def instances(self, tiles):
        """(first tile, end, log2 of the slots) of each instance."""
        out, first = [], 0
        while first < tiles:
            bits = min(self.kappa, (tiles - first).bit_length() - 1)
            out.append((first, first + (1 << bits), bits))
            first += 1 << bits
        return out

    # --- section 11 -----------------------------------------------------------------------------------------------------

    def commit_shape(self):
        self.cells = (self.tensors[-1].first + self.tensors[-1].tiles) * self.N * self.B
        m = 0
        while 1 << 2 * m < 27 * self.cells:
            m += 1
        self.m = min(self.nu + self.b, max(9, m))
        require(self.cells < 1 << 40 and self.m < TWO_ADICITY, "cells", self.cells)
        self.M = 1 << self.m
        self.rows = self.cells // self.M
        self.feature_bits = max(log2_ceil(t.tiles * self.B) for t in self.tensors)

    def streams_before(self, layer, second):
        """Committed tensors with factors whose sum, with x_0, is the stream that enters y1 (or y2) of the layer."""
        names = [("b1", i) for i in range(layer + second)] + [("b2", i) for i in range(layer)]
        return [t for n in names if n in self.rounding_by_name for t in self.rounding_by_name[n].outs]

    def gradients_above(self, layer, second):
        """The same for gx: what enters dm of the layer, or with `second` da; layer -1: what leaves layer 0."""
        names = [("dxF", self.c.L)] + [("dx2", i) for i in range(layer + (not second), self.c.L)] + [("dx1", i) for i in range(layer + 1, self.c.L)]
        return [t for n in names if n in self.rounding_by_name for t in self.rounding_by_name[n].outs]


def admitted(shape, layer_values, top_values):
    """Constants and fractions of an admitted statement."""
    try:
        c = tables.Constants(*shape[:6], helper=("narrow", "wide")[shape[6]])
    except (ValueError, IndexError) as e:
        raise Refused("shape") from e
    f = read_fractions(shape, layer_values, top_values)
    require(numerics.admitted(c, f), "fractions")
    require(shape[6] == 0 and not misfits(ledger(*shape)), "ledger")
    return c, f
