/* SPDX-License-Identifier: Apache-2.0
 * Jobs: post, bid, match, close. */
#include "chain/ident/ident.h"
#include "chain/receipt_int.h"

bool chain_job_sender_leads(const exec *x, const chain_row_job *job)
{
    return cr_address_equal(&x->sender, &job->owner) || memcmp(&x->sender_key, &job->coordinator, sizeof x->sender_key) == 0;
}

static err check_model(const chain_tx_job_post *p, fault *f)
{
    const struct {
        const char *what;
        uint64_t    value;
    } positive[] = {
        { "job_post.model_parameters", p->model_parameters }, { "job_post.width", p->width },
        { "job_post.layers", p->layers },                     { "job_post.heads", p->heads },
        { "job_post.context", p->context },                   { "job_post.vocabulary", p->vocabulary },
        { "job_post.batch_size", p->batch_size },             { "job_post.steps", p->steps },
        { "job_post.gradient_format", p->gradient_format },   { "job_post.price", p->price },
        { "job_post.price_sequences", p->price_sequences },   { "job_post.level_min", p->level_min },
    };
    for (size_t i = 0; i < COUNT_OF(positive); i++)
        if (positive[i].value == 0)
            return fail(f, ERR_RANGE, positive[i].what, 0);
    if (p->level_min == CHAIN_LEVEL_LINEAR) /* it would prove nothing beyond a sample: spec/proof.md section 15 */
        return fail(f, ERR_UNSUPPORTED, "job_post.level_min", p->level_min);
    if (p->level_min == CHAIN_LEVEL_FULL && p->operand_bits > 12) /* the wide helper set has no proof */
        return fail(f, ERR_UNSUPPORTED, "job_post.operand_bits", p->operand_bits);
    uint64_t weights = chain_weights(p->vocabulary, p->context, p->width, p->layers);
    if (p->level_min == CHAIN_LEVEL_FULL && weights > LIMIT_PROVED_WEIGHTS)
        return fail(f, ERR_LIMIT, "job_post.width", weights);
    if (p->operand_bits < 8)
        return fail(f, ERR_RANGE, "job_post.operand_bits", p->operand_bits);
    uint64_t total;
    if (checked_mul_u64(&total, p->batch_size, p->steps) != OK || total != p->sequences_total)
        return fail(f, ERR_RANGE, "job_post.sequences_total", p->sequences_total);
    return OK;
}

static err check_terms(const exec *x, const chain_tx_job_post *p, fault *f)
{
    uint64_t cost;
    if (p->expiry_height <= x->height)
        return fail(f, ERR_EXPIRED, "job_post.expiry_height", p->expiry_height);
    if (p->expiry_height - x->height > param(x->c, CHAIN_PARAM_JOB_TERM_MAX))
        return fail(f, ERR_RANGE, "job_post.expiry_height", p->expiry_height);
    if (mul_div_u64(&cost, p->price, p->sequences_total, p->price_sequences, ROUND_UP) != OK || p->escrow < cost)
        return fail(f, ERR_FUNDS, "job_post.escrow", p->escrow);
    return OK;
}

err chain_exec_job_post(exec *x, const chain_tx_job_post *p, fault *f)
{
    chain *c = x->c;
    TRY(check_model(p, f));
    TRY(check_terms(x, p, f));
    TRY(chain_pack_check(c, &x->sender, CHAIN_FEATURE_JOB_POST, ECON_COMPUTE, x->height, f));
    if (chain_account_debit(c, &x->sender, p->escrow) != OK)
        return fail(f, ERR_FUNDS, "job_post.escrow", p->escrow);
    TRY(chain_purse_add(c, PURSE_ESCROW, p->escrow));
    chain_key key = chain_key_job(&x->tx_id);
    chain_row_job *job = chain_row_create(c, CHAIN_TABLE_JOB, &key);
    *job = (chain_row_job){
        .owner = x->sender,
        .coordinator = p->coordinator,
        .status = CHAIN_JOB_OPEN,
        .posted_height = x->height,
        .model_checkpoint_cid = p->model_checkpoint_cid,
        .dataset_manifest_cid = p->dataset_manifest_cid,
        .training_config = p->training_config,
        .model_parameters = p->model_parameters,
        .width = p->width,
        .layers = p->layers,
        .heads = p->heads,
        .context = p->context,
        .vocabulary = p->vocabulary,
        .operand_bits = p->operand_bits,
        .batch_size = p->batch_size,
        .steps = p->steps,
        .learning_rate_ppb = p->learning_rate_ppb,
        .required_backends = p->required_backends,
        .determinism_seed = p->determinism_seed,
        .gradient_format = p->gradient_format,
        .max_batch_latency_blocks = p->max_batch_latency_blocks,
        .max_batch_latency_ms = p->max_batch_latency_ms,
        .sequences_total = p->sequences_total,
        .price = p->price,
        .price_sequences = p->price_sequences,
        .level_min = p->level_min,
        .sample_ppm = p->sample_ppm,
        .escrow = p->escrow,
        .expiry_height = p->expiry_height,
    };
    chain_event_add(c, CHAIN_EVENT_JOB_POSTED, x->tx_index)->data.job_posted =
        (chain_event_job_posted){ .job = x->tx_id, .owner = x->sender, .escrow = p->escrow };
    return OK;
}

err chain_find_open_job(const exec *x, const hash256 *id, const char *what, const chain_row_job **out, fault *f)
{
    chain_key key = chain_key_job(id);
    const chain_row_job *job = chain_row_get(x->c, CHAIN_TABLE_JOB, &key);
    if (!job)
        return fail(f, ERR_NOT_FOUND, what, 0);
    if (job->status != CHAIN_JOB_OPEN)
        return fail(f, ERR_STATE, "job.status", job->status);
    *out = job;
    return OK;
}

err chain_exec_job_bid(exec *x, const chain_tx_job_bid *p, fault *f)
{
    chain *c = x->c;
    const chain_row_job *job;
    TRY(chain_find_open_job(x, &p->job, "job_bid.job", &job, f));
    if (x->height > job->expiry_height)
        return fail(f, ERR_EXPIRED, "job.expiry_height", job->expiry_height);
    TRY(chain_worker_may_take_work(c, &x->sender, f));
    chain_key worker_key = chain_key_address(&x->sender);
    const chain_row_worker *w = chain_row_get(c, CHAIN_TABLE_WORKER, &worker_key);
    if (p->price == 0 || p->price > job->price)
        return fail(f, ERR_RANGE, "job_bid.price", p->price);
    if (p->capacity == 0 || p->capacity > w->max_batch_size)
        return fail(f, ERR_RANGE, "job_bid.capacity", p->capacity);
    if (job->required_backends && !(job->required_backends & w->supported_backends))
        return fail(f, ERR_UNSUPPORTED, "worker.supported_backends", w->supported_backends);
    if (job->model_parameters > w->max_model_parameters)
        return fail(f, ERR_LIMIT, "worker.max_model_parameters", w->max_model_parameters);
    chain_key key = chain_key_bid(&p->job, &x->sender);
    const chain_row_bid *now = chain_row_get(c, CHAIN_TABLE_BID, &key);
    if (now && now->status == CHAIN_BID_ACCEPTED)
        return fail(f, ERR_DUPLICATE, "job_bid.job", 0);

    chain_row_bid *bid = chain_row_edit_or_create(c, CHAIN_TABLE_BID, &key);
    *bid = (chain_row_bid){ .price = p->price, .capacity = p->capacity, .status = CHAIN_BID_OPEN };
    chain_event_add(c, CHAIN_EVENT_BID_PLACED, x->tx_index)->data.bid_placed =
        (chain_event_bid_placed){ .job = p->job, .worker = x->sender, .price = p->price };
    return OK;
}

/* A cheat must not pay: of a spoiled lease of price p that is not drawn the worker keeps p, of a drawn one it loses the slashed share of its bond, so
 * bond * share * q >= p * (1 - q). p is the price of the longest lease that the bid allows. Nothing is drawn if q = 0: then nothing is asked. */
static err check_stake(const exec *x, const chain_row_job *job, const chain_row_bid *bid, const cr_address *worker, fault *f)
{
    uint64_t price, longest = bid->capacity < job->batch_size ? bid->capacity : job->batch_size;
    if (job->sample_ppm == 0)
        return OK;
    TRY(mul_div_u64(&price, bid->price, longest, job->price_sequences, ROUND_DOWN));
    chain_key key = chain_key_address(worker);
    const chain_row_worker *w = chain_row_get(x->c, CHAIN_TABLE_WORKER, &key);
    u128 lost = (u128)w->bond * param(x->c, CHAIN_PARAM_SLASH) * job->sample_ppm;
    u128 kept = (u128)price * (PPM - job->sample_ppm) * PPM;
    return lost >= kept ? OK : fail(f, ERR_BOND, "worker.bond: too small for a lease of this price", w->bond);
}

err chain_exec_job_match(exec *x, const chain_tx_job_match *p, fault *f)
{
    chain *c = x->c;
    const chain_row_job *job;
    cr_address workers[64];
    size_t count;
    TRY(chain_find_open_job(x, &p->job, "job_match.job", &job, f));
    if (!chain_job_sender_leads(x, job))
        return fail(f, ERR_PERMISSION, "job_match.sender", 0);
    TRY(chain_addresses_decode(workers, &count, p->workers, f));
    for (size_t i = 0; i < count; i++) {
        chain_key key = chain_key_bid(&p->job, &workers[i]);
        const chain_row_bid *now = chain_row_get(c, CHAIN_TABLE_BID, &key);
        if (!now)
            return fail(f, ERR_NOT_FOUND, "job_match.workers", i);
        if (now->status == CHAIN_BID_ACCEPTED)
            return fail(f, ERR_DUPLICATE, "job_match.workers", i);
        TRY(chain_worker_may_take_work(c, &workers[i], f));
        TRY(check_stake(x, job, now, &workers[i], f));
        chain_row_bid *bid = chain_row_edit(c, CHAIN_TABLE_BID, &key);
        bid->status = CHAIN_BID_ACCEPTED;
        chain_event_add(c, CHAIN_EVENT_BID_ACCEPTED, x->tx_index)->data.bid_accepted =
            (chain_event_bid_accepted){ .job = p->job, .worker = workers[i] };
    }
    return OK;
}

err chain_exec_job_close(exec *x, const chain_tx_job_close *p, fault *f)
{
    chain *c = x->c;
    const chain_row_job *now;
    TRY(chain_find_open_job(x, &p->job, "job_close.job", &now, f));
    bool complete = now->sequences_paid == now->sequences_total;
    uint64_t refund_height;
    TRY(checked_add_u64(&refund_height, now->expiry_height, param(c, CHAIN_PARAM_CLAIM_WINDOW)));
    if (!complete && x->height <= refund_height)
        return fail(f, ERR_STATE, "job.expiry_height", refund_height);

    chain_key key = chain_key_job(&p->job);
    chain_row_job *job = chain_row_edit(c, CHAIN_TABLE_JOB, &key);
    uint64_t refund = job->escrow;
    job->escrow = 0;
    job->status = complete ? CHAIN_JOB_COMPLETE : CHAIN_JOB_REFUNDED;
    TRY(chain_purse_take(c, PURSE_ESCROW, refund));
    TRY(chain_account_credit(c, &job->owner, refund));
    chain_event_add(c, CHAIN_EVENT_JOB_CLOSED, x->tx_index)->data.job_closed =
        (chain_event_job_closed){ .job = p->job, .status = job->status, .refund = refund };
    return OK;
}
