#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Questions for the control laws, drawn by seed: values of every size, the edges of each domain, and some outside it.

Usage (from the root of the repository):
  PYTHONPATH=python /usr/bin/python3 -m reference.economy_vectors            writes spec/vectors/economy.json
  PYTHONPATH=python /usr/bin/python3 -m reference.economy_vectors questions  prints the questions of that file, one a line
  PYTHONPATH=python /usr/bin/python3 -m reference.economy_vectors answers    prints its answers"""
import json
import random
import sys

from . import economy as e

PATH = "spec/vectors/economy.json"
CASES = 40


class Draw:
    """Draws of one law: a seed of its own, so that a new law does not move the others. `edge` (k, which) puts the k-th drawn number at an end
    of its range, or just outside."""

    def __init__(self, law, seed):
        self.r = random.Random(f"economy {law} {seed}")
        self.wild, self.edge, self.calls = False, (-1, 0), 0

    def size(self, most):
        """0 .. most: an edge, or a number whose length is uniform."""
        pick = self.r.random()
        if pick < 0.08:
            return self.r.choice((0, 1, most, max(most - 1, 0)))
        if pick < 0.4:
            return self.r.randint(0, most)
        return min(self.r.getrandbits(self.r.randint(1, max(most.bit_length(), 1))), most)

    def inside(self, low, high, type_max=e.U64, type_min=0):
        """low .. high; in a wild question now and then anything that the type holds."""
        self.calls += 1
        if self.calls - 1 == self.edge[0]:
            return (low, high, high + 1, low - 1 if low > type_min else high + 1)[self.edge[1]]
        if self.wild and self.r.random() < 0.15:
            return self.r.choice((high + 1, type_max, low - 1)) if type_min < low else self.r.choice((high + 1, type_max))
        return low + self.size(high - low)

    def u32(self, low, high):
        return min(max(self.inside(low, high, e.U32), 0), e.U32)

    def u64(self, low=0, high=e.U64):
        return min(max(self.inside(low, high), 0), e.U64)

    def q32(self, low, high):
        if low < 0 and self.r.random() < 0.5:
            return max(-self.inside(0, -low), e.Q32_MIN)
        return max(min(self.inside(max(low, 0), high, e.Q32_MAX, e.Q32_MIN), e.Q32_MAX), e.Q32_MIN)

    def ppm(self, most=e.PPM):
        return self.u32(0, most)

    def pick(self, *values):
        return self.r.choice(values)

    def shares(self, n=4):
        cuts = sorted(self.r.randint(0, e.ONE) for _ in range(n))
        parts = [b - a for a, b in zip([0] + cuts, cuts)]
        if self.wild and self.r.random() < 0.2:
            parts[self.r.randrange(n)] = self.pick(e.ONE, e.ONE + 1, -1)
        return parts


def ordered(d, most, draw):
    """(low, high) with low <= high, but for a wild question."""
    high = draw(0, most)
    return draw(0, min(high, most)), high


def q_quotient(d):
    b = max(d.size(e.Q32_MAX), 1) & d.pick(-1, -2) or 2
    tie = (2 * d.r.randint(0, 9) + 1) * b // 2
    return [d.pick(tie if tie <= e.Q32_MAX else 1, d.r.getrandbits(d.r.randint(1, 63))) * d.pick(1, -1), b, d.r.randrange(4)]


def q_mul(d):
    return [d.size(e.Q32_MAX) * d.pick(1, -1), d.size(e.Q32_MAX >> d.r.randrange(62)) * d.pick(1, -1), d.r.randrange(4)]


def q_drift(d):
    unit = d.pick(e.MILLI, e.PPM, max(d.size(e.ONE), 1))
    return [d.size(e.Q32_MAX) * d.pick(1, -1), d.size(e.Q32_MAX) * d.pick(1, -1), d.r.randint(0, unit), unit]


def q_split(d):
    n = d.pick(0, 65, 1, 64) if d.wild else d.r.randint(1, 12)
    width = d.pick(1, 8, 20, 64)
    return [d.u64(), n] + [d.r.getrandbits(width) * d.pick(0, 1, 1, 1) for _ in range(n)]


def q_mint_split(d):
    a = d.r.randint(0, e.PPM)
    b = d.r.randint(0, e.PPM - a)
    return [d.u64(), a, b, e.PPM - a - b + (d.pick(0, 1) if d.wild else 0)]


def q_baseline(d):
    low, high = ordered(d, (1 << 31) - 1, d.u32)
    return [d.q32(0, e.Q32_MAX), d.q32(0, e.Q32_MAX), d.q32(0, e.Q32_MAX), d.ppm(), d.ppm(), d.ppm(), d.pick(999_900, d.ppm()),
            max(low, 0 if d.wild else 1), max(high, 0 if d.wild else 1)]


def q_issuance(d):
    cap = d.pick(36 * 10**15, max(d.u64(1, e.AMOUNT), 1))
    constant = d.pick(20_000_000, max(d.u64(), 1))
    return ([cap, constant, d.pick(min(120, constant), d.u64(1, constant)), d.u64(0, cap), d.u64(0, 20_000), d.u64(0, 4 * 10**15), d.u64(0, 300)] +
            [d.q32(e.ONE, 10_000 * e.ONE), d.q32(e.ONE, 10**6 * e.ONE), d.q32(e.ONE, 100 * e.ONE)] + [d.q32(0, e.ONE) for _ in range(4)])


def q_envelope(d):
    cap = d.pick(4 * 10**16, max(d.u64(1, e.AMOUNT), 1))
    minted = d.u64(0, min(cap, e.U64))
    low, high = ordered(d, d.pick(12_000_000, 1 << 32), d.u64)
    if not d.wild and d.edge[0] < 0 and d.r.random() < 0.6:
        # A network at half of its cap and above, with a rate near the target: the controller neither clipped nor clamped.
        cap, low, high = 4 * 10**16, 0, 12_000_000
        minted = d.pick(cap // 2, cap // 2 - 1, d.r.randint(cap // 2, cap))
        circulating = minted - d.size(minted // 10)
        return [cap, minted, circulating, circulating * d.r.randint(200, 2500) // e.BPS, d.u64(0, 10**12), 500, d.pick(100, d.r.randint(0, 500)),
                low, high, 500_000, 52_560]
    return [cap, minted, d.u64(0, min(minted, e.U64)), d.u64(0, d.pick(12 * 10**15, e.AMOUNT)), d.u64(0, d.pick(10**12, e.AMOUNT)),
            d.u32(0, e.BPS), d.u32(0, e.MILLI), low, high, d.pick(500_000, d.ppm()), d.pick(52_560, d.u64(1, 1 << 32))]


def q_tail(d):
    reserve = d.pick(4 * 10**15, d.u64(0, e.AMOUNT))
    return [d.u64(0, d.pick(4 * 10**16, e.AMOUNT)), reserve, d.u64(0, min(reserve, e.U64)), d.u64(0, 10**10), d.pick(5000, d.ppm()),
            d.pick(52_560, d.u64(1, 1 << 32))]


def q_distress(d):
    return [d.q32(0, e.ONE), d.q32(-e.ONE, 2 * e.ONE), d.u32(0, e.BPS), d.u32(0, e.BPS), d.u32(0, e.MILLI), d.u32(0, e.MILLI)]


def q_softmax(d):
    most = d.pick(e.ONE // 100, e.ONE, 3 * e.ONE, 8 * e.ONE)
    return [d.q32(-most, most) for _ in range(4)] + [d.pick(1000, 50, d.u32(1, 100_000))]


def q_subsidy(d):
    return (d.shares() + d.shares() + [d.pick(0, 0, 1) for _ in range(4)] + [d.u32(0, 300) for _ in range(4)] +
            [d.u32(0, e.MILLI), d.u32(0, 300), d.ppm()])


def q_health(d):
    flag = d.pick(144, d.u32(1, 300))
    counter = d.pick(0, flag, max(flag - 1, 0), d.u32(0, max(flag, 0)))
    clear = d.pick(12, d.u32(1, max(flag, 1)))
    distress, limit = d.pick((e.ONE // 10, 100_000), (e.ONE // 10 + 1, 100_000), (e.ONE // 2, 500_000), (e.ONE // 2 + 1, 500_000),
                             (d.q32(-3 * e.ONE, 3 * e.ONE), d.u32(0, 8 * e.PPM)))
    return [counter, d.u32(0, e.U32), d.u32(0, e.U32), d.r.randrange(2), d.u32(0, e.U32), distress, d.r.randrange(2), limit, flag, clear]


def q_diversity(d):
    n = 257 if d.wild and d.r.random() < 0.2 else d.r.randint(0, 8)
    return [d.ppm(2 * e.PPM), d.ppm(2 * e.PPM), n] + [d.u64() for _ in range(n)]


def q_multiplier(d):
    low, high = ordered(d, 100 * e.MILLI, d.u32)
    cost = d.u64(0, d.pick(10**9, e.AMOUNT))
    payout = d.pick(cost, d.u64(0, min(4 * cost + 1, e.AMOUNT)), d.u64(0, e.AMOUNT), 0)
    return [d.q32(0, e.ONE), cost, payout, d.u32(0, e.BPS), d.u32(0, e.BPS), d.pick(2000, d.u32(0, 10_000)), d.pick(1000, d.u32(0, 10_000)),
            d.pick(min(800, high), low), high]


def q_topup(d):
    due = d.u64(0, 4 * 10**16)
    return [due, min(due + d.pick(0, d.size(due + 10**6), -1 if d.wild and due else 0), e.U64), d.u64(0, 10**17)]


def q_adsplit(d):
    platform, user = d.shares(2)
    a = d.u32(0, e.BPS)
    return [platform, user, a, d.u32(0, max(e.BPS - a, 0)), d.u32(0, e.MILLI)]


def converging(d):
    base, fast = ordered(d, e.MILLI, d.u32)
    leave, enter = ordered(d, e.BPS, d.u32)
    return list(d.pick((50, 200, 50, 25), (base, fast, enter, leave)))


def q_converge(d):
    p = converging(d)
    any_of = d.q32(0, e.Q32_MAX)
    return [d.r.randrange(2), d.pick(p[2] * e.ONE, p[3] * e.ONE, max(p[3] * e.ONE - 1, 0), any_of, any_of)] + p


def q_tariff(d):
    low, high = ordered(d, d.pick(200, e.BPS), d.u32)
    volume = d.u64(0, d.pick(10**15, e.AMOUNT))
    inflow = d.pick(volume // 200, d.u64(0, d.pick(10**13, e.AMOUNT)))
    return [d.q32(0, d.pick(200, e.BPS) * e.ONE), d.r.randrange(2), volume, inflow, d.pick(1000, d.u32(0, 9000)), low, high] + converging(d)


def q_risk(d):
    if d.wild and d.r.random() < 0.3:
        a, b = d.pick((0, 4), (4, 0), (5, 1), (1, 5), (2, 2))
        return [d.q32(-e.ONE, e.ONE) for _ in range(4)] + [500_000, 1, a, b, d.ppm()]
    edges = d.pick([(2, 1, 500_000), (2, 0, 300_000), (0, 1, 200_000), (1, 3, 100_000)],
                   [(d.r.randrange(4), d.r.randrange(4), d.ppm()) for _ in range(d.r.randint(0, 13 if d.wild else 12))])
    if not d.wild:
        edges = [x for x in edges if x[0] != x[1]]
    return [d.q32(-8 * e.ONE, d.pick(1, 8) * e.ONE) for _ in range(4)] + [d.pick(500_000, d.ppm()), len(edges)] + [v for x in edges for v in x]


def q_security(d):
    high = d.u64()
    low = d.u64(0, min(high, e.U64))
    base = min(low + d.size(max(high - low, 0)) + (d.pick(0, 0, 1) if d.wild else 0), e.U64)
    return [d.q32(1, e.ONE), d.r.randrange(2), d.pick(900_000, d.u32(1, e.PPM)), d.pick(10_000, d.ppm()), d.pick(100_000, d.u32(1, e.PPM)),
            base, d.pick(0, 1, 2) if d.wild else d.r.randrange(2), low, high]


def reputing(d):
    cuts = sorted(d.r.randint(0, e.PPM) for _ in range(3))
    weights = d.pick([350_000, 250_000, 200_000, 200_000], [b - a for a, b in zip([0] + cuts, cuts + [e.PPM])])
    lose, earn = ordered(d, e.PPM, d.u32)
    return weights + [d.pick(950_000, d.u32(0, e.PPM - 1))] + list(d.pick((800_000, 600_000), (earn, lose)))


def q_contribution(d):
    return [d.ppm() for _ in range(4)] + reputing(d)


def q_reputation(d):
    p = reputing(d)
    now, score = d.q32(0, 2 * e.PPM * e.ONE), d.q32(0, d.pick(50_000, e.PPM) * e.ONE)
    if d.edge[0] < 0 and d.r.random() < 0.5:
        now, score = 0, min(d.pick(p[5], p[6]) * e.ONE - d.r.randrange(2), e.PPM * e.ONE) % (1 << 63)
    return [now, d.pick(1, d.u64(1, 200), d.u64()), score, d.r.randrange(2)] + p


def q_median(d):
    n = d.r.randint(0, 65) if d.wild else d.r.randint(3, 12)
    centre = d.u64(0, d.pick(3, 10**6, e.U64))
    rows = []
    for i in range(n):
        value = d.pick(centre, min(max(centre + d.r.randint(-centre // 15, centre // 15), 0), e.U64), d.u64(0, max(min(2 * centre, e.U64), 1)))
        rows += [value, d.r.getrandbits(3 if d.wild and d.r.random() < 0.1 else 50) * 64 + i, d.u64(0, d.pick(10, e.U64)) * d.pick(0, 1, 1, 1)]
    return [d.pick(3, d.u32(1, 64)) if d.wild else d.r.randint(1, 3), d.pick(50_000, d.ppm()), d.u64(0, 5), d.pick(0, 500_000, d.ppm()), n] + rows


def q_power(d):
    return [d.u64(0, d.pick(100, 10**6)), d.u64(0, d.pick(10**6, 10**12)), d.u64(0, d.pick(4 * 10**16, e.AMOUNT)),
            d.pick(500_000, d.ppm()), d.pick(500_000, d.ppm()), d.pick(0, d.ppm()), d.pick(24, d.u32(1, e.U32)),
            d.u64(e.BLOCK, d.pick(10**13, e.U64))]


def q_vote_weight(d):
    deadline = d.u64()
    return [d.u64(), d.pick(deadline, deadline + d.r.randint(-3, 1), d.u64(0, min(deadline, e.U64))) % (1 << 64), deadline,
            d.pick(0, d.u32(0, e.BPS)), d.pick(1, d.u64()), d.pick(500_000, d.ppm())]


QUESTIONS = {
    "quotient": q_quotient, "mul": q_mul, "div": q_mul, "drift": q_drift, "split": q_split, "mint_split": q_mint_split,
    "ratio": lambda d: [d.size(e.Q32_MAX) * d.pick(1, -1), d.u64(), d.r.randrange(4)],
    "sqrt_product": lambda d: [d.size(e.Q32_MAX), d.size(e.Q32_MAX)],
    "exp2": lambda d: [d.pick(d.r.randint(-40 * e.ONE, 32 * e.ONE) >> d.pick(0, 0, 8, 32),
                              d.pick(-34, -33, -32, 0, 30, 31, 32) * e.ONE + d.r.randint(-1, 0))],
    "exp": lambda d: [d.r.randint(-30 * e.ONE, 22 * e.ONE) >> d.pick(0, 0, 0, 8, 32)],
    "exp62": lambda d: [-d.size(d.pick(e.ONE, 50 * e.ONE, e.Q32_MAX)) + (d.pick(0, 1) if d.wild else 0)],
    "baseline": q_baseline, "issuance": q_issuance, "envelope": q_envelope, "tail": q_tail,
    "utilisation": lambda d: [d.u64(), d.u64()], "block_q32": lambda d: [d.u64()],
    "margin": lambda d: d.pick([0, 0], [d.u64(), 0], [d.u64(), d.u64()], [d.u64(0, 3000), d.u64(0, 1000)]),
    "distress": q_distress, "softmax": q_softmax, "subsidy": q_subsidy,
    "budget": lambda d: [d.u64(0, e.AMOUNT), d.u64(0, e.AMOUNT), d.ppm(), d.u64(0, e.AMOUNT), d.u32(0, e.BPS), d.u64(0, e.AMOUNT)],
    "health": q_health, "diversity": q_diversity, "multiplier": q_multiplier, "topup": q_topup, "adsplit": q_adsplit, "converge": q_converge,
    "tariff": q_tariff, "charge": lambda d: [d.u64(), d.q32(0, d.pick(200, e.BPS) * e.ONE)], "risk": q_risk, "security": q_security,
    "contribution": q_contribution, "reputation": q_reputation, "median": q_median,
    "power": q_power, "vote_weight": q_vote_weight,
}


# What the integers of a question and of an answer are, in order; x4 once per market, [n: ...] a count and so many groups.
ORDER = {
    "quotient": ("a b rounding", "a / b"),
    "ratio": ("a b rounding", "q32"),
    "mul": ("a b rounding", "q32"),
    "div": ("a b rounding", "q32"),
    "drift": ("x target rate unit", "x'"),
    "sqrt_product": ("a b", "q32"),
    "exp2": ("x", "q32"),
    "exp": ("x", "q32"),
    "exp62": ("x", "q62"),
    "split": ("total [n: weight]", "part n times"),
    "mint_split": ("mint producer subsidy treasury", "producer subsidy treasury"),
    "baseline": ("value high observed up down floor high_keep min max", "value' high''"),
    "issuance": ("decay_cap time_constant epoch_blocks minted tx volume miners tx_baseline volume_baseline miner_baseline utilisation x4",
                 "activity spread decay mint"),
    "envelope": ("cap minted circulating annual mint target gain min max on epochs_per_year", "active realised annual' mint'"),
    "tail": ("circulating reserve minted mint rate epochs_per_year", "tail"),
    "utilisation": ("used offered", "q32"),
    "margin": ("payout cost", "q32"),
    "block_q32": ("n", "block(n) count(n)"),
    "distress": ("utilisation margin util_target margin_target alpha beta", "s"),
    "softmax": ("distress x4 temperature", "target x4"),
    "subsidy": ("share x4 target x4 declining x4 declining_epochs x4 drift freeze wind_down", "share' x4 ppm x4 rest"),
    "budget": ("mint fees capture peak floor treasury", "captured lent budget peak'"),
    "health": ("n attempts successes declining epochs s rose distress flag_epochs clear_epochs", "n attempts successes declining epochs"),
    "diversity": ("penalty bonus [n: stake]", "multiplier"),
    "multiplier": ("utilisation cost payout util_target margin_target util_response cost_response floor ceiling", "M"),
    "topup": ("due sum_of_due budget", "paid"),
    "adsplit": ("platform user platform_target user_target drift", "platform' user' ppm x3"),
    "converge": ("emergency deviation base emergency_drift enter leave", "drift emergency"),
    "tariff": ("rate emergency volume inflow target min max base emergency_drift enter leave", "rate' emergency implied contribution"),
    "charge": ("value rate", "charge"),
    "risk": ("distress x4 threshold [n: from to weight]", "risk trips"),
    "security": ("factor incident tighten recover least base way min max", "factor' value"),
    "contribution": ("measure of uptime quality latency verification, weights of them, keep earn lose", "score"),
    "reputation": ("now epochs score eligible weights x4 keep earn lose", "decayed now' eligible"),
    "median": ("sources_min deviation tolerance quorum [n: value id weight]", "median accepted confidence, sorted: id accepted n times"),
    "power": ("badge_months score stake service reputation token months_full token_unit", "power"),
    "vote_weight": ("power epoch deadline bonus late_epochs late", "weight"),
}


def questions(law, count, seed):
    """`count` questions; every fifth may leave the domain of the law. Then, twice, each drawn number at each end of its range and beyond it."""
    d = Draw(law, seed)
    for i in range(count):
        d.wild, d.calls = i % 5 == 4, 0
        yield QUESTIONS[law](d)
    d.wild = False
    for _ in range(2):
        k, more = 0, True
        while more:
            for which in range(4):
                d.edge, d.calls = (k, which), 0
                yield QUESTIONS[law](d)
            k, more = k + 1, d.calls > k + 1 and k < 24


def document():
    """The content of spec/vectors/economy.json."""
    return {"laws": [{"law": law, "in": ORDER[law][0], "out": ORDER[law][1],
                      "cases": [{"in": " ".join(map(str, q)), "out": e.answer(law, q)} for q in questions(law, CASES, 1)]} for law in e.LAWS]}


def main():
    if len(sys.argv) == 1:
        with open(PATH, "w", encoding="ascii") as file:
            json.dump(document(), file, indent=1)
            file.write("\n")
        return
    with open(PATH, encoding="ascii") as file:
        for row in json.load(file)["laws"]:
            for case in row["cases"]:
                print(row["law"] + " " + case["in"] if sys.argv[1] == "questions" else case["out"])


if __name__ == "__main__":
    main()
