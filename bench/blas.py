# SPDX-License-Identifier: Apache-2.0
"""The rival at its best: OpenBLAS picks its kernels by the processor's model, and under a hypervisor that names none it may fall back to kernels five times slower than
those that the processor can run. So each candidate is timed on one product of matrices, in a process of its own, and the fastest is used."""
import functools
import os
import subprocess
import sys

CANDIDATES = (None, "Haswell", "SkylakeX", "Cooperlake", "Sapphirerapids", "Zen")
PROBE = """
import time, torch
torch.set_num_threads(1)
a, b = torch.ones(512, 768), torch.ones(768, 1024)
best = 1e9
for _ in range(8):
    start = time.process_time()
    a @ b
    best = min(best, time.process_time() - start)
print(best)
"""


def environment(core, threads):
    """This process's environment with OpenBLAS's kernels for `core` (None: those that it picks itself) and as many threads: its own ones, which
    PyTorch's setting does not reach and which spin between products."""
    env = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
    env["OPENBLAS_NUM_THREADS"] = str(threads)
    if core:
        env["OPENBLAS_CORETYPE"] = core
    return env


def seconds(core):
    """Time of the product; infinite where this processor cannot run the kernels."""
    done = subprocess.run([sys.executable, "-c", PROBE], env=environment(core, 1), capture_output=True, text=True, check=False)
    return float(done.stdout) if done.returncode == 0 else float("inf")


@functools.cache
def fastest():
    """The candidate to use, and how many times faster than OpenBLAS's own choice it is."""
    times = {core: seconds(core) for core in CANDIDATES}
    best = min(times, key=lambda core: times[core])
    if times[None] < 1.05 * times[best]:  # within the noise: its own choice
        best = None
    return best, times[None] / times[best]


def describe():
    core, gain = fastest()
    return f"OpenBLAS kernels: {core}, {gain:.1f} times as fast as its own choice" if core else "OpenBLAS kernels: its own choice"
