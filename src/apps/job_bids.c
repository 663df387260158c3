/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/job_bids.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct offer {
    cr_address address;
    uint64_t   price;
    size_t     place; /* in the ledger's order */
    bool       accepted;
} offer;

typedef struct offers {
    offer *list;
    size_t count, room;
} offers;

static int by_worth(const void *left, const void *right)
{
    const offer *a = left, *b = right;
    if (a->accepted != b->accepted)
        return a->accepted ? -1 : 1;
    if (a->price != b->price)
        return a->price < b->price ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

static err add(offers *o, const tb_ledger *l, const json_t *row, fault *f)
{
    const char *address, *status;
    if (o->count == o->room) {
        size_t room = o->room ? 2 * o->room : 64;
        offer *list = realloc(o->list, room * sizeof *list);
        if (!list)
            return fail(f, ERR_MEMORY, "bids", room);
        o->list = list;
        o->room = room;
    }
    offer *one = &o->list[o->count];
    TRY(tb_json_string(&address, row, "worker", f));
    TRY(tb_json_string(&status, row, "status", f));
    TRY(tb_json_u64(&one->price, row, "price", f));
    TRY(cr_address_decode(&one->address, l->prefix, address, f));
    one->accepted = strcmp(status, "accepted") == 0;
    one->place = o->count++;
    return OK;
}

static err read_all(offers *o, tb_ledger *l, const hash256 *job, fault *f)
{
    char hex[65], cursor[80] = "";
    base_hex_encode(hex, job->b, 32);
    do {
        json_t *page, *row, *params = json_pack("{s:s}", "job", hex);
        size_t i;
        if (*cursor)
            json_object_set_new(params, "cursor", json_string(cursor));
        TRY(tb_ledger_call(l, "job.get", params, 0, &page, f));
        err e = OK;
        json_array_foreach(json_object_get(page, "bids"), i, row)
            if (e == OK)
                e = add(o, l, row, f);
        const char *next = json_string_value(json_object_get(page, "bids_next"));
        snprintf(cursor, sizeof cursor, "%s", next ? next : "");
        json_decref(page);
        TRY(e);
    } while (*cursor);
    return OK;
}

err tb_job_bids(tb_bidder out[TB_BIDDERS_MAX], size_t *count, tb_ledger *l, const hash256 *job, fault *f)
{
    offers o = { 0 };
    *count = 0;
    err e = read_all(&o, l, job, f);
    if (e == OK && o.count)
        qsort(o.list, o.count, sizeof *o.list, by_worth);
    for (size_t i = 0; i < o.count && e == OK && *count < TB_BIDDERS_MAX; i++) {
        tb_bidder *b = &out[*count];
        chain_row_worker worker;
        b->address = o.list[i].address;
        chain_key worker_key = chain_key_address(&b->address), bid_key = chain_key_bid(job, &b->address);
        e = tb_ledger_row(l, &worker, CHAIN_TABLE_WORKER, chain_key_bytes(&worker_key), f);
        if (e == OK)
            e = tb_ledger_row(l, &b->bid, CHAIN_TABLE_BID, chain_key_bytes(&bid_key), f);
        b->key = worker.key;
        *count += e == OK && worker.status == CHAIN_WORKER_ACTIVE;
    }
    free(o.list);
    return e;
}
