/* SPDX-License-Identifier: Apache-2.0
 *
 * A genesis document in memory, with room for all that one may hold, and the words that `tb genesis` takes to change it. */
#ifndef APPS_GENESIS_DOC_H
#define APPS_GENESIS_DOC_H

#include "apps/home.h"
#include "chain/genesis.h"
#include "chain/state.h"

typedef struct tb_genesis_doc {
    chain_genesis    g; /* its arrays are the three below */
    chain_allocation *allocations;
    cr_public_key    issuers[64], producers[64]; /* LIMIT_GENESIS_KEYS */
    hash256          hash;                       /* of the bytes read or written last */
} tb_genesis_doc;

/* Empty, with the parameters of the base network. */
err  tb_genesis_doc_init(tb_genesis_doc *d, fault *f) MUST_USE;
void tb_genesis_doc_deinit(tb_genesis_doc *d);

/* Reads the form alone (chain_genesis_read): what is wrong with the content, chain_genesis_problems says. */
err tb_genesis_doc_read(tb_genesis_doc *d, const char *path, fault *f) MUST_USE;
/* Checks everything; a new file: ERR_EXISTS. */
err tb_genesis_doc_write(tb_genesis_doc *d, const char *path, fault *f) MUST_USE;

/* Calls `each` for every word of a list separated by commas, in which the first `split` (0: none) divides key from value: without it
 * ERR_USAGE naming `what`. */
typedef err tb_genesis_word_fn(void *ctx, const char *key, const char *value, fault *f);
err tb_genesis_words(const char *list, char split, const char *what, tb_genesis_word_fn *each, void *ctx, fault *f) MUST_USE;

/* Words for tb_genesis_words, ctx: the tb_genesis_doc. A parameter, or chain_id, or address_prefix; MIN:MAX or "none". ERR_USAGE. */
tb_genesis_word_fn tb_genesis_set_value, tb_genesis_set_bound;

/* The address prefix of the data directory's network; "tb" if it has none (yet). */
void tb_home_prefix(char out[65], const tb_home *home);

#endif
