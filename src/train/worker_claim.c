/* SPDX-License-Identifier: Apache-2.0
 *
 * Pay without the coordinator: after job.claim_delay the ledger takes a committed receipt from its worker, too. */
#include "train/worker_int.h"

#include "base/port/file.h"

#include <dirent.h>
#include <unistd.h>

typedef struct kept_receipt {
    chain_receipt signed_pair;
    chain_lease   lease;
    hash256       lease_hash, attestation_hash;
} kept_receipt;

static err decode(kept_receipt *r, bytes file, fault *f)
{
    chain_receipt items[64];
    chain_attestation said;
    chain_signed lease, attestation;
    size_t count;
    TRY(chain_receipts_decode(items, &count, file, f));
    if (count != 1)
        return fail(f, ERR_RANGE, "receipt file", count);
    r->signed_pair = items[0];
    TRY(chain_lease_decode(&r->lease, &lease, items[0].lease, f));
    TRY(chain_attestation_decode(&said, &attestation, items[0].attestation, f));
    r->lease_hash = lease.hash;
    r->attestation_hash = attestation.hash;
    return OK;
}

/* What there is to do about it. */
typedef enum standing { STANDS_DUE, STANDS_WAITING, STANDS_SETTLED, STANDS_LOST } standing;

static err look(standing *out, const kept_receipt *r, const tr_ledger *l, fault *f)
{
    chain_row_lease row;
    uint64_t height;
    err e = l->height(l->ctx, &height);
    if (e != OK)
        return fail(f, e, "ledger.height", 0);
    e = l->lease(l->ctx, &r->lease.job, r->lease.lease_id, &row);
    if (e != OK && e != ERR_NOT_FOUND)
        return fail(f, e, "ledger.lease", r->lease.lease_id);
    bool ours = e == OK && hash256_equal(&row.lease_hash, &r->lease_hash) && hash256_equal(&row.attestation_hash, &r->attestation_hash);
    if (e == OK && !ours)
        *out = STANDS_LOST;
    else if (e != OK)
        *out = height > r->lease.expiry_height ? STANDS_LOST : STANDS_WAITING;
    else if (row.status != CHAIN_LEASE_COMMITTED)
        *out = STANDS_SETTLED;
    else /* it would stand in the next block */
        *out = row.challenge_height || height + 1 - row.commit_height < l->claim_delay ? STANDS_WAITING : STANDS_DUE;
    return OK;
}

static err claim(tr_claims *out, const kept_receipt *r, const tr_ledger *l, bool *done, fault *f)
{
    uint8_t room[TR_RECEIPT_BYTES_MAX];
    uint64_t height = 0;
    chain_tx tx;
    memset(&tx, 0, sizeof tx);
    tx.type = CHAIN_TX_RECEIPT_PAY;
    tx.payload.receipt_pay.job = r->lease.job;
    TRY(chain_receipts_encode(&tx.payload.receipt_pay.receipts, room, sizeof room, &r->signed_pair, 1));
    err e = l->submit(l->ctx, &tx, &height, f);
    *done = e == OK;
    if (e == OK) {
        out->claimed++;
        out->claimed_nblock += r->lease.price;
    } else if (height) { /* the ledger ran it: a word about this receipt alone */
        out->refused++;
        out->code = e;
    }
    return height ? OK : e;
}

static err one_receipt(tr_claims *out, const char *path, const cr_public_key *worker, const tr_ledger *l, fault *f)
{
    buf file;
    kept_receipt r;
    standing s = STANDS_WAITING;
    bool done = false;
    buf_init(&file, TR_RECEIPT_BYTES_MAX);
    err e = base_file_read(&file, path, f);
    if (e == OK)
        e = decode(&r, buf_bytes(&file), f);
    if (e != OK || memcmp(&r.lease.worker, worker, sizeof *worker) != 0) {
        buf_deinit(&file);
        out->refused++;
        out->code = e == OK ? ERR_KEY : e;
        return OK;
    }
    e = look(&s, &r, l, f);
    if (e == OK && s == STANDS_DUE)
        e = claim(out, &r, l, &done, f);
    buf_deinit(&file);
    if (e != OK)
        return e;
    out->waiting += s == STANDS_WAITING;
    out->settled += s == STANDS_SETTLED;
    out->lost += s == STANDS_LOST;
    if (done || s == STANDS_SETTLED || s == STANDS_LOST)
        unlink(path);
    return OK;
}

err tr_worker_claim(tr_claims *out, const char *cache, const cr_public_key *worker, const tr_ledger *ledger, fault *f)
{
    char path[TR_PATH_MAX];
    *out = (tr_claims){ .code = OK };
    DIR *d = opendir(cache);
    if (!d)
        return fail(f, ERR_NOT_FOUND, "worker.cache", 0);
    err e = OK;
    for (struct dirent *entry; e == OK && (entry = readdir(d)) != NULL;) {
        if (strncmp(entry->d_name, "receipt-", 8) != 0 || strlen(entry->d_name) != 8 + 64) /* or one that is being written */
            continue;
        e = tr_store_name(path, cache, entry->d_name, f);
        if (e == OK)
            e = one_receipt(out, path, worker, ledger, f);
    }
    closedir(d);
    return e;
}
