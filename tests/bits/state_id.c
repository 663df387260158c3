/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints the state id of the tiny model after its steps, for comparing machines: neon_test.sh. */
#include "steps.h"

#include <stdio.h>

int main(void)
{
    const bits_setting setting = { .threads = 2, .split = 2 };
    fault f = { .what = "" };
    hash256 id;
    err e = bits_state_id(&id, &bits_tiny, &setting, &f);
    if (e != OK) {
        fprintf(stderr, "state_id: %s: %s\n", f.what, err_describe(e)->text);
        return 1;
    }
    char hex[65];
    base_hex_encode(hex, id.b, 32);
    printf("%s\n", hex);
    return 0;
}
