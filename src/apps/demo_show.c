/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/demo_int.h"

#include "apps/amount.h"

#include "rpc/json.h"
#include "torch/cpu.h"

#include <inttypes.h>
#include <math.h>
#include <unistd.h>

static void headline(const demo *d, int number, const char *title)
{
    fprintf(d->term.out, "[%d/6] %-12s ", number, title);
}

/* At once, before anything that takes time. */
void demo_show_begin(const demo *d, const tb_home *home)
{
    if (!d->cli->json)
        fprintf(d->term.out, "The Block demo · seed %" PRIu64 " · data in %s · Ctrl-C is safe\n", tb_uint(d->cli, "seed"), home->dir);
}

void demo_show_network(const demo *d)
{
    char genesis[65];
    if (d->cli->json)
        return;
    base_hex_encode(genesis, d->net.genesis.b, 32);
    headline(d, 1, "Network");
    fprintf(d->term.out, "chain %.*s · genesis %.8s…%s · node process %ld\n", (int)d->net.chain_id.len, d->net.chain_id.text, genesis, genesis + 60,
            (long)d->net.node);
}

void demo_show_accounts(const demo *d)
{
    static const char *const role[DEMO_WORKERS] = { "citizen", "visitor: pays the 1 % tariff", "citizen, will cheat" };
    if (d->cli->json)
        return;
    headline(d, 2, "Accounts");
    fprintf(d->term.out, "buyer %s\n", d->net.account[DEMO_BUYER].text);
    for (size_t i = 0; i < DEMO_WORKERS; i++)
        fprintf(d->term.out, "      %s %s (%s)\n", d->net.account[DEMO_WORKER_A + i].name, d->net.account[DEMO_WORKER_A + i].text, role[i]);
}

void demo_show_job(const demo *d)
{
    char escrow[TB_AMOUNT_TEXT], quote[TB_AMOUNT_TEXT], price[TB_AMOUNT_TEXT], bid[DEMO_WORKERS][TB_AMOUNT_TEXT], id[65];
    const tb_job_spec *spec = &d->job.spec;
    const num_shape *s = &spec->shape;
    if (d->cli->json)
        return;
    headline(d, 3, "Job");
    tb_amount_format(escrow, spec->escrow);
    tb_amount_format(quote, d->job.quote);
    tb_amount_format(price, spec->price);
    for (size_t i = 0; i < DEMO_WORKERS; i++)
        tb_amount_format(bid[i], d->job.bid[i]);
    base_hex_encode(id, d->job.id.b, 32);
    fprintf(d->term.out, "%s: GPT of %" PRIu64 " parameters (width %u, %u layers, context %u), %" PRIu64 " steps of %u sequences\n      id %s\n", d->data_name,
            num_parameter_count(s), s->width, s->layers, s->context, spec->steps, spec->batch, id);
    fprintf(d->term.out, "      quote at most %s BLOCK (%s for %" PRIu64 " sequences) · escrow %s · bids %s, %s, %s: 3 accepted\n", quote, price,
            spec->price_sequences, escrow, bid[0], bid[1], bid[2]);
    if (d->full)
        fprintf(d->term.out, "      level full: every gradient comes with a proof, and only what is proved is summed and paid\n");
    else
        fprintf(d->term.out, "      level refereed: %u %% of the leases are drawn by the ledger's randomness and computed again; this is not a proof\n",
            spec->sample_ppm / 10000);
}

void demo_show_training(const demo *d)
{
    char cpu[160];
    if (d->cli->json)
        return;
    headline(d, 4, "Training");
    bt_cpu_describe(cpu, sizeof cpu);
    fprintf(d->term.out, "three worker processes · %s\n", cpu);
}

void demo_show_sample(const demo *d, const char *label, double loss, const uint8_t *text, size_t len)
{
    char head[64];
    if (d->cli->json)
        return;
    snprintf(head, sizeof head, "      %s (validation %.3f nats): ", label, loss);
    term_quote(&d->term, head, text, len);
}

/* What happened since the last look; the progress line. */
void demo_show_progress(demo *d)
{
    tr_status s;
    tr_coordinator_status(d->coordinator, &s);
    pthread_mutex_lock(&d->lock);
    double loss = d->n_losses ? d->losses[d->n_losses - 1] : 0;
    bool caught = d->caught && (d->slashed || d->evidence_code != OK);
    uint64_t step = d->caught_step, lease = d->caught_lease, done = d->n_losses;
    uint64_t looked = d->full ? d->proved + d->unproved : d->sampled, good = d->full ? d->proved : d->checked_ok + d->caught;
    size_t who = d->caught_worker < DEMO_WORKERS ? d->caught_worker : 0;
    pthread_mutex_unlock(&d->lock);
    if (d->cli->json)
        return;
    if (caught && !d->told_caught) {
        d->told_caught = true;
        term_clear(&d->term);
        fprintf(d->term.out, "      step %" PRIu64 " ✗ %s: %s of lease %" PRIu64 " %s%s\n", step, d->net.account[DEMO_WORKER_A + who].name,
                d->full ? "the proof" : "re-execution", lease, d->full ? "does not verify: " : "gives another result", d->full ? d->relation : "");
    }
    char paid[TB_AMOUNT_TEXT], line[160];
    tb_amount_format(paid, s.paid + s.owed);
    double seconds = term_now() - d->started;
    snprintf(line, sizeof line, "%" PRIu64 "/%" PRIu64 "  loss %.3f  %.0f tok/s  %s %" PRIu64 "/%" PRIu64 "  spent %s  eta %.0f s", s.step, s.steps, loss,
             (double)(done * d->job.spec.batch * d->job.spec.shape.context) / seconds, d->full ? "proved" : "checked", good, looked, paid,
             done ? seconds / (double)done * (double)(s.steps - done) : 0);
    term_progress(&d->term, s.step, s.steps, line);
    if (!d->term.live && s.step * 10 / s.steps > d->told_tenths) { /* no terminal: now and then a plain line */
        d->told_tenths = s.step * 10 / s.steps;
        fprintf(d->term.out, "      step %s\n", line);
        fflush(d->term.out);
    }
}

void demo_show_losses(const demo *d)
{
    if (!d->cli->json)
        term_chart(&d->term, d->losses, d->n_losses, 8, "training loss in nats per token");
}

/* At level full a spoiled lease can only be caught: one that is paid would be a defect, and the line says so. */
static void show_refused(const demo *d)
{
    size_t who = d->caught_worker < DEMO_WORKERS ? d->caught_worker : 0;
    if (!d->caught) {
        fprintf(d->term.out, d->undrawn ? "%" PRIu64 " spoiled leases were accepted (seed %" PRIu64 ")\n" : "by its dice, worker-c spoiled none of its leases (%" PRIu64 " accepted, seed %" PRIu64 ")\n",
                d->undrawn, d->net.seed);
        return;
    }
    fprintf(d->term.out, "%s spoiled lease %" PRIu64 " of step %" PRIu64 ": its proof does not verify (%s)\n", d->net.account[DEMO_WORKER_A + who].name,
            d->caught_lease, d->caught_step, d->relation);
    fprintf(d->term.out, "      unpaid, %s; the batch was redone as lease %" PRIu64 "; spoiled and accepted: %" PRIu64 " (seed %" PRIu64 ")\n",
            d->slashed ? "computed again, and slashed on evidence of one element" : "not slashed", d->redone_lease, d->undrawn, d->net.seed);
    if (*d->evidence)
        fprintf(d->term.out, "      evidence %s  (tb dispute replay FILE)\n", d->evidence);
}

void demo_show_cheat(const demo *d)
{
    if (d->cli->json)
        return;
    headline(d, 5, "Cheating");
    if (d->full) {
        show_refused(d);
        return;
    }
    double chance = 100 * (1 - pow(1 - DEMO_SAMPLE_PPM / 1e6, (double)(d->undrawn + d->caught)));
    if (!d->caught) {
        fprintf(d->term.out, "none of the %" PRIu64 " spoiled leases was drawn (seed %" PRIu64 "; the chance to catch one of so many is %.0f %%)\n", d->undrawn,
                d->net.seed, chance);
        return;
    }
    size_t who = d->caught_worker < DEMO_WORKERS ? d->caught_worker : 0;
    fprintf(d->term.out, "%s spoiled lease %" PRIu64 " of step %" PRIu64 ": caught, unpaid, %s; the batch was redone as lease %" PRIu64 "\n",
            d->net.account[DEMO_WORKER_A + who].name, d->caught_lease, d->caught_step,
            d->slashed ? "slashed on evidence of one element" : "not slashed", d->redone_lease);
    fprintf(d->term.out, "      spoiled before and not drawn: %" PRIu64 "%s; the chance to catch one of %" PRIu64 " is %.0f %% (seed %" PRIu64 ")\n", d->undrawn,
            d->undrawn ? ", paid and in the model: what a sample lets pass" : "", d->undrawn + d->caught, chance, d->net.seed);
    if (*d->evidence)
        fprintf(d->term.out, "      evidence %s  (tb dispute replay FILE)\n", d->evidence);
}

static void show_buyer(const demo *d, const demo_books *b)
{
    tr_status s;
    char paid[TB_AMOUNT_TEXT], escrow[TB_AMOUNT_TEXT], back[TB_AMOUNT_TEXT], balance[TB_AMOUNT_TEXT];
    tr_coordinator_status(d->coordinator, &s);
    tb_amount_format(paid, s.paid);
    tb_amount_format(escrow, d->job.spec.escrow);
    tb_amount_format(back, d->job.spec.escrow - s.paid);
    tb_amount_format(balance, b->balance[DEMO_BUYER]);
    fprintf(d->term.out, "      buyer     paid %s of %s in escrow, %s came back, balance %s\n", paid, escrow, back, balance);
}

static void show_workers(const demo *d, const demo_books *b)
{
    for (size_t i = 0; i < DEMO_WORKERS; i++) {
        tr_worker_status s;
        tr_coordinator_worker(d->coordinator, i, &s);
        char paid[TB_AMOUNT_TEXT], balance[TB_AMOUNT_TEXT];
        size_t who = demo_worker_index(d, &s.key);
        tb_amount_format(paid, s.paid);
        tb_amount_format(balance, who < DEMO_WORKERS ? b->balance[DEMO_WORKER_A + who] : 0);
        fprintf(d->term.out, "      %-9s answers %-4" PRIu64 " accepted %-4" PRIu64 " sampled %-4" PRIu64 " earned %s, balance %s%s\n",
                who < DEMO_WORKERS ? d->net.account[DEMO_WORKER_A + who].name : "?", s.answers, s.accepted, s.sampled, paid, balance, s.banned ? " (banned)" : "");
    }
}

void demo_show_books(const demo *d, const demo_books *b)
{
    if (d->cli->json)
        return;
    headline(d, 6, "Settlement");
    fprintf(d->term.out, "%" PRIu64 " leases paid, job closed\n", d->leases_paid);
    show_workers(d, b);
    show_buyer(d, b);
    char part[7][TB_AMOUNT_TEXT];
    uint64_t pools = b->supply.subsidy + b->supply.awarded + b->supply.disbursing + b->supply.stakes;
    const uint64_t amounts[7] = { b->sum, b->supply.escrow, b->supply.bonds, b->supply.treasury, b->supply.minted, b->supply.burned, pools };
    for (size_t i = 0; i < 7; i++)
        tb_amount_format(part[i], amounts[i]);
    fprintf(d->term.out, "      books: balances %s + escrow %s + bonds %s + treasury %s + pools %s = minted %s - burned %s  %s\n", part[0], part[1], part[2], part[3], part[6],
            part[4], part[5], b->balanced ? "✓ to the unit" : "✗ DO NOT BALANCE");
}

void demo_show_receipt(const demo *d, size_t count)
{
    char line[64];
    snprintf(line, sizeof line, "writing receipts %zu", count);
    if (!d->cli->json)
        term_progress(&d->term, count, d->leases_paid, line);
}

/* --- the end ------------------------------------------------------------------------------------------------------------ */

static json_t *workers_json(const demo *d)
{
    json_t *list = json_array();
    for (size_t i = 0; i < DEMO_WORKERS; i++) {
        tr_worker_status s;
        tr_coordinator_worker(d->coordinator, i, &s);
        json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:b, s:o}", "name", d->net.account[DEMO_WORKER_A + i].name, "answers", (json_int_t)s.answers,
                                              "accepted", (json_int_t)s.accepted, "sampled", (json_int_t)s.sampled, "banned", (int)s.banned, "paid_nblock",
                                              rpc_json_u64(s.paid)));
    }
    return list;
}

static double ratio(uint64_t a, uint64_t b)
{
    return b ? (double)a / (double)b : 0;
}

static json_t *result_json(const demo *d, const demo_result *r, const char *genesis, const char *producer, const char *state_id)
{
    char job[65];
    base_hex_encode(job, d->job.id.b, 32);
    json_t *o = json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:f}", "schema", "tb-demo-1", "seed", (json_int_t)d->net.seed, "job", job,
                          "genesis", genesis, "producer", producer, "state_id", state_id, "home", d->net.home.dir, "validation_before_nats",
                          r->before, "validation_nats", r->after, "unigram_nats", r->unigram, "bigram_nats", r->bigram, "seconds", r->seconds);
    json_object_update_new(o, json_pack("{s:b, s:b, s:I, s:I, s:I, s:I, s:s, s:b}", "caught", (int)d->caught, "slashed", (int)d->slashed, "caught_step",
                                        (json_int_t)d->caught_step, "caught_lease", (json_int_t)d->caught_lease, "redone_lease",
                                        (json_int_t)d->redone_lease, "spoiled_undrawn", (json_int_t)d->undrawn, "evidence", d->evidence, "balanced",
                                        (int)r->books.balanced));
    json_object_update_new(o, json_pack("{s:I, s:I, s:I, s:s, s:o, s:o}", "leases_paid", (json_int_t)d->leases_paid, "sampled", (json_int_t)d->sampled,
                                        "receipts", (json_int_t)r->receipts, "receipt_dir", r->receipt_dir, "bonds_nblock", rpc_json_u64(r->books.supply.bonds),
                                        "workers", workers_json(d)));
    json_object_update_new(o, json_pack("{s:s, s:I, s:I, s:s, s:I, s:f, s:f}", "level", tb_level_name(d->job.spec.level), "proved", (json_int_t)d->proved,
                                        "unproved", (json_int_t)d->unproved, "relation", d->relation, "proof_bytes", (json_int_t)d->proof_bytes,
                                        "proof_over_compute", ratio(r->prove_us, r->compute_us), "verify_over_compute", ratio(d->verify_us, r->compute_us)));
    json_object_update_new(o, json_pack("{s:I, s:I, s:I}", "audits_valid", (json_int_t)r->audits.valid, "audits_open", (json_int_t)r->audits.open,
                                        "audits_other", (json_int_t)r->audits.other));
    return o;
}

/* This program, as a shell can call it. */
static void own_path(char out[TB_PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", out, TB_PATH_MAX - 1);
    snprintf(out + (n > 0 ? n : 0), (size_t)(TB_PATH_MAX - (n > 0 ? n : 0)), "%s", n > 0 ? "" : "tb");
}

/* The paid lease that was given out last: of the last step, whose bundle there is. */
static uint64_t last_paid(const demo *d)
{
    for (size_t i = d->notes.count; i-- > 0;)
        if (d->notes.list[i].flags & DEMO_PAID)
            return d->notes.list[i].id;
    return 0;
}

static void show_proofs(const demo *d, const demo_result *r)
{
    fprintf(d->term.out, "Proofs    %" PRIu64 " of %" PRIu64 " leases proved, width %u, %.2f MB each\n", d->proved, d->proved + d->unproved, d->job.spec.shape.width,
            ratio(d->proof_bytes, d->proved) / 1e6);
    fprintf(d->term.out, "      proof / own compute %.1f · (compute + proof) / compute %.1f · verification / own compute %.1f\n", ratio(r->prove_us, r->compute_us),
            ratio(r->prove_us + r->compute_us, r->compute_us), ratio(d->verify_us, r->compute_us));
    uint64_t drawn = r->audits.valid + r->audits.open + r->audits.other;
    fprintf(d->term.out, "Audits    %" PRIu64 " leases drawn for the validator to verify again: %" PRIu64 " valid, %" PRIu64 " not shown or false, %" PRIu64 " under way\n", drawn,
            r->audits.valid, r->audits.other, r->audits.open);
}

static void show_receipts(const demo *d, const demo_result *r, const char *genesis, const char *producer)
{
    char tb[TB_PATH_MAX], bundle[TB_PATH_MAX];
    own_path(tb);
    fprintf(d->term.out, "Receipts  %zu in %s; check one offline:\n", r->receipts, r->receipt_dir);
    fprintf(d->term.out, "  %s receipt verify %s/lease-%" PRIu64 ".receipt \\\n     --trust %s:%s", tb, r->receipt_dir, last_paid(d), genesis, producer);
    if (d->full && demo_bundle_dir(bundle, d, NULL) == OK)
        fprintf(d->term.out, " \\\n     --bundle %s\n  (the bundle holds the last step: with it the proof is verified; tb proof inspect says what is in it)", bundle);
    fputc('\n', d->term.out);
}

void demo_show_end(const demo *d, const demo_result *r)
{
    char genesis[65], producer[65], state_id[65];
    base_hex_encode(genesis, d->net.genesis.b, 32);
    base_hex_encode(producer, d->net.account[DEMO_PRODUCER].key.b, 32);
    base_hex_encode(state_id, r->state_id.b, 32);
    if (d->cli->json) {
        tb_print_json(result_json(d, r, genesis, producer, state_id));
        return;
    }
    fprintf(d->term.out, "      entropy of the validation text: unigram %.3f, bigram %.3f nats\n", r->unigram, r->bigram);
    show_receipts(d, r, genesis, producer);
    if (d->full)
        show_proofs(d, r);
    fprintf(d->term.out, "Done in %.0f s. Final state id %.16s…\n", r->seconds, state_id);
}
