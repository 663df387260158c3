/* SPDX-License-Identifier: Apache-2.0
 *
 * Kills an engine process again and again, at random moments under load, and checks what it left. The child acknowledges a
 * transaction over a pipe only when the engine says that it is in a block; the driver replays the blocks on a chain of its own,
 * every signature checked, and compares.
 *
 *   tb_kill_test [--kills N] [--seed S]
 *
 * The seed is printed: it fixes the load and the moments, as far as the machine's scheduling lets it. */
#define _GNU_SOURCE
#include "engine/block.h"
#include "engine/ledger_testkit.h"
#include "engine/solo.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    SENDERS = 48,
    BATCH_MAX = 40,
    CHECKPOINT_BLOCKS = 7,
    SEGMENT_BYTES = 1 << 18,
};

static const char network[] = "kill";

/* What the child writes into the pipe: one write each, shorter than PIPE_BUF, so whole or not at all. */
typedef struct message {
    enum { HELLO = 1, ACKNOWLEDGED } kind;
    uint64_t height;
    uint32_t index;
    hash256  hash; /* HELLO: state root at `height`, ACKNOWLEDGED: transaction id */
} message;

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void die(const char *what, err e, const fault *f)
{
    fprintf(stderr, "kill test: %s: %s: %s at %" PRIu64 "\n", what, err_describe(e)->name, f && f->what ? f->what : "-",
            f ? f->at : 0);
    exit(1);
}

static eng_solo *open_engine(const char *dir, bool manual, eng_solo_report *report)
{
    buf genesis;
    buf_init(&genesis, LIMIT_GENESIS_BYTES);
    kit_genesis(&genesis, network, SENDERS);
    cr_secret_key producer;
    cr_public_key key;
    kit_key(&producer, &key, KIT_PRODUCER);
    eng_solo_options options = { .dir = dir, .genesis = buf_bytes(&genesis), .producer = &producer, .manual = manual,
                                 .interval_ms = 2, .checkpoint_blocks = CHECKPOINT_BLOCKS, .segment_bytes = SEGMENT_BYTES };
    eng_solo *s = NULL;
    fault f = { 0 };
    err e = eng_solo_open(&s, &options, report, &f);
    if (e != OK)
        die(manual ? "recovery" : "child: open", e, &f);
    buf_deinit(&genesis);
    return s;
}

/* --- the child ------------------------------------------------------------------------------------------------------- */

static void tell(int pipe_fd, const message *m)
{
    CHECK(write(pipe_fd, m, sizeof *m) == (ssize_t)sizeof *m);
}

/* Mostly transfers; now and then a bond, so that every part of the supply moves. */
static bytes make_tx(uint8_t out[KIT_TX_BYTES], uint64_t sender, uint64_t nonce, uint64_t *random)
{
    hash256 id;
    if (next_random(random) % 16 == 0)
        return kit_bond(out, &id, network, sender, 10000000 + next_random(random) % 1000, nonce);
    uint64_t to = next_random(random) % (4 * SENDERS);
    return kit_transfer(out, &id, network, sender, to, 1000 + next_random(random) % 1000000, nonce);
}

static void acknowledge(eng_solo *s, int pipe_fd, const eng_submitted *sent)
{
    eng_tx_result result;
    if (sent->code != OK)
        die("child: submit", sent->code, &sent->fault);
    err e = eng_solo_wait(s, &result, &sent->id, 60000);
    if (e != OK)
        die("child: wait", e, NULL);
    message m = { .kind = ACKNOWLEDGED, .height = result.height, .index = result.index, .hash = result.id };
    if (result.status == ENG_TX_INCLUDED)
        tell(pipe_fd, &m);
}

/* Runs until it is killed. */
static _Noreturn void run_child(const char *dir, int pipe_fd, uint64_t seed)
{
    static uint8_t       raws[BATCH_MAX][KIT_TX_BYTES];
    static eng_submitted sent[BATCH_MAX];
    bytes    txs[BATCH_MAX];
    uint64_t nonces[SENDERS], random = seed;
    eng_solo *s = open_engine(dir, false, NULL);
    const chain *c = eng_solo_read_begin(s);
    message hello = { .kind = HELLO, .height = chain_head(c)->height, .hash = chain_head(c)->state_root };
    for (uint64_t i = 0; i < SENDERS; i++) {
        cr_address address = kit_address(i);
        nonces[i] = chain_account(c, &address)->nonce;
    }
    eng_solo_read_end(s);
    tell(pipe_fd, &hello);
    for (;;) {
        size_t count = 1 + next_random(&random) % BATCH_MAX;
        for (size_t i = 0; i < count; i++) {
            uint64_t sender = next_random(&random) % SENDERS;
            txs[i] = make_tx(raws[i], sender, nonces[sender]++, &random);
        }
        eng_solo_submit_many(s, sent, txs, count);
        for (size_t i = 0; i < count; i++)
            acknowledge(s, pipe_fd, &sent[i]);
    }
}

/* --- the reference --------------------------------------------------------------------------------------------------- */

typedef struct placed_tx {
    hash256       id;
    uint64_t      height;
    uint32_t      index;
    cr_public_key sender;
    uint64_t      nonce;
} placed_tx;

/* An independent replay: a chain in memory, and every transaction of every block. */
typedef struct reference {
    chain     *chain;
    hash256   *roots; /* by height */
    placed_tx *txs;
    size_t     cap_roots, n_txs, cap_txs;
} reference;

static void *grow(void *array, size_t *cap, size_t need, size_t item)
{
    if (need <= *cap)
        return array;
    *cap = need < 1024 ? 1024 : 2 * need;
    void *p = realloc(array, *cap * item);
    CHECK(p != NULL);
    return p;
}

static void note_root(reference *r)
{
    uint64_t height = chain_head(r->chain)->height;
    r->roots = grow(r->roots, &r->cap_roots, height + 1, sizeof *r->roots);
    r->roots[height] = chain_head(r->chain)->state_root;
}

static void follow(reference *r, eng_solo *s, uint64_t to)
{
    static bytes raws[10000];
    buf b;
    buf_init(&b, LIMIT_LOG_RECORD_BYTES);
    for (uint64_t height = chain_head(r->chain)->height + 1; height <= to; height++) {
        buf_clear(&b);
        fault f = { 0 };
        err e = eng_solo_block(s, &b, height, &f);
        if (e != OK)
            die("block", e, &f);
        kit_apply(r->chain, buf_bytes(&b));
        note_root(r);
        eng_block block = { .txs = raws };
        CHECK(eng_block_decode(&block, buf_bytes(&b), COUNT_OF(raws), NULL) == OK);
        r->txs = grow(r->txs, &r->cap_txs, r->n_txs + block.tx_count, sizeof *r->txs);
        for (size_t i = 0; i < block.tx_count; i++) {
            chain_tx tx;
            CHECK(chain_tx_decode(&tx, block.txs[i], NULL) == OK);
            r->txs[r->n_txs++] = (placed_tx){ tx.id, height, (uint32_t)i, tx.sender, tx.nonce };
        }
    }
    buf_deinit(&b);
}

static int by_nonce(const void *a, const void *b)
{
    const placed_tx *x = a, *y = b;
    int c = memcmp(x->sender.b, y->sender.b, 32);
    return c ? c : x->nonce < y->nonce ? -1 : x->nonce > y->nonce;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(((const placed_tx *)a)->id.b, ((const placed_tx *)b)->id.b, 32);
}

static void check_nonces(reference *r)
{
    if (r->n_txs == 0)
        return;
    qsort(r->txs, r->n_txs, sizeof *r->txs, by_nonce);
    for (size_t i = 0; i < r->n_txs; i++) {
        bool same = i > 0 && memcmp(r->txs[i].sender.b, r->txs[i - 1].sender.b, 32) == 0;
        if (r->txs[i].nonce != (same ? r->txs[i - 1].nonce + 1 : 0))
            die("a nonce was used twice or left out", ERR_NONCE, &(fault){ .at = r->txs[i].nonce });
    }
}

static void check_messages(reference *r, const message *messages, size_t count)
{
    if (r->n_txs)
        qsort(r->txs, r->n_txs, sizeof *r->txs, by_id);
    for (size_t i = 0; i < count; i++) {
        const message *m = &messages[i];
        if (m->height > chain_head(r->chain)->height)
            die("an acknowledged height is gone", ERR_NOT_FOUND, &(fault){ .at = m->height });
        if (m->kind == HELLO) {
            if (!hash256_equal(&m->hash, &r->roots[m->height]))
                die("the child recovered another state", ERR_HASH, &(fault){ .at = m->height });
            continue;
        }
        placed_tx key = { .id = m->hash };
        const placed_tx *found = r->n_txs ? bsearch(&key, r->txs, r->n_txs, sizeof *r->txs, by_id) : NULL;
        if (!found || found->height != m->height || found->index != m->index)
            die("an acknowledged transaction is not where it was", ERR_NOT_FOUND, &(fault){ .at = m->height });
    }
}

/* --- the driver ------------------------------------------------------------------------------------------------------ */

typedef struct driver {
    char      dir[256];
    uint64_t  random;
    message  *messages; /* since the last check */
    size_t    n_messages, cap_messages;
    reference reference;
    uint64_t  acknowledged, cut, loaded;
} driver;

static void sleep_us(uint64_t us)
{
    struct timespec t = { .tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000 };
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        continue;
}

/* False at the end of the pipe. */
static bool take_message(driver *d, int pipe_fd)
{
    message m;
    ssize_t n;
    do {
        n = read(pipe_fd, &m, sizeof m);
    } while (n < 0 && errno == EINTR);
    CHECK(n == 0 || n == (ssize_t)sizeof m);
    if (n == 0)
        return false;
    d->messages = grow(d->messages, &d->cap_messages, d->n_messages + 1, sizeof m);
    d->messages[d->n_messages++] = m;
    d->acknowledged += m.kind == ACKNOWLEDGED;
    return true;
}

static void drain(driver *d, int pipe_fd, uint64_t for_us)
{
    /* The pipe is emptied while the child runs, else it would stop writing after 64 KiB. */
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        uint64_t us = (uint64_t)(now.tv_sec - start.tv_sec) * 1000000 + (uint64_t)now.tv_nsec / 1000 -
                      (uint64_t)start.tv_nsec / 1000;
        if (us >= for_us)
            return;
        fd_set set;
        FD_ZERO(&set);
        FD_SET(pipe_fd, &set);
        struct timeval left = { .tv_sec = (time_t)((for_us - us) / 1000000), .tv_usec = (suseconds_t)((for_us - us) % 1000000) };
        if (select(pipe_fd + 1, &set, NULL, NULL, &left) > 0 && !take_message(d, pipe_fd)) {
            sleep_us(for_us - us); /* it has ended by itself: the wait for it will say so */
            return;
        }
    }
}

/* One life of the child. Some die while they open, the others under load. */
static void run_and_kill(driver *d)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    char fd[16], seed[32];
    snprintf(fd, sizeof fd, "%d", ends[1]);
    snprintf(seed, sizeof seed, "%" PRIu64, next_random(&d->random));
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        close(ends[0]);
        execl("/proc/self/exe", "tb_kill_test", "--child", d->dir, fd, seed, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    bool while_opening = next_random(&d->random) % 4 == 0;
    uint64_t us = next_random(&d->random) % (while_opening ? 60000 : 150000);
    if (while_opening || take_message(d, ends[0]))
        drain(d, ends[0], us);
    kill(child, SIGKILL);
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        die("the child ended by itself", ERR_INTERNAL, NULL);
    while (take_message(d, ends[0]))
        continue;
    close(ends[0]);
}

static void check_all(driver *d)
{
    eng_solo_report report;
    eng_solo *s = open_engine(d->dir, true, &report);
    d->cut += report.log.cut_bytes != 0;
    d->loaded += report.checkpoint_height != 0;
    const chain *c = eng_solo_read_begin(s);
    uint64_t height = chain_head(c)->height;
    hash256  root = chain_head(c)->state_root;
    kit_audit(c);
    eng_solo_read_end(s);
    follow(&d->reference, s, height);
    if (!hash256_equal(&root, &d->reference.roots[height]))
        die("the recovered state differs from the reference", ERR_HASH, &(fault){ .at = height });
    kit_audit(d->reference.chain);
    check_nonces(&d->reference);
    check_messages(&d->reference, d->messages, d->n_messages);
    d->n_messages = 0;
    fault f = { 0 };
    err e = eng_solo_close(s, &f);
    if (e != OK)
        die("close", e, &f);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static void run_driver(uint64_t kills, uint64_t seed)
{
    driver d = { .random = seed };
    const char *base = getenv("TMPDIR");
    int n = snprintf(d.dir, sizeof d.dir, "%s/tb-kill-XXXXXX", base && *base ? base : "/tmp");
    CHECK(n > 0 && (size_t)n < sizeof d.dir && mkdtemp(d.dir) != NULL);
    buf genesis;
    buf_init(&genesis, LIMIT_GENESIS_BYTES);
    kit_genesis(&genesis, network, SENDERS);
    d.reference.chain = kit_chain(buf_bytes(&genesis));
    note_root(&d.reference);
    buf_deinit(&genesis);
    printf("kill test: seed %" PRIu64 ", %" PRIu64 " kills\n", seed, kills);
    fflush(stdout);
    for (uint64_t k = 1; k <= kills; k++) {
        run_and_kill(&d);
        /* Every other time the next child meets what the last one left, and says what it made of it. */
        if (k % 2 == 0 || k == kills)
            check_all(&d);
    }
    const chain_row_supply *supply = chain_supply(d.reference.chain);
    printf("kill test: %" PRIu64 " blocks, %zu transactions, %" PRIu64 " acknowledged, none lost; %" PRIu64
           " torn tails cut, %" PRIu64 " checkpoints used\n"
           "kill test: balances %" PRIu64 " + escrow %" PRIu64 " + bonds %" PRIu64 " + treasury %" PRIu64
           " = minted %" PRIu64 " - burned %" PRIu64 "\n",
           chain_head(d.reference.chain)->height, d.reference.n_txs, d.acknowledged, d.cut, d.loaded, supply->balances,
           supply->escrow, supply->bonds, supply->treasury, supply->minted, supply->burned);
    CHECK(chain_supply_held(supply) == supply->minted - supply->burned);
    CHECK(d.acknowledged > 0);
    chain_free(d.reference.chain);
    free(d.reference.roots);
    free(d.reference.txs);
    free(d.messages);
    (void)nftw(d.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(int argc, char **argv)
{
    uint64_t kills = 10, seed = (uint64_t)time(NULL);
    if (argc == 5 && strcmp(argv[1], "--child") == 0)
        run_child(argv[2], atoi(argv[3]), strtoull(argv[4], NULL, 10));
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--kills") == 0)
            kills = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 10);
    }
    run_driver(kills, seed);
    return 0;
}
