/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>

void base_panic(const char *file, int line, const char *text)
{
    fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, text);
    abort();
}
