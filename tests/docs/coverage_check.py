#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""docs/seed-coverage.md is true as far as a program can tell: every row once, and whatever it, or a page like it, names between backticks exists.

A name is one of: a path; `path: section` of a document; `test: function, function` with a CTest name; a CTest name alone; a parameter, a word of the
code or tables, a command `tb ...` of docs/reference/cli.md. The claims themselves are for readers.

Usage: coverage_check.py CTEST BUILD_DIR [--self-test]."""
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = "docs/seed-coverage.md"
OTHERS = ("docs/what-it-cannot-do.md",)  # pages whose names are looked up, too
ROWS = list(range(1, 104))
ACCEPTANCE = [*range(1, 11), 12, 14, 15]
STATES = ("shown", "partly", "later")
CELLS = 5


def ctest_names(ctest, build):
    listing = subprocess.run([ctest, "--test-dir", build, "--show-only=json-v1"], capture_output=True, text=True, check=True)
    return {test["name"] for test in json.loads(listing.stdout)["tests"]}


class Tree:
    """What a name may refer to."""

    def __init__(self, names):
        self.ctest = names
        self.sources = {}
        for folder in ("src", "tests"):
            for path in (ROOT / folder).rglob("*_test.c"):
                self.sources.setdefault(path.stem.removesuffix("_test"), []).append(path)
        words = set()
        for folder in ("src", "schema", "scripts"):
            for path in (ROOT / folder).rglob("*"):
                if path.suffix in (".c", ".h", ".def") or path.parent.name == "scripts":
                    words.update(re.findall(r"[A-Za-z_][A-Za-z0-9_.]*", path.read_text(encoding="utf-8", errors="ignore")))
        self.words = words
        self.commands = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")

    def functions(self, test):
        """Registered test functions of the sources whose name ends the test's: chain_gov_vote_test is src/chain/gov/gov_vote_test.c."""
        name = test.removesuffix("_test")
        found = set()
        for stem, paths in self.sources.items():
            for path in paths:
                layer = path.relative_to(ROOT).parts[1]
                if name == f"{layer}_{stem}":
                    text = path.read_text(encoding="utf-8")
                    defined = set(re.findall(r"^static void (\w+)\(void \*\*state\)", text, re.M))
                    found |= defined & set(re.findall(r"cmocka_unit_test(?:_setup_teardown|_setup|_teardown)?\((\w+)", text))
        return found

    def section(self, path, title):
        heads = re.findall(r"^#+ (.*)$", (ROOT / path).read_text(encoding="utf-8"), re.M)
        return any(head == title or head.startswith(title + ".") for head in heads)

    def problem(self, name):
        """None, or what is wrong with a name."""
        head, colon, rest = name.partition(": ")
        if colon and "/" in head:
            known = (ROOT / head).is_file() and self.section(head, rest)
            return None if known else "no such section"
        if colon:
            if head not in self.ctest:
                return "no such test"
            missing = [f for f in rest.split(", ") if f not in self.functions(head)]
            return f"no such test function: {', '.join(missing)}" if missing else None
        if name.startswith("tb "):
            return None if name in self.commands else "no such command"
        if "/" in name:
            return None if (ROOT / name).exists() else "no such path"
        return None if name in self.ctest or name in self.words else "nothing has this name"


def cells_of(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def tables(text):
    """The two tables of the page, as lists of rows of cells."""
    parts = text.split("\n## Acceptance tests")
    if len(parts) != 2:
        return None
    return [[cells_of(line) for line in part.splitlines() if re.match(r"\| \d", line)] for part in parts]


def check_row(row, problems):
    number, what, state, where, shown = row
    where_it_stands = f"row {number}"
    if state not in STATES:
        problems.append(f"{where_it_stands}: state `{state}`")
    if len(what) < 10 or len(shown) < 10:
        problems.append(f"{where_it_stands}: says nothing")
    if state == "shown" and not re.search(r"`(chain|econ|cli|engine|train|audit|rpc|apps|docs)_\w+(: [^`]+)?`", shown):
        problems.append(f"{where_it_stands}: shown by no test")
    if state == "partly" and "Missing: " not in shown:
        problems.append(f"{where_it_stands}: does not say what is missing")
    if state == "shown" and "Missing: " in shown:
        problems.append(f"{where_it_stands}: shown, and something is missing")
    if state == "later" and not re.search(r"[Ww]aits? for|left out until", shown):
        problems.append(f"{where_it_stands}: does not say what it waits for")


def check_names(text, tree):
    problems = ["an odd number of backticks"] if text.count("`") % 2 else []
    for name in sorted(set(re.findall(r"`([^`\n]+)`", text))):
        wrong = tree.problem(name)
        if wrong:
            problems.append(f"`{name}`: {wrong}")
    return problems


def check(text, tree):
    problems = []
    both = tables(text)
    if both is None:
        return ["no section `Acceptance tests`"]
    for rows, want in zip(both, (ROWS, ACCEPTANCE)):
        numbers = [int(row[0]) for row in rows]
        problems += [f"row {n} is missing" for n in want if n not in numbers]
        problems += [f"row {n} stands twice" for n in set(numbers) if numbers.count(n) > 1]
        problems += [f"row {n} is none" for n in numbers if n not in want]
        for row in rows:
            if len(row) != CELLS:
                problems.append(f"row {row[0]} has {len(row)} cells")
            else:
                check_row(row, problems)
        counts = ", ".join(f"{sum(row[2] == state for row in rows)} {state}" for state in STATES)
        if counts not in text:
            problems.append(f"the page does not say: {counts}")
    return problems + check_names(text, tree)


def self_test(text, tree):
    """Each kind of mistake, planted into the page as it is, is found."""
    row = next(line for line in text.splitlines() if line.startswith("| 28 |"))
    later = next(line for line in text.splitlines() if line.startswith("| 3 |"))
    planted = {
        "row 28 is missing": text.replace(row + "\n", ""),
        "row 28 stands twice": text.replace(row, row + "\n" + row),
        "row 104 is none": text.replace(row, row + "\n" + row.replace("| 28 |", "| 104 |", 1)),
        "row 28: state": text.replace(row, row.replace("| shown |", "| done |")),
        "row 28: shown by no test": text.replace(row, re.sub(r"`chain_\w+(: [^`]+)?`", "a test", row)),
        "row 28: shown, and something is missing": text.replace(row, row[:-2] + " Missing: much |"),
        "row 28 has 6 cells": text.replace(row, row + " more |"),
        "row 3: does not say what it waits for": text.replace(later, later.replace("aits for", "ill have")),
        "the page does not say: ": text.replace(" shown, ", " seen, "),
        "no such test function": text.replace("any_caller", "any_callers"),
        "no such test": text.replace("chain_disburse_test: ", "chain_disburses_test: "),
        "no such path": text.replace("`src/chain/treasury/disburse.c`", "`src/chain/treasury/disburses.c`"),
        "no such section": text.replace("spec/treasury.md: Life", "spec/treasury.md: Death"),
        "nothing has this name": text + "\n`nowhere.at_all`\n",
        "no such command": text + "\n`tb fly`\n",
        "an odd number of backticks": text + "`",
        "no section": text.replace("## Acceptance tests", "## Tests"),
    }
    for want, page in planted.items():
        if page == text:
            sys.exit(f"nothing planted for: {want}")
        if not any(want in found for found in check(page, tree)):
            sys.exit(f"not found: {want}")
    print(len(planted), "planted mistakes found")


def main():
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    tree = Tree(ctest_names(sys.argv[1], sys.argv[2]))
    problems = [f"{PAGE}: {problem}" for problem in check(text, tree)]
    for page in OTHERS:
        problems += [f"{page}: {problem}" for problem in check_names((ROOT / page).read_text(encoding="utf-8"), tree)]
    for problem in problems:
        print(problem)
    if problems:
        sys.exit(1)
    if sys.argv[3:] == ["--self-test"]:
        self_test(text, tree)
    else:
        print(sum(map(len, tables(text))), "rows")


main()
