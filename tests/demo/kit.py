# SPDX-License-Identifier: Apache-2.0
"""For the tests beside it: tb from outside, in a directory that is gone at the end."""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

SMALL = ["--width", "32", "--layers", "2", "--heads", "2", "--context", "32", "--batch", "8", "--lease", "2", "--level", "refereed"]
RATE = "0.004"  # of tb demo


class Failed(Exception):
    pass


class Skipped(Exception):
    """What this machine lacks: told by name, counted apart."""


def need(condition, what):
    if not condition:
        raise Failed(what)


class Kit:
    def __init__(self, tb):
        self.tb = os.path.abspath(tb)
        self.work = tempfile.mkdtemp(prefix="tb-demo-")
        self.env = dict(os.environ, NO_COLOR="1", TB_HOME=os.path.join(self.work, "home"))
        self.children = []

    def path(self, name):
        return os.path.join(self.work, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def run(self, *args, code=0, timeout=200):
        """The exit code must be `code`; the parsed standard output if --json is among the arguments, else the text."""
        p = subprocess.run([self.tb, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=self.env, timeout=timeout)
        need(p.returncode == code, f"exit code {p.returncode}, not {code}: tb {' '.join(args)}\n{p.stdout[-800:]}\n{p.stderr[-800:]}")
        return json.loads(p.stdout) if "--json" in args else p.stdout

    def start(self, *args, log):
        """A child whose output goes to LOG.out and LOG.err, appended."""
        with open(self.path(log + ".out"), "ab") as out, open(self.path(log + ".err"), "ab") as err:
            p = subprocess.Popen([self.tb, *args], stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=self.env)
        self.children.append(p)
        return p

    def end(self, p, timeout=200):
        code = p.wait(timeout)
        self.children.remove(p)
        return code

    def kill(self, p):
        p.kill()
        self.end(p)

    def rpc(self, method, home=None, **params):
        """One call over the socket of the node in `home`, or in TB_HOME."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        with socket.socket(socket.AF_UNIX) as s:
            s.connect((home or self.env["TB_HOME"]) + "/run/rpc.sock")
            s.sendall(b"POST /rpc HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            answer = b"".join(iter(lambda: s.recv(65536), b""))
        said = json.loads(answer.split(b"\r\n\r\n", 1)[1])
        need("result" in said, f"{method}: {said}")
        return said["result"]

    def read(self, name):
        with open(self.path(name), encoding="utf-8", errors="replace") as f:
            return f.read()

    def close(self):
        for p in self.children:
            p.kill()
            p.wait()
        shutil.rmtree(self.work, ignore_errors=True)


def wait_for(what, test, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = test()
        if value:
            return value
        time.sleep(0.02)
    raise Failed(f"not in {seconds} s: {what}")


def main(tb, tests):
    """Runs the functions, each with a Kit of its own."""
    failed = skipped = 0
    for test in tests:
        kit, began = Kit(tb), time.monotonic()
        try:
            test(kit)
            print(f"ok {test.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
        except Skipped as e:
            skipped += 1
            print(f"SKIPPED {test.__name__}: {e}", flush=True)
        except (Failed, subprocess.TimeoutExpired, OSError, KeyError, ValueError) as e:
            failed += 1
            print(f"FAILED {test.__name__}: {e!r}" if not isinstance(e, Failed) else f"FAILED {test.__name__}: {e}", flush=True)
        finally:
            kit.close()
    print(f"{len(tests) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or skipped == len(tests) else 0)
