# SPDX-License-Identifier: Apache-2.0
"""How often a cheat is caught, over many seeds, against what the sample rate says. What was spoiled comes from the cheating worker's own log, what was
paid from the receipts, what was caught from the coordinator; a worker is out after it was caught once, so a run ends its count there."""
import argparse
import math
import os
import re
import subprocess
import sys

from kit import SMALL, Failed, Kit, need

RATE = 0.25


def one(kit, seed, steps):
    home = kit.path(f"demo{seed}")
    demo = kit.run("demo", *SMALL, "--steps", str(steps), "--seed", str(seed), "--home", home, "--json")
    with open(home + "/worker-c.log", encoding="utf-8") as f:
        spoiled = {int(m) for m in re.findall(r"lease (\d+): spoiled", f.read())}
    passed = {n for n in spoiled if os.path.exists(f"{demo['receipt_dir']}/lease-{n}.receipt")}
    need(demo["balanced"], "the books balance")
    need(demo["spoiled_undrawn"] == len(passed), "the demo tells how many spoiled leases passed")
    need(not any(w["banned"] for w in demo["workers"][:2]), "no honest worker is banned")
    need(not demo["caught"] or (demo["caught_lease"] in spoiled and demo["slashed"]), "who is caught did spoil, and is slashed")
    honest = 3 - demo["caught"]
    bonds = int(demo["bonds_nblock"])
    need(bonds >= honest * 20 * 10**9, "the bonds of the others are whole")
    subprocess.run(["rm", "-rf", home], check=True)
    drawn = sum(w["sampled"] for w in demo["workers"])
    answers = sum(w["accepted"] for w in demo["workers"]) + demo["caught"]
    return len(passed), int(demo["caught"]), drawn, answers


def z_line(what, hits, trials):
    expected, sd = trials * RATE, math.sqrt(trials * RATE * (1 - RATE))
    z = (hits - expected) / sd if sd else 0.0
    print(f"{what}: {hits} of {trials}; expected {expected:.1f}, standard deviation {sd:.2f}, z = {z:+.2f}")
    return z


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tb", required=True)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--steps", type=int, default=100)
    o = parser.parse_args()
    kit = Kit(o.tb)
    print(f"{o.seeds} runs of tb demo {' '.join(SMALL)} --steps {o.steps}, seeds {o.first} to {o.first + o.seeds - 1}; the cheat spoils a tenth of its leases,")
    print("a quarter of all leases is drawn. A worker that is caught is out, so a run has at most one catch.\n")
    print("seed  spoiled and judged  caught  drawn of all judged")
    total = [0, 0, 0, 0]
    try:
        for seed in range(o.first, o.first + o.seeds):
            row = one(kit, seed, o.steps)
            total = [a + b for a, b in zip(total, row)]
            print(f"{seed:4}  {row[0] + row[1]:18}  {row[1]:6}  {row[2]:5} of {row[3]}", flush=True)
    except (Failed, subprocess.TimeoutExpired) as e:
        print(f"FAILED: {e}")
        sys.exit(1)
    finally:
        kit.close()
    print()
    # Each judged answer is one trial of the same chance, whatever came before; stopping at the first catch does not bias hits - rate * trials.
    worst = max(abs(z_line("spoiled answers that were caught", total[1], total[0] + total[1])), abs(z_line("answers that were drawn", total[2], total[3])))
    print("honest workers banned or slashed: 0")
    print("matches the prediction" if worst < 4 else "DOES NOT MATCH the prediction")
    sys.exit(worst >= 4)


if __name__ == "__main__":
    main()
