# SPDX-License-Identifier: Apache-2.0
"""Prints the shell blocks of a page as one script that stops at the first command that fails."""
import re
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    blocks = re.findall(r"^```sh\n(.*?)^```$", file.read(), re.M | re.S)
assert len(blocks) >= 6, "the page has lost its commands"
print("set -eu\n" + "".join(blocks))
