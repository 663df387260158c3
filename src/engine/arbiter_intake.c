/* SPDX-License-Identifier: Apache-2.0
 *
 * What is shown to a validator: files that grow by parts, each side its own. */
#include "base/limits.h"
#include "base/port/file.h"
#include "engine/arbiter_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

audit *arbiter_find(eng_arbiter *a, const hash256 *job, uint64_t lease_id)
{
    for (size_t i = 0; i < ARBITER_AUDITS; i++)
        if (a->audits[i].used && a->audits[i].lease_id == lease_id && hash256_equal(&a->audits[i].job, job))
            return &a->audits[i];
    return NULL;
}

void arbiter_place_path(char out[ARBITER_PATH], const eng_arbiter *a, const audit *u, side s, tr_shown kind)
{
    char job[65];
    base_hex_encode(job, u->job.b, 32);
    snprintf(out, ARBITER_PATH, "%s/%s-%llu-%s-%s", a->dir, job, (unsigned long long)u->lease_id, s == SIDE_WORKER ? "worker" : "coordinator",
             tr_shown_name(kind));
}

void arbiter_drop_place(eng_arbiter *a, audit *u, side s, tr_shown kind, bool misshown)
{
    char path[ARBITER_PATH];
    place *p = &u->places[s][kind];
    *p = (place){ .misshown = p->misshown + misshown };
    arbiter_place_path(path, a, u, s, kind);
    unlink(path);
}

void arbiter_drop_files(eng_arbiter *a, const audit *u)
{
    char path[ARBITER_PATH];
    for (int s = 0; s < SIDES; s++)
        for (int k = 0; k < TR_SHOWN_KINDS; k++) {
            arbiter_place_path(path, a, u, (side)s, (tr_shown)k);
            unlink(path);
        }
}

static err side_of(side *out, const audit *u, const cr_public_key *key, fault *f)
{
    if (memcmp(key, &u->about.lease.worker, sizeof *key) == 0)
        *out = SIDE_WORKER;
    else if (memcmp(key, &u->about.job.coordinator, sizeof *key) == 0)
        *out = SIDE_COORDINATOR;
    else
        return fail(f, ERR_PERMISSION, "auth", 0);
    return OK;
}

/* The audit and whose place it is. Under mu. */
static err locate(eng_arbiter *a, const tr_push *p, audit **u, side *s, fault *f)
{
    *u = arbiter_find(a, &p->job, p->lease_id);
    if (*u)
        return side_of(s, *u, &p->key, f);
    bool open = false;
    const chain_row_audit *row = chain_audit_row(eng_solo_read_begin(a->engine), &p->job, p->lease_id);
    open = row && row->status == CHAIN_AUDIT_OPEN;
    eng_solo_read_end(a->engine);
    return open ? fail(f, ERR_BUSY, "audit", p->lease_id) : fail(f, ERR_STATE, "audit", p->lease_id);
}

/* Whether these bytes lie in the file at p->at. */
static err compare(bool *same, int fd, const tr_push *p, fault *f)
{
    uint8_t *there = malloc(p->body.len);
    if (!there)
        return fail(f, ERR_MEMORY, "audit", p->body.len);
    err e = base_file_read_at(fd, there, p->body.len, p->at, f);
    *same = e == OK && memcmp(there, p->body.data, p->body.len) == 0;
    free(there);
    return e;
}

static err open_place(int *fd, const char *path, bool fresh, fault *f)
{
    if (fresh)
        unlink(path);
    return base_file_open(fd, path, fresh ? BASE_FILE_CREATE : BASE_FILE_WRITE, f);
}

static err store(eng_arbiter *a, audit *u, side s, const tr_push *p, fault *f)
{
    char   path[ARBITER_PATH];
    int    fd = -1;
    bool   same = false;
    place *at = &u->places[s][p->kind];
    arbiter_place_path(path, a, u, s, p->kind);
    bool again = at->total == p->total && p->at + p->body.len <= at->have;
    if (again) {
        TRY(open_place(&fd, path, false, f));
        err e = compare(&same, fd, p, f);
        base_file_close(fd);
        if (e != OK || same)
            return e;
    }
    if (at->complete)
        return fail(f, ERR_STATE, tr_shown_name(p->kind), at->have);
    bool fresh = p->at == 0;
    if (!fresh && (at->total != p->total || p->at != at->have))
        return fail(f, ERR_RANGE, "offset", at->have);
    if (fresh) /* whatever becomes of the writing, what was there is gone */
        *at = (place){ .misshown = at->misshown };
    TRY(open_place(&fd, path, fresh, f));
    err e = base_file_write_at(fd, p->body, p->at, f);
    base_file_close(fd);
    if (e != OK)
        return e;
    at->total = p->total;
    at->have = p->at + p->body.len;
    at->complete = at->have == at->total;
    return OK;
}

static err check_part(const audit *u, side s, const tr_push *p, fault *f)
{
    uint64_t most = tr_shown_bytes_max(&u->about, p->kind);
    if (p->total > most || u->places[s][p->kind].misshown >= ARBITER_MISSHOWN)
        return fail(f, ERR_LIMIT, tr_shown_name(p->kind), most);
    if (p->body.len == 0 || p->body.len > LIMIT_TRAIN_PART_BYTES || p->at > p->total || p->body.len > p->total - p->at)
        return fail(f, ERR_RANGE, "body", p->body.len);
    return OK;
}

err eng_arbiter_take(eng_arbiter *a, const tr_push *p, uint64_t *have, fault *f)
{
    audit *u;
    side   s;
    *have = 0;
    if (p->total == 0)
        return fail(f, ERR_RANGE, "total", 0);
    TRY(tr_push_verify(p, &a->chain_id, f));
    pthread_mutex_lock(&a->mu);
    err e = locate(a, p, &u, &s, f);
    if (e == OK)
        e = check_part(u, s, p, f);
    if (e == OK) {
        e = store(a, u, s, p, f);
        u->deaf = u->deaf || (e != OK && e != ERR_STATE && e != ERR_RANGE); /* those two are about the part */
    }
    if (e == OK)
        *have = u->places[s][p->kind].have;
    pthread_mutex_unlock(&a->mu);
    return e;
}

err eng_arbiter_ask(eng_arbiter *a, const tr_push *p, uint64_t *have, bool *complete, fault *f)
{
    audit *u;
    side   s;
    *have = 0;
    *complete = false;
    if (p->total != 0 || p->at != 0 || p->body.len != 0)
        return fail(f, ERR_RANGE, "offset", p->at);
    TRY(tr_push_verify(p, &a->chain_id, f));
    pthread_mutex_lock(&a->mu);
    err e = locate(a, p, &u, &s, f);
    if (e == OK) {
        *have = u->places[s][p->kind].have;
        *complete = u->places[s][p->kind].complete || tr_shown_bytes_max(&u->about, p->kind) == 0;
    }
    pthread_mutex_unlock(&a->mu);
    return e;
}
