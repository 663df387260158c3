#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The golden vectors of the control laws as gcc and clang, without and with optimisation, compile them, on this machine, on 64-bit ARM and on
# a big-endian machine under an emulator: every answer is the same. usage: bits_test.sh SOURCE_DIR WORK_DIR
set -eu
source=$1
work=$2
rm -rf "$work"
mkdir -p "$work"
ask() { (cd "$source" && PYTHONPATH=python python3 -B -m reference.economy_vectors "$1"); }
if ! command -v python3 >/dev/null 2>&1; then
    echo "SKIP econ_bits: python3 is not installed"
    exit 77
fi
ask questions >"$work/questions"
ask answers >"$work/answers"
[ "$(wc -l <"$work/questions")" -ge 1000 ]
code=$(ls "$source"/src/econ/*.c | grep -v '_test\.c$')
code="$code $source/src/base/fixed.c $source/src/base/int.c $source/src/base/err.c $source/src/base/panic.c"
code="$code $source/tests/econ/laws.c $source/tests/econ/eval.c"
missing=0
# build COMPILER OPTIMISATION EMULATOR...
build() {
    compiler=$1
    level=$2
    shift 2
    for tool in "$compiler" "$@"; do
        if ! command -v "$tool" >/dev/null 2>&1; then
            echo "SKIP econ_bits: $tool is not installed"
            missing=1
            return 0
        fi
    done
    # shellcheck disable=SC2086
    "$compiler" -std=gnu17 "$level" -static -fno-strict-aliasing -Wall -Wextra -Werror -I"$source/src" -I"$source/schema" -o "$work/eval" $code
    "$@" "$work/eval" <"$work/questions" >"$work/found"
    if ! cmp "$work/answers" "$work/found"; then
        echo "econ_bits: $compiler $level differs"
        diff "$work/answers" "$work/found" | head -5
        exit 1
    fi
    echo "$compiler $level $*: $(wc -l <"$work/found") answers equal"
}
for level in -O0 -O3; do
    build gcc $level
    build clang $level
    build aarch64-linux-gnu-gcc $level qemu-aarch64
    build s390x-linux-gnu-gcc $level qemu-s390x
done
[ $missing -eq 0 ] || exit 77
