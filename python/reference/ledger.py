# SPDX-License-Identifier: Apache-2.0
"""The no-wrap ledger of spec/numerics.md section 9, with Python integers."""
import math

P = 225179565293569
LEASE_TOKENS = 65536
NARROW = dict(f_res=10, f_r=12, f_R=12, b_C=10, C2=1477, f_gd=10, n_l=40, Q_l=2**16 - 1, D_b=2**17 - 1, D_g=2**23 - 1)
WIDE = dict(f_res=12, f_r=16, f_R=16, b_C=14, C2=23637, f_gd=14, n_l=48, Q_l=2**20 - 1, D_b=2**20 - 1, D_g=2**24 - 1)


def ledger(V, T, d, L, H, w, helper):
    k = WIDE if helper else NARROW
    hd, F, Q = d // H, 4 * d, 2 ** (w - 1) - 1
    A, D_t = Q * Q, (2**18 if w > 12 else 2**15) - 1
    X = (2 * L + 2) * (k["D_b"] + 1)
    root = math.isqrt(d) + (math.isqrt(d) ** 2 < d)
    R = (2 ** (k["f_R"] + w - 1) + Q // 2) // Q
    slope = -(-(2 ** k["f_gd"]) * 113 // 100)
    return {
        "stream": X,
        "squares": 2 ** (46 if helper else 42) - 1,
        "squares of a row": d * X * X,
        "norm": root * 2 ** (k["f_r"] + k["f_res"]) + 2 ** (k["f_res"] + k["f_r"]),
        "q k v h b1": d * A,
        "b2": F * A,
        "z": hd * A * (2 ** k["b_C"] - 1),
        "o": Q * (2 ** (k["f_R"] + w - 1) + T * Q),
        "logits": d * A * k["C2"],
        "loss gradient": 2 ** k["n_l"] + k["Q_l"] + 2 ** (k["n_l"] - (w - 1)),
        "dnF": V * A,
        "dn2": F * A,
        "row sums M": d * D_t * Q,
        "normback": 2 ** (k["f_r"] + 9) * D_t + Q * 2**34,
        "dh": d * A * slope,
        "dp": d * A * R,
        "dv": T * A,
        "c and dp v": hd * A * 4,
        "ds": 2 * hd * A * 4 * Q,
        "dq dk": T * A * 2 ** k["b_C"],
        "dn1": 3 * d * A * 2**8,
        "weight gradients": LEASE_TOKENS * A,
        "embedding gradients": LEASE_TOKENS * (2 * L + 1) * k["D_g"],
    }


def misfits(want):
    """Names of the relations that do not stay below p / 2, in order."""
    return [n for n, v in want.items() if v > (2**62 if n == "squares of a row" else P // 2)]
