# SPDX-License-Identifier: Apache-2.0
"""A job with a node, a coordinator and workers in processes of their own, of which some are killed with SIGKILL at drawn moments and started again. At the
end: the state of an undisturbed training, everything paid once, books that balance, receipts that hold."""
import argparse
import json
import os
import random
import re
import socket
import time

from kit import RATE, SMALL, Failed, main, need, wait_for

BLOCK = 10**9
WORKERS = ["a", "b", "c"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Job:
    def __init__(self, kit, steps, workers, level="refereed", param=""):
        self.kit, self.steps, self.port, self.workers = kit, steps, free_port(), {}
        self.undisturbed = False
        self.names = WORKERS[:workers]
        text = kit.write("text", "".join(f"line {i}: the {'quick brown fox' if i % 3 else 'lazy dog'} counts to {i * i % 97}.\n" for i in range(2000)))
        self.spec = kit.write("spec.json", json.dumps({"data": text, "width": 32, "layers": 2, "heads": 2, "context": 32, "steps": steps, "batch": 8, "lease": 2,
                                                       "warm_steps": steps // 4, "price": "0.25", "checkpoint_steps": 7,
                                                       "level": level}))
        genesis = kit.run("genesis", "new", "--alloc", "buyer=1000," + ",".join(f"{w}=50" for w in self.names), "--param", param, "--json")
        self.trust = genesis["genesis"] + ":" + genesis["producer_key"]
        self.start_node()
        for w in self.names:
            kit.run("worker", "register", "--key", w, "--bond", "20")
        self.id = kit.run("job", "post", self.spec, "--yes").strip()
        for w in self.names:
            kit.run("worker", "bid", self.id, "0.2", "--key", w)
        self.start_coordinator()
        for w in self.names:
            self.start_worker(w)

    def start_node(self):
        self.node = self.kit.start("node", "run", "--interval", "10", "--idle", "50", log="node")
        wait_for("the node's answer", self.node_answers)

    def node_answers(self):
        try:
            return bool(self.kit.run("node", "status"))
        except Failed:
            need(self.node.poll() is None, "the node runs: " + self.kit.read("node.err")[-400:])
            return False

    def start_coordinator(self):
        self.coordinator = self.kit.start("job", "run", self.spec, "--job", self.id, "--bids", str(len(self.names)), "--port", str(self.port), "--yes", "--json",
                                          log="job")

    def start_worker(self, name):
        self.workers[name] = self.kit.start("worker", "run", "--key", name, "--job", self.id, "--coordinator", f"http://127.0.0.1:{self.port}", "--threads", "1",
                                            log="worker-" + name)

    def answers(self):
        return sum(len(re.findall(r"answered, .* us$", self.kit.read(f"worker-{w}.err"), re.M)) for w in self.names)

    def reach(self, share):
        """Waits until about this share of the leases was answered."""
        wait_for(f"{share:.2f} of the leases", lambda: self.answers() >= share * self.steps * 4 or self.coordinator.poll() is not None, 120)
        need(self.coordinator.poll() is None, "the coordinator runs: " + self.kit.read("job.err")[-600:] + self.kit.read("job.out")[-600:])

    def finish(self):
        code = self.kit.end(self.coordinator)
        need(code == 0, f"the coordinator's exit code {code}: " + self.kit.read("job.err")[-600:])
        result = json.loads(self.kit.read("job.out"))
        for name, p in self.workers.items():
            code = self.kit.end(p, 60)
            need(code == 0, f"worker {name}'s exit code {code}: " + self.kit.read(f"worker-{name}.err")[-400:])
        self.check(result)
        self.node.terminate()
        need(self.kit.end(self.node) == 0, "the node ends well")
        names = sorted(os.listdir(result["receipts"]))
        need(len(names) == self.steps * 4, "a receipt for each lease")
        for name in names[:: max(1, len(names) // 10)]:
            self.kit.run("receipt", "verify", os.path.join(result["receipts"], name), "--trust", self.trust)

    def check(self, result):
        kit = self.kit
        data = json.loads(kit.read("spec.json"))
        alone = kit.run("train", *SMALL[:10], "--data", data["data"], "--steps", str(self.steps), "--warm", str(self.steps // 4), "--rate", RATE, "--seed", "42", "--job",
                        self.id, "--sample", "0", "--json")
        need(result["state_id"] == alone["state_id"], f"the state id of training alone: {result['state_id']} is not {alone['state_id']}")
        need(result["differing"] == "0" and result["slashed"] == "0", "nobody is accused")
        need(int(result["leases_paid"]) == self.steps * 4, f"{result['leases_paid']} leases are paid, not {self.steps * 4}")
        need(int(result["paid_nblock"]) == self.steps * 8 * BLOCK // 5 // 64, "each is paid once, at the bid's price")
        status = kit.run("job", "status", self.id, "--json")
        self.check_throughput()
        need(status["status"] == "complete" and status["sequences_paid"] == str(self.steps * 8) and status["escrow_left"] == "0", "the job is closed, all paid")
        supply = kit.rpc("supply.get")
        parts = sum(int(supply[k]) for k in ("balances", "escrow", "bonds", "treasury", "subsidy", "awarded", "disbursing", "stakes"))
        need(parts == int(supply["minted"]) - int(supply["burned"]) and supply["escrow"] == "0", "the books balance")


    def check_throughput(self):
        """What the coordinator told the node of each worker: all of it, if neither was started again."""
        history = [self.kit.rpc("blocktorch.throughput_history", worker_id=w["address"]) for w in self.kit.rpc("worker.list")["workers"]]
        told = sum(int(h["tokens"]) for h in history)
        if self.undisturbed:
            need(told == self.steps * 8 * 32 and all(h["samples"] for h in history), f"the tokens of all leases are in the history, not {told}")
        need(told <= self.steps * 8 * 32, "no lease is told twice")


OPTIONS = argparse.Namespace()


def undisturbed_one_worker(kit):
    job = Job(kit, OPTIONS.steps, 1)
    job.undisturbed = True
    job.finish()


def worker_killed_and_replaced(kit):
    job = Job(kit, OPTIONS.steps, 3)
    job.reach(0.3)
    kit.kill(job.workers["b"])
    job.start_worker("b")
    job.reach(0.5)
    kit.kill(job.workers["c"])
    job.start_worker("c")
    job.finish()


def coordinator_killed_and_resumed(kit):
    job = Job(kit, OPTIONS.steps, 2)
    for share in (0.25, 0.6):
        job.reach(share)
        kit.kill(job.coordinator)
        time.sleep(0.1)
        job.start_coordinator()
    job.finish()


def node_killed_and_restarted(kit):
    job = Job(kit, OPTIONS.steps, 2)
    for share in (0.3, 0.6):
        job.reach(share)
        kit.kill(job.node)
        time.sleep(1)  # the coordinator asks for the height many times meanwhile
        job.start_node()
    job.finish()


def drawn_kills(kit):
    draw = random.Random(OPTIONS.seed)
    job = Job(kit, OPTIONS.steps, 3)
    for share in sorted(draw.uniform(0.02, 0.85) for _ in range(6)):
        job.reach(share)
        time.sleep(draw.uniform(0, 0.1))
        who = draw.choice(["node", "coordinator", *WORKERS])
        print(f"   seed {OPTIONS.seed}: {who} at {share:.2f}", flush=True)
        if who == "node":
            kit.kill(job.node)
            job.start_node()
        elif who == "coordinator":
            kit.kill(job.coordinator)
            job.start_coordinator()
        else:
            kit.kill(job.workers[who])
            job.start_worker(who)
    job.finish()


def rounds():
    """drawn_kills, once for each seed."""
    def with_seed(seed):
        def drawn_kills_of_seed(kit):
            OPTIONS.seed = seed
            drawn_kills(kit)
        return drawn_kills_of_seed
    return [with_seed(s) for s in range(1, OPTIONS.seeds + 1)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tb", required=True)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=1)
    parser.parse_args(namespace=OPTIONS)
    main(OPTIONS.tb, [undisturbed_one_worker, worker_killed_and_replaced, coordinator_killed_and_resumed, node_killed_and_restarted, *rounds()])
