/* SPDX-License-Identifier: Apache-2.0
 *
 * Who acts: a command's data directory, node and, if it signs, key; and what most commands do with them. The command needs the options
 * home, node and token-file; to sign, key and passphrase-fd, too. */
#ifndef APPS_ACTOR_H
#define APPS_ACTOR_H

#include "apps/amount.h"
#include "apps/ledger.h"
#include "apps/wallet.h"

typedef struct tb_actor {
    const tb_cli *cli;
    tb_home       home;
    tb_ledger     ledger;
    tb_wallet_key key;
    cr_secret_key secret;
    tb_sent       sent; /* the newest transaction; zeroed: none */
} tb_actor;

/* Data directory and node, to look. *a is zeroed first: close it in any case. */
err tb_actor_watch(tb_actor *a, const tb_cli *cli, fault *f) MUST_USE;
/* And the key named by --key, unlocked, and the parameters of the ledger, to sign. */
err tb_actor_open(tb_actor *a, const tb_cli *cli, fault *f) MUST_USE;
void tb_actor_close(tb_actor *a); /* harmless on a zeroed one; wipes the secret */

/* An address, or the name of a key here; NULL: the key of --key. */
err tb_actor_address(tb_actor *a, cr_address *out, const char *text, fault *f) MUST_USE;
/* Asks for consent on the terminal unless there is --yes; `what` begins with a verb. ERR_USAGE if nobody can be asked, ERR_INTERRUPTED: no. */
err tb_actor_consent(const tb_actor *a, const char *what, fault *f) MUST_USE;

/* Sends unless `e` is an error already, closes, tells the user what became of it; the exit code. */
int tb_actor_send(tb_actor *a, err e, chain_tx *tx, fault *f, const char *schema);
/* Calls the method unless `e` is an error already (`params` is taken over), closes; prints the answer, with --json as a document of this
 * schema; the exit code. `subject`: what an error is about. */
int tb_actor_show(tb_actor *a, err e, const char *method, json_t *params, fault *f, const char *subject, const char *schema,
                  void (*print)(const json_t *answer));

/* The last step of it, for an answer that came otherwise (taken over; NULL with an error). */
int tb_answer_report(const tb_cli *cli, err e, json_t *answer, const fault *f, const char *subject, const char *schema,
                     void (*print)(const json_t *answer));

/* --- answers of a node ---------------------------------------------------------------------------------------------------- */

/* Every page of a list into `all`, an array: `member` of the answers to `method`, whose other parameters are `params` (taken over). */
err tb_view_pages(tb_ledger *l, json_t *all, const char *method, json_t *params, const char *member, fault *f) MUST_USE;

const char *tb_view_text(const json_t *object, const char *name); /* "?" if there is none */
uint64_t    tb_view_u64(const json_t *object, const char *name);  /* 0 if there is none */
/* An amount in BLOCK; the text of one of four buffers in turn. */
const char *tb_view_amount(const json_t *object, const char *name);

/* A decimal number of the command line; ERR_USAGE naming `what` (static). */
err tb_number_parse(uint64_t *out, const char *text, const char *what, fault *f) MUST_USE;

#endif
