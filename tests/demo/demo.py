# SPDX-License-Identifier: Apache-2.0
"""`tb demo` at a small size: its facts, its receipts, its evidence, its end by Ctrl-C."""
import argparse
import json
import os
import random
import re
import signal
import subprocess
import time

from kit import RATE, SMALL, Failed, Skipped, main, need, wait_for

STEPS = 16
SHAPE = SMALL[:10]


def receipts_hold(kit, demo):
    trust = demo["genesis"] + ":" + demo["producer"]
    files = sorted(os.listdir(demo["receipt_dir"]))
    need(len(files) == demo["receipts"] == demo["leases_paid"], "a receipt for each paid lease")
    for name in files:
        kit.run("receipt", "verify", os.path.join(demo["receipt_dir"], name), "--trust", trust)
    with open(os.path.join(demo["receipt_dir"], files[0]), "rb") as f:
        whole = f.read()
    draw = random.Random(1)
    for at in [0, len(whole) - 1] + draw.sample(range(len(whole)), 12):
        changed = bytearray(whole)
        changed[at] ^= 1 << draw.randrange(8)
        with open(kit.path("changed"), "wb") as f:
            f.write(changed)
        said = kit.run("receipt", "verify", kit.path("changed"), "--trust", trust, "--json", code=8)
        need(said["error"]["what"], f"the field of byte {at} is named")


def facts_hold(kit, demo):
    need(demo["balanced"], "the books balance")
    need(demo["leases_paid"] == STEPS * 4, "every lease is paid once")
    need(demo["validation_nats"] < demo["validation_before_nats"], "it learns")
    need(not any(w["banned"] for w in demo["workers"] if w["name"] != "worker-c"), "no honest worker is accused")
    need(demo["caught"] == any(w["banned"] for w in demo["workers"]), "who is caught is out")
    if demo["caught"]:
        need(demo["slashed"] and demo["redone_lease"] > demo["caught_lease"], "slashed, and the batch redone")
        need(f"lease-{demo['caught_lease']}.receipt" not in os.listdir(demo["receipt_dir"]), "the spoiled lease is not paid")
        kit.run("dispute", "replay", demo["evidence"])


def same_as_alone(kit, demo, *data):
    """Three processes, one of which cheats and is caught at once, and one process alone: the same state."""
    alone = kit.run("train", *SHAPE, *data, "--steps", str(STEPS), "--warm", str(STEPS // 4), "--rate", RATE, "--seed", str(demo["seed"]), "--job", demo["job"],
                    "--sample", "0", "--json")
    need(alone["state_id"] == demo["state_id"], "the state id of training alone")


def corpus(kit):
    if subprocess.run(["sh", "-c", "command -v bible"], stdout=subprocess.DEVNULL, check=False).returncode != 0:
        raise Skipped("the package bible-kjv is not installed")
    demo = kit.run("demo", *SMALL, "--steps", str(STEPS), "--home", kit.path("demo"), "--json")
    facts_hold(kit, demo)
    receipts_hold(kit, demo)


def proofs_hold(kit, demo):
    """The receipts of the last step against the bundle: by their proofs, and not with one bit of proof, gradient or model changed."""
    trust, bundle = demo["genesis"] + ":" + demo["producer"], os.path.join(demo["home"], "bundle")
    last = [os.path.join(demo["receipt_dir"], name) for name in sorted(os.listdir(demo["receipt_dir"]))][-4:]
    for receipt in last:
        said = kit.run("receipt", "verify", receipt, "--trust", trust, "--bundle", bundle, "--json")
        need(said["level"] == "full" and any("the proof verifies" in line for line in said["checked"]), "the proof is verified offline")
    names = {kind: sorted(n for n in os.listdir(bundle) if n.endswith(kind)) for kind in (".proof", ".gradient", ".model")}
    need([len(names[k]) for k in (".proof", ".gradient", ".model")] == [4, 4, 1], "the bundle has what the last step needs")
    seen = kit.run("proof", "inspect", last[0], "--trust", trust, "--bundle", bundle, "--json")
    need(sum(int(n) for n in seen["parts"].values()) == int(seen["bytes"]) and seen["soundness_bits"] >= 100, "the parts of the proof are all of it")
    draw = random.Random(2)
    for kind, files in names.items():
        for name in files:
            path = os.path.join(bundle, name)
            with open(path, "rb") as f:
                whole = f.read()
            changed = bytearray(whole)
            changed[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
            with open(path, "wb") as f:
                f.write(changed)
            codes = [subprocess.run([kit.tb, "receipt", "verify", r, "--trust", trust, "--bundle", bundle], capture_output=True, env=kit.env, check=False).returncode
                     for r in last]
            need(codes.count(8) == (4 if kind == ".model" else 1), f"one changed bit of a {kind} file is refused: {codes}")
            with open(path, "wb") as f:
                f.write(whole)


def full(kit):
    """Every gradient is proved; who spoils one is caught by the proof, at once; the model is the one that honest work gives."""
    text = kit.write("text", "".join(f"line {i}: the {'quick brown fox' if i % 3 else 'lazy dog'} counts to {i * i % 97}.\n" for i in range(2000)))
    caught = 0
    kit.env["BLOCKTORCH_PROFILE"] = kit.path("profile")  # of the workers, who inherit it
    for seed in range(1, 31):
        demo = kit.run("demo", *SMALL[:-2], "--level", "full", "--steps", str(STEPS), "--seed", str(seed), "--data", text, "--home", kit.path(f"full{seed}"), "--json")
        facts_hold(kit, demo)
        need(demo["level"] == "full" and demo["proved"] >= STEPS * 4 and demo["spoiled_undrawn"] == 0, "nothing unproved is accepted")
        need((demo["unproved"] > 0) == demo["caught"] and bool(demo["relation"]) == demo["caught"], "who is caught is caught by a relation that fails")
        same_as_alone(kit, demo, "--data", text)
        need(demo["audits_other"] == 0, "what was drawn for an audit is valid, or under way")
        if seed == 1:
            receipts_hold(kit, demo)
            proofs_hold(kit, demo)
            with open(kit.env.pop("BLOCKTORCH_PROFILE"), encoding="utf-8") as f:
                lines = [json.loads(line) for line in f if '"prove"' in line or '"witness"' in line]
            need(len(lines) >= STEPS * 8 and all(line["ns"] > 0 and line["bytes"] > 0 for line in lines), "time and memory of each proof are in the profile")
        caught += demo["caught"]
        if caught == 2:
            return
    raise Failed("thirty seeds, and nobody spoiled a lease")


def other_text(kit):
    """Until one run caught somebody and one was free of spoiled gradients that were not drawn (those are in the model, at this level)."""
    text = kit.write("text", "".join(f"line {i}: the {'quick brown fox' if i % 3 else 'lazy dog'} counts to {i * i % 97}.\n" for i in range(2000)))
    caught = clean = False
    for seed in range(1, 31):
        demo = kit.run("demo", *SMALL, "--steps", str(STEPS), "--seed", str(seed), "--data", text, "--home", kit.path(f"demo{seed}"), "--json")
        facts_hold(kit, demo)
        caught = caught or demo["caught"]
        if not clean and demo["spoiled_undrawn"] == 0:
            same_as_alone(kit, demo, "--data", text)
            clean = True
        if caught and clean:
            return
    raise Failed("thirty seeds, and nobody was caught, or no run was clean")


def interrupted(kit):
    """Ctrl-C ends it with its children."""
    home = kit.path("demo")
    demo = kit.start("demo", *SMALL, "--steps", "5000", "--home", home, log="demo")
    wait_for("a worker's first lease", lambda: os.path.exists(home + "/worker-a.log") and "answered" in kit.read("demo/worker-a.log"))
    node = re.search(r"node process (\d+)", kit.read("demo.out"))
    os.kill(int(node.group(1)), signal.SIGINT)  # as a terminal's Ctrl-C does, which reaches the node first
    time.sleep(0.3)
    demo.send_signal(signal.SIGINT)
    need(kit.end(demo, 60) == 130, "exit code 130")
    need(not children(home), "no child is left")


def children(home):
    """The command lines of the processes that work in this directory."""
    lines = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in lines if home in line]


def working(kit, demo, home):
    wait_for("a worker's first lease", lambda: need(demo.poll() is None, "the demo runs: " + kit.read("demo.err")[-400:]) or
             (os.path.exists(home + "/worker-a.log") and "answered" in kit.read(os.path.relpath(home, kit.work) + "/worker-a.log")))


def killed(kit):
    """kill -9 ends its children, too; the next run clears away what it left, but not what a running demo uses. Without a terminal, too, it says at once
    what it does, and the node knows what each worker computed."""
    base = kit.env["TB_HOME"]
    home = base + "/demo"
    text = kit.write("text", "".join(f"line {i}: {i * i % 97} of some text that is long enough.\n" for i in range(2000)))
    small = [*SMALL, "--data", text]
    demo = kit.start("demo", *small, "--steps", "5000", log="demo")
    wait_for("its first line", lambda: kit.read("demo.out").startswith("The Block demo"))
    working(kit, demo, home)
    need("[3/6] Job" in kit.read("demo.out"), "what happened is told when it happens")
    workers = kit.rpc("worker.list", home=home)["workers"]
    # The one that cheats leaves when it is caught, which may be before anything of it was accepted.
    wait_for("samples of two workers", lambda: sum(bool(kit.rpc("blocktorch.throughput_history", home=home, worker_id=w["address"])["samples"]) for w in workers) >= 2)
    need(len(workers) == 3 and len(children(home)) >= 3, "a node and its workers")
    second = kit.run("demo", *small, "--steps", "2", "--json")
    need(second["home"] == home + "-2" and os.path.exists(home + "-2/genesis.cbor"), "a second demo takes another place")
    kit.kill(demo)
    wait_for("the end of the children", lambda: not children(home))
    need(os.path.exists(home + "/genesis.cbor"), "the killed demo left its directory")
    kit.write("home/demo/mine", "left behind")
    third = kit.run("demo", *small, "--steps", "2", "--json")
    need(third["home"] == home and not os.path.exists(home + "/mine"), "the next run clears it")
    need(not os.path.exists(home + "-2"), "and the second one's")
    need(not children(base), "no child is left")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tb", required=True)
    main(parser.parse_args().tb, [corpus, other_text, full, interrupted, killed])
