#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The C laws against the Python ones (python/reference/economy.py) on drawn questions; spec/vectors/economy.json is what they write.

Usage: oracle.py ECON_EVAL [QUESTIONS A LAW]."""
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))
from reference import economy, economy_vectors  # noqa: E402


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    assert set(economy.LAWS) == set(economy_vectors.QUESTIONS) == set(economy_vectors.ORDER)
    with open(ROOT / economy_vectors.PATH, encoding="ascii") as file:
        assert json.load(file) == economy_vectors.document(), economy_vectors.PATH + " is not what economy_vectors.py writes"
    asked = [(law, q) for law in economy.LAWS for q in economy_vectors.questions(law, count, 2)]
    lines = "".join(f"{law} {' '.join(map(str, q))}\n" for law, q in asked)
    done = subprocess.run([sys.argv[1]], input=lines, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers = done.stdout.splitlines()
    assert len(answers) == len(asked)
    refused = {law: 0 for law in economy.LAWS}
    for (law, q), got in zip(asked, answers):
        want = economy.answer(law, q)
        assert got == want, f"{law} {' '.join(map(str, q))}\n C:      {got}\n Python: {want}"
        refused[law] += want[:1].isalpha() and len(want.split()) <= 2
    print(len(asked), "answers equal;", sum(refused.values()), "of them refusals")
    idle = [law for law, n in refused.items() if n > count * 6 // 10]
    assert not idle, f"mostly refused, so hardly tested: {idle}"


main()
