/* SPDX-License-Identifier: Apache-2.0
 *
 * Government: proposals, votes, power, parameters and what became of them (spec/governance.md). */
#include "rpc/node_int.h"

#include "chain/gov/gov.h"

#include <stdlib.h>

static const char *const electorate_names[CHAIN_ELECTORATE_COUNT] = { "all", "storage", "compute", "energy", "ad", "builders" };

static const char *const kind_names[] = { [CHAIN_PROPOSAL_PARAMETERS] = "parameters",     [CHAIN_PROPOSAL_AMENDMENT] = "amendment",
                                          [CHAIN_PROPOSAL_DISBURSEMENT] = "disbursement", [CHAIN_PROPOSAL_MEMBERSHIP] = "membership",
                                          [CHAIN_PROPOSAL_EMERGENCY] = "emergency",       [CHAIN_PROPOSAL_ROLLBACK] = "rollback" };

static json_t *word_json(const char *const *words, size_t count, uint64_t value)
{
    return value < count && words[value] ? json_string_nocheck(words[value]) : json_null();
}

static uint64_t running_epoch(const chain *c)
{
    return chain_head(c)->height / chain_param_value(c, CHAIN_PARAM_EPOCH) + 1;
}

/* The block that ends the epoch before this one, plus `after`; null for none. */
static json_t *block_json(const chain *c, uint64_t epoch, uint64_t after)
{
    u128 height = (u128)(epoch - 1) * chain_param_value(c, CHAIN_PARAM_EPOCH) + after;
    return epoch && height <= UINT64_MAX ? rpc_json_u64((uint64_t)height) : json_null();
}

/* New; NULL if there is no memory. */
static json_t *finished(json_t *object, bool good)
{
    if (good)
        return object;
    json_decref(object);
    return NULL;
}

/* --- proposals ---------------------------------------------------------------------------------------------------------- */

static json_t *proposal_json(const rpc_node *n, uint64_t number, const chain_row_proposal *p)
{
    json_t *out = rpc_row_json(CHAIN_TABLE_PROPOSAL, p, n->prefix);
    return finished(out, out && rpc_put(out, "number", rpc_json_u64(number)) &&
                             rpc_put(out, "kind", word_json(kind_names, COUNT_OF(kind_names), p->kind)) &&
                             rpc_put(out, "class", word_json(chain_class_names, CHAIN_CLASS_CONSTITUTIONAL + 1, p->class)) &&
                             rpc_put(out, "house", json_string_nocheck(p->house == CHAIN_HOUSE_BUILDERS ? "builders" : "operators")) &&
                             rpc_put(out, "electorate", word_json(electorate_names, COUNT_OF(electorate_names), p->electorate)));
}

err rpc_gov_list(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    rpc_node *n = ctx;
    const rpc_args_gov_list *a = args;
    size_t cursor, limit = a->limit ? a->limit : RPC_PAGE_DEFAULT, seen = 0;
    bool known = !a->given_status;
    for (unsigned s = CHAIN_PROPOSAL_OPEN; s <= CHAIN_PROPOSAL_EXPIRED; s++)
        known |= strcmp(a->status.s, rpc_proposal_status_name(s)) == 0;
    if (!known)
        return fail(f, ERR_RANGE, "status", 0);
    TRY(rpc_cursor_read(&cursor, &a->cursor, a->given_cursor, f));
    json_t *list = json_array();
    bool good = list != NULL;
    const chain *c = eng_solo_read_begin(n->engine);
    uint64_t at = chain_governance(c)->proposals;
    if (a->given_cursor && cursor < at)
        at = cursor;
    for (; good && at && json_array_size(list) < limit && seen < RPC_SCAN_ROWS; at--, seen++) {
        const chain_row_proposal *p = chain_proposal(c, at);
        if (!a->given_status || strcmp(a->status.s, rpc_proposal_status_name(p->status)) == 0)
            good = json_array_append_new(list, proposal_json(n, at, p)) == 0;
    }
    uint64_t epoch = running_epoch(c);
    eng_solo_read_end(n->engine);
    if (!good)
        return rpc_no_memory(list, f);
    *result = json_pack("{s:o, s:o, s:o}", "proposals", list, "next", rpc_cursor_json((size_t)at, at > 0), "epoch", rpc_json_u64(epoch));
    return *result ? OK : rpc_no_memory(NULL, f);
}

static json_t *changes_json(const chain *c, uint64_t number, const chain_row_proposal *p)
{
    json_t *list = json_array();
    bool good = list != NULL;
    for (uint8_t i = 0; good && i < p->changes; i++) {
        const chain_row_change *change = chain_proposal_change(c, number, i);
        chain_param param = chain_param_by_number(change->param);
        good = json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o, s:o}", "key", chain_param_rows[param].key, "unit",
                                                     chain_param_rows[param].unit, "value", rpc_json_u64(change->value), "before",
                                                     p->activate_epoch ? rpc_json_u64(change->before) : json_null(), "in_force",
                                                     rpc_json_u64(chain_param_value(c, param)))) == 0;
    }
    return finished(list, good);
}

static json_t *membership_json(const rpc_node *n, const chain *c, uint64_t number)
{
    static const char *const actions[] = { NULL, "admit issuer", "remove issuer", "admit authority", "remove authority", "end badge" };
    chain_key key = chain_key_proposal(number);
    const chain_row_membership *row = chain_row(c, CHAIN_TABLE_MEMBERSHIP, &key);
    if (!row)
        return json_null();
    json_t *out = rpc_row_json(CHAIN_TABLE_MEMBERSHIP, row, n->prefix);
    return finished(out, out && rpc_put(out, "action", word_json(actions, COUNT_OF(actions), row->action)));
}

/* part / whole in ppm, down; null without a whole. */
static json_t *share_json(uint64_t part, uint64_t whole)
{
    uint64_t ppm;
    return whole && mul_div_u64(&ppm, part, 1000000, whole, ROUND_DOWN) == OK ? rpc_json_u64(ppm) : json_null();
}

static json_t *house_json(uint64_t eligible, uint64_t cast, uint64_t yes, uint64_t no, uint32_t quorum_ppm)
{
    uint64_t needed;
    if (mul_div_u64(&needed, eligible, quorum_ppm, 1000000, ROUND_UP) != OK)
        needed = eligible;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "eligible", rpc_json_u64(eligible), "cast", rpc_json_u64(cast), "yes",
                     rpc_json_u64(yes), "no", rpc_json_u64(no), "quorum_ppm", rpc_json_u64(quorum_ppm), "quorum_power", rpc_json_u64(needed),
                     "turnout_ppm", share_json(cast, eligible), "yes_ppm", yes <= UINT64_MAX - no ? share_json(yes, yes + no) : json_null());
}

static json_t *course_json(const rpc_node *n, const chain *c, uint64_t number, const chain_row_proposal *p)
{
    json_t *out = proposal_json(n, number, p);
    const char *obstacle = chain_proposal_obstacle(c, number);
    json_t *houses = json_pack("{s:o, s:o}", "operators",
                               house_json(p->eligible_operators, p->cast_operators, p->yes_operators, p->no_operators, p->quorum_operators_ppm),
                               "builders",
                               house_json(p->eligible_builders, p->cast_builders, p->yes_builders, p->no_builders, p->quorum_builders_ppm));
    return finished(out, rpc_put(out, "houses", houses) && rpc_put(out, "changed", changes_json(c, number, p)) &&
                             rpc_put(out, "membership", membership_json(n, c, number)) &&
                             rpc_put(out, "obstacle", obstacle ? json_string_nocheck(obstacle) : json_null()) &&
                             rpc_put(out, "epoch", rpc_json_u64(running_epoch(c))) && rpc_put(out, "height", rpc_json_u64(chain_head(c)->height)) &&
                             rpc_put(out, "vote_first_height", block_json(c, p->vote_start, 1)) &&
                             rpc_put(out, "vote_last_height", block_json(c, p->vote_end, 0)) &&
                             rpc_put(out, "activate_height", block_json(c, p->activate_epoch, 1)) &&
                             rpc_put(out, "expire_height", block_json(c, p->expire_epoch, 1)));
}

err rpc_gov_get(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    rpc_node *n = ctx;
    const rpc_args_gov_get *a = args;
    const chain *c = eng_solo_read_begin(n->engine);
    const chain_row_proposal *p = chain_proposal(c, a->proposal);
    bool found = p != NULL;
    json_t *out = p ? course_json(n, c, a->proposal, p) : NULL;
    eng_solo_read_end(n->engine);
    if (!found)
        return fail(f, ERR_NOT_FOUND, "proposal", a->proposal);
    if (!out)
        return rpc_no_memory(NULL, f);
    chain_key key = chain_key_proposal(a->proposal);
    *result = out;
    return rpc_put_proof(n, out, a->proof, CHAIN_TABLE_PROPOSAL, chain_key_bytes(&key), f);
}

/* --- power -------------------------------------------------------------------------------------------------------------- */

/* Delegates are accounts; their row keeps the hash alone. */
static json_t *delegate_json(const rpc_node *n, const hash256 *to)
{
    static const hash256 nobody;
    cr_address a = { .kind = CR_ADDRESS_ACCOUNT };
    memcpy(a.hash, to->b, sizeof a.hash);
    return hash256_equal(to, &nobody) ? json_null() : rpc_json_address(n->prefix, &a);
}

static json_t *houses_json(const chain *c)
{
    json_t *out = json_object();
    bool good = out != NULL;
    for (unsigned e = 0; good && e < CHAIN_ELECTORATE_COUNT; e++)
        good = rpc_put(out, electorate_names[e], rpc_json_u64(chain_house(c, (chain_electorate)e)->power));
    return finished(out, good);
}

err rpc_gov_power(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    static const chain_row_voter nothing;
    rpc_node *n = ctx;
    const rpc_args_gov_power *a = args;
    const chain *c = eng_solo_read_begin(n->engine);
    const chain_row_voter *row = chain_voter(c, &a->address), *v = row ? row : &nothing;
    json_t *out = rpc_row_json(CHAIN_TABLE_VOTER, v, n->prefix);
    bool good = out && rpc_put(out, "address", rpc_json_address(n->prefix, &a->address)) && rpc_put(out, "exists", json_boolean(row)) &&
                rpc_put(out, "delegate_operators", delegate_json(n, &v->delegate_operators)) &&
                rpc_put(out, "delegate_builders", delegate_json(n, &v->delegate_builders)) &&
                rpc_put(out, "kyc_valid", json_boolean(chain_kyc_valid(c, &a->address))) &&
                rpc_put(out, "houses", houses_json(c)) && rpc_put(out, "current_epoch", rpc_json_u64(running_epoch(c))) &&
                rpc_put(out, "height", rpc_json_u64(chain_head(c)->height));
    eng_solo_read_end(n->engine);
    if (!good)
        return rpc_no_memory(out, f);
    chain_key key = chain_key_address(&a->address);
    *result = out;
    return rpc_put_proof(n, out, a->proof, CHAIN_TABLE_VOTER, chain_key_bytes(&key), f);
}

/* --- parameters --------------------------------------------------------------------------------------------------------- */

static json_t *param_json(const chain *c, chain_param p)
{
    static const char *const tightens[] = { [CHAIN_TIGHTENS_UP] = "up", [CHAIN_TIGHTENS_DOWN] = "down" };
    const chain_param_row *about = &chain_param_rows[p];
    chain_key key = chain_key_param(p);
    const chain_row_param *row = chain_row(c, CHAIN_TABLE_PARAM, &key);
    chain_bound bound = chain_param_bound(c, p);
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:b, s:o, s:o, s:o, s:o}", "key", about->key, "unit", about->unit, "value",
                     rpc_json_u64(row->value), "previous", rpc_json_u64(row->previous), "min", rpc_json_u64(bound.min), "max",
                     rpc_json_u64(bound.max), "class", chain_class_names[about->class], "votable", about->changer == CHAIN_CHANGER_BOTH_HOUSES,
                     "electorate", word_json(electorate_names, COUNT_OF(electorate_names), chain_param_electorate(p)), "tightens",
                     word_json(tightens, COUNT_OF(tightens), chain_param_tightens(p)), "changed_epoch", rpc_json_u64(row->changed_epoch),
                     "proposal", rpc_json_u64(row->proposal));
}

err rpc_gov_params(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call, (void)args;
    rpc_node *n = ctx;
    json_t *list = json_array();
    bool good = list != NULL;
    const chain *c = eng_solo_read_begin(n->engine);
    for (unsigned p = 0; good && p < CHAIN_PARAM_COUNT; p++)
        good = json_array_append_new(list, param_json(c, (chain_param)p)) == 0;
    eng_solo_read_end(n->engine);
    if (!good)
        return rpc_no_memory(list, f);
    *result = json_pack("{s:o}", "params", list);
    return *result ? OK : rpc_no_memory(NULL, f);
}

/* --- history ------------------------------------------------------------------------------------------------------------ */

static bool is_government(chain_event_type type)
{
    switch (type) {
    case CHAIN_EVENT_STAKE_CHANGED: case CHAIN_EVENT_DELEGATED: case CHAIN_EVENT_PROPOSED: case CHAIN_EVENT_VOTED:
    case CHAIN_EVENT_VOTE_EXTENDED: case CHAIN_EVENT_PROPOSAL_MOVED: case CHAIN_EVENT_PROPOSAL_REFUSED: case CHAIN_EVENT_STAKE_RELEASED:
    case CHAIN_EVENT_PARAM_CHANGED: case CHAIN_EVENT_POSITION_DISCLOSED:
        return true;
    default:
        return false;
    }
}

err rpc_gov_log(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    rpc_node *n = ctx;
    const rpc_args_gov_log *a = args;
    size_t count = 0;
    uint64_t next = 0;
    bool lost = false;
    eng_event *events = malloc(LIMIT_RPC_PAGE * sizeof *events);
    json_t *list = json_array();
    bool good = events && list;
    eng_solo_status status;
    eng_solo_status_get(n->engine, &status);
    bool foreign = a->since > status.events_next; /* of a longer history than this one: go on with the oldest there is */
    if (good)
        eng_solo_events(n->engine, events, &count, &next, &lost, foreign ? 0 : a->since, LIMIT_RPC_PAGE);
    for (size_t i = 0; good && i < count; i++)
        good = !is_government(events[i].type) || json_array_append_new(list, rpc_event_json(n, &events[i])) == 0;
    free(events);
    if (!good)
        return rpc_no_memory(list, f);
    *result = json_pack("{s:o, s:o, s:b, s:b}", "events", list, "next", rpc_json_u64(next), "more", count == LIMIT_RPC_PAGE, "lost", foreign || lost);
    return *result ? OK : rpc_no_memory(NULL, f);
}
