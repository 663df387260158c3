/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/conf.h"

#include <stdlib.h>

const rpc_conf_row rpc_conf_rows[RPC_CONF_COUNT] = {
#define CONFIG(section, key, type, initial, least, greatest, doc)                                                       \
    { #section "." #key, RPC_CONF_##type, initial, (least), (greatest), doc },
#include "config.def"
#undef CONFIG
};

const char *rpc_conf_origin_name(rpc_conf_origin origin)
{
    static const char *const names[] = { "default", "node.conf", "environment", "flag" };
    return names[origin];
}

rpc_conf_key rpc_conf_by_name(const char *name)
{
    for (size_t i = 0; i < RPC_CONF_COUNT; i++) {
        if (strcmp(rpc_conf_rows[i].name, name) == 0)
            return (rpc_conf_key)i;
    }
    return RPC_CONF_COUNT;
}

void rpc_conf_init(rpc_conf *c)
{
    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < RPC_CONF_COUNT; i++)
        strcpy(c->v[i].text, rpc_conf_rows[i].initial);
}

/* --- values ------------------------------------------------------------------------------------------------------------- */

static bool starts_with(bytes text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && memcmp(text.data, prefix, len) == 0;
}

static err read_u32(uint32_t *out, const rpc_conf_row *row, bytes text)
{
    uint64_t v = 0;
    if (text.len == 0 || text.len > 10)
        return ERR_CONFIG;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return ERR_CONFIG;
        v = v * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (v < row->least || v > row->greatest)
        return ERR_CONFIG;
    *out = (uint32_t)v;
    return OK;
}

static err read_value(uint32_t *number, const rpc_conf_row *row, bytes text)
{
    *number = 0;
    switch (row->type) {
    case RPC_CONF_PATH: return starts_with(text, "/") ? OK : ERR_CONFIG;
    case RPC_CONF_TEXT: return OK;
    case RPC_CONF_BOOL:
        *number = bytes_equal(text, bytes_of_str("yes"));
        return *number || bytes_equal(text, bytes_of_str("no")) ? OK : ERR_CONFIG;
    case RPC_CONF_U32: return read_u32(number, row, text);
    case RPC_CONF_ENDPOINT: return starts_with(text, "unix:/") || starts_with(text, "http://") ? OK : ERR_CONFIG;
    }
    return ERR_INTERNAL;
}

static err set_value(rpc_conf *c, rpc_conf_key key, bytes value, rpc_conf_origin origin, uint32_t line, fault *f)
{
    const rpc_conf_row *row = &rpc_conf_rows[key];
    rpc_conf_value *v = &c->v[key];
    uint32_t number;
    if (value.len > LIMIT_CONFIG_VALUE_BYTES || value.len >= sizeof v->text)
        return fail(f, ERR_LIMIT, row->name, line);
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < 0x20 || value.data[i] == 0x7f)
            return fail(f, ERR_CONFIG, row->name, line);
    }
    if (read_value(&number, row, value) != OK)
        return fail(f, ERR_CONFIG, row->name, line);
    if (origin < v->origin)
        return OK;
    *v = (rpc_conf_value){ .number = number, .origin = origin, .line = line };
    if (value.len)
        memcpy(v->text, value.data, value.len);
    return OK;
}

err rpc_conf_set(rpc_conf *c, rpc_conf_key key, bytes value, rpc_conf_origin origin, fault *f)
{
    return set_value(c, key, value, origin, 0, f);
}

/* --- node.conf ---------------------------------------------------------------------------------------------------------- */

static bytes trim(bytes text)
{
    while (text.len && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = bytes_of(text.data + 1, text.len - 1);
    while (text.len && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t' || text.data[text.len - 1] == '\r'))
        text.len--;
    return text;
}

/* The key of "section" and "key"; RPC_CONF_COUNT if there is none. */
static rpc_conf_key find_key(bytes section, bytes key)
{
    char name[64];
    if (section.len + key.len + 2 > sizeof name || memchr(section.data, 0, section.len) || memchr(key.data, 0, key.len))
        return RPC_CONF_COUNT;
    memcpy(name, section.data, section.len);
    name[section.len] = '.';
    memcpy(name + section.len + 1, key.data, key.len);
    name[section.len + 1 + key.len] = 0;
    return rpc_conf_by_name(name);
}

static bool section_known(bytes section)
{
    for (size_t i = 0; i < RPC_CONF_COUNT; i++) {
        const char *name = rpc_conf_rows[i].name, *dot = strchr(name, '.');
        if (bytes_equal(section, bytes_of(name, (size_t)(dot - name))))
            return true;
    }
    return false;
}

static err read_line(rpc_conf *c, bool seen[RPC_CONF_COUNT], bytes *section, bytes text, uint32_t line, fault *f)
{
    if (text.len == 0 || text.data[0] == '#' || text.data[0] == ';')
        return OK;
    if (text.data[0] == '[') {
        if (text.data[text.len - 1] != ']' || text.len < 3)
            return fail(f, ERR_CONFIG, "node.conf: section", line);
        *section = trim(bytes_of(text.data + 1, text.len - 2));
        return section_known(*section) ? OK : fail(f, ERR_CONFIG, "node.conf: unknown section", line);
    }
    const uint8_t *equals = memchr(text.data, '=', text.len);
    if (!equals)
        return fail(f, ERR_CONFIG, "node.conf: neither section nor key = value", line);
    size_t at = (size_t)(equals - text.data);
    bytes name = trim(bytes_of(text.data, at)), value = trim(bytes_of(equals + 1, text.len - at - 1));
    rpc_conf_key key = section->len && name.len ? find_key(*section, name) : RPC_CONF_COUNT;
    if (key == RPC_CONF_COUNT)
        return fail(f, ERR_CONFIG, "node.conf: unknown key", line);
    if (seen[key])
        return fail(f, ERR_CONFIG, "node.conf: key given twice", line);
    seen[key] = true;
    return set_value(c, key, value, RPC_CONF_FILE, line, f);
}

err rpc_conf_read(rpc_conf *c, bytes text, fault *f)
{
    bool seen[RPC_CONF_COUNT] = { false };
    bytes section = { 0 };
    uint32_t line = 0;
    err e = OK;
    if (text.len > LIMIT_CONFIG_BYTES)
        return fail(f, ERR_LIMIT, "node.conf", LIMIT_CONFIG_BYTES);
    rpc_conf *next = malloc(sizeof *next);
    if (!next)
        return fail(f, ERR_MEMORY, "node.conf", 0);
    *next = *c;
    while (e == OK && text.len) {
        const uint8_t *end = memchr(text.data, '\n', text.len);
        size_t len = end ? (size_t)(end - text.data) : text.len, step = end ? len + 1 : len;
        e = read_line(next, seen, &section, trim(bytes_of(text.data, len)), ++line, f);
        text = bytes_of(text.data + step, text.len - step);
    }
    if (e == OK)
        *c = *next;
    free(next);
    return e;
}

/* --- environment and defaults ------------------------------------------------------------------------------------------- */

/* "TB_RPC_PORT" for "rpc.port". */
static void variable_name(char out[72], const char *name)
{
    strcpy(out, "TB_");
    char *to = out + 3;
    for (; *name; name++)
        *to++ = *name == '.' ? '_' : *name >= 'a' && *name <= 'z' ? (char)(*name - 32) : *name;
    *to = 0;
}

err rpc_conf_environment(rpc_conf *c, const char *const *environment, fault *f)
{
    for (size_t i = 0; i < RPC_CONF_COUNT; i++) {
        char name[72];
        variable_name(name, rpc_conf_rows[i].name);
        size_t len = strlen(name);
        for (const char *const *e = environment; *e; e++) {
            if (strncmp(*e, name, len) == 0 && (*e)[len] == '=')
                TRY(rpc_conf_set(c, (rpc_conf_key)i, bytes_of_str(*e + len + 1), RPC_CONF_ENVIRONMENT, f));
        }
    }
    return OK;
}

/* Replaces the one placeholder of a default. */
static err expand(rpc_conf *c, rpc_conf_key key, const char *home, fault *f)
{
    rpc_conf_value *v = &c->v[key];
    char *open = strchr(v->text, '<'), *close = open ? strchr(open, '>') : NULL;
    if (!close)
        return OK;
    *close = 0;
    const char *with = home;
    if (strcmp(open + 1, "home") != 0) {
        rpc_conf_key other = rpc_conf_by_name(open + 1);
        CHECK(other < key); /* it is resolved already */
        with = c->v[other].text;
    }
    size_t before = (size_t)(open - v->text), middle = strlen(with), after = strlen(close + 1);
    if (before + middle + after >= sizeof v->text)
        return fail(f, ERR_LIMIT, rpc_conf_rows[key].name, LIMIT_CONFIG_VALUE_BYTES);
    memmove(open + middle, close + 1, after + 1);
    memcpy(open, with, middle);
    return OK;
}

err rpc_conf_resolve(rpc_conf *c, const char *home, fault *f)
{
    for (size_t i = 0; i < RPC_CONF_COUNT; i++) {
        rpc_conf_value *v = &c->v[i];
        if (v->origin != RPC_CONF_DEFAULT)
            continue;
        TRY(expand(c, (rpc_conf_key)i, home, f));
        if (read_value(&v->number, &rpc_conf_rows[i], bytes_of_str(v->text)) != OK)
            return fail(f, ERR_CONFIG, rpc_conf_rows[i].name, 0);
    }
    return OK;
}
