#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# symcheck_test.sh SYMCHECK CC: a small pure library passes; each planted impurity makes the check fail with its name.
set -eu
symcheck=$1
cc=$2
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT

# build CHAIN_C BASE_C
build() {
    rm -f "$top"/*.a
    printf '%s\n' "$1" > "$top/chain.c"
    printf '%s\n' "$2" > "$top/base.c"
    printf '%s\n' 'int unused_of_base(void); int rand(void); int unused_of_base(void) { return rand(); }' > "$top/other.c"
    for f in chain base other; do
        "$cc" -O1 -fPIC -w -c -o "$top/$f.o" "$top/$f.c"
    done
    ar rcs "$top/libchain.a" "$top/chain.o"
    ar rcs "$top/libbase.a" "$top/base.o" "$top/other.o"
}

planted() {
    build "$1" "$2"
    status=0
    sh "$symcheck" "$top/libchain.a" "$top/libbase.a" > "$top/out" || status=$?
    if [ "$status" != 1 ] || ! grep -q "$3" "$top/out"; then
        echo "not caught (exit $status): $3"
        cat "$top/out"
        exit 1
    fi
}

pure_chain='#include <string.h>
int helper(int); int apply(char *a, const char *b, unsigned long n) { memcpy(a, b, n); return helper(a[0]); }'
pure_base='void base_panic(const char *, int, const char *);
static const char *const names[] = { "a", "b" };
int helper(int x) { if (names[x & 1][0] == 98) base_panic("f", 1, "x"); return x + 1; }'
build "$pure_chain" "$pure_base"
sh "$symcheck" "$top/libchain.a" "$top/libbase.a" > /dev/null # the member that calls rand is not needed, so it does not count

planted 'void *malloc(unsigned long); void *apply(void) { return malloc(8); }' "$pure_base" malloc
planted 'long time(long *); long apply(void) { return time(0); }' "$pure_base" time
planted 'char *getenv(const char *); char *apply(void) { return getenv("X"); }' "$pure_base" getenv
planted 'double exp(double); int apply(int x) { return (int)exp(x); }' "$pure_base" exp
planted "$pure_chain" 'int pthread_mutex_lock(void *); int helper(int x) { return pthread_mutex_lock(0) + x; }' pthread_mutex_lock
planted "$pure_chain" 'int unused_of_base(void); int helper(int x) { return unused_of_base() + x; }' rand
planted "$pure_chain" 'int calls; int helper(int x) { return calls++ + x; }' 'calls'
planted "$pure_chain" 'int helper(int x) { static int last = 7; last ^= x; return last; }' 'last'
# What SYMCHECK_MORE names is let through, nothing else.
export SYMCHECK_MORE='malloc|fx_[a-z]+'
build 'void *malloc(unsigned long); int fx_get(void); void *apply(void) { return fx_get() ? malloc(8) : 0; }' "$pure_base"
sh "$symcheck" "$top/libchain.a" "$top/libbase.a" > /dev/null
planted 'long time(long *); void *malloc(unsigned long); void *apply(void) { return malloc((unsigned long)time(0)); }' "$pure_base" time
planted 'int prefix_get(void); int apply(void) { return prefix_get(); }' "$pure_base" prefix_get
echo 'every planted symbol was caught'
