/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb doctor`: one line a check, each with what to do about it. */
#include "apps/genesis_local.h"
#include "apps/ledger.h"
#include "apps/settings.h"
#include "apps/wallet.h"

#include "torch/cpu.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

typedef enum finding { GOOD, WARN, BAD } finding;

typedef struct doctor {
    const tb_cli *cli;
    json_t       *lines;
    tb_home       home;
    bool          home_known;
    unsigned      count[3];
} doctor;

static void tell(doctor *d, finding what, const char *check, const char *found, const char *fix)
{
    static const char *const names[] = { "ok", "warn", "FAIL" };
    d->count[what]++;
    json_array_append_new(d->lines, json_pack("{s:s, s:s, s:s, s:s}", "check", check, "status", what == BAD ? "fail" : names[what], "found", found,
                                              "fix", what == GOOD ? "" : fix));
    if (d->cli->json)
        return;
    printf("%-5s %-16s %s\n", names[what], check, found);
    if (what != GOOD)
        printf("      %-16s -> %s\n", "", fix);
}

/* "text (what)" of an error. */
static void words(char out[256], err e, const fault *f)
{
    snprintf(out, 256, "%s%s%s%s", err_describe(e)->text, f->what ? " (" : "", f->what ? f->what : "", f->what ? ")" : "");
}

static void check_machine(doctor *d)
{
    char text[256];
    struct timespec now;
    bt_cpu_describe(text, sizeof text);
    tell(d, GOOD, "kernels", text, "");
    err e = cr_ed25519_self_test();
    tell(d, e == OK ? GOOD : BAD, "signatures", e == OK ? "the library gives the pinned verdicts" : "the library's verdicts differ from the rule",
         "install Debian's libsodium23 again: a node with this library would leave the network");
    clock_gettime(CLOCK_REALTIME, &now);
    bool sane = now.tv_sec > 1700000000;
    tell(d, sane ? GOOD : WARN, "clock", sane ? "plausible (only informative: no result depends on it)" : "far in the past", "set the time: timedatectl set-ntp true");
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    snprintf(text, sizeof text, "%ld online", processors);
    tell(d, processors >= 2 ? GOOD : WARN, "processors", text, "training works on one, at half the speed the examples are made for");
}

static void check_corpus(doctor *d)
{
    static const char *const places[] = { "/usr/bin/bible", "/usr/games/bible", "/usr/local/bin/bible" };
    bool there = false;
    for (size_t i = 0; i < COUNT_OF(places); i++)
        there |= access(places[i], X_OK) == 0;
    tell(d, there ? GOOD : WARN, "corpus", there ? "bible-kjv is installed" : "bible-kjv is not installed",
         "apt-get install bible-kjv, or give any text with --data FILE");
}

static void check_space(doctor *d)
{
    struct statvfs v;
    char text[64];
    if (statvfs(d->home.dir, &v) != 0)
        return;
    uint64_t free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
    snprintf(text, sizeof text, "%" PRIu64 " MiB free", free_bytes >> 20);
    tell(d, free_bytes < (uint64_t)64 << 20 ? BAD : free_bytes < (uint64_t)1 << 30 ? WARN : GOOD, "disk", text,
         "make room: a full disk stops the node (it loses nothing)");
}

static void check_home(doctor *d)
{
    struct stat st;
    char text[TB_PATH_MAX + 32], why[256];
    fault f = { 0 };
    err e = tb_home_find(&d->home, d->cli, &f);
    if (e != OK) {
        words(why, e, &f);
        tell(d, BAD, "data directory", why, e == ERR_PERMISSION ? "chmod go-w it: who may write there may put in keys and settings" : "set TB_HOME or give --home DIR");
        return;
    }
    d->home_known = true;
    snprintf(text, sizeof text, "%.900s (from %s)", d->home.dir, d->home.origin);
    if (stat(d->home.dir, &st) != 0) {
        tell(d, WARN, "data directory", text, "it is not there yet: tb genesis new, or tb wallet new, makes it");
        return;
    }
    bool mine = S_ISDIR(st.st_mode) && access(d->home.dir, R_OK | W_OK | X_OK) == 0;
    tell(d, mine ? GOOD : BAD, "data directory", text, "it must be a folder that you may write to");
    if (mine && (st.st_mode & 077))
        tell(d, WARN, "privacy", "others may look into the data directory", "chmod 700 it");
    check_space(d);
}

static void check_settings(doctor *d)
{
    static rpc_conf conf;
    char why[320], at[64];
    fault f = { 0 };
    err e = tb_settings_load(&conf, &d->home, NULL, &f);
    if (e == OK)
        e = rpc_conf_resolve(&conf, d->home.dir, &f);
    words(why, e, &f);
    snprintf(at, sizeof at, ", line %" PRIu64, f.at);
    if (e != OK)
        strncat(why, at, sizeof why - strlen(why) - 1);
    tell(d, e == OK ? GOOD : BAD, "node.conf", e == OK ? "good" : why, "tb config check names the line, docs/reference/config.md the keys");
}

static void check_keys(doctor *d)
{
    tb_wallet_key *keys;
    size_t count, damaged;
    char text[96];
    fault f = { 0 };
    if (tb_wallet_list(&keys, &count, &damaged, &d->home, &f) != OK)
        return;
    free(keys);
    snprintf(text, sizeof text, "%zu, %zu of them damaged", count + damaged, damaged);
    tell(d, damaged ? BAD : GOOD, "keys", text, "a damaged key file cannot be mended: restore it from your copy");
}

static void check_node(doctor *d)
{
    tb_ledger l = { 0 };
    fault f = { 0 };
    char text[512], why[256];
    tb_ledger_options options = { .node = tb_text(d->cli, "node"), .token_file = tb_text(d->cli, "token-file") };
    err e = tb_ledger_open(&l, &d->home, &options, &f);
    if (e != OK) {
        words(why, e, &f);
        tell(d, WARN, "node", why, "start one: tb node run; or name one: --node");
        return;
    }
    snprintf(text, sizeof text, "%s, height %" PRIu64, l.chain_id.text, l.height);
    tell(d, GOOD, "node", text, "");

    buf genesis;
    chain_name chain_id;
    hash256 hash;
    buf_init(&genesis, LIMIT_GENESIS_BYTES);
    e = tb_genesis_load(&genesis, &chain_id, &hash, &d->home, &f);
    buf_deinit(&genesis);
    bool same = e == OK && hash256_equal(&hash, &l.genesis);
    words(why, e, &f);
    tell(d, same ? GOOD : e == ERR_NOT_FOUND ? WARN : BAD, "genesis",
         same ? "the node's network is that of genesis.cbor" : e == OK ? "the node is of another network than genesis.cbor" : why,
         "compare tb genesis show with tb node status; point --home or --node at the other one");
    tb_ledger_close(&l);
}

int cmd_doctor(const tb_cli *cli)
{
    doctor d = { .cli = cli, .lines = json_array() };
    check_machine(&d);
    check_corpus(&d);
    check_home(&d);
    if (d.home_known) {
        check_settings(&d);
        check_keys(&d);
        check_node(&d);
    }
    if (cli->json)
        tb_print_json(json_pack("{s:s, s:i, s:i, s:i, s:O}", "schema", "tb-doctor-1", "ok", (int)d.count[GOOD], "warn", (int)d.count[WARN], "fail",
                                (int)d.count[BAD], "checks", d.lines));
    else
        printf("%u ok, %u warnings, %u failures\n", d.count[GOOD], d.count[WARN], d.count[BAD]);
    json_decref(d.lines);
    return d.count[BAD] ? err_describe(ERR_INTERNAL)->exit_code : 0;
}
