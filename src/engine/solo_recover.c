/* SPDX-License-Identifier: Apache-2.0
 *
 * From a data directory to a running state: newest checkpoint, then the log after it. */
#include "engine/solo_int.h"

#include "base/port/file.h"
#include "engine/block.h"
#include "engine/heap.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static chain_config make_config(const eng_solo_options *options)
{
    chain_config config = { .memory = eng_heap(), .referee = options->referee,
                            .trace_leaf = options->trace_leaf };
    cr_random((uint8_t *)&config.table_seed, sizeof config.table_seed);
    return config;
}

static err path_in(char out[PATH_MAX], const char *dir, const char *name, fault *f)
{
    int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);
    return n > 0 && n < PATH_MAX ? OK : fail(f, ERR_LIMIT, "data directory: path too long", PATH_MAX);
}

/* The genesis to use: the directory's, or for a new directory that of the options. */
static err choose_genesis(buf *out, bool *is_new, const char *path, bytes wanted, fault *f)
{
    fault g = { 0 };
    err e = base_file_read(out, path, &g);
    *is_new = e == ERR_NOT_FOUND;
    if (e != OK && !*is_new)
        return fail(f, e, g.what, g.at);
    if (!*is_new)
        return wanted.len == 0 || bytes_equal(buf_bytes(out), wanted)
                   ? OK : fail(f, ERR_CHAIN_ID, "data directory: of another genesis", 0);
    if (wanted.len == 0)
        return fail(f, ERR_NOT_FOUND, "data directory: no genesis", 0);
    e = buf_put(out, wanted.data, wanted.len);
    return e == OK ? OK : fail(f, e, "genesis", wanted.len);
}

/* Genesis state; a new directory's genesis is written once the state machine has taken it. */
static err start_chain(eng_solo *s, const eng_solo_options *options, const chain_config *config, fault *f)
{
    char path[PATH_MAX];
    TRY(path_in(path, options->dir, "genesis.cbor", f));
    buf  genesis;
    bool is_new = false;
    buf_init(&genesis, LIMIT_GENESIS_BYTES);
    err e;
    TRY_OUT(choose_genesis(&genesis, &is_new, path, options->genesis, f));
    TRY_OUT(chain_new(&s->chain, config, buf_bytes(&genesis), f));
    if (!chain_may_produce(s->chain, &s->producer_key))
        TRY_OUT(fail(f, ERR_PERMISSION, "producer: the genesis does not name this key", 0));
    if (is_new)
        TRY_OUT(base_file_write_atomic(path, buf_bytes(&genesis), 0600, BASE_FILE_NEW, f));
out:
    buf_deinit(&genesis);
    return e;
}

static err open_log(eng_solo *s, const eng_solo_options *options, eng_solo_report *report, fault *f)
{
    char path[PATH_MAX];
    TRY(path_in(path, options->dir, "log", f));
    TRY(base_dir_make(path, f));
    eng_log_options log = { .genesis = chain_network(s->chain), .segment_bytes = options->segment_bytes };
    return eng_log_open(&s->log, path, &log, &report->log, f);
}

/* Replaces the genesis state by the checkpoint's, if there is one, and it is one of this log. */
static err open_checkpoint(eng_solo *s, const eng_solo_options *options, const chain_config *config, eng_solo_report *report,
                           fault *f)
{
    char path[PATH_MAX];
    TRY(path_in(path, options->dir, "checkpoint", f));
    if (options->rebuild)
        TRY(eng_checkpoint_remove(path, f));
    hash256 network = chain_network(s->chain), mark;
    TRY(eng_checkpoint_open(&s->checkpoint, path, &network, f));
    eng_checkpoint_mark newest;
    if (!eng_checkpoint_newest(s->checkpoint, &newest))
        return OK;
    report->height = newest.height;
    if (newest.height > eng_log_height(s->log))
        return fail(f, ERR_HASH, "block log: ends before the checkpoint, at height", eng_log_height(s->log));
    TRY(eng_log_mark_at(s->log, &mark, newest.height, f));
    if (!hash256_equal(&mark, &newest.log_mark))
        return fail(f, ERR_HASH, "checkpoint: of another history than the log, at height", newest.height);
    chain *loaded = NULL;
    TRY(eng_checkpoint_load(s->checkpoint, &loaded, config, chain_genesis_bytes(s->chain), f));
    chain_free(s->chain);
    s->chain = loaded;
    report->checkpoint_height = newest.height;
    return OK;
}

/* Executes one block of the log. The producer's signature over the header covers the transactions' bytes and the state they
 * led to, so their signatures are not checked again; chain_commit compares every root. */
static err replay_block(eng_solo *s, uint64_t height, fault *f)
{
    buf_clear(&s->block);
    TRY(eng_log_read(s->log, &s->block, height, f));
    eng_block    block = { .txs = s->raws };
    chain_header header;
    hash256      hash;
    TRY(eng_block_decode(&block, buf_bytes(&s->block), LIMIT_BLOCK_TXS, f));
    TRY(chain_header_decode(&header, &hash, block.header, f));
    size_t total = 0;
    for (size_t i = 0; i < block.tx_count; i++) {
        s->chosen[i] = (chain_block_tx){ .raw = block.txs[i], .signature_known = true };
        total += block.txs[i].len;
    }
    err e = chain_reserve(s->chain, block.tx_count, total);
    if (e != OK)
        return fail(f, e, "recovery: memory for a block", height);
    chain_block_input in = { .height = height, .producer = header.producer, .beacon = header.beacon, .txs = s->chosen,
                             .tx_count = block.tx_count };
    chain_block_result result;
    TRY(chain_execute(s->chain, &in, &result, f));
    TRY(chain_commit(s->chain, block.header, f));
    solo_note_block(s, &result, height);
    return OK;
}

/* A head that came from the checkpoint was not executed here: whether it committed traces stands in its transactions. */
static err find_debt(eng_solo *s, fault *f)
{
    uint64_t height = chain_head(s->chain)->height;
    if (height == 0)
        return OK;
    buf_clear(&s->block);
    TRY(eng_log_read(s->log, &s->block, height, f));
    eng_block block = { .txs = s->raws };
    TRY(eng_block_decode(&block, buf_bytes(&s->block), LIMIT_BLOCK_TXS, f));
    for (size_t i = 0; i < block.tx_count; i++) {
        chain_tx tx;
        TRY(chain_tx_decode(&tx, block.txs[i], f));
        s->owes_beacon = s->owes_beacon || tx.type == CHAIN_TX_TRACE_COMMIT;
    }
    return OK;
}

err solo_recover(eng_solo *s, const eng_solo_options *options, eng_solo_report *report, fault *f)
{
    chain_config config = make_config(options);
    TRY(start_chain(s, options, &config, f));
    TRY(open_log(s, options, report, f));
    TRY(open_checkpoint(s, options, &config, report, f));
    TRY(find_debt(s, f));
    s->events.whole_from = solo_event_seq(chain_head(s->chain)->height + 1, 0);
    for (uint64_t height = chain_head(s->chain)->height + 1; height <= eng_log_height(s->log); height++) {
        report->height = height;
        TRY(replay_block(s, height, f));
    }
    report->height = chain_head(s->chain)->height;
    return OK;
}
