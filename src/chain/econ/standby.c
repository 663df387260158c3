/* SPDX-License-Identifier: Apache-2.0
 * Stand-by tasks: who answers the block's draw in time shows that it is there, and earns on the capacity that it has proved by work. */
#include "chain/econ/econ_int.h"
#include "crypto/sha256.h"

enum { RING = 256 };

/* The answers to the last draws of an epoch must fall into it. */
static uint64_t window_of(const chain *c)
{
    uint64_t half = param(c, CHAIN_PARAM_EPOCH) / 2, window = param(c, CHAIN_PARAM_STANDBY_WINDOW);
    return window < half ? window : half;
}

/* Of draws x providers / 1000 tasks an epoch, those up to its `blocks`-th block of `span`. */
static uint64_t tasks_until(const chain *c, uint64_t providers, uint64_t blocks, uint64_t span)
{
    return (uint64_t)((u128)providers * param(c, CHAIN_PARAM_STANDBY_DRAWS) * blocks / ((u128)1000 * span));
}

static err draw_one(chain *c, uint64_t number)
{
    chain_key at = chain_key_height(number);
    const chain_row_provider_at *who = chain_row_get(c, CHAIN_TABLE_PROVIDER_AT, &at);
    CHECK(who);
    chain_row_provider *p = chain_provider_edit(c, who->market, &who->provider);
    if (p->active && p->drawn < UINT32_MAX)
        p->drawn++;
    return OK;
}

err chain_standby_draw(chain *c, uint64_t height, const hash256 *randomness)
{
    uint64_t length = param(c, CHAIN_PARAM_EPOCH), span = length - window_of(c), providers = economy(c)->providers;
    uint64_t block = (height - 1) % length; /* of the epoch, from 0 on */
    if (block >= span || providers == 0 || span == length) /* an epoch of one block has no time for answers */
        return OK;
    uint64_t count = tasks_until(c, providers, block + 1, span) - tasks_until(c, providers, block, span);
    if (count > providers)
        count = providers;
    uint64_t first = load_be64(randomness->b) % providers;
    chain_key key = chain_key_one((uint8_t)(height % RING));
    *(chain_row_standby *)chain_row_edit_or_create(c, CHAIN_TABLE_STANDBY, &key) =
        (chain_row_standby){ .height = height, .randomness = *randomness, .first = first, .count = count, .providers = providers };
    for (uint64_t i = 0; i < count; i++)
        TRY(draw_one(c, (first + i) % providers));
    return OK;
}

hash256 chain_standby_answer(const hash256 *randomness, uint8_t which, const cr_address *a)
{
    static const char tag[] = "theblock/standby/v1";
    uint8_t packed[33];
    chain_address_pack(packed, a);
    return cr_sha256_concat((const bytes[]){ bytes_of(tag, sizeof tag), BYTES_OF(*randomness), bytes_of(&which, 1), BYTES_OF(packed) }, 4);
}

/* NULL: that block drew nobody, or it is long ago. */
static const chain_row_standby *tasks_of(const chain *c, uint64_t height)
{
    chain_key key = chain_key_one((uint8_t)(height % RING));
    const chain_row_standby *task = chain_row_get(c, CHAIN_TABLE_STANDBY, &key);
    return task && task->height == height ? task : NULL;
}

static bool draws(const chain_row_standby *task, uint64_t number)
{
    return number < task->providers && (number + task->providers - task->first) % task->providers < task->count;
}

err chain_standby_task(const chain *c, uint8_t m, const cr_address *a, uint64_t *height, hash256 *randomness, uint64_t *last)
{
    chain_key key = chain_key_provider(m, a);
    const chain_row_provider *p = chain_row_get(c, CHAIN_TABLE_PROVIDER, &key);
    if (!p || !p->active)
        return ERR_NOT_FOUND;
    uint64_t head = c->head.height, window = window_of(c), first = head + 1 > window ? head + 1 - window : 1;
    if (first <= p->answered_height)
        first = p->answered_height + 1;
    for (uint64_t h = first; h <= head; h++) {
        const chain_row_standby *task = tasks_of(c, h);
        if (!task || !draws(task, p->number))
            continue;
        *height = h;
        *randomness = task->randomness;
        *last = h + window;
        return OK;
    }
    return ERR_NOT_FOUND;
}

static err check_answer(const exec *x, const chain_tx_standby_answer *p, const chain_row_provider *now, fault *f)
{
    const chain_row_standby *task = tasks_of(x->c, p->height);
    if (!task)
        return fail(f, ERR_NOT_FOUND, "standby_answer.height", p->height);
    /* Within the epoch of the draw, whatever the window has become since. */
    if (x->height - p->height > window_of(x->c) || epoch_of(x->c, x->height) != epoch_of(x->c, p->height))
        return fail(f, ERR_EXPIRED, "standby_answer.height", p->height);
    if (!draws(task, now->number))
        return fail(f, ERR_PERMISSION, "standby_answer.height", p->height);
    if (p->height <= now->answered_height)
        return fail(f, ERR_DUPLICATE, "standby_answer.height", p->height);
    hash256 expected = chain_standby_answer(&task->randomness, p->market, &x->sender);
    return hash256_equal(&expected, &p->answer) ? OK : fail(f, ERR_HASH, "standby_answer.answer", 0);
}

err chain_exec_standby_answer(exec *x, const chain_tx_standby_answer *p, fault *f)
{
    chain *c = x->c;
    chain_key key = chain_key_provider(p->market, &x->sender);
    const chain_row_provider *now = chain_row_get(c, CHAIN_TABLE_PROVIDER, &key);
    if (!now)
        return fail(f, ERR_NOT_FOUND, "standby_answer.market", p->market);
    if (!now->active)
        return fail(f, ERR_STATE, "provider.active", 0);
    TRY(check_answer(x, p, now, f));
    chain_row_provider *row = chain_provider_edit(c, p->market, &x->sender);
    row->answered_height = p->height;
    row->answered++;
    if (x->height - p->height > row->latency)
        row->latency = (uint32_t)(x->height - p->height); /* at most the window */
    chain_row_market *m = market_edit(c, p->market);
    if (chain_kyc_valid_at(c, &x->sender, x->height) && chain_units_fit(c, p->market, m->ready, row->capacity)) {
        row->ready += row->capacity;
        m->ready += row->capacity;
    }
    chain_event_add(c, CHAIN_EVENT_STANDBY_ANSWERED, x->tx_index)->data.standby_answered =
        (chain_event_standby_answered){ .provider = x->sender, .market = p->market, .height = p->height };
    return OK;
}
