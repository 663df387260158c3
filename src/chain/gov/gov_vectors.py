#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A second implementation of spec/governance.md: replays the history of spec/vectors/governance.json and compares every proposal and parameter."""
import json
import math
import re
import sys

OPERATORS, BUILDERS = 1, 2
PARAMETERS, AMENDMENT, EMERGENCY, ROLLBACK = 1, 2, 6, 7
OPEN, TIMELOCKED, ACTIVATED, REJECTED, FAILED, ROLLED_BACK, IN_FORCE, EXPIRED = range(1, 9)
CLASSES = {"OPERATIONAL": 0, "STRUCTURAL": 1, "CONSTITUTIONAL": 2}
MARKETS = ["STORAGE", "COMPUTE", "ENERGY", "AD"]
MILLION = 10**6


class Tables:
    def __init__(self, folder):
        with open(folder + "/params.def", encoding="utf-8") as file:
            text = file.read()
        with open(folder + "/governance.def", encoding="utf-8") as file:
            more = file.read()
        with open(folder + "/limits.def", encoding="utf-8") as file:
            limits = {"LIMIT_" + name: value for name, value in re.findall(r"^LIMIT\((\w+), +(\d+),", file.read(), re.M)}
        self.number, self.kind, self.bounds, self.changer = {}, {}, {}, {}
        row = r'^PARAM\((\w+), (\d+), "[^"]+", "[^"]+", \d+, (\d+), (\w+), (\w+), (\w+),'
        for name, number, low, high, kind, changer in re.findall(row, text, re.M):
            self.number[name] = int(number)
            self.kind[int(number)] = CLASSES[kind]
            self.bounds[int(number)] = (int(low), int(limits.get(high, high)))
            self.changer[int(number)] = changer
        self.rules = []
        for condition in re.findall(r'^PARAM_RULE\("[^"]*", (.*)\)$', text, re.M):
            python = re.sub(r"P\((\w+)\)", lambda m: "v[%d]" % self.number[m.group(1)], condition)
            self.rules.append(compile(python.replace("&&", " and ").replace("||", " or "), condition, "eval"))
        self.market = {self.number[n]: 1 + MARKETS.index(m) for n, m in re.findall(r"^PARAM_MARKET\((\w+), (\w+)\)", more, re.M)}
        self.tightens = {self.number[n]: d for n, d in re.findall(r"^PARAM_TIGHTENS\((\w+), (\w+)\)", more, re.M)}

    def good(self, v):
        return all(low <= v[n] <= high for n, (low, high) in self.bounds.items()) and all(eval(rule, {"v": v}) for rule in self.rules)


class Voter:
    def __init__(self):
        self.stake, self.markets, self.builder, self.months, self.reputation = 0, 0, 0, 0, 0
        self.history = []  # (epoch, powers), the last of each epoch

    def at(self, epoch):
        before = [powers for e, powers in self.history if e <= epoch]
        return before[-1] if before else [0] * 6


class World:
    def __init__(self, vectors, tables):
        self.t = tables
        self.v = {number: value for number, value in vectors["params"]}
        self.by = dict.fromkeys(self.v, 0)  # the proposal that set it
        self.person = {who: group[0] for group in vectors["persons"] for who in group}
        self.region = {who: region for who, region in vectors["regions"]}
        self.voters, self.proposals = {}, []

    def p(self, name):
        return self.v[self.t.number["GOV_" + name]]

    def power(self, voter, months):
        service = months * MILLION // self.p("MONTHS_FULL")
        token = voter.stake * MILLION // self.p("TOKEN_UNIT")
        mix = service * self.p("WEIGHT_SERVICE") + voter.reputation * self.p("WEIGHT_REPUTATION") + token * self.p("WEIGHT_TOKEN")
        return min(math.isqrt(mix // MILLION * voter.stake), self.p("IDENTITY_CAP"))

    def refresh(self, who, epoch):
        voter = self.voters[who]
        months = min(voter.months, self.p("MONTHS_FULL"))
        live = [m for m in range(4) if voter.markets >> m & 1]
        powers = [0] * 6
        for m in live:
            powers[1 + m] = self.power(voter, months)
        if live:
            powers[0] = self.power(voter, months * len(live))
        if voter.builder:
            powers[5] = self.power(voter, months)
        if voter.history and voter.history[-1][0] == epoch:
            voter.history.pop()
        voter.history.append((epoch, powers))

    def eligible(self, electorate, epoch):
        return sum(voter.at(epoch)[electorate] for voter in self.voters.values())

    # --- transactions ---

    def propose(self, s, epoch):
        kind, changes = s["kind"], s["changes"]
        x = {"kind": kind, "changes": changes, "before": {}, "target": s["target"], "status": OPEN, "round": 1, "snapshot_epoch": epoch - 1,
             "activate_epoch": 0, "expire_epoch": 0, "held": 1, "votes": {}, "spent": {}, "extended": False, "number": len(self.proposals) + 1}
        if kind == ROLLBACK:
            target = self.proposals[s["target"] - 1]
            x["class"], x["electorate"] = (1 if target["class"] == 2 else 0), target["electorate"]
        else:
            x["class"] = 1 if kind == EMERGENCY else max(self.t.kind[n] for n, _ in changes)
            x["electorate"] = self.t.market.get(changes[0][0], 0)
        names = {AMENDMENT: ("AMEND_VOTING", "AMEND_COOLING"), EMERGENCY: ("EMERGENCY_VOTING", "TIMELOCK_MIN"), ROLLBACK: ("VOTING", "TIMELOCK_MIN"),
                 PARAMETERS: ("VOTING", "TIMELOCK_STRUCTURAL" if x["class"] else "TIMELOCK_OPERATIONAL")}[kind]
        x["vote_start"] = epoch + 1 + (self.p("AMEND_COMMENT") if kind == AMENDMENT else 0)
        x["vote_end"] = x["vote_start"] + self.p(names[0])
        x["timelock"] = self.p(names[1])
        x["threshold"] = self.p(["THRESHOLD_OPERATIONAL", "THRESHOLD_STRUCTURAL", "THRESHOLD_CONSTITUTIONAL"][x["class"]])
        x["quorum"] = {OPERATORS: self.p("QUORUM_OPERATORS"), BUILDERS: self.p("QUORUM_BUILDERS")}
        self.open_round(x)
        self.proposals.append(x)

    def open_round(self, x):
        x["tally"] = {h: [self.eligible(self.electorate(x, h), x["snapshot_epoch"]), 0, 0, 0] for h in (OPERATORS, BUILDERS)}
        x["votes"], x["spent"] = {}, {}

    @staticmethod
    def electorate(x, house):
        return 5 if house == BUILDERS else x["electorate"]

    def citizen(self, who):
        home = self.p("HOME_REGION")
        return who in self.region and home in (0, self.region[who])

    def late(self, x):
        return 0 if x["kind"] == EMERGENCY else self.p("LATE_WINDOW")

    @staticmethod
    def quorum(x):
        return all(t[1] > 0 and t[1] * MILLION >= t[0] * x["quorum"][h] for h, t in x["tally"].items())

    def count_one(self, x, house, who, choice, epoch):
        electorate = self.electorate(x, house)
        weight = MILLION if self.citizen(who) else self.p("FOREIGN_WEIGHT")
        raw = min(self.voters[who].at(x["snapshot_epoch"])[electorate], self.voters[who].at(epoch)[electorate]) * weight // MILLION
        cap = self.p("IDENTITY_CAP") * weight // MILLION
        if raw == 0:
            return
        tally, key = x["tally"][house], (house, self.person.get(who, -who))
        old = x["votes"].pop((house, who), None)
        if old:
            tally[1] -= old[1]
            if old[0] < 3:
                tally[1 + old[0]] -= old[2]
            x["spent"][key] -= old[1]
        power = min(raw, max(0, cap - x["spent"].get(key, 0)))
        if x["vote_end"] - epoch <= self.late(x):
            weight = power * self.p("LATE_WEIGHT") // MILLION
        else:
            weight = power * (10**4 + self.p("EARLY_BONUS")) // 10**4
        x["spent"][key] = x["spent"].get(key, 0) + power
        x["votes"][(house, who)] = (choice, power, weight)
        tally[1] += power
        if choice < 3:
            tally[1 + choice] += weight

    def vote(self, x, houses, who, choice, epoch):
        assert x["vote_start"] <= epoch < x["vote_end"]
        self.refresh(who, epoch)
        reached = self.quorum(x)
        for house in houses:
            self.count_one(x, house, who, choice, epoch)
        if not x["extended"] and not reached and x["vote_end"] - epoch <= self.late(x) and self.quorum(x) and self.p("EXTENSION"):
            x["extended"] = True
            x["vote_end"] += self.p("EXTENSION")

    # --- the end of an epoch ---

    def restore(self, x):
        return [(n, x["before"][n]) for n, _ in x["changes"] if self.by[n] == x["number"]]

    def holder(self, n):
        by = self.by[n]
        return self.proposals[by - 1] if by and self.proposals[by - 1]["status"] == IN_FORCE else None

    def set_is_good(self, diff, emergency):
        now, calm = dict(self.v), dict(self.v)
        now.update(diff)
        for x in self.proposals:
            if x["status"] == IN_FORCE:
                calm.update(self.restore(x))
        calm.update(diff)
        return self.t.good(now) and (emergency or self.t.good(calm))

    def may_act(self, x, diff):
        if any(self.t.changer[n] != "BOTH_HOUSES" for n, _ in diff):
            return False
        if x["kind"] == EMERGENCY:
            for n, value in diff:
                way = self.t.tightens.get(n)
                if not (value > self.v[n] if way == "UP" else way == "DOWN" and value < self.v[n]) or self.holder(n):
                    return False
        if x["kind"] == ROLLBACK and (not diff or self.proposals[x["target"] - 1]["status"] not in (ACTIVATED, IN_FORCE)):
            return False
        return self.set_is_good(diff, x["kind"] == EMERGENCY)

    def apply(self, diff, number):
        for n, value in diff:
            self.v[n], self.by[n] = value, number

    def activate(self, x, epoch):
        diff = self.restore(self.proposals[x["target"] - 1]) if x["kind"] == ROLLBACK else [tuple(c) for c in x["changes"]]
        if not self.may_act(x, diff):
            x["status"] = FAILED
            return
        for n, _ in x["changes"]:
            holder = self.holder(n)
            x["before"][n] = holder["before"][n] if holder else self.v[n]
        self.apply(diff, x["number"])
        x["status"] = ACTIVATED
        if x["kind"] == ROLLBACK:
            self.proposals[x["target"] - 1]["status"] = ROLLED_BACK
        if x["kind"] == EMERGENCY:
            x["status"] = IN_FORCE
            x["expire_epoch"] = epoch + self.p("EMERGENCY_TERM")

    def count(self, x):
        def won(t):
            have, need = t[2] * MILLION, (t[2] + t[3]) * x["threshold"]
            return t[2] > 0 and (have > need if x["class"] == 0 else have >= need)
        if not self.quorum(x) or not all(won(t) for t in x["tally"].values()):
            x["status"], x["held"] = REJECTED, 0
        elif x["kind"] == AMENDMENT and x["round"] == 1:
            x["round"], x["extended"] = 2, False
            x["vote_start"] = x["vote_end"] + self.p("AMEND_GAP")
            x["vote_end"] = x["vote_start"] + self.p("AMEND_VOTING")
            x["snapshot_epoch"] = x["vote_start"] - 1
            x["tally"] = {h: [0, 0, 0, 0] for h in x["tally"]}
        else:
            x["status"], x["held"], x["activate_epoch"] = TIMELOCKED, 0, x["vote_end"] + x["timelock"]

    def end_epoch(self, epoch):
        following = epoch + 1
        for x in self.proposals:
            if x["status"] == OPEN and x["vote_end"] == following:
                self.count(x)
            elif x["status"] == OPEN and x["round"] == 2 and x["vote_start"] == following:
                self.open_round(x)
            elif x["status"] == TIMELOCKED and x["activate_epoch"] == following:
                self.activate(x, following)
            elif x["status"] == IN_FORCE and x["expire_epoch"] == following:
                alone = self.set_is_good(self.restore(x), True)
                for y in [x] if alone else self.proposals:
                    if y["status"] == IN_FORCE:
                        self.apply(self.restore(y), y["number"])
                        y["status"] = EXPIRED

    def step(self, s):
        epoch, what = s["epoch"], s["step"]
        if what == "identity":
            voter = self.voters.setdefault(s["who"], Voter())
            voter.markets, voter.builder, voter.months, voter.reputation = s["markets"], s["builder"], s["months"], s["reputation_ppm"]
            self.refresh(s["who"], epoch)
        elif what == "stake":
            self.voters.setdefault(s["who"], Voter()).stake += s["change"]
            self.refresh(s["who"], epoch)
        elif what == "propose":
            self.propose(s, epoch)
        elif what == "vote":
            self.vote(self.proposals[s["proposal"] - 1], (OPERATORS, BUILDERS), s["who"], s["choice"], epoch)
        elif what == "vote_for":
            x = self.proposals[s["proposal"] - 1]
            self.vote(x, (s["house"],), s["voter"], x["votes"][(s["house"], s["who"])][0], epoch)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        vectors = json.load(file)
    world, epoch = World(vectors, Tables(sys.argv[2])), 1
    for s in vectors["steps"]:
        while epoch < s["epoch"]:
            world.end_epoch(epoch)
            epoch += 1
        world.step(s)
    world.end_epoch(epoch)
    assert len(world.proposals) == len(vectors["proposals"])
    for x, want in zip(world.proposals, vectors["proposals"]):
        got = {key: x[key] for key in want if key not in ("operators", "builders")}
        got.update(operators=x["tally"][OPERATORS], builders=x["tally"][BUILDERS])
        assert got == want, "proposal %d: %s, not %s" % (x["number"], got, want)
    for number, value in vectors["values"]:
        assert world.v[number] == value, "parameter %d: %d, not %d" % (number, world.v[number], value)
    count = [sum(x["status"] == status for x in world.proposals) for status in range(9)]
    assert all(count[status] for status in (ACTIVATED, REJECTED, FAILED, ROLLED_BACK, EXPIRED)), count
    print(len(vectors["steps"]), "steps,", len(world.proposals), "proposals by status", count[1:])


main()
