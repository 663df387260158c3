#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the tensor library for 64-bit ARM, trains a few steps under an emulator and wants the state id that this machine gets.
# usage: neon_test.sh SOURCE_DIR WORK_DIR STATE_ID_PROGRAM_OF_THIS_MACHINE
set -eu
source=$1
work=$2
native=$3
for tool in aarch64-linux-gnu-gcc qemu-aarch64 cmake; do
    if ! command -v $tool >/dev/null 2>&1; then
        echo "SKIP bits_neon: $tool is not installed"
        exit 77
    fi
done
cmake -S "$source" -B "$work" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc \
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_EXE_LINKER_FLAGS=-static -DTB_ONLY="base;crypto;numerics;torch" -DTB_TESTS=OFF -DTB_BENCH=OFF \
    >"$work.log" 2>&1 && cmake --build "$work" --target state_id >>"$work.log" 2>&1 || { tail -30 "$work.log"; exit 1; }
expected=$("$native")
found=$(qemu-aarch64 "$work/tests/bits/state_id")
echo "this machine: $expected"
echo "arm64:        $found"
[ "$expected" = "$found" ]
