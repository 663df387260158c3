#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Mutation test of the economy and its government: changes one place of the code at a time, drawn by seed over all lines of the folders
below, and shows which test notices. What none notices is code that no test would miss.

Usage: mutate.py [--count 200] [--seed 1] [--work DIR] [--jobs 2]

A mutant is killed by the first test that fails, crashes or runs for too long; it counts only if it compiles. Tests of the mutant's own folder run
first. At least 90 % must be killed; tests/mutation/survivors.txt gives the reason for each that lives (its place without the line number, and below it
the reason)."""
import argparse
import json
import pathlib
import random
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("src/econ", "src/chain/econ", "src/chain/gov")
COPIED = ("CMakeLists.txt", "CMakePresets.json", "cmake", "schema", "src", "tests", "tools", "spec", "python", "layers.txt")
LEAST_KILLED = 0.9
WORDS = {"<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"), "==": ("!=",), "!=": ("==",), "+": ("-",), "-": ("+",),
         "*": ("/",), "/": ("*",), "%": ("/",), "&&": ("||",), "||": ("&&",), "+=": ("-=",), "-=": ("+=",), "|=": ("&=",), "<<": (">>",), ">>": ("<<",),
         "true": ("false",), "false": ("true",), "++": ("--",), "--": ("++",), "ROUND_DOWN": ("ROUND_UP",), "ROUND_FLOOR": ("ROUND_CEIL",),
         "ROUND_UP": ("ROUND_DOWN",), "ROUND_CEIL": ("ROUND_FLOOR",)}
TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|[A-Za-z_]\w*|0x[0-9a-fA-F]+u?l*|\d+u?l*|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||\+=|-=|\|=|\S')
STATEMENT = re.compile(r"^\s+(?:TRY\(.*\);|[\w.\[\]>()*-]+(?: [-+|]?= .*|\(.*\)|\+\+|--);)$")
DECLARES = re.compile(r"^\s+(?:return|break|continue|goto|case|static|const|typedef|(?:u?int\d+_t|size_t|bool|q32|u128|i128|err|hash256|bytes|chain_\w+|econ_\w+) \*?\w)")


def code_lines(path):
    """The lines of statements, without comments, directives and what stands outside of functions."""
    inside = comment = False
    for number, line in enumerate(path.read_text(encoding="ascii").split("\n"), 1):
        text = line.strip()
        starts = comment
        comment = (comment or text.startswith("/*")) and "*/" not in text
        if starts or comment or text.startswith(("/*", "#")):
            continue
        if line == "{":
            inside = True
        elif line == "}":
            inside = False
        elif inside and text not in ("", "{", "}", "} else {"):
            yield number, line


def changes(line):
    """Every way that this program changes the line: (what, new line)."""
    code = line.split("/*")[0]
    previous = ""
    for m in TOKEN.finditer(code):
        word = m.group()
        unary = word in "+-*" and (previous in ("", "(", ",", "=", "return", "[", "{", "?", ":", "!", "&&", "||", "<", ">") or code[m.end():m.end() + 1] != " ")
        for other in () if unary else WORDS.get(word, ()):
            yield f"{word} -> {other}", line[:m.start()] + other + line[m.end():]
        if re.fullmatch(r"\d+u?l*", word):
            digits = re.match(r"\d+", word).group()
            yield f"{word} -> {int(digits) + 1}", line[:m.start()] + str(int(digits) + 1) + word[len(digits):] + line[m.end():]
        if word == "!" :
            yield "! dropped", line[:m.start()] + line[m.end():]
        previous = word
    if re.match(r"\s*(?:\} else )?if \(.*\)(?: \{)?$", code) and code.count("(") == code.count(")"):
        start, end = code.index("if (") + 4, code.rindex(")")
        yield "condition never", line[:start] + "0 && (" + line[start:end] + ")" + line[end:]
        yield "condition always", line[:start] + "1 || (" + line[start:end] + ")" + line[end:]
    if STATEMENT.match(code) and not DECLARES.match(code) and code.count("(") == code.count(")"):
        yield "statement dropped", line[:len(line) - len(line.lstrip())] + ";"


def draw(count, seed):
    """An endless list of mutants, each (path, line number, what, old, new), the place drawn evenly over all lines."""
    rng = random.Random(seed)
    lines = [(path, number, text) for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.c")) if not path.name.endswith(("_test.c", "_kit.c"))
             for number, text in code_lines(path)]
    seen = set()
    while len(seen) < 20 * count:
        path, number, text = rng.choice(lines)
        ways = list(changes(text))
        if not ways:
            continue
        what, new = rng.choice(ways)
        if (path, number, new) not in seen:
            seen.add((path, number, new))
            yield path.relative_to(ROOT), number, what, text, new


class Bench:
    """A copy of the tree, and a build of it in which one file changes at a time."""

    def __init__(self, work, jobs):
        self.tree, self.build_dir, self.jobs = work / "tree", work / "build", jobs
        if self.tree.exists():
            shutil.rmtree(self.tree)
        self.tree.mkdir(parents=True)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.tree / name)
            else:
                shutil.copy2(source, self.tree / name)
        self.run("cmake", "-S", self.tree, "-B", self.build_dir, "-G", "Ninja", "-DCMAKE_C_COMPILER=gcc", "-DCMAKE_BUILD_TYPE=None", "-DCMAKE_C_FLAGS=-O1 -w",
                 "-DTB_ONLY=base;crypto;field;numerics;econ;chain", "-DTB_BENCH=OFF")
        self.run("cmake", "--build", self.build_dir, "-j", jobs)
        done = self.run("ctest", "--test-dir", self.build_dir, "--show-only=json-v1")
        self.tests = {}
        for t in json.loads(done.stdout)["tests"]:
            program = pathlib.Path(t.get("command", [""])[0])
            if re.match(r"(econ|chain)_", t["name"]) and program.is_relative_to(self.build_dir):
                folder = next((p.parent.relative_to(self.tree).as_posix() for p in (self.tree / "src").rglob(t["name"].split("_", 1)[1] + ".c")), "tests/econ")
                self.tests[t["name"]] = (t["command"], folder)

    @staticmethod
    def run(*command, **more):
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, **more)
        if done.returncode:
            sys.exit(f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done

    def builds(self, *targets):
        return subprocess.run(["cmake", "--build", str(self.build_dir), "-j", str(self.jobs), "--target", *targets], capture_output=True, check=False).returncode == 0

    def fails(self, name, limit_s):
        command = self.tests[name][0]
        try:
            return subprocess.run(command, capture_output=True, check=False, timeout=limit_s, cwd=self.build_dir).returncode != 0
        except subprocess.TimeoutExpired:
            return True

    def times(self):
        """What each test takes, unchanged; all must pass."""
        took = {}
        for name in self.tests:
            start = time.monotonic()
            if self.fails(name, 600):
                sys.exit(f"{name} fails without a mutant")
            took[name] = time.monotonic() - start
        return took


def order(tests, took, path):
    """The tests of the mutant's folder first, then the others; the quick ones before the slow ones."""
    folder = path.parent.as_posix()
    return sorted(tests, key=lambda name: (tests[name][1] != folder and not (folder == "src/econ" and name.startswith("econ_")), took[name]))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--count", type=int, default=200)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / "mutation")
    a = p.parse_args()
    bench = Bench(a.work.resolve(), a.jobs)
    took = bench.times()
    reasons = (ROOT / "tests/mutation/survivors.txt").read_text(encoding="utf-8") if (ROOT / "tests/mutation/survivors.txt").exists() else ""
    killed = tried = 0
    alive = []
    for path, number, what, old, new in draw(a.count, a.seed):
        if tried == a.count:
            break
        target = bench.tree / path
        text = target.read_text(encoding="ascii")
        lines = text.split("\n")
        lines[number - 1] = new
        target.write_text("\n".join(lines), encoding="ascii")
        killer = None
        if bench.builds("econ", "chain"):
            tried += 1
            for name in order(bench.tests, took, path):
                if not bench.builds(name) or bench.fails(name, 10 * took[name] + 10):
                    killer = name
                    break
            killed += killer is not None
            place = f"{path}:{number}: {what}: {old.strip()}"
            if not killer:
                alive.append(place)
            print(f"{tried:4d} {killer or 'ALIVE':28s} {place}", flush=True)
        target.write_text(text, encoding="ascii")
    print(f"\nseed {a.seed}: {killed} of {tried} mutants killed ({100 * killed / max(tried, 1):.1f} %; must be at least {100 * LEAST_KILLED:.0f} %)")
    for place in alive:
        key = re.sub(r":\d+:", ":", place, count=1)
        at = reasons.find(key + "\n")
        print("alive:", place, "\n   ", reasons[at:].split("\n")[1].strip() if at >= 0 else "no reason is known")
    sys.exit(killed < LEAST_KILLED * tried or tried < a.count)


main()
