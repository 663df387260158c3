/* SPDX-License-Identifier: Apache-2.0
 *
 * Settings of a node from schema/config.def, each with its origin: default, node.conf, environment, flag. Whatever the order of the
 * calls, the stronger origin wins; nothing counts before rpc_conf_resolve. */
#ifndef RPC_CONF_H
#define RPC_CONF_H

#include "base/bytes.h"
#include "base/limits.h"

typedef enum rpc_conf_key {
#define CONFIG(section, key, type, initial, least, greatest, doc) RPC_CONF_##section##_##key,
#include "config.def"
#undef CONFIG
    RPC_CONF_COUNT
} rpc_conf_key;

typedef enum rpc_conf_type { RPC_CONF_PATH, RPC_CONF_TEXT, RPC_CONF_BOOL, RPC_CONF_U32, RPC_CONF_ENDPOINT } rpc_conf_type;

typedef enum rpc_conf_origin { RPC_CONF_DEFAULT, RPC_CONF_FILE, RPC_CONF_ENVIRONMENT, RPC_CONF_FLAG } rpc_conf_origin;

typedef struct rpc_conf_row {
    const char   *name; /* "rpc.port" */
    rpc_conf_type type;
    const char   *initial;
    uint64_t      least, greatest;
    const char   *doc;
} rpc_conf_row;

extern const rpc_conf_row rpc_conf_rows[RPC_CONF_COUNT];

typedef struct rpc_conf_value {
    char            text[1024];
    uint32_t        number; /* of U32; 1 for yes */
    rpc_conf_origin origin;
    uint32_t        line;   /* in node.conf; 0 if it is not from there */
} rpc_conf_value;

typedef struct rpc_conf {
    rpc_conf_value v[RPC_CONF_COUNT];
} rpc_conf;

/* Defaults, placeholders and all. */
void rpc_conf_init(rpc_conf *c);

/* RPC_CONF_COUNT if there is none of that name. */
rpc_conf_key rpc_conf_by_name(const char *name);

/* node.conf: lines of [section], key = value, # or ; comments. ERR_CONFIG with the line in fault.at: unknown section or key, a key twice, no
 * value, a value of the wrong form (then `what` is the key). On an error *c is as before. */
err rpc_conf_read(rpc_conf *c, bytes text, fault *f) MUST_USE;

/* One value. ERR_CONFIG naming the key. */
err rpc_conf_set(rpc_conf *c, rpc_conf_key key, bytes value, rpc_conf_origin origin, fault *f) MUST_USE;

/* The variables TB_<SECTION>_<KEY> of `environment` ("NAME=value", NULL at the end); others are not looked at. */
err rpc_conf_environment(rpc_conf *c, const char *const *environment, fault *f) MUST_USE;

/* Puts the placeholders of defaults in their place and reads their numbers. `home` is absolute. ERR_LIMIT if a path gets too long. */
err rpc_conf_resolve(rpc_conf *c, const char *home, fault *f) MUST_USE;

const char *rpc_conf_origin_name(rpc_conf_origin origin); /* "default", "node.conf", "environment", "flag" */

#endif
