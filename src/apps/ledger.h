/* SPDX-License-Identifier: Apache-2.0
 *
 * A node as its client sees it: what the chain is, accounts and parameters, and transactions from filling in to finality. */
#ifndef APPS_LEDGER_H
#define APPS_LEDGER_H

#include "apps/home.h"
#include "base/fixed.h"
#include "chain/param.h"
#include "chain/tx.h"
#include "rpc/client.h"

typedef struct tb_ledger {
    rpc_client  *client; /* owned */
    chain_name   chain_id;
    char         prefix[9];
    hash256      genesis;
    uint64_t     height; /* when it was opened, or last asked */
    hash256      state_root;
    chain_params params; /* after tb_ledger_params */
    q32          tariff; /* bps; after tb_ledger_params */
} tb_ledger;

typedef struct tb_ledger_options {
    const char        *node;       /* endpoint; NULL or "": client.endpoint of the settings, the socket in the data directory */
    const char        *token_file; /* for http endpoints; NULL or "": client.token of the settings */
    const atomic_bool *stop;
} tb_ledger_options;

/* Connects and asks for the status. `options` may be NULL. ERR_UNREACHABLE if nobody answers. */
err  tb_ledger_open(tb_ledger *l, const tb_home *home, const tb_ledger_options *options, fault *f) MUST_USE;
void tb_ledger_close(tb_ledger *l); /* harmless on a zeroed one */

/* Refreshes height and state root. ERR_CHAIN_ID if another network answers now. */
err tb_ledger_refresh(tb_ledger *l, fault *f) MUST_USE;
err tb_ledger_params(tb_ledger *l, fault *f) MUST_USE;

typedef struct tb_account {
    bool     exists, kyc;
    uint64_t balance, nonce;
} tb_account;
err tb_ledger_account(tb_ledger *l, tb_account *out, const cr_address *address, fault *f) MUST_USE;

/* A method by name; *result is the caller's. */
err tb_ledger_call(tb_ledger *l, const char *method, json_t *params_taken, uint32_t wait_ms, json_t **result, fault *f) MUST_USE;

/* --- transactions ------------------------------------------------------------------------------------------------------- */

/* Sets chain id, sender, nonce (the account's next) and expiry (`blocks` ahead). */
err tb_ledger_fill(tb_ledger *l, chain_tx *tx, const cr_public_key *sender, uint64_t blocks, fault *f) MUST_USE;

/* Sets fee_max to exactly the fee of the encoded transaction (tip included), signs. Needs tb_ledger_params. */
err tb_ledger_sign(const tb_ledger *l, chain_tx *tx, bytes *out, uint8_t *buffer, size_t cap, const cr_secret_key *secret,
                   hash256 *id, fault *f) MUST_USE;

typedef enum tb_outcome {
    TB_SENT_DONE,     /* in a block, and it ran */
    TB_SENT_FAILED,   /* in a block, changed nothing but nonce and fee */
    TB_SENT_REJECTED, /* never will be in a block as it stands */
    TB_SENT_UNKNOWN,  /* no answer in time: it may or may not come */
} tb_outcome;

typedef struct tb_sent {
    hash256    id;
    tb_outcome outcome;
    err        code;     /* of failed and rejected */
    char       what[128];
    uint64_t   height, fee;
    bool       outrun; /* rejected because another transaction has its nonce: nothing of it was done, or will be */
} tb_sent;

/* Hands in and waits for finality; repeats itself while the node is busy or the connection breaks (the bytes are the same, so it is
 * safe). An error only if nothing was sent: ERR_UNREACHABLE, ERR_INTERRUPTED, ERR_MEMORY. */
err tb_ledger_submit(tb_ledger *l, tb_sent *out, bytes tx, const hash256 *id, uint32_t wait_ms, fault *f) MUST_USE;

/* Fill, sign, submit; again, with the next nonce, while another transaction of the key takes it. `wait_ms` 0: 30 s. ERR_STATE and so on
 * as in tb_sent.code if it was not done: for programs that need no more. */
err tb_ledger_run(tb_ledger *l, tb_sent *out, chain_tx *tx, const cr_secret_key *secret, uint32_t wait_ms, fault *f) MUST_USE;

const char *tb_outcome_name(tb_outcome o);
/* 0, 6, 6 or 7. */
int tb_sent_exit_code(const tb_sent *s);
/* The members of a JSON document about it; new. */
json_t *tb_sent_json(const tb_sent *s);

/* Tells the user what became of tb_ledger_run's transaction (`e` and `f` are its) and returns the exit code. *s must have been zeroed
 * before the run. */
int tb_sent_report(const tb_cli *cli, err e, const tb_sent *s, const fault *f, const char *schema);

/* tb_report for a command that does more than send: what the ledger refused (*s, the newest one; zeroed: none) ends in 6, whatever its code. */
int tb_refusal_report(const tb_cli *cli, err e, const char *subject, const tb_sent *s, const fault *f);

/* Hands the transactions of block `height` to `take` until it answers anything but ERR_NOT_FOUND, and returns that; ERR_NOT_FOUND naming `what`
 * if none is the one. `raw` is valid during the call. */
err tb_ledger_find_tx(tb_ledger *l, uint64_t height, err (*take)(void *ctx, bytes raw, fault *f), void *ctx, const char *what, fault *f) MUST_USE;

/* --- JSON --------------------------------------------------------------------------------------------------------------- */

/* Members of a node's answer: ERR_FIELD naming `name` (static) if it is absent or of another form. */
err tb_json_u64(uint64_t *out, const json_t *object, const char *name, fault *f) MUST_USE;
err tb_json_hash(hash256 *out, const json_t *object, const char *name, fault *f) MUST_USE;
err tb_json_string(const char **out, const json_t *object, const char *name, fault *f) MUST_USE;
/* Hex of at most `cap` bytes into `buffer`. */
err tb_json_hex(bytes *out, uint8_t *buffer, size_t cap, const json_t *object, const char *name, fault *f) MUST_USE;

#endif
