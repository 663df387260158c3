# SPDX-License-Identifier: Apache-2.0
"""Forward and backward pass and calibration of spec/numerics.md, written from that text alone.

A slow second opinion for the C library: int64 arithmetic, batch axis first. Matrix products go through float64 BLAS
where their largest partial sum is below 2^53 (then every sum is exact), else through integers."""
import numpy as np

from . import tables
from .blake3 import derive, keyed_outputs, le32, le64
from .tables import rhu

LAYER_FRACTIONS = "y1 Wqkv q k v o Wo y2 W1 h g W2 dm dh dn2 da dp dv ds dq dk dn1".split()
MODEL_FRACTIONS = "E P yF Wh dnF gx".split()
SLOT = dict(x=0, y1=1, q=2, k=3, v=4, z=5, Z=6, R=7, e=8, o=9, b1=10, y2=11, h=12, g=13, b2=14, r1=15, dm=16, dh=17, dn2=18, dx2=19, da=20,
            dp=21, c=22, m1=23, dv=24, ds=25, dq=26, dk=27, dn1=28, dx1=29, gx=30, r2=31, lg=32, el=33, ZL=34, RL=35, dl=36, m2=37, loss=38,
            xb=39)
DITHERED = "dm dh dn2 dx2 da dp dv ds dq dk dn1 dx1".split()
M_MAX = 1 << 34


class StepRange(Exception):
    """The first failing domain check: tensor id, position of the sequence in the batch, index inside the tensor."""

    def __init__(self, tensor, sequence, index):
        super().__init__(f"RANGE(layer {tensor // 64} slot {tensor % 64}, sequence {sequence}, index {index})")
        self.tensor, self.sequence, self.index = tensor, sequence, index


def weight_names(c):
    names = ["E", "P"]
    for layer in range(c.L):
        names += [f"{n}{layer}" for n in ("Wq", "Wk", "Wv", "Wo", "W1", "W2")]
    return names + ["Wh"]


def weight_shape(c, name):
    kinds = {"E": (c.V, c.d), "P": (c.T, c.d), "Wh": (c.d, c.V), "W1": (c.d, c.F), "W2": (c.F, c.d)}
    return kinds.get(name) or kinds.get(name[:2]) or (c.d, c.d)


def weight_fraction(fractions, name):
    if name in ("E", "P", "Wh"):
        return fractions[name, None]
    kind, layer = name[:2], int(name[2:])
    return fractions["Wqkv" if kind in ("Wq", "Wk", "Wv") else kind, layer]


def weight_operands(c, fractions, master):
    out = {}
    for name in weight_names(c):
        q = rhu(master[name].astype(np.int64), 28 - weight_fraction(fractions, name))
        out[name] = np.clip(q, -c.Q, c.Q)
    return out


def fraction_array(c, fractions):
    out = [fractions[n, layer] for layer in range(c.L) for n in LAYER_FRACTIONS]
    return out + [fractions[n, None] for n in MODEL_FRACTIONS]


def shifts(c, fractions):
    """Every shift s of sections 4 and 5 under the given fractions; all must lie in [0, 62]."""
    f, w1 = fractions, c.w - 1
    top = {n: f[n, None] for n in MODEL_FRACTIONS}
    out = [c.f_res + c.f_r - top["yF"], top["yF"] + top["Wh"] + c.x_2 - c.f_l, c.n_l - w1, w1 + top["Wh"] - top["dnF"],
           c.f_r + top["dnF"] - top["gx"], 28 - top["E"], 28 - top["P"], 28 - top["Wh"]]
    for layer in range(c.L):
        g = {n: f[n, layer] for n in LAYER_FRACTIONS}
        qkv, highest = g["y1"] + g["Wqkv"], max(g["dq"], g["dk"], g["dv"])
        out += [28 - g[n] for n in ("Wqkv", "Wo", "W1", "W2")]
        out += [c.f_res + c.f_r - g["y1"], c.f_res + c.f_r - g["y2"], qkv - g["q"], qkv - g["k"], qkv - g["v"],
                g["q"] + g["k"] + c.x_C - c.f_z, g["v"] + c.f_R + w1 - g["o"], g["o"] + g["Wo"] - c.f_res, g["y2"] + g["W1"] - g["h"],
                g["g"] + g["W2"] - c.f_res, top["gx"] - g["dm"], g["dm"] + g["W2"] + c.f_gd - g["dh"], g["dh"] + g["W1"] - g["dn2"],
                c.f_r + g["dn2"] - top["gx"], top["gx"] - g["da"], g["da"] + g["Wo"] + c.f_R - g["dp"], g["dp"] + w1 - g["dv"],
                g["dp"] + g["o"] + w1 - g["ds"], g["ds"] + g["k"] + c.x_Cb - g["dq"], g["ds"] + g["q"] + c.x_Cb - g["dk"],
                g["Wqkv"] + highest - g["dn1"], c.f_r + g["dn1"] - top["gx"]]
    return out


def admitted(c, fractions):
    """What a reader accepts: section 10, last paragraph."""
    f = fractions
    aligned = all(c.f_res - 4 <= f[n, None] <= c.f_res for n in ("E", "P"))
    for layer in range(c.L):
        three = [f[n, layer] for n in ("dq", "dk", "dv")]
        aligned = aligned and f["v", layer] <= f["o", layer] <= f["v", layer] + 2 and max(three) - min(three) <= 8
    return aligned and all(0 <= s <= 62 for s in shifts(c, f)) and all(-32 <= v <= 62 for v in fraction_array(c, f))


def gradient_fraction(c, fractions, name):
    f = fractions
    f_dl = c.w - 1
    if name in ("E", "P"):
        return f["gx", None]
    if name == "Wh":
        return f["yF", None] + f_dl
    left, right = dict(Wq=("y1", "dq"), Wk=("y1", "dk"), Wv=("y1", "dv"), Wo=("o", "da"), W1=("y2", "dh"), W2=("g", "dm"))[name[:2]]
    layer = int(name[2:])
    return f[left, layer] + f[right, layer]


def bitlen(n):
    return int(n).bit_length()


def peak(a):
    return int(max(-int(a.min()), int(a.max()), 0)) if a.size else 0


def matmul(a, b):
    if a.shape[-1] * peak(a) * peak(b) < 1 << 53:
        return np.matmul(a.astype(np.float64), b.astype(np.float64)).astype(np.int64)
    return np.matmul(a, b)


def isqrt(n):
    """Vector floor square root of non-negative int64 or uint64 values below 2^63."""
    n = n.astype(np.uint64)
    r = np.sqrt(n.astype(np.float64)).astype(np.uint64)
    one = np.uint64(1)
    for _ in range(2):
        r = np.where(r * r > n, r - one, r)
        r = np.where((r + one) * (r + one) <= n, r + one, r)
    return r.astype(np.int64)


def ilog2(n):
    """log2 with 16 fractional bits, section 4."""
    b = n.bit_length() - 1
    m = n << (62 - b) if b <= 62 else n >> (b - 62)
    bits = 0
    for _ in range(16):
        m = (m * m) >> 62
        bits <<= 1
        if m >= 1 << 63:
            bits |= 1
            m >>= 1
    return (b << 16) + bits


def dither_seed(job, model, step):
    return derive("theblock 2026 dither seed v1", job + model + le64(step))


class Dither:
    """The words of every dithered tensor for some sequences, expanded in one pass. id -> (rows (B, n), columns (m))."""

    def __init__(self, c, seed, sequences):
        plan = [(64 * c.L + SLOT["dl"], c.T, c.V), (64 * c.L + SLOT["dn1"], c.T, c.d), (64 * c.L + SLOT["dx1"], c.T, c.d)]
        for layer in range(c.L):
            for name in DITHERED:
                rows, columns = {"ds": (c.H * c.T, c.H * c.T), "dh": (c.T, c.F)}.get(name, (c.T, c.d))
                plan.append((64 * layer + SLOT[name], rows, columns))
        messages, lengths = [], []
        for ident, rows, columns in plan:
            messages.append(b"b" + le32(ident))
            lengths.append(8 * columns)
            for s in sequences:
                messages.append(b"a" + le32(ident) + le64(s))
                lengths.append(8 * rows)
        out = keyed_outputs(seed, messages, lengths)
        step = 1 + len(sequences)
        self.words = {}
        for i, (ident, _, _) in enumerate(plan):
            words = [np.ascontiguousarray(o).view("<u8") for o in out[i * step:(i + 1) * step]]
            self.words[ident] = (np.stack(words[1:]), words[0])

    def mask(self, c, ident, s):
        """u for a tensor, shape (B, rows, columns), or (B, H, T, T) for attention scores."""
        low = np.uint64((1 << s) - 1)
        rows, columns = self.words[ident]
        rows, columns = rows & low, columns & low
        if ident % 64 == SLOT["ds"]:
            rows, columns = rows.reshape(-1, c.H, c.T), columns.reshape(c.H, c.T)
            return (rows[..., None] ^ columns[:, None, :]).astype(np.int64)
        return (rows[..., None] ^ columns).astype(np.int64)


class LowerGx(Exception):
    """During calibration: the gradient stream is too fine for this batch."""


class Pass:
    """One forward and backward pass over a batch. Without `dither` all roundings are half up. With `repetition` not None
    the pass calibrates: it chooses each missing fraction when it meets its tensor, coarser the more often a step was repeated."""

    def __init__(self, c, weights, fractions, dither=None, trace=None, repetition=None, counts=None):
        self.c, self.w, self.f, self.dither, self.trace = c, weights, fractions, dither, trace
        self.calibrating, self.counts = repetition is not None, counts
        self.coarser, self.gx_room = min(repetition or 0, 4), min(3 * (repetition or 0), 9)
        self.saved = {}

    def note(self, name, layer, value):
        if self.trace is not None:
            self.trace[64 * layer + SLOT[name]] = value
        return value

    def check(self, name, layer, t, bound):
        if peak(t) > bound:
            flat = int(np.argmax((np.abs(t) > bound).reshape(-1)))
            size = t.size // t.shape[0]
            raise StepRange(64 * layer + SLOT[name], flat // size, flat % size)

    def fitting(self, acc):
        """Shift that leaves one bit of an operand free on this batch."""
        return max(0, bitlen(peak(acc)) - (self.c.w - 2)) + self.coarser

    def choose(self, key, f_acc, shift):
        """The shift of a tensor that is no operand; `shift()` is asked while calibrating, if the fraction is still open."""
        if self.calibrating and key not in self.f:
            self.f[key] = f_acc - shift()
        return f_acc - self.f[key]

    def round(self, name, layer, acc, s, dithered):
        if dithered and self.dither is not None and s:
            acc = acc + self.dither.mask(self.c, 64 * layer + SLOT[name], s)
            return acc >> s
        return rhu(acc, s)

    def operand(self, name, layer, acc, f_acc, dithered=False, key=None, low=None, high=None):
        """Round, check, saturate: section 1. `key` is the name of the fraction where it differs."""
        c = self.c
        key = key or (name, layer)
        if self.calibrating and key not in self.f:
            f = f_acc - self.fitting(acc)
            f = max(f, low) if low is not None else f
            self.f[key] = min(f, high) if high is not None else f
        t = self.round(name, layer, acc, f_acc - self.f[key], dithered)
        self.check(name, layer, t, c.D_t)
        q = np.clip(t, -c.Q, c.Q)
        if self.counts is not None:
            hit = self.counts.setdefault(name if layer < c.L else name + "F", [0, 0])
            hit[0] += int((q != t).sum())
            hit[1] += q.size
        return self.note(name, layer, q)

    def unsaturated(self, name, layer, acc, s, dithered=False, bound=None):
        t = self.round(name, layer, acc, s, dithered)
        self.check(name, layer, t, self.c.D_t if bound is None else bound)
        return self.note(name, layer, t)

    def heads(self, a):
        return a.reshape(a.shape[0], self.c.T, self.c.H, self.c.hd).transpose(0, 2, 1, 3)

    def unheads(self, a):
        return a.transpose(0, 2, 1, 3).reshape(a.shape[0], self.c.T, self.c.d)

    def norm(self, x, layer, y_name, r_name):
        c = self.c
        squares = (x * x).sum(-1)
        self.check(r_name, layer, squares, c.D_s)
        total = squares + (c.d << (2 * c.f_res - 17))
        top = c.d << (2 * c.f_r + 2 * c.f_res)
        if top < 1 << 62:
            quotient = top // total
        else:
            quotient = np.array([top // int(v) for v in total.reshape(-1)], np.int64).reshape(total.shape)
        r = self.note(r_name, layer, isqrt(quotient))
        key = ("yF", None) if layer == c.L else (y_name, layer)
        y = self.operand(y_name, layer, x * r[..., None], c.f_res + c.f_r, key=key)
        return y, r

    def forward(self, tokens, targets):
        c, w, f = self.c, self.w, self.f
        x = (w["E"][tokens] << (c.f_res - f["E", None])) + (w["P"] << (c.f_res - f["P", None]))
        for layer in range(c.L):
            self.note("x", layer, x)
            x = self.attention(x, layer)
            self.note("xb", layer, x)
            x = self.mlp(x, layer)
        self.note("x", c.L, x)
        yF, rF = self.norm(x, c.L, "y1", "r1")
        lg = self.unsaturated("lg", c.L, matmul(yF, w["Wh"]) * c.C2, f["yF", None] + f["Wh", None] + c.x_2 - c.f_l)
        top = lg.max(-1)
        el = self.note("el", c.L, c.expl()[top[..., None] - lg])
        ZL = self.note("ZL", c.L, el.sum(-1))
        RL = self.note("RL", c.L, ((1 << c.n_l) + (ZL >> 1)) // ZL)
        base = ilog2(c.Q_l + 1)
        logs = np.array([ilog2(int(v)) - base for v in ZL.reshape(-1)], np.int64).reshape(ZL.shape)
        at_target = np.take_along_axis(lg, targets[..., None], -1)[..., 0]
        loss = self.note("loss", c.L, ((top - at_target) << (16 - c.f_l)) + logs)
        self.saved["head"] = (tokens, targets, yF, rF, el, RL)
        return loss

    def attention(self, x, layer):
        c, w, f = self.c, self.w, self.f
        y1, r1 = self.norm(x, layer, "y1", "r1")
        f_acc = f["y1", layer] + f["Wqkv", layer]
        q, k, v = (self.operand(n, layer, matmul(y1, w[f"W{n}{layer}"]), f_acc) for n in "qkv")
        qh, kh, vh = self.heads(q), self.heads(k), self.heads(v)
        causal = np.tril(np.ones((c.T, c.T), bool))
        acc = np.where(causal, matmul(qh, kh.transpose(0, 1, 3, 2)) * c.C, 0)
        z = self.unsaturated("z", layer, acc, f["q", layer] + f["k", layer] + c.x_C - c.f_z)
        top = np.where(causal, z, -c.D_t - 1).max(-1, keepdims=True)
        e = self.note("e", layer, np.where(causal, c.exp()[np.where(causal, top - z, 0)], 0))
        Z = self.note("Z", layer, e.sum(-1))
        R = self.note("R", layer, ((1 << (c.f_R + c.w - 1)) + (Z >> 1)) // Z)
        acc = self.unheads(matmul(e, vh) * R[..., None])
        f_v = f["v", layer]
        o = self.operand("o", layer, acc, f_v + c.f_R + c.w - 1, low=f_v, high=f_v + 2)
        b1 = self.unsaturated("b1", layer, matmul(o, w[f"Wo{layer}"]), f["o", layer] + f["Wo", layer] - c.f_res, bound=c.D_b)
        self.saved["attention", layer] = (y1, r1, qh, kh, vh, e, R, o)
        return x + b1

    def mlp(self, x, layer):
        c, w, f = self.c, self.w, self.f
        y2, r2 = self.norm(x, layer, "y2", "r2")
        acc, f_acc = matmul(y2, w[f"W1{layer}"]), f["y2", layer] + f["W1", layer]
        s = self.choose(("h", layer), f_acc, lambda: max(0, bitlen(peak(acc)) - c.h_bits, f_acc - c.f_hmax) + self.coarser)
        h = self.unsaturated("h", layer, acc, s)
        if self.calibrating:
            a = peak(tables.gelu_table(f["h", layer], 20, c.D_t)[h + c.D_t])
            f.setdefault(("g", layer), 20 - max(0, bitlen(a) - (c.w - 2)) - self.coarser)
        g = self.note("g", layer, tables.gelu_operand_table(c, f["h", layer], f["g", layer])[h + c.D_t])
        b2 = self.unsaturated("b2", layer, matmul(g, w[f"W2{layer}"]), f["g", layer] + f["W2", layer] - c.f_res, bound=c.D_b)
        self.saved["mlp", layer] = (y2, r2, h, g)
        return x + b2

    def normback(self, dn, y, r, f_dn, f_y, layer, m_name, dx_name):
        c = self.c
        M = (dn * y).sum(-1)
        if 2 * peak(M) * peak(r) + (c.d << (2 * f_y)) < 1 << 62:
            m = (2 * r * M + (c.d << (2 * f_y))) // (c.d << (2 * f_y + 1))
        else:
            wide = (2 * r.astype(object) * M.astype(object) + (c.d << (2 * f_y))) // (c.d << (2 * f_y + 1))
            if max(abs(v) for v in wide.reshape(-1)) >= 1 << 62:
                raise StepRange(64 * layer + SLOT[m_name], 0, 0)
            m = wide.astype(np.int64)
        self.check(m_name, layer, m, M_MAX)
        self.note(m_name, layer, m)
        acc = r[..., None] * dn - y * m[..., None]
        s = self.choose(("gx", None), c.f_r + f_dn, lambda: max(0, bitlen(peak(acc)) - (16 - self.gx_room)))
        if self.calibrating and (s < 0 or bitlen(rhu(peak(acc), s)) > c.gx_bits - self.gx_room):
            raise LowerGx
        return self.unsaturated(dx_name, layer, acc, s, True, c.D_g)

    def dn(self, name, layer, acc, f_acc, key=None):
        key = key or (name, layer)
        s = self.choose(key, f_acc, lambda: max(0, bitlen(peak(acc)) - self.c.dn_bits) + self.coarser)
        return self.unsaturated(name, layer, acc, s, True), self.f[key]

    def rows(self, left, right):
        """Exact weight gradient: sum over batch and positions of left^T right."""
        return matmul(left.reshape(-1, left.shape[-1]).T, right.reshape(-1, right.shape[-1]))

    def backward(self):
        c, w, f = self.c, self.w, self.f
        tokens, targets, yF, rF, el, RL = self.saved["head"]
        grads = {}
        acc = el * RL[..., None]
        at_target = np.take_along_axis(acc, targets[..., None], -1) - (1 << c.n_l)
        np.put_along_axis(acc, targets[..., None], at_target, -1)
        f_dl = c.w - 1
        t = self.round("dl", c.L, acc, c.n_l - f_dl, True)
        self.check("dl", c.L, t, c.D_t)
        dl = self.note("dl", c.L, np.clip(t, -c.Q, c.Q))
        grads["Wh"] = self.rows(yF, dl)
        dn, f_dn = self.dn("dn1", c.L, matmul(dl, w["Wh"].T), f_dl + f["Wh", None], key=("dnF", None))
        gx = self.normback(dn, yF, rF, f_dn, f["yF", None], c.L, "m1", "dx1")
        for layer in reversed(range(c.L)):
            gx = self.mlp_back(gx, layer, grads)
            gx = self.attention_back(gx, layer, grads)
            self.note("gx", layer, gx)
        grads["E"] = np.zeros((c.V, c.d), np.int64)
        np.add.at(grads["E"], tokens.reshape(-1), gx.reshape(-1, c.d))
        grads["P"] = gx.sum(0)
        return grads

    def mlp_back(self, gx, layer, grads):
        c, w, f = self.c, self.w, self.f
        y2, r2, h, g = self.saved["mlp", layer]
        dm = self.operand("dm", layer, gx, f["gx", None], True)
        grads[f"W2{layer}"] = self.rows(g, dm)
        slope = tables.gelu_slope_table(f["h", layer], c.f_gd, c.D_t)[h + c.D_t]
        dh = self.operand("dh", layer, matmul(dm, w[f"W2{layer}"].T) * slope, f["dm", layer] + f["W2", layer] + c.f_gd, True)
        grads[f"W1{layer}"] = self.rows(y2, dh)
        dn, f_dn = self.dn("dn2", layer, matmul(dh, w[f"W1{layer}"].T), f["dh", layer] + f["W1", layer])
        return gx + self.normback(dn, y2, r2, f_dn, f["y2", layer], layer, "m2", "dx2")

    def attention_back(self, gx, layer, grads):
        c, w, f = self.c, self.w, self.f
        y1, r1, qh, kh, vh, e, R, o = self.saved["attention", layer]
        da = self.operand("da", layer, gx, f["gx", None], True)
        grads[f"Wo{layer}"] = self.rows(o, da)
        acc = self.unheads(self.heads(matmul(da, w[f"Wo{layer}"].T)) * R[..., None])
        dp = self.operand("dp", layer, acc, f["da", layer] + f["Wo", layer] + c.f_R, True)
        dph, oh = self.heads(dp), self.heads(o)
        dv_acc, f_dv_acc = self.unheads(matmul(e.transpose(0, 1, 3, 2), dph)), f["dp", layer] + c.w - 1
        dv = None if self.calibrating else self.operand("dv", layer, dv_acc, f_dv_acc, True)
        ci = self.note("c", layer, (dph * oh).sum(-1))
        acc = e * ((matmul(dph, vh.transpose(0, 1, 3, 2)) << (f["o", layer] - f["v", layer])) - ci[..., None])
        ds = self.operand("ds", layer, acc, f["dp", layer] + f["o", layer] + c.w - 1, True)
        dq_acc, f_dq_acc = self.unheads(matmul(ds, kh) * c.Cb), f["ds", layer] + f["k", layer] + c.x_Cb
        dk_acc, f_dk_acc = self.unheads(matmul(ds.transpose(0, 1, 3, 2), qh) * c.Cb), f["ds", layer] + f["q", layer] + c.x_Cb
        if self.calibrating:
            self.settle_qkv(layer, dict(dv=(dv_acc, f_dv_acc), dq=(dq_acc, f_dq_acc), dk=(dk_acc, f_dk_acc)))
            dv = self.operand("dv", layer, dv_acc, f_dv_acc, True)
        dq = self.operand("dq", layer, dq_acc, f_dq_acc, True)
        dk = self.operand("dk", layer, dk_acc, f_dk_acc, True)
        parts = dict(q=dq, k=dk, v=dv)
        highest = max(f["d" + n, layer] for n in parts)
        acc = 0
        for n, part in parts.items():
            grads[f"W{n}{layer}"] = self.rows(y1, part)
            acc = acc + (matmul(part, w[f"W{n}{layer}"].T) << (highest - f["d" + n, layer]))
        dn, f_dn = self.dn("dn1", layer, acc, f["Wqkv", layer] + highest)
        return gx + self.normback(dn, y1, r1, f_dn, f["y1", layer], layer, "m1", "dx1")

    def settle_qkv(self, layer, parts):
        for name, (acc, f_acc) in parts.items():
            self.f[name, layer] = f_acc - self.fitting(acc)
        lowest = min(self.f[name, layer] for name in parts)
        for name in parts:
            self.f[name, layer] = min(self.f[name, layer], lowest + 8)


def weight_fractions(c, master):
    """Fractions of the weights, from the masters alone: section 10."""
    def fit(*arrays):
        return max(0, min(28, c.w - 2 - max(bitlen(peak(a.astype(np.int64))) for a in arrays) + 28))

    f = {(n, None): max(c.f_res - 4, min(c.f_res, fit(master[n]))) for n in ("E", "P")}
    for layer in range(c.L):
        f["Wqkv", layer] = fit(*(master[f"{n}{layer}"] for n in ("Wq", "Wk", "Wv")))
        for n in ("Wo", "W1", "W2"):
            f[n, layer] = fit(master[f"{n}{layer}"])
    f["Wh", None] = fit(master["Wh"])
    return f


def calibrate(c, master, tokens, targets, repetition=0):
    """All fractions of a step from its masters and the calibration batch (B, T). StepRange means ERR_STEP_RANGE."""
    fractions = weight_fractions(c, master)
    run = Pass(c, weight_operands(c, fractions, master), fractions, repetition=repetition)
    run.forward(tokens, targets)
    forward = dict(fractions)
    while True:
        try:
            run.backward()
            return fractions
        except LowerGx:
            lowered = fractions["gx", None] - 3
            fractions.clear()
            fractions.update(forward)
            fractions["gx", None] = lowered


def gradient(c, master, fractions, seed, sequences, tokens, targets, trace=None, counts=None):
    """Exact gradients (name -> int64) and the losses (B, T) of the given sequences; raises StepRange."""
    dither = Dither(c, seed, sequences)
    run = Pass(c, weight_operands(c, fractions, master), fractions, dither, trace, counts=counts)
    loss = run.forward(tokens, targets)
    return run.backward(), loss
