#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# gen_test.sh CC SOURCE: the generator refuses a command line table in which something stands twice.
set -eu
cc=$1
source=$2
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT

# planted LINE TEXT: with LINE at the end of the table, gen exits with 2 and says TEXT.
planted() {
    cp "$source/schema/cli.def" "$top/cli.def"
    printf '%s\n' "$1" >>"$top/cli.def"
    "$cc" -std=gnu17 -I"$top" -I"$source/src" -I"$source/schema" -o "$top/gen" "$source/tools/gen.c"
    status=0
    "$top/gen" "$top" 2>"$top/said" || status=$?
    if [ "$status" != 2 ] || ! grep -qF -- "$2" "$top/said"; then
        echo "not refused (exit $status): $1"
        cat "$top/said"
        exit 1
    fi
}

planted 'CMD("worker", "run", cmd_worker_run, "", "again")' '"worker run" stands twice'
planted 'CMD("demo", "", cmd_demo, "", "again")' '"demo " stands twice'
planted 'OPT("worker", "run", "job", TEXT, "", "again")' '--job of "worker run" stands twice'
planted 'OPT("worker", "run", "home", FILE, "", "already in worker *")' '--home of "worker run" stands twice'
planted 'OPT("worker", "*", "bond", TEXT, "", "already in worker register")' '--bond of "worker *" stands twice'
planted 'OPT("demo", "", "json", FLAG, "", "already in every command")' '--json of "demo " stands twice'
echo 'every planted line was refused'
