/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb demo`: the main job. A node process, a coordinator (this process) and three worker processes, one of which cheats. Every number on
 * the screen is computed live. */
#include "apps/demo_int.h"

#include "apps/corpus.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static demo *the_demo; /* for the signal handler */
static atomic_bool stopped; /* lock-free, so that a signal handler may set it */

static void on_signal(int number)
{
    (void)number;
    atomic_store(&stopped, true);
    if (the_demo && the_demo->coordinator)
        tr_coordinator_stop(the_demo->coordinator);
}

const atomic_bool *demo_stop_flag(void)
{
    return &stopped;
}

err demo_go_on(fault *f)
{
    return atomic_load(&stopped) ? fail(f, ERR_INTERRUPTED, "demo", 0) : OK;
}

/* Where the command line says 0, the level does. */
static uint64_t size_of(const demo *d, const char *name, uint64_t full, uint64_t refereed)
{
    uint64_t n = tb_uint(d->cli, name);
    return n ? n : d->full ? full : refereed;
}

/* Whatever can be told without reading the text: before the folder of an earlier run is taken. */
static err check_options(demo *d, fault *f)
{
    const tb_cli *cli = d->cli;
    const struct { const char *name; uint64_t least, max; } bounded[] = { { "context", 1, LIMIT_MODEL_CONTEXT }, { "width", 0, LIMIT_MODEL_WIDTH },
        { "layers", 0, LIMIT_MODEL_LAYERS }, { "heads", 0, LIMIT_MODEL_HEADS }, { "steps", 0, 100000 }, { "batch", 1, 1024 }, { "lease", 1, 1024 } };
    for (size_t i = 0; i < COUNT_OF(bounded); i++)
        if (tb_uint(cli, bounded[i].name) < bounded[i].least || tb_uint(cli, bounded[i].name) > bounded[i].max)
            return fail(f, ERR_LIMIT, bounded[i].name, tb_uint(cli, bounded[i].name));
    if (tb_uint(cli, "batch") % tb_uint(cli, "lease") != 0)
        return fail(f, ERR_USAGE, "--lease: must divide --batch", tb_uint(cli, "lease"));
    if (tb_level_parse(&d->job.spec.level, tb_text(cli, "level"), "level", f) != OK)
        return fail(f, ERR_USAGE, "--level: full or refereed", 0);
    d->full = d->job.spec.level == CHAIN_LEVEL_FULL;
    if (*tb_text(cli, "data") && access(tb_text(cli, "data"), R_OK) != 0)
        return fail(f, ERR_NOT_FOUND, tb_text(cli, "data"), 0);
    return OK;
}

static err open_data(demo *d, fault *f)
{
    const tb_cli *cli = d->cli;
    TRY(corpus_open(&d->data, tb_text(cli, "data"), (uint32_t)tb_uint(cli, "context"), &d->data_name, f));
    tb_job_spec *s = &d->job.spec;
    *s = (tb_job_spec){ .batch = (uint32_t)tb_uint(cli, "batch"), .lease = (uint32_t)tb_uint(cli, "lease"), .steps = size_of(d, "steps", 150, 280),
                        .seed = tb_uint(cli, "seed"), .level = d->full ? CHAIN_LEVEL_FULL : CHAIN_LEVEL_REFEREED, .sample_ppm = d->full ? 0 : DEMO_SAMPLE_PPM, .checkpoint_steps = 20 };
    s->shape = (num_shape){ .vocab = d->data.manifest.vocab, .context = (uint32_t)tb_uint(cli, "context"), .width = (uint32_t)size_of(d, "width", 64, 128),
                            .layers = (uint32_t)size_of(d, "layers", 2, 4), .heads = (uint32_t)size_of(d, "heads", 2, 4), .bits = 12, .helper = NUM_NARROW };
    s->schedule = (bt_schedule){ .lr_max = 1073742, .warm_steps = s->steps / 4, .total_steps = s->steps };
    num_const c;
    TRY(num_const_of(&c, &s->shape, f));
    d->losses = calloc(s->steps + 1, sizeof *d->losses);
    return d->losses ? tr_exec_init(&d->exec, &s->shape, 0, 0, f) : fail(f, ERR_MEMORY, "demo", 0);
}

static err start_network(demo *d, fault *f)
{
    tb_home home;
    TRY(check_options(d, f));
    if (*tb_text(d->cli, "home"))
        TRY(tb_home_at(&home, tb_text(d->cli, "home"), f));
    else
        TRY(demo_home_take(&home, &d->net.lock, f));
    demo_show_begin(d, &home);
    TRY(open_data(d, f));
    TRY(demo_net_start(&d->net, &home, tb_uint(d->cli, "seed"), f));
    demo_show_network(d);
    return OK;
}

static err post_job(demo *d, fault *f)
{
    TRY(demo_net_people(&d->net, 1 << 30, f));
    demo_show_accounts(d);
    TRY(demo_net_job(&d->net, &d->job, &d->data, f));
    tb_job_live_init(&d->live, &d->job.spec, &d->job.id);
    demo_show_job(d);
    return OK;
}

static err settle(demo *d, demo_books *b, fault *f)
{
    TRY(demo_net_close_job(&d->net, &d->job, f));
    TRY(demo_net_books(&d->net, b, f));
    demo_show_books(d, b);
    return b->balanced ? OK : fail(f, ERR_INVARIANT, "books", b->sum);
}

static err run_demo(demo *d, fault *f)
{
    static demo_result r;
    double begun = term_now();
    TRY(start_network(d, f));
    TRY(demo_go_on(f));
    TRY(post_job(d, f));
    TRY(demo_go_on(f));
    TRY(demo_start_coordinator(d, f));
    TRY(demo_go_on(f));
    demo_show_training(d);
    TRY(demo_measure_start(d, &r.before, f));
    TRY(demo_start_workers(d, f));
    TRY(demo_train(d, f));
    demo_show_losses(d);
    demo_show_cheat(d);
    TRY(settle(d, &r.books, f));
    TRY(demo_write_receipts(d, &r, f));
    TRY(demo_measure_end(d, &r.after, f));
    tr_dataset_entropy(&d->data, &r.unigram, &r.bigram);
    r.state_id = tr_coordinator_state_id(d->coordinator);
    r.seconds = term_now() - begun;
    demo_read_times(d, &r);
    TRY(demo_net_audits(&d->net, &r.audits, f));
    demo_show_end(d, &r);
    return OK;
}

int cmd_demo(const tb_cli *cli)
{
    demo d = { .cli = cli, .net = { .lock = -1, .life = { -1, -1 } }, .term = term_on(cli->json ? stderr : stdout, cli->color_out) };
    pthread_mutex_init(&d.lock, NULL);
    the_demo = &d;
    struct sigaction stop = { .sa_handler = on_signal };
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGHUP, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    fault f = { 0 };
    err e = run_demo(&d, &f);
    if (e != OK && atomic_load(&stopped)) { /* a terminal's Ctrl-C reaches the node, too: that it no longer answers is not the reason */
        e = fail(&f, ERR_INTERRUPTED, "demo", 0);
        term_clear(&d.term);
    }
    int code = e == OK ? 0 : tb_report(cli, e, "demo", &f);
    if (d.coordinator)
        tr_coordinator_stop(d.coordinator);
    for (size_t i = 0; i < DEMO_WORKERS; i++)
        demo_reap(&d.worker[i]);
    tb_train_server_stop(d.server);
    the_demo = NULL;
    tr_coordinator_free(d.coordinator);
    if (d.coordinator)
        tb_train_ledger_close(&d.ledger);
    demo_net_stop(&d.net);
    tr_exec_deinit(&d.exec);
    tr_dataset_deinit(&d.data);
    free(d.losses);
    demo_notes_deinit(&d.notes);
    if (d.live.spec)
        tb_job_live_deinit(&d.live);
    return code;
}
