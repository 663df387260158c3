# SPDX-License-Identifier: Apache-2.0
"""Jobs at level full whose leases are audited, with a node, a coordinator and workers in processes of their own."""
import argparse
import json
import os

from kill import Job
from kit import main, need, wait_for

STEPS = 6
# Blocks come every 50 ms here: windows in which a proof can be made on a machine that has other things to do.
WINDOWS = "audit.push_window=4000,audit.verdict_window=4000,worker.unbond=20000,job.claim_window=20000"


def audits(kit):
    return kit.run("audit", "list", "--json")["audits"]


def bonds(kit):
    return [int(w["bond"]) for w in kit.rpc("worker.list")["workers"]]


def end_job(kit, job):
    """The coordinator ends; the workers stay while an audit may begin."""
    code = kit.end(job.coordinator)
    need(code == 0, f"the coordinator's exit code {code}: " + kit.read("job.err")[-600:] + kit.read("job.out")[-600:])
    return json.loads(kit.read("job.out"))


def receipt_of(result):
    return os.path.join(result["receipts"], sorted(os.listdir(result["receipts"]))[0])


def drawn(kit):
    """All of them are: each is shown to the validator, verified, and found valid; nobody loses anything."""
    job = Job(kit, STEPS, 2, level="full", param="audit.rate=1000000,audit.window=200," + WINDOWS)
    before = bonds(kit)
    end_job(kit, job)
    wait_for("an audit of each lease, found valid", lambda: [a["status"] for a in audits(kit)].count("valid") == STEPS * 4, 200)
    need(bonds(kit) == before, "no bond was cut")
    shown = sum(kit.read(f"worker-{w}.err").count("shown to the validators") for w in job.names)
    need(shown == STEPS * 4, f"each was shown once, not {shown}")
    for name, p in job.workers.items():
        need(kit.end(p) == 0, f"worker {name} ends when nobody can ask any more")


def disputed(kit):
    """The coordinator is gone, the worker was killed and started again: it shows all the same, and who disputed pays for it."""
    job = Job(kit, STEPS, 1, level="full", param="audit.rate=0,audit.window=2000," + WINDOWS)
    result = end_job(kit, job)
    kit.kill(job.workers["a"])
    receipt = receipt_of(result)
    buyer = int(kit.rpc("account.get", address=kit.run("wallet", "show", "buyer", "--json")["address"])["balance"])
    kit.run("audit", "open", receipt, "--yes")
    job.start_worker("a")
    wait_for("the verdict", lambda: [a["status"] for a in audits(kit)] == ["valid"], 200)
    after = int(kit.rpc("account.get", address=kit.run("wallet", "show", "buyer", "--json")["address"])["balance"])
    need(after <= buyer - 10**9, "the deposit is lost")
    again = kit.run("audit", "open", receipt, "--yes", "--json", code=6)
    need(again["error"]["name"] == "DUPLICATE", "a lease is audited once")


def silent(kit):
    """A worker that does not show what it says it has proved loses what a false proof costs."""
    job = Job(kit, STEPS, 1, level="full", param="audit.rate=0,audit.window=2000,audit.push_window=100,audit.verdict_window=4000,worker.unbond=20000,job.claim_window=20000")
    result = end_job(kit, job)
    kit.kill(job.workers["a"])
    before = bonds(kit)
    kit.run("audit", "open", receipt_of(result), "--yes")
    wait_for("the verdict", lambda: [a["status"] for a in audits(kit)] == ["false"], 200)
    need(bonds(kit) == [b // 2 for b in before], "half of the bond is cut")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tb", required=True)
    main(parser.parse_args().tb, [drawn, disputed, silent])
