# SPDX-License-Identifier: Apache-2.0
"""Products of committed tensors, sums and the gradient: section 9 of spec/proof.md."""
import numpy as np

from .field import HALF, K, V, encode, eq, log2_ceil, powers
from .lookup import Claim, Stream
from .sumcheck import inner_product
from .transcript import require


class Products:
    def __init__(self, layout, public, reader, lookup):
        self.y, self.pub, self.reader, self.lookup = layout, public, reader, lookup
        self.claims, self.forks = [], []

    def run(self, t):
        self.main = t
        for part in self.lookup.parts:
            getattr(self, "product_" + part.rounding.name)(part)
        for layer in range(self.y.c.L):
            if self.y.has("ds", layer):
                self.row_products(layer)
            if self.y.has("D", layer):
                self.score_maxima(layer)
        for key in self.pub.norms:
            self.norm(key)
        if self.pub.logits:
            self.logit_maxima()
        for key, exceptions in self.pub.exceptions.items():
            if exceptions:
                self.exceptions(key, exceptions)
        t.join(self.forks)
        self.sums(t)
        if self.pub.check:
            self.claims += self.pub.check.claims(t.squeeze("inputs").k())
        else:
            self.gradient(t)

    # --- helpers --------------------------------------------------------------------------------------------------------

    def fork(self):
        self.forks.append(self.main.fork("product", len(self.forks)))
        return self.forks[-1]

    def tensor(self, name, layer):
        return self.y.by_name[name, layer]

    def prove(self, fork, value, features, pairs=1, tokens=None):
        """Inner product over (token, feature): end points rho, tau and the ends."""
        k = log2_ceil(features)
        point, ends = inner_product(self.reader, fork, k + (self.y.nu if tokens is None else tokens), value, pairs)
        return point[:k], point[k:], ends

    def claim(self, value, *terms):
        """Terms (tensor, token weights, feature weights), the last padded to the tensor's tiles."""
        full = []
        for t, w, v in terms:
            tiles = -(-self.y.c.d // self.y.B) if isinstance(t, Stream) else t.tiles
            full.append((t, w, v.padded(tiles * self.y.B)))
        self.claims.append(Claim(value, full))

    def halves(self, tau):
        """eq over the position and over the sequence, by token."""
        y = self.y
        return eq(tau[:y.t_bits])[y.position], eq(tau[y.t_bits:])[y.sequence]

    def per_head(self, weights, size):
        """(weight of the head) for each of `size` features of each head."""
        return V(np.repeat(weights.c[:, :self.y.c.H], size, axis=1))

    def only(self, v, h, size):
        return self.lookup.heads_of(v, h, size)

    # --- 1 to 7: the parts ----------------------------------------------------------------------------------------------

    def product_z(self, part):
        y, c = self.y, self.y.c
        layer, omega, phi = part.rounding.layer, part.omega, part.phi
        rho, tau, (P, B) = self.prove(self.fork(), part.value, c.d)
        e, f = eq(tau), eq(rho)[slice(0, c.d)]
        terms = []
        for h in range(c.H):
            weights = V.zeros(y.N)
            inner = phi[slice(h * y.T2, (h + 1) * y.T2)]
            for s in range(y.S):
                row = slice(s * y.T2, s * y.T2 + c.T)
                seen = (e[slice(s * y.T2, (s + 1) * y.T2)] * inner).under(np.tri(c.T, y.T2, dtype=np.int64))
                weights[row] = omega[row] * seen
            terms.append((self.tensor("q", layer), weights, self.only(f, h, c.hd)))
        self.claim(P, *terms)
        self.claim(B, (self.tensor("k", layer), e, f))

    def product_o(self, part):
        y, c = self.y, self.y.c
        layer, omega, phi = part.rounding.layer, part.omega, part.phi
        rho, tau, (P, B) = self.prove(self.fork(), part.value, c.H)
        heads, (_, along) = eq(rho), self.halves(tau)
        v = eq(tau[:y.t_bits]).times(heads[slice(0, c.H)])
        R = self.pub.heads[layer]["R"]
        self.claim(P, *((self.tensor("e", layer), omega * R[:, h] * along, self.only(v, h, y.T2)) for h in range(c.H)))
        self.claim(B, (self.tensor("v", layer), eq(tau), self.per_head(heads, c.hd) * phi[slice(0, c.d)]))

    def transposed(self, part, matrix, operand):
        """3 and 5: sum over rows of matrix[si, hj] operand[si, hc]."""
        y, c = self.y, self.y.c
        layer, phi = part.rounding.layer, part.phi
        rho, tau, (P, B) = self.prove(self.fork(), part.value, c.H)
        heads = eq(rho)
        along = eq(part.point[y.t_bits:])[y.sequence]
        v = eq(part.point[:y.t_bits]).times(heads[slice(0, c.H)])
        self.claim(P, (self.tensor(matrix, layer), eq(tau) * along, v))
        self.claim(B, (self.tensor(operand, layer), eq(tau), self.per_head(heads, c.hd) * phi[slice(0, c.d)]))

    def product_dv(self, part):
        self.transposed(part, "e", "dp")

    def product_dk(self, part):
        self.transposed(part, "ds", "q")

    def product_dq(self, part):
        y, c = self.y, self.y.c
        layer, omega, phi = part.rounding.layer, part.omega, part.phi
        rho, tau, (P, B) = self.prove(self.fork(), part.value, c.H)
        heads, (_, along) = eq(rho), self.halves(tau)
        v = eq(tau[:y.t_bits]).times(heads[slice(0, c.H)])
        self.claim(P, (self.tensor("ds", layer), omega * along, v))
        self.claim(B, (self.tensor("k", layer), eq(tau), self.per_head(heads, c.hd) * phi[slice(0, c.d)]))

    def product_ds(self, part):
        y, c = self.y, self.y.c
        layer, omega, phi = part.rounding.layer, part.omega, part.phi
        rho, tau, (P, A) = self.prove(self.fork(), part.value, c.H * y.T2)
        scores = c.H * y.T2
        self.claim(P, (self.tensor("e", layer), omega * eq(tau), phi[slice(0, scores)] * eq(rho)[slice(0, scores)]))
        xi, eta = rho[:y.t_bits], rho[y.t_bits:]
        inner = self.fork()
        inner.absorb("point", encode(rho + tau))
        inner.absorb("value", encode([A]))
        rho2, sigma, (P, B) = self.prove(inner, A, c.d, tokens=y.s_bits)
        f, along = eq(rho2)[slice(0, c.d)], eq(sigma)[y.sequence]
        self.claim(P, (self.tensor("dp", layer), eq(tau) * along, self.per_head(eq(eta), c.hd) * f))
        self.claim(B, (self.tensor("v", layer), along * eq(xi)[y.position], f))

    def product_dh(self, part):
        c = self.y.c
        layer, omega, phi = part.rounding.layer, part.omega, part.phi
        rho, tau, (P, B) = self.prove(self.fork(), part.value, c.F)
        f = eq(rho)[slice(0, c.F)]
        self.claim(P, (self.tensor("gd", layer), omega * eq(tau), phi[slice(0, c.F)] * f))
        self.claim(B, (self.tensor("dm", layer), eq(tau), f.under(self.pub.weights[f"W2{layer}"].T)))

    # --- 8 to 12 --------------------------------------------------------------------------------------------------------

    def row_products(self, layer):
        y, c = self.y, self.y.c
        fork = self.fork()
        stream = fork.squeeze("weights")
        omega, theta = eq(stream.ks(y.nu)), eq(stream.ks(y.h_bits))[slice(0, c.H)]
        value = omega.dot(theta.under(self.pub.heads[layer]["c"]))
        rho, tau, (P, B) = self.prove(fork, value, c.d)
        f = eq(rho)[slice(0, c.d)]
        self.claim(P, (self.tensor("dp", layer), omega * eq(tau), self.per_head(theta, c.hd) * f))
        self.claim(B, (self.tensor("o", layer), eq(tau), f))

    def public_product(self, fork, value, tensor, features, places):
        """9, 11, 12: P is a sparse public matrix, places (token, feature, weight)."""
        rho, tau, (P, B) = self.prove(fork, value, features)
        e, f = eq(tau), eq(rho)
        want = K(0)
        for i, j, weight in places:
            want = want + weight * (e[i] * f[j])
        require(P == want, "public factor", self.reader.at)
        self.claim(B, (tensor, e, f[slice(0, features)]))

    def score_maxima(self, layer):
        y, c = self.y, self.y.c
        fork = self.fork()
        stream = fork.squeeze("weights")
        omega, theta = eq(stream.ks(y.nu)), eq(stream.ks(y.h_bits))
        index = self.pub.heads[layer]["index"]
        places = [(i, h * y.T2 + index[i, h], omega[i] * theta[h]) for i in np.nonzero(y.real)[0] for h in range(c.H)]
        value = -c.D_t * sum((p[2] for p in places), K(0))
        self.public_product(fork, value, self.tensor("D", layer), c.H * y.T2, places)

    def norm(self, key):
        y, c, (name, layer) = self.y, self.y.c, key
        rows = self.pub.norms[key]
        fork = self.fork()
        stream = fork.squeeze("weights")
        omega, kappa = eq(stream.ks(y.nu)), stream.k()
        square = kappa * kappa
        value = omega.dot(rows["S"][:, 0]) + omega.dot(rows["Y"][:, 0]) * kappa
        if "M" in rows:
            value = value + omega.dot(rows["M"][:, 0]) * square
        rho, tau, (P1, B1, P2, B2) = self.prove(fork, value, c.d, pairs=2)
        e, f = eq(tau), eq(rho)[slice(0, c.d)]
        x, out = self.lookup.stream(layer, name == "y2"), self.tensor(name, layer)
        gradients = [(self.tensor({"y1": "dn1", "y2": "dn2", "yF": "dnF"}[name], layer), omega * e, f * square)] if "M" in rows else []
        self.claim(P1, (x, omega * e, f))
        self.claim(B1, (x, e, f))
        self.claim(P2, (out, omega * e, f * kappa), *gradients)
        self.claim(B2, (out, e, f))

    def logit_maxima(self):
        y, c = self.y, self.y.c
        fork = self.fork()
        stream = fork.squeeze("weights")
        omega, kappa = eq(stream.ks(y.nu)), stream.k()
        rows, places, value = self.pub.logits, [], K(0)
        for i in np.nonzero(y.real)[0]:
            places += [(i, rows["index"][i, 0], omega[i]), (i, self.pub.targets[i], omega[i] * kappa)]
            value = value + omega[i] * (kappa * (rows["target"][i, 0] - c.D_t) - c.D_t)
        self.public_product(fork, value, self.tensor("Dl", c.L), c.V, places)

    def exceptions(self, key, exceptions):
        c = self.y.c
        fork = self.fork()
        weights = powers(fork.squeeze("weights").k(), len(exceptions))
        value = sum((w * (c.Q if t > 0 else -c.Q) for w, (_, _, t) in zip(weights, exceptions)), K(0))
        places = [(token, feature, w) for w, (token, feature, _) in zip(weights, exceptions)]
        tensor = self.tensor(*key)
        self.public_product(fork, value, tensor, tensor.features, places)

    # --- sums and gradient ----------------------------------------------------------------------------------------------

    def sums(self, t):
        y, c = self.y, self.y.c
        stream = t.squeeze("sums")
        omega, theta = eq(stream.ks(y.nu)), eq(stream.ks(y.h_bits))[slice(0, c.H)]
        for layer in range(len(self.pub.heads)):
            value = omega.dot(theta.under(self.pub.heads[layer]["Z"]))
            self.claim(value, (self.tensor("e", layer), omega, self.per_head(theta, y.T2)))
        if not self.pub.logits:
            return
        value = omega.dot(self.pub.logits["Z"][:, 0]) - (1 << 15) * c.V * omega.sum()
        self.claim(value, (self.tensor("el", c.L), omega, V.of(np.ones(c.V, np.int64))))

    def gradient(self, t):
        y, c, pub = self.y, self.y.c, self.pub
        for name, g in pub.gradient.items():
            require((np.abs(g) <= HALF).all(), "gradient", name)
        k = log2_ceil(max(c.F, c.V))
        stream = t.squeeze("gradient")
        r_in, r_out = stream.ks(k), stream.ks(k)
        r_v, kappa = stream.ks(max(k, y.t_bits)), stream.k()
        into, out = eq(r_in), eq(r_out)
        groups, names = [], []
        for layer in range(c.L):
            for x, outs in (("y1", ("dq", "dk", "dv")), ("o", ("da",)), ("y2", ("dh",)), ("g", ("dm",))):
                groups.append((layer, x, outs))
            names += [f"{n}{layer}" for n in ("Wq", "Wk", "Wv", "Wo", "W1", "W2")]
        groups.append((c.L, "yF", ("dl",)))
        names.append("Wh")
        weights = powers(kappa, len(names))
        value = K(0)
        for name, w in zip(names, weights):
            value = value + w * self.evaluate(pub.gradient[name], into, out)
        tau, ends = inner_product(self.reader, t, y.nu, value, len(groups))
        e, at = eq(tau), 0
        for i, (layer, x, outs) in enumerate(groups):
            left = self.tensor(x, layer)
            self.claim(ends[2 * i], (left, e, into[slice(0, left.features)]))
            rights = [self.tensor(n, layer) for n in outs]
            self.claim(ends[2 * i + 1], *((right, e, out[slice(0, right.features)] * weights[at + j]) for j, right in enumerate(rights)))
            at += len(rights)
        gx, rows, f = self.lookup.gradient_stream(-1, False), eq(r_v), out[slice(0, c.d)]
        for name, index in (("E", pub.inputs), ("P", np.minimum(y.position, c.T - 1))):
            self.claim(self.evaluate(pub.gradient[name], rows, out), (gx, rows[index] * y.real.astype(np.int64), f))

    @staticmethod
    def evaluate(matrix, rows, columns):
        n, m = matrix.shape
        return rows[slice(0, n)].dot(columns[slice(0, m)].under(matrix))
