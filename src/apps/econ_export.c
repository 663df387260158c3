/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/econ_export.h"

#include "base/buf.h"
#include "base/port/file.h"
#include "chain/record.h"
#include "chain/state.h"
#include "crypto/sha256.h"
#include "econ/unit.h"
#include "rpc/json.h"

#include <stdio.h>
#include <string.h>

enum { FILES = 3, FILE_BYTES_MAX = 256 << 20, MANIFEST_BYTES_MAX = 65536 };

static const char *const names[FILES] = { "epochs.csv", "markets.csv", "epochs.json" };

typedef struct report {
    buf     files[FILES];
    json_t *epochs;
} report;

static err path_in(char out[TB_PATH_MAX], const char *dir, const char *name, fault *f)
{
    int n = snprintf(out, TB_PATH_MAX, "%s/%s", dir, name);
    return n > 0 && n < TB_PATH_MAX ? OK : fail(f, ERR_LIMIT, "path", 0);
}

/* --- content --- */

static err put_head(buf *out, const char *before, const chain_record *r)
{
    TRY(buf_put_str(out, before));
    for (size_t i = 0; i < r->count; i++) {
        TRY(buf_put_str(out, ","));
        TRY(buf_put_str(out, r->fields[i].name));
    }
    return buf_put_str(out, "\n");
}

/* The fields of `r` as the node's answer has them: numbers, or numbers in strings. */
static err put_line(buf *out, const char *before, const chain_record *r, const json_t *row, fault *f)
{
    TRY(buf_put_str(out, before));
    for (size_t i = 0; i < r->count; i++) {
        const json_t *v = json_object_get(row, r->fields[i].name);
        char text[32];
        if (json_is_integer(v))
            snprintf(text, sizeof text, ",%lld", (long long)json_integer_value(v));
        else if (json_is_string(v) && json_string_length(v) < 24 && strspn(json_string_value(v), "-0123456789") == json_string_length(v))
            snprintf(text, sizeof text, ",%s", json_string_value(v));
        else
            return fail(f, ERR_FIELD, r->fields[i].name, i);
        TRY(buf_put_str(out, text));
    }
    return buf_put_str(out, "\n");
}

static err put_epoch(report *r, uint64_t number, json_t *answer, fault *f)
{
    char before[48];
    snprintf(before, sizeof before, "%llu", (unsigned long long)number);
    TRY(put_line(&r->files[0], before, chain_table_describe(CHAIN_TABLE_EPOCH)->record, answer, f));
    for (size_t m = 0; m < ECON_MARKETS; m++) {
        const json_t *award = json_object_get(json_object_get(answer, "markets"), econ_market_names[m]);
        snprintf(before, sizeof before, "%llu,%s", (unsigned long long)number, econ_market_names[m]);
        if (award)
            TRY(put_line(&r->files[1], before, chain_table_describe(CHAIN_TABLE_AWARD)->record, award, f));
    }
    return json_array_append(r->epochs, answer) == 0 ? OK : fail(f, ERR_MEMORY, "epochs", number);
}

static err collect(report *r, tb_ledger *l, uint64_t from, uint64_t to, fault *f)
{
    TRY(put_head(&r->files[0], "epoch", chain_table_describe(CHAIN_TABLE_EPOCH)->record));
    TRY(put_head(&r->files[1], "epoch,market", chain_table_describe(CHAIN_TABLE_AWARD)->record));
    for (uint64_t number = from; number <= to; number++) {
        json_t *answer;
        TRY(tb_ledger_call(l, "econ.epoch", json_pack("{s:o}", "epoch", rpc_json_u64(number)), 0, &answer, f));
        err e = put_epoch(r, number, answer, f);
        json_decref(answer);
        TRY(e);
    }
    return rpc_json_write(&r->files[2], r->epochs);
}

static json_t *make_manifest(const report *r, const tb_ledger *l, uint64_t from, uint64_t to)
{
    json_t *files = json_array();
    for (size_t i = 0; i < FILES; i++) {
        bytes content = buf_bytes(&r->files[i]);
        hash256 hash = cr_sha256(content);
        json_array_append_new(files, json_pack("{s:s, s:o, s:o}", "name", names[i], "bytes", rpc_json_u64(content.len), "sha256", rpc_json_hex(BYTES_OF(hash))));
    }
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "schema", "tb-econ-export-1", "chain_id", l->chain_id.text, "genesis",
                     rpc_json_hex(BYTES_OF(l->genesis)), "height", rpc_json_u64(l->height), "state_root", rpc_json_hex(BYTES_OF(l->state_root)), "from",
                     rpc_json_u64(from), "to", rpc_json_u64(to), "files", files);
}

static err write_all(const report *r, json_t *manifest, const char *dir, fault *f)
{
    char path[TB_PATH_MAX];
    buf text;
    for (size_t i = 0; i < FILES; i++) {
        TRY(path_in(path, dir, names[i], f));
        TRY(base_file_write_atomic(path, buf_bytes(&r->files[i]), 0644, BASE_FILE_REPLACE, f));
    }
    TRY(path_in(path, dir, "manifest.json", f));
    buf_init(&text, MANIFEST_BYTES_MAX);
    err e = rpc_json_write(&text, manifest);
    if (e == OK)
        e = base_file_write_atomic(path, buf_bytes(&text), 0644, BASE_FILE_NEW, f);
    buf_deinit(&text);
    return e;
}

static err check_place(const char *dir, fault *f)
{
    char path[TB_PATH_MAX];
    int fd;
    TRY(tb_make_folders(dir, f));
    TRY(path_in(path, dir, "manifest.json", f));
    if (base_file_open(&fd, path, BASE_FILE_READ, NULL) != OK)
        return OK;
    base_file_close(fd);
    return fail(f, ERR_EXISTS, "manifest.json", 0);
}

err tb_econ_export(json_t **manifest, tb_ledger *l, uint64_t from, uint64_t to, const char *dir, fault *f)
{
    report r = { .epochs = json_array() };
    *manifest = NULL;
    for (size_t i = 0; i < FILES; i++)
        buf_init(&r.files[i], FILE_BYTES_MAX);
    err e = from < 1 || from > to ? fail(f, ERR_RANGE, "from", from) : OK;
    if (e == OK && to - from >= TB_EXPORT_EPOCHS_MAX)
        e = fail(f, ERR_LIMIT, "epochs", to - from);
    if (e == OK)
        e = check_place(dir, f);
    if (e == OK)
        e = r.epochs ? collect(&r, l, from, to, f) : fail(f, ERR_MEMORY, "epochs", 0);
    if (e == OK) {
        *manifest = make_manifest(&r, l, from, to);
        e = *manifest ? write_all(&r, *manifest, dir, f) : fail(f, ERR_MEMORY, "manifest.json", 0);
    }
    for (size_t i = 0; i < FILES; i++)
        buf_deinit(&r.files[i]);
    json_decref(r.epochs);
    if (e != OK) {
        json_decref(*manifest);
        *manifest = NULL;
    }
    return e;
}

/* --- check --- */

static err check_file(const char *dir, const json_t *entry, const char *name, fault *f)
{
    char path[TB_PATH_MAX];
    uint64_t size;
    hash256 want, got;
    const char *named;
    buf content;
    TRY(tb_json_string(&named, entry, "name", f));
    TRY(tb_json_u64(&size, entry, "bytes", f));
    TRY(tb_json_hash(&want, entry, "sha256", f));
    if (strcmp(named, name) != 0)
        return fail(f, ERR_FIELD, "files: name", 0);
    TRY(path_in(path, dir, name, f));
    buf_init(&content, FILE_BYTES_MAX);
    err e = base_file_read(&content, path, f);
    got = cr_sha256(buf_bytes(&content));
    if (e == OK && (buf_bytes(&content).len != size || !hash256_equal(&got, &want)))
        e = fail(f, ERR_HASH, name, buf_bytes(&content).len);
    buf_deinit(&content);
    return e;
}

err tb_econ_export_check(json_t **manifest, const char *dir, fault *f)
{
    char path[TB_PATH_MAX];
    buf text;
    *manifest = NULL;
    TRY(path_in(path, dir, "manifest.json", f));
    buf_init(&text, MANIFEST_BYTES_MAX);
    err e = base_file_read(&text, path, f);
    if (e == OK)
        e = rpc_json_read(manifest, buf_bytes(&text), f);
    buf_deinit(&text);
    TRY(e);
    const char *schema;
    const json_t *files = json_object_get(*manifest, "files");
    e = tb_json_string(&schema, *manifest, "schema", f);
    if (e == OK && strcmp(schema, "tb-econ-export-1") != 0)
        e = fail(f, ERR_VERSION, "schema", 0);
    if (e == OK && json_array_size(files) != FILES)
        e = fail(f, ERR_FIELD, "files", json_array_size(files));
    for (size_t i = 0; e == OK && i < FILES; i++)
        e = check_file(dir, json_array_get(files, i), names[i], f);
    if (e != OK) {
        json_decref(*manifest);
        *manifest = NULL;
    }
    return e;
}
