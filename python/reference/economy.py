# SPDX-License-Identifier: Apache-2.0
"""The control laws of spec/economy.md with Python integers: a second implementation, written from the text.

Every law takes and returns plain integers in the order of spec/vectors/economy.json and raises Refused(error, field)."""
import math

ONE = 1 << 32
Q32_MAX, Q32_MIN = (1 << 63) - 1, -(1 << 63)
ONE62 = 1 << 62
U32, U64 = (1 << 32) - 1, (1 << 64) - 1
MILLI, BPS, PPM, BLOCK = 1000, 10_000, 1_000_000, 10**9
AMOUNT = 1 << 62
MARKETS = 4


class Refused(Exception):
    def __init__(self, error, field=""):
        super().__init__(error, field)
        self.error, self.field = error, field


def within(value, low, high, field):
    if not low <= value <= high:
        raise Refused("RANGE", field)


def clamp(x, low, high):
    return min(max(x, low), high)


# section 2: fixed point

def quotient(a, b, how):
    q, rest = divmod(a, b)
    if rest == 0 or how == 3:
        return q
    if how == 0:
        return q if a > 0 else q + 1
    if how == 1:
        return q + 1 if a > 0 else q
    return q + (2 * rest >= b)


def fit(x):
    if not Q32_MIN <= x <= Q32_MAX:
        raise Refused("OVERFLOW")
    return x


def saturate(x):
    return clamp(x, Q32_MIN, Q32_MAX)


def mul(a, b, how):
    return fit(quotient(a * b, ONE, how))


def div(a, b, how):
    if b == 0:
        raise Refused("OVERFLOW")
    return fit(quotient(a * ONE, b, how) if b > 0 else quotient(-a * ONE, -b, how))


def ratio(a, b, how):
    if b == 0:
        raise Refused("OVERFLOW")
    return fit(quotient(a * ONE, b, how))


def drift(x, target, rate, unit):
    return x + (target - x) * rate // unit


def sqrt_product(a, b):
    return math.isqrt(a * b)


def _constants(guard=200):
    one = 1 << (62 + guard)
    ln2 = sum((one >> k) // k for k in range(1, 62 + guard))
    half = 1 << (guard - 1)
    log2e = ((one << (62 + guard)) // ln2 + half) >> guard
    power, terms = one, []
    for k in range(1, 6):
        power = (power * ln2 >> (62 + guard)) // k
        terms.append((power + half) >> guard)
    steps = []
    for i in range(64):
        x = 1 << (63 * 64 + i)
        for _ in range(6):
            x = math.isqrt(x)
        steps.append((x + 1) >> 1)
    return log2e, terms, steps


LOG2E, TERMS, STEPS = _constants()


def exp2_fraction(f):
    """2^(f 2^-64) in Q62."""
    t, p = f % (1 << 58) >> 2, TERMS[4]
    for k in (3, 2, 1, 0):
        p = TERMS[k] + (p * t >> 62)
    s = STEPS[f >> 58]
    return s + (s * (p * t >> 62) >> 62)


def _to_q32(value, n):
    if n > 30:
        raise Refused("OVERFLOW")
    return value >> (30 - n)


def exp2(x):
    return _to_q32(exp2_fraction(x % ONE << 32), x >> 32)


def _exponent(x):
    z = x * LOG2E
    return z >> 94, z % (1 << 94) >> 30


def exp(x):
    n, f = _exponent(x)
    return _to_q32(exp2_fraction(f), n)


def exp62(x):
    if x > 0:
        raise Refused("RANGE")
    n, f = _exponent(x)
    return exp2_fraction(f) >> -n


# section 1: readings

def utilisation(used, offered):
    return 0 if offered == 0 else min(ONE, used * ONE // offered)


def margin(payout, cost):
    if cost == 0:
        return 2 * ONE if payout else 0
    return clamp((payout - cost) * ONE // cost, -ONE, 2 * ONE)


def count_q32(n):
    return saturate(n * ONE)


def block_q32(nblock):
    return saturate(nblock * ONE // BLOCK), count_q32(nblock)


# section 3: splits

def split_parts(total, weights):
    within(len(weights), 1, 64, "split.parts")
    whole = sum(weights)
    if whole == 0:
        raise Refused("RANGE", "split.weights")
    parts = [total * w // whole for w in weights]
    order = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in order[:total - sum(parts)]:
        parts[i] += 1
    return parts


def split(total, n, *weights):
    return split_parts(total, list(weights))


def mint_split(mint, *shares):
    if sum(shares) != PPM:
        raise Refused("RANGE", "mint.shares")
    return split_parts(mint, shares)


# section 4: baselines

def baseline(value, high, observed, up, down, floor, keep, low, top):
    within(up, 0, PPM, "baseline.up")
    within(down, 0, PPM, "baseline.down")
    within(floor, 0, PPM, "baseline.floor")
    within(keep, 0, PPM, "baseline.high_keep")
    within(top, 1, (1 << 31) - 1, "baseline.max")
    within(low, 1, top, "baseline.min")
    within(observed, 0, Q32_MAX, "baseline.observed")
    within(value, 0, Q32_MAX, "baseline.value")
    within(high, 0, Q32_MAX, "baseline.high")
    high = high * keep // PPM
    moved = drift(value, observed, up if observed > value else down, PPM)
    value = clamp(max(moved, high * floor // PPM), low * ONE, top * ONE)
    return value, max(high, value)


# section 5: issuance

def issuance(cap, constant, epoch, minted, tx, volume, miners, tx_b, volume_b, miner_b, *used):
    within(cap, 1, AMOUNT, "issuance.decay_cap")
    within(constant, 1, U64, "issuance.time_constant")
    within(epoch, 1, constant, "issuance.epoch_blocks")
    within(minted, 0, cap, "issuance.minted")
    within(tx_b, ONE, Q32_MAX, "issuance.tx_baseline")
    within(volume_b, ONE, Q32_MAX, "issuance.volume_baseline")
    within(miner_b, ONE, Q32_MAX, "issuance.miner_baseline")
    for u in used:
        within(u, 0, ONE, "issuance.utilisation")

    def load(observed, base):
        return max(saturate(observed * ONE // base), ONE // 100)

    root = math.isqrt(load(count_q32(tx), tx_b) * load(saturate(volume * ONE // BLOCK), volume_b))
    activity = clamp(saturate(root * (4 * ONE + sum(used)) // (4 * ONE)), ONE // 2, 2 * ONE)
    spread = clamp(math.isqrt((count_q32(miners) << 64) // miner_b), ONE // 2, 3 * ONE // 2)
    remaining = cap - minted
    ratio = remaining * ONE62 // cap
    decay = ratio * ratio >> 62
    mint = cap * epoch // constant * (activity * spread >> 32) >> 32
    return activity, spread, decay, min(mint * decay >> 62, remaining)


def envelope(cap, minted, circulating, annual, mint, target, gain, low, top, on, year):
    within(cap, 1, AMOUNT, "envelope.cap")
    within(minted, 0, cap, "envelope.minted")
    within(circulating, 0, minted, "envelope.circulating")
    within(annual, 0, AMOUNT, "envelope.annual")
    within(mint, 0, AMOUNT, "envelope.mint")
    within(target, 0, BPS, "envelope.target")
    within(gain, 0, MILLI, "envelope.gain")
    within(top, 0, 1 << 32, "envelope.max")
    within(low, 0, top, "envelope.min")
    within(on, 0, PPM, "envelope.on")
    within(year, 1, 1 << 32, "envelope.epochs_per_year")
    mint = min(mint, top * BLOCK // year)
    realised = saturate(annual * ONE // circulating) if circulating else 0
    active = minted * PPM >= cap * on
    if not active:
        wanted = mint * year
    elif circulating == 0:
        wanted = low * BLOCK
    else:
        error = clamp(target * ONE // BPS - realised, -ONE, ONE)
        wanted = annual + annual * gain * error // (MILLI * ONE)
    annual = clamp(wanted, low * BLOCK, top * BLOCK)
    if active:
        mint = min(mint, annual // year)
    return int(active), realised, annual, mint


def tail(circulating, reserve, minted, mint, rate, year):
    within(circulating, 0, AMOUNT, "tail.circulating")
    within(reserve, 0, AMOUNT, "tail.reserve")
    within(minted, 0, reserve, "tail.minted")
    within(rate, 0, PPM, "tail.rate")
    within(year, 1, 1 << 32, "tail.epochs_per_year")
    return (min(max(circulating * rate // (PPM * year) - mint, 0), reserve - minted),)


# section 6: subsidies

def distress(used, gain, util_target, margin_target, alpha, beta):
    within(used, 0, ONE, "distress.utilisation")
    within(gain, -ONE, 2 * ONE, "distress.margin")
    within(util_target, 0, BPS, "distress.util_target")
    within(margin_target, 0, BPS, "distress.margin_target")
    within(alpha, 0, MILLI, "distress.alpha")
    within(beta, 0, MILLI, "distress.beta")
    return ((alpha * (util_target * ONE // BPS - used) + beta * (margin_target * ONE // BPS - gain)) // MILLI,)


def softmax(s0, s1, s2, s3, temperature):
    s = [s0, s1, s2, s3]
    within(temperature, 1, 100_000, "softmax.temperature")
    for x in s:
        within(x, -8 * ONE, 8 * ONE, "softmax.distress")
    weights = [exp62((x - max(s)) * MILLI // temperature) for x in s]
    return [w * ONE // sum(weights) for w in weights]


def subsidy(*a):
    share, target, declining, epochs, (rate, freeze, wind) = a[0:4], a[4:8], a[8:12], a[12:16], a[16:19]
    for values, field in ((share, "subsidy.share"), (target, "subsidy.target")):
        for x in values:
            within(x, 0, ONE, field)
        within(sum(values), 0, ONE, field)
    within(rate, 0, MILLI, "subsidy.drift")
    within(wind, 0, PPM, "subsidy.wind_down")
    out = []
    for j in range(MARKETS):
        moved = drift(share[j], target[j], rate, MILLI)
        if declining[j]:
            held = share[j] if epochs[j] <= freeze else share[j] * (PPM - wind) // PPM
            moved = min(moved, held)
        out.append(moved)
    rest, free = ONE - sum(out), [j for j in range(MARKETS) if not declining[j]]
    whole = sum(out[j] for j in free)
    if whole:
        for j in free:
            out[j] += rest * out[j] // whole
    ppm = [out[j] * PPM >> 32 if declining[j] else 0 for j in range(MARKETS)]
    left = PPM - sum(ppm)
    if any(out[j] for j in free):
        for j, part in enumerate(split_parts(left, [out[j] if j in free else 0 for j in range(MARKETS)])):
            ppm[j] += part
        left = 0
    return out + ppm + [left]


def budget(mint, fees, capture, peak, floor, treasury):
    within(mint, 0, AMOUNT, "budget.mint")
    within(fees, 0, AMOUNT, "budget.fees")
    within(capture, 0, PPM, "budget.capture")
    within(peak, 0, AMOUNT, "budget.peak")
    within(floor, 0, BPS, "budget.floor")
    within(treasury, 0, AMOUNT, "budget.treasury")
    captured = fees * capture // PPM
    lent = min(max(peak * floor // BPS - mint - captured, 0), treasury)
    whole = mint + captured + lent
    return captured, lent, whole, max(peak, whole)


# section 7: health

def health(counter, attempts, successes, declining, epochs, s, rose, limit, flag, clear):
    within(limit, 0, 8 * PPM, "health.distress")
    within(flag, 1, U32, "health.flag_epochs")
    within(clear, 1, flag, "health.clear_epochs")
    counter = min(counter, flag)
    if s * PPM > limit * ONE:
        counter = min(counter + 1, flag)
        attempts = min(attempts + rose, U32)
    elif counter > 0:
        counter = max(counter - -(-flag // clear), 0)
        if counter == 0:
            successes = min(successes + 1, U32)
    declining = 1 if counter == flag else 0 if counter == 0 else declining
    return counter, attempts, successes, declining, min(epochs + 1, U32) if declining else 0


# section 8: diversity

def diversity(penalty, bonus, n, *stake):
    within(n, 0, 256, "diversity.regions")
    within(penalty, 0, 2 * PPM, "diversity.penalty")
    within(bonus, 0, 2 * PPM, "diversity.bonus")
    if sum(stake) == 0:
        return (ONE,)
    above = max(stake) * ONE // sum(stake) - ONE // 2
    return ((PPM * ONE - above * (penalty if above > 0 else bonus)) // PPM,)


# section 9: multipliers

def multiplier(used, cost, payout, util_target, margin_target, util_response, cost_response, floor, ceiling):
    within(used, 0, ONE, "multiplier.utilisation")
    within(cost, 0, AMOUNT, "multiplier.cost")
    within(payout, 0, AMOUNT, "multiplier.payout")
    within(util_target, 0, BPS, "multiplier.util_target")
    within(margin_target, 0, BPS, "multiplier.margin_target")
    within(util_response, 0, 10 * MILLI, "multiplier.util_response")
    within(cost_response, 0, 10 * MILLI, "multiplier.cost_response")
    within(ceiling, 0, 100 * MILLI, "multiplier.ceiling")
    within(floor, 0, ceiling, "multiplier.floor")
    by_use = max((MILLI * ONE + (util_target * ONE // BPS - used) * util_response) // MILLI, 0)
    by_cost = ONE
    if payout:
        cover = clamp(cost * (BPS + margin_target) * ONE // (payout * BPS), ONE // 10, 10 * ONE)
        by_cost = max((MILLI * ONE + (cover - ONE) * cost_response) // MILLI, 0)
    return (clamp(by_use * by_cost >> 32, floor * ONE // MILLI, ceiling * ONE // MILLI),)


def topup(due, due_sum, pool):
    within(due, 0, due_sum, "topup.due")
    return (due if due_sum <= pool else due * pool // due_sum,)


# section 10: ad split

def adsplit(platform, user, platform_target, user_target, rate):
    within(platform, 0, ONE, "adsplit.platform")
    within(user, 0, ONE - platform, "adsplit.user")
    within(platform_target, 0, BPS, "adsplit.platform_target")
    within(user_target, 0, BPS - platform_target, "adsplit.user_target")
    within(rate, 0, MILLI, "adsplit.drift")
    platform = drift(platform, platform_target * ONE // BPS, rate, MILLI)
    user = drift(user, user_target * ONE // BPS, rate, MILLI)
    return [platform, user] + split_parts(PPM, [platform, user, ONE - platform - user])


# section 11: tariff

def check_converge(base, emergency, enter, leave):
    within(emergency, 0, MILLI, "converge.emergency")
    within(base, 0, emergency, "converge.base")
    within(enter, 0, BPS, "converge.enter")
    within(leave, 0, enter, "converge.leave")


def converge(state, deviation, base, emergency, enter, leave):
    check_converge(base, emergency, enter, leave)
    within(deviation, 0, Q32_MAX, "converge.deviation")
    state = 1 if deviation > enter * ONE else 0 if deviation < leave * ONE else state
    return (emergency if state else base), state


def tariff(rate, state, volume, inflow, target, low, top, base, emergency, enter, leave):
    within(rate, 0, BPS * ONE, "tariff.rate")
    within(volume, 0, AMOUNT, "tariff.volume")
    within(inflow, 0, AMOUNT, "tariff.inflow")
    within(target, 0, 9000, "tariff.target")
    within(top, 0, BPS, "tariff.max")
    within(low, 0, top, "tariff.min")
    check_converge(base, emergency, enter, leave)
    low, top = low * ONE, top * ONE
    if volume == 0 or inflow == 0:
        return clamp(rate, low, top), state, rate, 0
    implied = min(target * inflow * BPS * ONE // ((BPS - target) * volume), BPS * ONE)
    step, state = converge(state, abs(clamp(implied, low, top) - rate), base, emergency, enter, leave)
    rate = clamp(drift(rate, implied, step, MILLI), low, top)
    income = volume * rate // (BPS * ONE)
    return rate, state, implied, income * PPM // (income + inflow)


def charge(value, rate):
    within(rate, 0, BPS * ONE, "tariff.rate")
    return (value * rate // (BPS * ONE),)


# section 12: risk and security

def risk(s0, s1, s2, s3, threshold, n, *edges):
    s = [s0, s1, s2, s3]
    within(n, 0, 12, "risk.edges")
    for x in s:
        within(x, -8 * ONE, 8 * ONE, "risk.distress")
    s, total = [max(x, 0) for x in s], 0
    for i in range(0, len(edges), 3):
        a, b, weight = edges[i:i + 3]
        within(a, 0, 3, "risk.from")
        within(b, 0, 3, "risk.to")
        within(weight, 0, PPM, "risk.weight")
        if a == b:
            raise Refused("RANGE", "risk.to")
        total += s[a] * (ONE + s[b]) * weight
    total //= PPM * ONE
    return total, int(total * PPM > threshold * ONE)


def security(now, incident, tighten, recover, least, base, way, low, top):
    within(now, 1, ONE, "security.factor")
    within(tighten, 1, PPM, "security.tighten")
    within(recover, 0, PPM, "security.recover")
    within(least, 1, PPM, "security.least")
    factor = clamp(now * (tighten if incident else PPM + recover) // PPM, least * ONE // PPM, ONE)
    within(base, low, top, "security.base")
    within(way, 0, 1, "security.way")
    value = base * factor >> 32 if way == 0 else -(-base * ONE // factor)
    return factor, clamp(value, low, top)


# section 13: reputation

def check_reputation(weights, keep, earn, lose):
    within(sum(weights), PPM, PPM, "reputation.weights")
    within(keep, 0, PPM - 1, "reputation.keep")
    within(earn, 0, PPM, "reputation.earn")
    within(lose, 0, earn, "reputation.lose")


def contribution(*a):
    measured, weights, keep = a[0:4], a[4:8], a[8]
    check_reputation(weights, *a[8:11])
    for x, name in zip(measured, ("uptime", "quality", "latency", "verification")):
        within(x, 0, PPM, "reputation." + name)
    return (sum(w * x for w, x in zip(weights, measured)) * (PPM - keep) * ONE // (PPM * PPM),)


def power62(base, n):
    result = ONE62
    while n:
        if n & 1:
            result = result * base >> 62
        base = base * base >> 62
        n >>= 1
    return result


def reputation(now, epochs, score, eligible, *p):
    weights, keep, earn, lose = p[0:4], p[4], p[5], p[6]
    check_reputation(weights, keep, earn, lose)
    top = 2 * PPM * ONE
    within(now, 0, top, "reputation.now")
    decayed = now * power62(keep * ONE62 // PPM, epochs) >> 62
    within(epochs, 1, U64, "reputation.epochs")
    within(score, 0, PPM * ONE, "reputation.score")
    after = min(decayed + score, top)
    return decayed, after, 1 if after >= earn * ONE else 0 if after < lose * ONE else eligible


# section 14: consensus of sources

def median(sources, deviation, tolerance, quorum, n, *flat):
    rows = [flat[i:i + 3] for i in range(0, len(flat), 3)]
    within(sources, 1, 64, "median.sources_min")
    within(deviation, 0, PPM, "median.deviation")
    within(quorum, 0, PPM, "median.quorum")
    within(n, sources, 64, "median.sources")
    if len({r[1] for r in rows}) < n:
        raise Refused("DUPLICATE", "median.id")
    whole = sum(r[2] for r in rows)
    if whole == 0:
        raise Refused("RANGE", "median.weight")
    rows.sort()
    passed = 0
    for value, _, weight in rows:
        passed += weight
        if 2 * passed >= whole:
            break
    most = value * deviation // PPM if value else tolerance
    accepted = [abs(r[0] - value) <= most for r in rows]
    kept = sum(r[2] for r, ok in zip(rows, accepted) if ok)
    within(sum(accepted), sources, n, "median.accepted")
    if kept * PPM < whole * quorum:
        raise Refused("RANGE", "median.quorum")
    out = [value, sum(accepted), kept * PPM // whole]
    for row, ok in zip(rows, accepted):
        out += [row[1], int(ok)]
    return out


# section 15: votes

def power(months, score, stake, service, rep, token, full, unit):
    within(service, 0, PPM, "power.service")
    within(rep, 0, PPM, "power.reputation")
    within(token, 0, PPM, "power.token")
    within(full, 1, U32, "power.months_full")
    within(unit, BLOCK, U64, "power.token_unit")
    within(months, 0, 10**6, "power.badge_months")
    within(score, 0, 10**12, "power.reputation_score")
    within(stake, 0, AMOUNT, "power.stake")
    mix = (months * PPM // full * service + score * rep + stake * PPM // unit * token) // PPM
    return (math.isqrt(mix * stake),)


def vote_weight(base, epoch, deadline, bonus, window_epochs, late):
    within(bonus, 0, BPS, "vote.early_bonus")
    within(late, 0, PPM, "vote.late_weight")
    if epoch > deadline:
        raise Refused("EXPIRED", "vote.epoch")
    weight = base * late // PPM if deadline - epoch <= window_epochs else base * (BPS + bonus) // BPS
    if weight > U64:
        raise Refused("OVERFLOW", "vote.power")
    return (weight,)


LAWS = {f.__name__: f for f in (
    quotient, ratio, mul, div, drift, sqrt_product, exp2, exp, exp62, split, mint_split, baseline, issuance, envelope, tail, utilisation, margin,
    block_q32, distress, softmax, subsidy, budget, health, diversity, multiplier, topup, adsplit, converge, tariff, charge, risk, security,
    contribution, reputation, median, power, vote_weight)}


def answer(name, args):
    """The line that tests/econ/eval.c prints for "name args"."""
    try:
        result = LAWS[name](*args)
    except Refused as r:
        return (r.error + " " + r.field).strip()
    return " ".join(map(str, result if isinstance(result, (list, tuple)) else (result,)))
