#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# oracle.sh NAME "MODULE ..." ARGS...: runs Debian's Python with ARGS, or says which module is missing and exits with 77 (skipped).
set -eu
python=/usr/bin/python3
name=$1
needs=$2
shift 2
if [ ! -x "$python" ]; then
    echo "SKIP $name: $python is not installed"
    exit 77
fi
for module in $needs; do
    if ! "$python" -c "import $module" 2>/dev/null; then
        echo "SKIP $name: the Python module $module is not installed"
        exit 77
    fi
done
# No bytecode beside the sources.
exec "$python" -B "$@"
