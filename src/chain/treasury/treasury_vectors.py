#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Computes spec/vectors/treasury.json again from spec/treasury.md: whole histories instead of rings and running sums, fractions
instead of products of 128 bits."""
import json
import sys
from fractions import Fraction
from math import floor

OK, LIMIT, BUSY = 0, 7, 15
PPM = 10**6


class Treasury:
    """Everything that ever left, by epoch."""

    def __init__(self, limits):
        self.epoch_ppm, self.proposal_ppm, self.day_ppm, self.month_ppm, self.large_ppm, self.cooldown = limits
        self.epoch, self.base, self.balance, self.cooldown_epoch, self.taken = 1, 0, 0, 0, {}

    def share(self, ppm):
        return floor(Fraction(self.base * ppm, PPM))

    def sum_since(self, first):
        return sum(amount for epoch, amount in self.taken.items() if epoch >= first)

    def day_out(self):
        return self.sum_since(self.epoch - 143)

    def month_out(self):
        day = (self.epoch - 1) // 144
        return self.sum_since((day - 30) * 144 + 1)

    def check(self, amount):
        if self.epoch <= self.cooldown_epoch:
            return BUSY
        taken = self.taken.get(self.epoch, 0)
        if amount > self.share(self.proposal_ppm) or taken + amount > self.share(self.epoch_ppm):
            return LIMIT
        if self.day_out() + amount > self.share(self.day_ppm) or self.month_out() + amount > self.share(self.month_ppm):
            return LIMIT
        return OK

    def end_epoch(self):
        taken = self.taken.get(self.epoch, 0)
        if taken > 0 and Fraction(taken) >= Fraction(self.base * self.large_ppm, PPM):
            self.cooldown_epoch = self.epoch + self.cooldown
        self.epoch += 1
        self.base = self.balance


def check_velocity(vector):
    t = Treasury(vector["limits"])
    codes = []
    for skip, gift, amount, code, base, day_out, month_out, cooldown_epoch in vector["steps"]:
        for _ in range(skip):
            t.end_epoch()
        t.balance += gift
        assert t.check(amount) == code, (t.epoch, amount)
        if code == OK and amount <= t.balance:
            t.balance -= amount
            t.taken[t.epoch] = t.taken.get(t.epoch, 0) + amount
        assert (t.base, t.day_out(), t.month_out(), t.cooldown_epoch) == (base, day_out, month_out, cooldown_epoch), t.epoch
        codes.append(code)
    assert t.epoch > 40 * 144
    return codes


def health(treasury, rate, epochs, emergency_ppm):
    if rate == 0:
        return 0
    ratio = Fraction(treasury, rate * epochs)
    if ratio < Fraction(emergency_ppm, PPM):
        return 2
    return 1 if ratio < 1 else 0


class Breaker:
    CLOSED, OPEN, HALF_OPEN = range(3)

    def __init__(self, rules):
        self.failures, self.window, self.open_blocks, self.need, self.tighten, self.least, self.recover = rules
        self.state, self.scale, self.row, self.opened, self.probe, self.good, self.epoch, self.incident_epoch = 0, PPM, [], 0, 0, 0, 1, 0

    def threshold(self):
        return max(1, floor(Fraction(self.failures * self.scale, PPM)))

    def admits(self, height):
        return self.state == self.CLOSED or self.state == self.HALF_OPEN and self.probe != height

    def incident(self):
        if self.incident_epoch != self.epoch:
            self.incident_epoch = self.epoch
            self.scale = min(self.scale, max(self.least, floor(Fraction(self.scale * self.tighten, PPM))))

    def trip(self, height):
        self.state, self.opened, self.row = self.OPEN, height, []
        self.incident()

    def step(self, op, height):
        if op == "f" and self.state == self.CLOSED:
            self.row.append(height)
            if sum(height - self.window < h for h in self.row[-8:]) >= self.threshold():
                self.trip(height)
        elif op == "f" and self.state == self.HALF_OPEN:
            self.trip(height)
        elif op == "s":
            self.row = []
            if self.state == self.HALF_OPEN:
                self.probe = height
                self.good += 1
                if self.good >= self.need:
                    self.state = self.CLOSED
        elif op == "i":
            self.incident()
        elif op == "e":
            self.epoch += 1
            self.scale = min(PPM, self.scale - (-self.scale * self.recover) // PPM)
            if self.state == self.OPEN and height - self.opened >= self.open_blocks:
                self.state, self.good, self.probe = self.HALF_OPEN, 0, 0


def check_breaker(vector):
    b = Breaker(vector["rules"])
    states = []
    for op, height, state, admits, threshold, scale in vector["steps"]:
        b.step(op, height)
        assert (b.state, int(b.admits(height)), b.threshold(), b.scale) == (state, admits, threshold, scale), (op, height)
        states.append(state)
    return states


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        vectors = json.load(file)
    codes = sum((check_velocity(v) for v in vectors["velocity"]), [])
    assert min(codes.count(code) for code in (OK, LIMIT, BUSY)) > 40
    for *given, want in vectors["reserve"]:
        assert health(*given) == want, given
    assert {v[4] for v in vectors["reserve"]} == {0, 1, 2}
    states = sum((check_breaker(v) for v in vectors["breaker"]), [])
    assert min(states.count(state) for state in range(3)) > 50
    print(len(codes), "steps of limits,", len(vectors["reserve"]), "reserves,", len(states), "steps of breakers")


main()
