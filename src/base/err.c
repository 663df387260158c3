/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

static const err_row err_rows[] = {
#define ERR(id, number, exit_code, retryable, text) { ERR_##id, #id, text, exit_code, retryable },
#include "errors.def"
#undef ERR
};

static const err_row err_ok = { OK, "OK", "ok", 0, false };

err fail(fault *f, err code, const char *what, uint64_t at)
{
    if (f)
        *f = (fault){ .code = code, .what = what, .at = at };
    return code;
}

const err_row *err_describe(err code)
{
    if (code == OK)
        return &err_ok;
    const err_row *internal = &err_rows[0];
    for (size_t i = 0; i < COUNT_OF(err_rows); i++) {
        if (err_rows[i].code == code)
            return &err_rows[i];
        if (err_rows[i].code == ERR_INTERNAL)
            internal = &err_rows[i];
    }
    return internal;
}

const err_row *err_row_at(size_t index)
{
    return index < COUNT_OF(err_rows) ? &err_rows[index] : NULL;
}
