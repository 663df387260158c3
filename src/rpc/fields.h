/* SPDX-License-Identifier: Apache-2.0
 *
 * Typed fields between JSON and C structs: parameters of methods (schema/rpc.def) and live records (schema/live.def) are lists
 * of them. A list expands into a struct with a member and a `given_` flag for each field, and a descriptor that one reader and
 * one writer walk.
 *
 *   BOOL     true, false
 *   U32      integer
 *   U64      decimal string, written so; an integer is read, too
 *   I64      the same, signed
 *   HASH     64 lower-case hex digits
 *   ADDRESS  tb1...
 *   TEXT     UTF-8 string without control characters
 *   BYTES    lower-case hex; points into the caller's scratch buffer
 *   OBJECT   a JSON object, borrowed */
#ifndef RPC_FIELDS_H
#define RPC_FIELDS_H

#include "base/buf.h"
#include "crypto/address.h"

#include <jansson.h>

typedef enum rpc_type {
    RPC_TYPE_BOOL, RPC_TYPE_U32, RPC_TYPE_U64, RPC_TYPE_I64, RPC_TYPE_HASH, RPC_TYPE_ADDRESS, RPC_TYPE_TEXT, RPC_TYPE_BYTES,
    RPC_TYPE_OBJECT,
} rpc_type;

typedef struct rpc_text {
    char s[65]; /* NUL-terminated */
} rpc_text;

#define RPC_C_BOOL    bool
#define RPC_C_U32     uint32_t
#define RPC_C_U64     uint64_t
#define RPC_C_I64     int64_t
#define RPC_C_HASH    hash256
#define RPC_C_ADDRESS cr_address
#define RPC_C_TEXT    rpc_text
#define RPC_C_BYTES   bytes
#define RPC_C_OBJECT  const json_t *

enum { RPC_OPTIONAL = 0, RPC_REQUIRED = 1 };

typedef struct rpc_field {
    const char *name;
    rpc_type    type;
    bool        required;
    uint64_t    max;    /* greatest value, or greatest length in bytes */
    size_t      offset, given_offset;
    const char *doc;
} rpc_field;

typedef struct rpc_fields {
    const rpc_field *field;
    size_t           count;
    size_t           size; /* of the C struct; its first member is `uint32_t count`, the number of fields given */
} rpc_fields;

/* Reads `from`, an object (by name) or an array (by position), or NULL (nothing given), into the zeroed struct `out`. BYTES go to
 * `scratch`, which must not move: reserve half the JSON's length before. Errors name the field: ERR_FIELD (missing, unknown,
 * too many), ERR_TYPE, ERR_RANGE, ERR_LIMIT, ERR_SYNTAX, ERR_ADDRESS; `at` is the position. */
err rpc_fields_read(void *out, const rpc_fields *fields, const json_t *from, const char *address_prefix, buf *scratch,
                    fault *f) MUST_USE;

/* New object with the given fields of `from`; NULL if there is no memory. */
json_t *rpc_fields_write(const rpc_fields *fields, const void *from, const char *address_prefix);

json_t *rpc_json_address(const char *prefix, const cr_address *address);

/* What a JSON Schema says of a type. New. */
json_t *rpc_type_schema(rpc_type type, uint64_t max);
const char *rpc_type_name(rpc_type type); /* "decimal string", ... */

#endif
