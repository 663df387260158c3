# SPDX-License-Identifier: Apache-2.0
"""The lookup argument and what its leaf claims become: sections 7 and 8 of spec/proof.md."""
import numpy as np

from .field import K, V, eq, log2_ceil, powers
from .layout import EXP_TAG, Domain, Rounding
from .sumcheck import rounds
from .transcript import require

PRODUCTS = ("z", "o", "dh", "dv", "ds", "dq", "dk")


class Claim:
    """value = sum over terms (tensor, token weights, feature weights) of sum_ij w_i v_j t_ij; a tensor is a Tensor or a Stream."""

    def __init__(self, value, terms):
        self.value, self.terms = value, terms


class Stream:
    """A virtual tensor: x_0 (if `public`) and a sum of committed tensors with factors."""

    def __init__(self, key, parts, public):
        self.key, self.parts, self.public = key, parts, public


class Part:
    """A product part of a leaf claim: its value and where it comes from."""

    def __init__(self, rounding, value, point, omega, phi):
        self.rounding, self.value, self.point, self.omega, self.phi = rounding, value, point, omega, phi


def fractions(reader, fork, bits, unit):
    """One instance of 2^bits leaves: (P, Q of the root), end point, claims P and Q on the leaves."""
    P, Q = root = reader.receive(fork, "root", 2)
    require(Q != 0, "root", reader.at)
    require(not unit or bits or P == 1, "root", reader.at)
    r = []
    for m in range(bits):
        mix = fork.squeeze("lambda").k()
        point, claim = rounds(reader, fork, m, P + mix * Q, r)
        if unit and m == bits - 1:
            Q0, Q1 = reader.receive(fork, "end", 2)
            P0 = P1 = K(1)
        else:
            P0, Q0, P1, Q1 = reader.receive(fork, "end", 4)
        require(claim == P0 * Q1 + P1 * Q0 + mix * (Q0 * Q1), "layer", reader.at)
        c = fork.squeeze("line").k()
        P, Q, r = P0 + c * (P1 - P0), Q0 + c * (Q1 - Q0), point + [c]
    return root, r, P, Q


class Lookup:
    def __init__(self, layout, public, reader):
        self.y, self.pub, self.reader = layout, public, reader
        self.claims, self.parts = [], []

    def run(self, t):
        y = self.y
        stream = t.squeeze("lookup")
        self.alpha, self.gamma = stream.k(), stream.k()
        forks, P, Q = [], K(0), K(1)
        for tiles, leaves in ((y.integer_tiles, self.integer_leaves), (y.tuple_tiles, self.tuple_leaves)):
            for first, end, bits in y.instances(tiles):
                fork = t.fork("lookup", len(forks))
                (p, q), r, _, value = fractions(self.reader, fork, bits + y.b + y.nu, True)
                leaves(fork, r, value, first, end, bits)
                P, Q = P * q + p * Q, Q * q
                forks.append(fork)
        fork = t.fork("lookup", len(forks))
        (p, q), r, multiplicity, value = fractions(self.reader, fork, log2_ceil(y.entry_count), False)
        self.table_leaves(r, multiplicity, value)
        t.join(forks + [fork])
        require(P * q == p * Q, "lookup sum")

    # --- leaves ---------------------------------------------------------------------------------------------------------

    def split(self, r, bits):
        y = self.y
        self.low, self.tile = eq(r[:y.b]), eq(r[y.b + y.nu:])
        assert len(r) == y.b + y.nu + bits
        return r[y.b:y.b + y.nu]

    def spread(self, objects, first, end):
        """(object, phi, sum of phi) for each object with tiles in [first, end); an object is (tiles, what)."""
        y, at = self.y, 0
        for tiles, what in objects:
            lo, hi = max(first, at), min(end, at + tiles)
            if lo < hi:
                weights = self.tile[slice(lo - first, hi - first)]
                phi = V.zeros(tiles * y.B)
                phi[slice((lo - at) * y.B, (hi - at) * y.B)] = self.low.times(weights)
                yield what, phi, weights.sum()
            at += tiles

    def integer_leaves(self, fork, r, value, first, end, bits):
        """fingerprints sum to alpha - value; what is public and the product parts are taken off."""
        y, gamma = self.y, self.gamma
        point = self.split(r, bits)
        omega = eq(point)
        left = self.alpha - value
        terms, products = [], []
        for o, phi, weight in self.spread([(o.tiles, o) for o in y.order], first, end):
            left = left - gamma * o.n * weight
            if isinstance(o, Domain):
                left = left - self.domain(o.rounding, omega, phi, weight)
                terms.append((o.rounding.outs[0][0], omega, -phi))
                continue
            if not isinstance(o, Rounding):
                left = left - o.offset * weight
                terms.append((o, omega, phi))
                continue
            left = left - self.constants(o, omega, phi, weight)
            terms += self.linear(o, omega, phi)
            if o.name in PRODUCTS:
                products.append((o, phi))
        for o, phi in products:
            part, = self.reader.receive(fork, "parts", 1)
            left = left - part * self.scale(o)
            self.parts.append(Part(o, part, point, omega, phi))
        self.claims.append(Claim(left, terms))

    def tuple_leaves(self, fork, r, value, first, end, bits):
        y, gamma = self.y, self.gamma
        omega = eq(self.split(r, bits))
        left = self.alpha - value
        terms = []
        for (tag, tensors, offsets), phi, weight in self.spread([(t[1][0].tiles, t) for t in y.tuples], first, end):
            left = left - gamma * tag * weight
            for tensor, offset, power in zip(tensors, offsets, (K(1), gamma * gamma, gamma * gamma * gamma)):
                left = left - offset * power * weight
                terms.append((tensor, omega, phi * power))
        self.claims.append(Claim(left, terms))

    def table_leaves(self, r, multiplicity, value):
        y, gamma = self.y, self.gamma
        weights = eq(r)[slice(0, y.entry_count)]
        x, tag, x1, x2 = y.entries
        powers_ = powers(gamma, 4)
        want = weights.dot(x) + weights.dot(tag) * powers_[1] + weights.dot(x1) * powers_[2] + weights.dot(x2) * powers_[3]
        require(value == self.alpha - want, "table")
        r = r + [K(0)] * (y.b + y.nu - len(r))
        omega, phi = eq(r[y.b:y.b + y.nu]), eq(r[:y.b]).times(eq(r[y.b + y.nu:]))
        lo, hi = (y.by_name[n, y.c.L] for n in ("mult_lo", "mult_hi"))
        n = lo.tiles * y.B
        phi = phi[slice(0, n)] if len(phi) >= n else phi.padded(n)
        self.claims.append(Claim(multiplicity, [(lo, omega, phi), (hi, omega, phi * (1 << 15))]))

    # --- the virtual digit of a rounding: sum omega phi x_0 ---------------------------------------------------------------

    def scale(self, o):
        """What a product part is multiplied by."""
        y, c = self.y, self.y.c
        if o.name == "z":
            return c.C
        if o.name in ("dq", "dk"):
            return c.Cb
        return 1 << (y.f["o", o.layer] - y.f["v", o.layer]) if o.name == "ds" else 1

    def heads_of(self, phi, h, size):
        out = V.zeros(len(phi))
        part = slice(h * size, (h + 1) * size)
        out[part] = phi[part]
        return out

    def constants(self, o, omega, phi, weight):
        y, c, pub = self.y, self.y.c, self.pub
        out = -sum((factor * t.offset * weight for t, factor in o.digits), K(0))
        if o.name in ("z", "lg"):
            return out + self.masked(o, omega, phi, weight)
        if o.dithered:
            out = out + omega.dot(phi.under(pub.dither(o)))
        elif o.s:
            out = out + (1 << (o.s - 1)) * weight
        for token, feature, t in pub.exceptions.get((o.name, o.layer), ()):
            saturated = c.Q if t > 0 else -c.Q
            out = out - ((t - saturated) << o.s) * (omega[token] * phi[feature])
        if o.name == "dl":
            rl = pub.logits["R"][:, 0]
            out = out + (1 << 15) * (omega.dot(rl) * weight)
            for i in np.nonzero(y.real)[0]:
                out = out - (1 << c.n_l) * (omega[i] * phi[pub.targets[i]])
        return out

    def masks(self, o):
        """mask, mask max, D0 of z or lg."""
        y, c = self.y, self.y.c
        mask, top, zero = np.zeros((y.N, o.tiles * y.B), np.int64), np.zeros((y.N, o.tiles * y.B), np.int64), y.exp0
        if o.name == "z":
            for h in range(c.H):
                part = slice(h * y.T2, (h + 1) * y.T2)
                mask[:, part] = y.real[:, None] & (np.arange(y.T2)[None, :] <= y.position[:, None])
                top[:, part] = self.pub.heads[o.layer]["max"][:, h].astype(np.int64)[:, None]
        else:
            zero = y.expl0
            mask[:, :c.V] = y.real[:, None]
            top[:, :c.V] = self.pub.logits["max"].astype(np.int64)
        return mask, mask * top, zero

    def masked(self, o, omega, phi, weight):
        """The public part of z and lg: mask (2^(s-1) - 2^s max) + 2^s (D_t - (1 - mask) D0)."""
        mask, top, zero = self.masks(o)
        half = 1 << (o.s - 1) if o.s else 0
        out = (half + (zero << o.s)) * omega.dot(phi.under(mask)) - (1 << o.s) * omega.dot(phi.under(top))
        return out + ((self.y.c.D_t - zero) << o.s) * weight

    def domain(self, o, omega, phi, weight):
        """The public part of mask (max - D + D_t) + (1 - mask) D_t, where D is D0 if masked: mask max + (1 - mask) D0, less the cell."""
        mask, top, zero = self.masks(o)
        return omega.dot(phi.under(top)) - zero * omega.dot(phi.under(mask)) + zero * weight

    def linear(self, o, omega, phi):
        """Terms on committed and virtual tensors."""
        terms = self.accumulated(o, omega, phi)
        sign = 1 if o.name in ("z", "lg") else -1
        terms += [(t, omega, phi * (sign * factor << o.s)) for t, factor in o.outs]
        return terms + [(t, omega, phi * -factor) for t, factor in o.digits]

    def accumulated(self, o, omega, phi):
        y, c, pub, w = self.y, self.y.c, self.pub, self.pub.weights
        name, layer = o.name, o.layer

        def times(tensor, weight, factor=1, transpose=False):
            """tensor W: weights v_k = sum_j phi_j W[k, j]."""
            matrix = w[weight].T if transpose else w[weight]
            v = phi[slice(0, matrix.shape[1])].under(matrix) * factor
            t = y.by_name[tensor]
            return (t, omega, v.padded(t.tiles * y.B))

        if name in ("y1", "y2", "yF"):
            return [(self.stream(layer, name == "y2"), omega * pub.norms[name, layer]["r"], phi)]
        if name in ("q", "k", "v"):
            return [times(("y1", layer), f"W{name}{layer}")]
        if name == "b1":
            return [times(("o", layer), f"Wo{layer}")]
        if name == "h":
            return [times(("y2", layer), f"W1{layer}")]
        if name == "b2":
            return [times(("g", layer), f"W2{layer}")]
        if name == "lg":
            return [times(("yF", layer), "Wh", c.C2)]
        if name == "dl":
            return [(y.by_name["el", layer], omega * pub.logits["R"][:, 0], phi)]
        if name == "dnF":
            return [times(("dl", layer), "Wh", transpose=True)]
        if name == "dn2":
            return [times(("dh", layer), f"W1{layer}", transpose=True)]
        if name == "dn1":
            highest = max(y.f[n, layer] for n in ("dq", "dk", "dv"))
            return [times((f"d{n}", layer), f"W{n}{layer}", 1 << (highest - y.f[f"d{n}", layer]), True) for n in "qkv"]
        if name in ("dx1", "dx2", "dxF"):
            n = pub.norms[{"dx1": "y1", "dx2": "y2", "dxF": "yF"}[name], layer]
            dn, t = (y.by_name[{"1": p + "1", "2": p + "2", "F": p + "F"}[name[2]], layer] for p in ("dn", "y"))
            return [(dn, omega * n["r"], phi), (t, omega * n["m"], -phi)]
        if name in ("dm", "da"):
            return [(self.gradient_stream(layer, name == "da"), omega, phi)]
        if name == "dp":
            t = y.by_name["da", layer]
            return [(t, omega * pub.heads[layer]["R"][:, h],
                     self.heads_of(phi, h, c.hd)[slice(0, c.d)].under(w[f"Wo{layer}"].T).padded(t.tiles * y.B)) for h in range(c.H)]
        if name == "ds":
            t = y.by_name["e", layer]
            return [(t, omega * pub.heads[layer]["c"][:, h], -self.heads_of(phi, h, y.T2)) for h in range(c.H)]
        return []

    def stream(self, layer, second):
        return Stream(("x", layer, second), self.y.streams_before(layer, second), True)

    def gradient_stream(self, layer, second):
        return Stream(("gx", layer, second), self.y.gradients_above(layer, second), False)


