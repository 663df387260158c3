# SPDX-License-Identifier: Apache-2.0
"""Prompts on a real terminal: Ctrl-C ends the program there, and the terminal has its echo back; after Ctrl-Z the prompt comes again."""
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time

TB = os.path.abspath(sys.argv[1])
WORK = tempfile.mkdtemp(prefix="tb-prompt-")
ENV = dict(os.environ, TB_HOME=WORK + "/home", NO_COLOR="1")


def need(condition, what):
    if not condition:
        raise SystemExit("FAILED: " + what)


def tb(*args, passphrase=None):
    p = subprocess.run([TB, *args] + (["--passphrase-fd", "0"] if passphrase else []), input=passphrase, capture_output=True, text=True, env=ENV, check=False)
    need(p.returncode == 0, f"tb {args}: {p.stdout} {p.stderr}")


class Prompt:
    """tb on a terminal of its own, waiting at a passphrase prompt."""

    def __init__(self, *args):
        self.args = args
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(TB, [TB, *args], ENV)
        self.seen = b""
        self.wait_for(b"passphrase for")

    def echo(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def wait_for(self, text):
        end = time.monotonic() + 30
        while text not in self.seen:
            need(time.monotonic() < end, f"{self.args}: no {text!r} in {self.seen!r}")
            if select.select([self.fd], [], [], 0.1)[0]:
                self.seen += os.read(self.fd, 4096)
        while self.echo() and time.monotonic() < end:
            time.sleep(0.01)
        need(not self.echo(), f"{self.args}: no echo at the prompt")

    def wait(self):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return status
            time.sleep(0.02)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise SystemExit(f"FAILED: {self.args}: still there after ten seconds")

    def end(self, key, number):
        os.write(self.fd, key)
        status = self.wait()
        need(os.WIFSIGNALED(status) and os.WTERMSIG(status) == number, f"{self.args}: ends with status {status}, not by signal {number}")
        need(self.echo(), f"{self.args}: the terminal has its echo back")
        os.close(self.fd)


def main():
    tb("genesis", "new")
    tb("wallet", "new", "carol", passphrase="a pass phrase\n")
    with open(WORK + "/text", "w", encoding="ascii") as f:
        f.writelines(f"line {i} of some text, {i * i % 97}\n" for i in range(500))
    with open(WORK + "/spec.json", "w", encoding="ascii") as f:
        f.write('{"data": "%s/text", "width": 32, "layers": 1, "heads": 1, "context": 32, "steps": 1, "batch": 2, "lease": 2}' % WORK)
    Prompt("wallet", "new", "dave").end(b"\x03", signal.SIGINT)
    Prompt("wallet", "new", "dave").end(b"\x1c", signal.SIGQUIT)
    Prompt("wallet", "unlock-check", "carol").end(b"\x03", signal.SIGINT)
    Prompt("node", "run", "--producer", "carol").end(b"\x03", signal.SIGINT)

    stopped = Prompt("wallet", "unlock-check", "carol")
    stopped.seen = b""
    os.write(stopped.fd, b"\x1a")  # the system lets no session's leader be stopped, so it goes on at once
    stopped.wait_for(b"passphrase for")
    os.write(stopped.fd, b"a pass phrase\n")
    need(os.waitstatus_to_exitcode(stopped.wait()) == 0, "the passphrase opens the key")
    need(stopped.echo(), "the terminal has its echo back at the end")

    node = subprocess.Popen([TB, "node", "run"], env=ENV, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 30
        while subprocess.run([TB, "node", "status"], env=ENV, capture_output=True, check=False).returncode:
            need(time.monotonic() < end, "the node answers")
        Prompt("job", "run", WORK + "/spec.json", "--key", "carol").end(b"\x03", signal.SIGINT)
        Prompt("worker", "run", "--job", "0" * 64, "--coordinator", "http://127.0.0.1:1", "--key", "carol").end(b"\x03", signal.SIGINT)
    finally:
        node.terminate()
        need(node.wait() == 0, "the node ends well")
    print("ok")


try:
    main()
finally:
    shutil.rmtree(WORK, ignore_errors=True)
