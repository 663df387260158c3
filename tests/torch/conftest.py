# SPDX-License-Identifier: Apache-2.0
"""Options of the tests in this folder."""
import os
import pathlib
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))


def pytest_addoption(parser):
    parser.addoption("--tool", default=None, help="program of the C library that computes gradients")
