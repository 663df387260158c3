#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the kernels and their tests for 64-bit ARM and runs them under an emulator. usage: neon_test.sh SOURCE_DIR WORK_DIR
set -eu
source=$1
work=$2
for tool in aarch64-linux-gnu-gcc qemu-aarch64; do
    if ! command -v $tool >/dev/null 2>&1; then
        echo "SKIP torch_neon: $tool is not installed"
        exit 77
    fi
done
mkdir -p "$work"
cd "$source/src"
kernels=$(ls torch/kernels/gemm*.c torch/kernels/round*.c torch/kernels/adam*.c | grep -v -e _avx -e _test)
for test in gemm_test round_test adam_test; do
    aarch64-linux-gnu-gcc -std=gnu17 -O3 -static -pthread -ffp-contract=off -fno-strict-aliasing -Wall -Wextra -Werror \
        -I. -I../schema -Itorch/kernels/cross \
        torch/kernels/$test.c $kernels torch/cpu.c base/port/pool.c base/panic.c base/int.c -lm -o "$work/$test"
    qemu-aarch64 "$work/$test"
done
