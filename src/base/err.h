/* SPDX-License-Identifier: Apache-2.0
 *
 * Errors. What the world can cause is a must-use `err` from schema/errors.def; results travel by out pointer. A broken
 * invariant of ours is CHECK(): always on, prints its text and aborts. See STYLE 5. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum err {
    OK = 0,
#define ERR(id, number, exit_code, retryable, text) ERR_##id = (number),
#include "errors.def"
#undef ERR
} err;

#define MUST_USE __attribute__((warn_unused_result))

/* Where an input was refused. `what` is a static string (a field, a file part); `at` an offset or index into the input.
 * Every decoder takes a `fault *` that may be NULL and is written only on failure. */
typedef struct fault {
    err         code;
    const char *what;
    uint64_t    at;
} fault;

/* Fills `f` (may be NULL) and returns `code`: `return fail(f, ERR_RANGE, "lease.step", at);` */
err fail(fault *f, err code, const char *what, uint64_t at) MUST_USE;

/* The row of `code`; an unknown code gives the row of ERR_INTERNAL. All strings are static. */
typedef struct err_row {
    err         code;
    const char *name; /* "FUNDS" */
    const char *text; /* "not enough funds" */
    int         exit_code;
    bool        retryable;
} err_row;

const err_row *err_describe(err code);

/* err_describe over the whole table, for documents and `tb explain`: NULL past the end. */
const err_row *err_row_at(size_t index);

#define TRY(expr)                       \
    do {                                \
        err try_err_ = (expr);          \
        if (try_err_ != OK)             \
            return try_err_;            \
    } while (0)

/* Jumps to the function's single `out:` label; the function has a local `err e`. */
#define TRY_OUT(expr)                   \
    do {                                \
        e = (expr);                     \
        if (e != OK)                    \
            goto out;                   \
    } while (0)

_Noreturn void base_panic(const char *file, int line, const char *text);

#define CHECK(cond) ((cond) ? (void)0 : base_panic(__FILE__, __LINE__, #cond))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
