/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "apps/demo_net.h"

#include "apps/genesis_local.h"
#include "apps/term.h"
#include "apps/train_ledger.h"
#include "base/port/file.h"
#include "crypto/blake3.h"
#include "crypto/keystore.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static const char *const names[DEMO_ACCOUNTS] = { "producer", "issuer", "buyer", "worker-a", "worker-b", "worker-c" };

#define BLOCK UINT64_C(1000000000) /* nBLOCK */

/* What genesis lists. */
static const uint64_t allocation[DEMO_ACCOUNTS] = {
    [DEMO_PRODUCER] = 1 * BLOCK, [DEMO_ISSUER] = 10 * BLOCK, [DEMO_BUYER] = 1000 * BLOCK,
    [DEMO_WORKER_A] = 50 * BLOCK, [DEMO_WORKER_B] = 50 * BLOCK, [DEMO_WORKER_C] = 50 * BLOCK,
};

static const uint64_t bond = 20 * BLOCK;

static void make_account(demo_account *a, const char *name, uint64_t seed)
{
    uint8_t le_seed[8];
    store_le64(le_seed, seed);
    cr_blake3 h;
    cr_blake3_init_derive(&h, "theblock 2026 demo key v1");
    cr_blake3_update(&h, bytes_of(le_seed, sizeof le_seed));
    cr_blake3_update(&h, bytes_of_str(name));
    hash256 key_seed = cr_blake3_final(&h);
    a->name = name;
    cr_ed25519_keypair(&a->secret, &a->key, key_seed.b);
    cr_wipe(&key_seed, sizeof key_seed);
    a->address = cr_address_of_key(&a->key);
    cr_address_encode(a->text, "tb", &a->address);
}

static err write_keys(const demo_net *n, fault *f)
{
    for (size_t i = 0; i < DEMO_ACCOUNTS; i++) {
        char name[96], path[TB_PATH_MAX];
        snprintf(name, sizeof name, "keys/%s.key", n->account[i].name);
        TRY(tb_home_path(path, &n->home, name, f));
        TRY(cr_keystore_create(path, n->account[i].name, bytes_of_str(""), CR_KEYSTORE_DEV, &n->account[i].secret, f));
    }
    return OK;
}

/* Blocks come a hundred times as fast here as elsewhere, and a proof takes as long: so windows are longer, in blocks. */
static chain_params params(void)
{
    chain_params p;
    chain_params_default(&p);
    p.v[CHAIN_PARAM_AUDIT_PUSH] = p.v[CHAIN_PARAM_AUDIT_VERDICT] = 5000;
    p.v[CHAIN_PARAM_WORKER_UNBOND] = p.v[CHAIN_PARAM_CLAIM_WINDOW] = 20000;
    return p;
}

static err write_genesis(demo_net *n, fault *f)
{
    const chain_params windows = params();
    chain_allocation list[DEMO_ACCOUNTS];
    for (size_t i = 0; i < DEMO_ACCOUNTS; i++)
        list[i] = (chain_allocation){ n->account[i].address, allocation[i] };
    char chain_id[64];
    snprintf(chain_id, sizeof chain_id, "tb-demo-%" PRIu64 "-dev", n->seed);
    TRY(chain_name_set(&n->chain_id, bytes_of_str(chain_id)));
    tb_genesis_plan plan = { .chain_id = chain_id, .allocations = list, .allocation_count = DEMO_ACCOUNTS, .issuer = &n->account[DEMO_ISSUER].key,
                             .producer = &n->account[DEMO_PRODUCER].key, .params = &windows };
    buf document;
    buf_init(&document, (size_t)LIMIT_GENESIS_BYTES);
    err e = tb_genesis_make(&document, &n->genesis, &plan, f);
    if (e == OK)
        e = tb_genesis_save(&n->home, buf_bytes(&document), f);
    buf_deinit(&document);
    return e;
}

/* The child's standard input ends when this process does, however it comes; descriptor 3 is the demo's lock, so that its folder is taken
 * until the last child is gone. */
err demo_spawn(demo_net *n, pid_t *out, const char *const *args, const char *log, fault *f)
{
    enum { ARGS_MAX = 32, LOCK_FD = 3 };
    const char *argv[ARGS_MAX + 2] = { "tb" };
    size_t count = 1;
    for (; args[count - 1]; count++) {
        CHECK(count <= ARGS_MAX);
        argv[count] = args[count - 1];
    }
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, n->life[0], 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, 2, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (n->lock >= 0)
        posix_spawn_file_actions_adddup2(&files, n->lock, LOCK_FD);
    int problem = posix_spawn(out, "/proc/self/exe", &files, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&files);
    return problem == 0 ? OK : fail(f, problem == ENOMEM ? ERR_MEMORY : ERR_IO, "cannot start a process", (uint64_t)problem);
}

void demo_reap(pid_t *pid)
{
    if (*pid <= 0)
        return;
    kill(*pid, SIGTERM);
    for (int tries = 0; tries < 500; tries++) {
        if (waitpid(*pid, NULL, WNOHANG) != 0) {
            *pid = 0;
            return;
        }
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    }
    kill(*pid, SIGKILL);
    waitpid(*pid, NULL, 0);
    *pid = 0;
}

static err wait_for_node(demo_net *n, fault *f)
{
    for (int tries = 0; tries < 1000; tries++) {
        err e = tb_ledger_open(&n->ledger, &n->home, NULL, f);
        if (e == OK)
            return tb_ledger_params(&n->ledger, f);
        if (e != ERR_UNREACHABLE && e != ERR_NOT_FOUND)
            return e;
        if (waitpid(n->node, NULL, WNOHANG) != 0) {
            n->node = 0;
            return fail(f, ERR_UNREACHABLE, "the node process ended: see node.log", 0);
        }
        nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
    }
    return fail(f, ERR_TIMEOUT, "the node does not answer: see node.log", 0);
}

err demo_net_start(demo_net *n, const tb_home *home, uint64_t seed, fault *f)
{
    n->home = *home;
    n->seed = seed;
    if (pipe2(n->life, O_CLOEXEC) != 0)
        return fail(f, base_errno_err(errno), "pipe", (uint64_t)errno);
    TRY(tb_home_make(home, f));
    for (size_t i = 0; i < DEMO_ACCOUNTS; i++)
        make_account(&n->account[i], names[i], seed);
    TRY(write_keys(n, f));
    TRY(write_genesis(n, f));
    char log[TB_PATH_MAX];
    TRY(tb_home_path(log, home, "node.log", f));
    /* Blocks come fast here, so that a step waits little for its sample. */
    const char *args[] = { "node", "run", "--home", home->dir, "--interval", "10", "--idle", "25", "--until-eof", NULL };
    TRY(demo_spawn(n, &n->node, args, log, f));
    return wait_for_node(n, f);
}

void demo_net_stop(demo_net *n)
{
    tb_ledger_close(&n->ledger);
    demo_reap(&n->node);
    base_file_close(n->lock);
    base_file_close(n->life[0]);
    base_file_close(n->life[1]);
    for (size_t i = 0; i < DEMO_ACCOUNTS; i++)
        cr_wipe(&n->account[i].secret, sizeof n->account[i].secret);
}

/* A transaction that must succeed. */
static err run(demo_net *n, demo_who who, chain_tx *tx, hash256 *id, fault *f)
{
    tb_sent sent;
    TRY(tb_ledger_run(&n->ledger, &sent, tx, &n->account[who].secret, 0, f));
    if (sent.outcome != TB_SENT_DONE)
        return fail(f, sent.outcome == TB_SENT_UNKNOWN ? ERR_TIMEOUT : sent.code, "transaction refused", (uint64_t)tx->type);
    if (id)
        *id = sent.id;
    return OK;
}

err demo_net_people(demo_net *n, uint64_t max_parameters, fault *f)
{
    static const demo_who citizens[] = { DEMO_BUYER, DEMO_WORKER_A, DEMO_WORKER_C };
    for (size_t i = 0; i < COUNT_OF(citizens); i++) {
        chain_tx tx = { .type = CHAIN_TX_KYC_ATTEST };
        tx.payload.kyc_attest = (chain_tx_kyc_attest){ .subject = n->account[citizens[i]].address, .level = 1, .jurisdiction = 756,
                                                       .expiry_height = UINT64_MAX };
        tx.payload.kyc_attest.commitment = cr_blake3_hash(bytes_of_str(n->account[citizens[i]].name));
        TRY(run(n, DEMO_ISSUER, &tx, NULL, f));
    }
    for (demo_who w = DEMO_WORKER_A; w <= DEMO_WORKER_C; w++) {
        chain_tx tx = { .type = CHAIN_TX_WORKER_REGISTER };
        tx.payload.worker_register = (chain_tx_worker_register){ .bond = bond, .blocktorch_version = 1 << 10, .supported_backends = CHAIN_BACKEND_CPU,
                                                                 .max_model_parameters = max_parameters, .max_batch_size = 64 };
        TRY(run(n, w, &tx, NULL, f));
    }
    return OK;
}

err demo_net_job(demo_net *n, demo_job *job, const tr_dataset *data, fault *f)
{
    tb_job_spec *s = &job->spec;
    s->price = BLOCK / 4;
    s->price_sequences = 64;
    s->expiry_blocks = 100000;
    TRY(tb_job_spec_cost(&job->quote, s, f));
    s->escrow = job->quote + BLOCK; /* leases are priced one by one, each rounded */
    TRY(tb_ledger_refresh(&n->ledger, f));
    chain_tx tx;
    TRY(tb_job_spec_post(&tx, s, data, &n->account[DEMO_BUYER].key, n->ledger.height, f));
    job->expiry_height = tx.payload.job_post.expiry_height;
    TRY(run(n, DEMO_BUYER, &tx, &job->id, f));

    static const uint64_t asked_percent[DEMO_WORKERS] = { 80, 88, 96 }; /* of the job's price */
    for (size_t i = 0; i < DEMO_WORKERS; i++) {
        job->bid[i] = s->price / 100 * asked_percent[i];
        chain_tx bid = { .type = CHAIN_TX_JOB_BID };
        bid.payload.job_bid = (chain_tx_job_bid){ .job = job->id, .price = job->bid[i], .capacity = 64 };
        TRY(run(n, DEMO_WORKER_A + (demo_who)i, &bid, NULL, f));
    }
    cr_address workers[DEMO_WORKERS];
    for (size_t i = 0; i < DEMO_WORKERS; i++)
        workers[i] = n->account[DEMO_WORKER_A + i].address;
    uint8_t buffer[512];
    chain_tx match = { .type = CHAIN_TX_JOB_MATCH };
    match.payload.job_match.job = job->id;
    TRY(chain_addresses_encode(&match.payload.job_match.workers, buffer, sizeof buffer, workers, DEMO_WORKERS));
    return run(n, DEMO_BUYER, &match, NULL, f);
}

err demo_net_close_job(demo_net *n, const demo_job *job, fault *f)
{
    chain_tx tx = { .type = CHAIN_TX_JOB_CLOSE };
    tx.payload.job_close.job = job->id;
    return run(n, DEMO_BUYER, &tx, NULL, f);
}

err demo_net_audits(demo_net *n, demo_audits *a, fault *f)
{
    const char *next = NULL;
    json_t *page = NULL;
    *a = (demo_audits){ 0 };
    do {
        json_t *params = json_object(), *before = page, *row;
        size_t i;
        if (next)
            json_object_set_new(params, "cursor", json_string(next));
        err e = tb_ledger_call(&n->ledger, "audit.list", params, 0, &page, f);
        json_decref(before);
        if (e != OK)
            return e;
        json_array_foreach(json_object_get(page, "audits"), i, row) {
            const char *status = json_string_value(json_object_get(row, "status"));
            uint64_t *count = status && strcmp(status, "valid") == 0 ? &a->valid : status && strcmp(status, "open") == 0 ? &a->open : &a->other;
            ++*count;
        }
        next = json_string_value(json_object_get(page, "next"));
    } while (next);
    json_decref(page);
    return OK;
}

err demo_net_books(demo_net *n, demo_books *b, fault *f)
{
    *b = (demo_books){ 0 };
    chain_key key = chain_key_supply();
    TRY(tb_ledger_row(&n->ledger, &b->supply, CHAIN_TABLE_SUPPLY, chain_key_bytes(&key), f));
    for (size_t i = 0; i < DEMO_ACCOUNTS; i++) {
        tb_account a;
        TRY(tb_ledger_account(&n->ledger, &a, &n->account[i].address, f));
        b->balance[i] = a.balance;
        b->sum += a.balance;
    }
    b->balanced = b->sum == b->supply.balances && chain_supply_held(&b->supply) == b->supply.minted - b->supply.burned;
    return OK;
}
