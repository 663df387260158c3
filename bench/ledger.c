/* SPDX-License-Identifier: Apache-2.0
 *
 * Signed transfers per second on one core, from raw bytes to committed state (decode, verify, check, pool, order, execute, Merkle
 * update, sign the header, append to the block log, fdatasync), over the rate at which libsodium verifies the same signatures. Both
 * sides take turns in one process, on the same messages; the ratio of each round counts. Time is processor time of the thread,
 * so that other work on the machine does not count, and for ours the wait for the disk in every fdatasync on top (not the wait for
 * a processor after it, as the scheduler counts that); the ratio by the wall clock is printed beside it. Checkpoints, which a node writes in between, are measured apart.
 *
 *   bench_ledger [--accounts N] [--rounds N] [--block N] */
#define _GNU_SOURCE
#include "engine/checkpoint.h"
#include "engine/ledger_testkit.h"
#include "engine/solo.h"

#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { RICH = 4096, ROUNDS_MAX = 99, NONCES_PER_BLOCK = 60, BLOCK_MAX = 10000 };

typedef struct account {
    cr_secret_key secret;
    cr_public_key key;
    cr_address    address;
    uint64_t      nonce;
    uint32_t      in_block;
} account;

typedef struct bench {
    char         dir[256];
    account     *accounts;
    size_t       n_accounts;
    eng_solo    *engine;
    uint8_t      (*raws)[KIT_TX_BYTES];
    bytes       *txs;
    chain_tx    *decoded;
    chain_name   chain_id;
    uint64_t     random;
} bench;

typedef struct timing {
    double wall, cpu, disk; /* seconds; disk: in fdatasync */
} timing;

static double disk_s;

static double clock_s(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static timing now(void)
{
    return (timing){ clock_s(CLOCK_MONOTONIC), clock_s(CLOCK_THREAD_CPUTIME_ID), disk_s };
}

static timing since(timing start)
{
    timing t = now();
    return (timing){ t.wall - start.wall, t.cpu - start.cpu, t.disk - start.disk };
}

/* Seconds that the thread was ready and had no processor; 0 where the system does not count them. */
static double queued_s(void)
{
    unsigned long long ran_ns, queued_ns = 0;
    FILE *f = fopen("/proc/thread-self/schedstat", "r");
    if (f) {
        if (fscanf(f, "%llu %llu", &ran_ns, &queued_ns) != 2)
            queued_ns = 0;
        fclose(f);
    }
    return (double)queued_ns * 1e-9;
}

/* Takes the place of the C library's, to know how long the thread waited for the disk. */
int fdatasync(int fd)
{
    double queued = queued_s();
    timing start = now();
    int result = (int)syscall(SYS_fdatasync, fd);
    timing t = since(start);
    double waited = t.wall - t.cpu - (queued_s() - queued);
    if (waited > 0)
        disk_s += waited;
    return result;
}

static uint64_t next_random(bench *b)
{
    uint64_t z = b->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void sign_transfer(bench *b, size_t slot, size_t from, size_t to, uint64_t amount)
{
    account *a = &b->accounts[from];
    chain_tx tx = { .chain_id = b->chain_id, .type = CHAIN_TX_TRANSFER, .sender = a->key, .nonce = a->nonce++,
                    .expiry_height = 100000, .fee_max = 1000000000 };
    hash256 id;
    tx.payload.transfer.to = b->accounts[to].address;
    tx.payload.transfer.amount = amount;
    CHECK(chain_tx_sign(&b->txs[slot], b->raws[slot], KIT_TX_BYTES, &tx, &a->secret, &id, NULL) == OK);
}

/* Ours: what a node does with `count` transactions that arrive. */
static timing commit_block(bench *b, size_t count)
{
    hash256  id;
    uint64_t height;
    timing   start = now();
    for (size_t i = 0; i < count; i++)
        CHECK(eng_solo_submit(b->engine, &id, b->txs[i], NULL) == OK);
    CHECK(eng_solo_produce(b->engine, false, &height, NULL) == OK && height != 0);
    timing taken = since(start);
    eng_solo_status status;
    eng_solo_status_get(b->engine, &status);
    CHECK(status.waiting_txs == 0);
    return taken;
}

/* The rival: the signatures alone. */
static timing verify_block(bench *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        CHECK(chain_tx_decode(&b->decoded[i], b->txs[i], NULL) == OK);
    timing start = now();
    for (size_t i = 0; i < count; i++) {
        const chain_tx *tx = &b->decoded[i];
        CHECK(crypto_sign_verify_detached(tx->signature.b, tx->body.data, tx->body.len, tx->sender.b) == 0);
    }
    return since(start);
}

static void fill_block(bench *b, size_t count)
{
    for (size_t i = 0; i < b->n_accounts; i++)
        b->accounts[i].in_block = 0;
    for (size_t i = 0; i < count; i++) {
        size_t from = next_random(b) % b->n_accounts;
        while (b->accounts[from].in_block >= NONCES_PER_BLOCK)
            from = (from + 1) % b->n_accounts;
        b->accounts[from].in_block++;
        sign_transfer(b, i, from, next_random(b) % b->n_accounts, 1000 + next_random(b) % 1000);
    }
}

static int ascending(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return a < b ? -1 : a > b;
}

/* Median into the middle of the sorted array. */
static double sort(double *values, size_t n)
{
    qsort(values, n, sizeof *values, ascending);
    return values[n / 2];
}

static void measure(bench *b, size_t count, size_t rounds)
{
    double ratio[ROUNDS_MAX], by_wall[ROUNDS_MAX], ours[ROUNDS_MAX], rival[ROUNDS_MAX], disk[ROUNDS_MAX];
    for (size_t r = 0; r < rounds; r++) {
        timing commit, verify;
        fill_block(b, count);
        if (r % 2) {
            commit = commit_block(b, count);
            verify = verify_block(b, count);
        } else {
            verify = verify_block(b, count);
            commit = commit_block(b, count);
        }
        ours[r] = commit.cpu + commit.disk;
        rival[r] = verify.cpu;
        disk[r] = commit.disk / ours[r];
        ratio[r] = rival[r] / ours[r];
        by_wall[r] = verify.wall / commit.wall;
    }
    double n = (double)count, median = sort(ratio, rounds);
    printf("block %5zu, %zu accounts: ratio median %.3f, %.3f to %.3f over %zu rounds (must be >= 0.8); by the wall clock %.3f\n",
           count, b->n_accounts, median, ratio[0], ratio[rounds - 1], rounds, sort(by_wall, rounds));
    printf("             ours %.0f/s, of it waiting for the disk %.1f %%; libsodium verify %.0f/s (medians)\n",
           n / sort(ours, rounds), 100 * sort(disk, rounds), n / sort(rival, rounds));
    fflush(stdout);
}

/* Accounts beyond the genesis come into being by a transfer each. */
static void populate(bench *b)
{
    size_t slot = 0;
    for (size_t i = RICH; i < b->n_accounts; i++) {
        sign_transfer(b, slot++, i % RICH, i, 5000000000u);
        if (slot == BLOCK_MAX || i + 1 == b->n_accounts) {
            (void)commit_block(b, slot);
            slot = 0;
        }
    }
}

static void print_machine(void)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, "model name", 10) == 0) {
            printf("machine: %s", strchr(line, ':') ? strchr(line, ':') + 2 : line);
            break;
        }
    }
    if (f)
        fclose(f);
    printf("libsodium %s, one thread\n", sodium_version_string());
}

static void start(bench *b)
{
    const char *base = getenv("TMPDIR");
    int n = snprintf(b->dir, sizeof b->dir, "%s/tb-bench-XXXXXX", base && *base ? base : "/tmp");
    CHECK(n > 0 && (size_t)n < sizeof b->dir && mkdtemp(b->dir) != NULL);
    buf genesis;
    buf_init(&genesis, LIMIT_GENESIS_BYTES);
    kit_genesis(&genesis, "bench", RICH);
    cr_secret_key producer;
    cr_public_key key;
    kit_key(&producer, &key, KIT_PRODUCER);
    CHECK(chain_name_set(&b->chain_id, bytes_of_str("bench-dev")) == OK);
    eng_solo_options options = { .dir = b->dir, .genesis = buf_bytes(&genesis), .producer = &producer, .manual = true,
                                 .checkpoint_blocks = UINT32_MAX };
    CHECK(eng_solo_open(&b->engine, &options, NULL, NULL) == OK);
    buf_deinit(&genesis);
    b->accounts = calloc(b->n_accounts, sizeof *b->accounts);
    b->raws = calloc(BLOCK_MAX, sizeof *b->raws);
    b->txs = calloc(BLOCK_MAX, sizeof *b->txs);
    b->decoded = calloc(BLOCK_MAX, sizeof *b->decoded);
    CHECK(b->accounts && b->raws && b->txs && b->decoded);
    for (size_t i = 0; i < b->n_accounts; i++) {
        kit_key(&b->accounts[i].secret, &b->accounts[i].key, i);
        b->accounts[i].address = cr_address_of_key(&b->accounts[i].key);
    }
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static void stop(bench *b)
{
    const chain *c = eng_solo_read_begin(b->engine);
    size_t dirty = chain_dirty_count(c);
    eng_solo_read_end(b->engine);
    timing start_time = now();
    CHECK(eng_solo_close(b->engine, NULL) == OK);
    printf("checkpoint at the end: %zu rows, %.1f us a row\n", dirty, since(start_time).wall * 1e6 / (double)dirty);
    free(b->accounts);
    free(b->raws);
    free(b->txs);
    free(b->decoded);
    (void)nftw(b->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(int argc, char **argv)
{
    bench  b = { .n_accounts = 100000, .random = 1 };
    size_t rounds = 7, block = 0; /* 0: both sizes */
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--accounts") == 0)
            b.n_accounts = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--rounds") == 0)
            rounds = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--block") == 0)
            block = strtoull(argv[i + 1], NULL, 10);
    }
    if (b.n_accounts < RICH || rounds == 0 || rounds > ROUNDS_MAX || block > BLOCK_MAX) {
        fprintf(stderr, "bench_ledger: at least %d accounts, 1 to %d rounds, blocks of at most %d\n", RICH, ROUNDS_MAX, BLOCK_MAX);
        return 2;
    }
    print_machine();
    start(&b);
    populate(&b);
    measure(&b, block ? block : 1000, rounds);
    if (!block)
        measure(&b, 10000, rounds);
    stop(&b);
    return 0;
}
