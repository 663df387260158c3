/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb trace`: where do two runs part? */
#include "apps/cli.h"
#include "apps/trace_file.h"

#include <inttypes.h>
#include <string.h>

static int64_t element(const uint8_t *at, uint32_t elem_bytes)
{
    return elem_bytes == 2 ? (int16_t)load_le16(at) : elem_bytes == 4 ? (int32_t)load_le32(at) : (int64_t)load_le64(at);
}

typedef struct difference {
    bool         found;
    const char  *kind; /* "value", "shape", "end" */
    trace_record record;
    uint64_t     index;
    int64_t      left, right;
} difference;

/* Elements of two records of one shape, in step. */
static err compare_data(FILE *a, FILE *b, const trace_record *r, difference *d, fault *f)
{
    uint8_t left[8192], right[8192];
    uint64_t n_bytes = (uint64_t)r->rows * r->cols * r->elem_bytes;
    for (uint64_t at = 0; at < n_bytes; at += sizeof left) {
        size_t n = n_bytes - at < sizeof left ? (size_t)(n_bytes - at) : sizeof left;
        if (fread(left, 1, n, a) != n || fread(right, 1, n, b) != n)
            return fail(f, ERR_TRUNCATED, "trace: elements of tensor", r->tensor);
        if (memcmp(left, right, n) == 0)
            continue;
        size_t i = 0;
        while (memcmp(left + i, right + i, r->elem_bytes) == 0)
            i += r->elem_bytes;
        *d = (difference){ .found = true, .kind = "value", .record = *r, .index = (at + i) / r->elem_bytes, .left = element(left + i, r->elem_bytes),
                           .right = element(right + i, r->elem_bytes) };
        return OK;
    }
    return OK;
}

static err compare(FILE *a, FILE *b, difference *d, uint64_t *records, fault *f)
{
    for (*records = 0;; (*records)++) {
        trace_record ra = { 0 }, rb = { 0 };
        bool more_a, more_b;
        TRY(trace_reader_next(a, &ra, &more_a, f));
        TRY(trace_reader_next(b, &rb, &more_b, f));
        if (!more_a && !more_b)
            return OK;
        if (more_a != more_b || memcmp(&ra, &rb, sizeof ra) != 0) {
            *d = (difference){ .found = true, .kind = more_a != more_b ? "end" : "shape", .record = more_a ? ra : rb };
            return OK;
        }
        TRY(compare_data(a, b, &ra, d, f));
        if (d->found)
            return OK;
    }
}

static void print_difference(const tb_cli *cli, const difference *d, uint64_t records)
{
    char name[64];
    trace_name(name, NULL, d->record.tensor);
    if (cli->json) {
        json_t *doc = json_pack("{s:s, s:b, s:I}", "schema", "tb-trace-diff-1", "equal", !d->found, "records", (json_int_t)records);
        if (d->found)
            json_object_set_new(doc, "first", json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "kind", d->kind, "tensor", name, "sequence",
                                                        (json_int_t)d->record.sequence, "row", (json_int_t)(d->index / (d->record.cols ? d->record.cols : 1)),
                                                        "col", (json_int_t)(d->index % (d->record.cols ? d->record.cols : 1)), "left", (json_int_t)d->left,
                                                        "right", (json_int_t)d->right));
        tb_print_json(doc);
    } else if (!d->found) {
        printf("equal: %" PRIu64 " tensors\n", records);
    } else if (strcmp(d->kind, "value") == 0) {
        printf("differ first in %s, sequence %" PRIu64 ", row %" PRIu64 ", column %" PRIu64 ": %" PRId64 " and %" PRId64 "\n", name, d->record.sequence,
               d->index / d->record.cols, d->index % d->record.cols, d->left, d->right);
    } else {
        printf("differ in %s at %s\n", strcmp(d->kind, "end") == 0 ? "length" : "shape", name);
    }
}

int cmd_trace_diff(const tb_cli *cli)
{
    FILE *a = NULL, *b = NULL;
    fault f = { 0 };
    difference d = { 0 };
    uint64_t records = 0;
    const char *subject = cli->args[0];
    err e = trace_reader_open(&a, cli->args[0], &f);
    if (e == OK) {
        subject = cli->args[1];
        e = trace_reader_open(&b, cli->args[1], &f);
    }
    if (e == OK)
        e = compare(a, b, &d, &records, &f);
    if (a)
        fclose(a);
    if (b)
        fclose(b);
    if (e != OK)
        return tb_report(cli, e, subject, &f);
    print_difference(cli, &d, records);
    return d.found ? err_describe(ERR_CHEAT)->exit_code : 0;
}

int cmd_trace_show(const tb_cli *cli)
{
    FILE *file = NULL;
    fault f = { 0 };
    err e = trace_reader_open(&file, cli->args[0], &f);
    json_t *list = cli->json ? json_array() : NULL;
    for (bool more = e == OK; more;) {
        trace_record r;
        e = trace_reader_next(file, &r, &more, &f);
        if (e != OK || !more)
            break;
        if (fseeko(file, (off_t)((uint64_t)r.rows * r.cols * r.elem_bytes), SEEK_CUR) != 0)
            e = fail(&f, ERR_TRUNCATED, "trace: tensor", r.tensor);
        char name[64];
        trace_name(name, NULL, r.tensor);
        if (list)
            json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:I}", "tensor", name, "sequence", (json_int_t)r.sequence, "rows",
                                                  (json_int_t)r.rows, "cols", (json_int_t)r.cols, "element_bytes", (json_int_t)r.elem_bytes));
        else
            printf("%-28s sequence %-8" PRIu64 " %u x %u, %u bytes\n", name, r.sequence, r.rows, r.cols, r.elem_bytes);
    }
    if (file)
        fclose(file);
    if (e != OK) {
        json_decref(list);
        return tb_report(cli, e, cli->args[0], &f);
    }
    if (list)
        tb_print_json(json_pack("{s:s, s:o}", "schema", "tb-trace-1", "tensors", list));
    return 0;
}
