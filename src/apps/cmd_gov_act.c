/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb gov`, the commands that sign: stakes, delegation, proposals, votes. */
#include "apps/actor.h"

#include "chain/gov/gov.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- houses --------------------------------------------------------------------------------------------------------------- */

/* --house; without it the house that the key has power in, the operators' first. ERR_PERMISSION if it has none. */
static err house_of(tb_actor *a, uint8_t *house, fault *f)
{
    const char *named = tb_text(a->cli, "house");
    char text[CR_ADDRESS_TEXT_MAX];
    json_t *power;
    *house = strcmp(named, "operators") == 0 ? CHAIN_HOUSE_OPERATORS : strcmp(named, "builders") == 0 ? CHAIN_HOUSE_BUILDERS : 0;
    if (*named)
        return *house ? OK : fail(f, ERR_USAGE, "--house: operators or builders", 0);
    cr_address_encode(text, a->ledger.prefix, &a->key.address);
    TRY(tb_ledger_call(&a->ledger, "gov.power", json_pack("{s:s}", "address", text), 0, &power, f));
    if (tb_view_u64(power, "power_operators"))
        *house = CHAIN_HOUSE_OPERATORS;
    else if (tb_view_u64(power, "power_builders"))
        *house = CHAIN_HOUSE_BUILDERS;
    json_decref(power);
    return *house ? OK : fail(f, ERR_PERMISSION, "the key has power in no house", 0);
}

/* --- stakes and delegation ------------------------------------------------------------------------------------------------ */

static int change_stake(const tb_cli *cli, bool add)
{
    tb_actor a = { .cli = cli };
    fault f = { 0 };
    uint64_t amount;
    chain_tx tx = { .type = add ? CHAIN_TX_STAKE_ADD : CHAIN_TX_STAKE_REMOVE };
    err e = tb_amount_parse(&amount, cli->args[0], &f);
    if (e == OK)
        e = tb_actor_open(&a, cli, &f);
    if (e == OK && add)
        tx.payload.stake_add.amount = amount;
    else if (e == OK)
        tx.payload.stake_remove.amount = amount;
    return tb_actor_send(&a, e, &tx, &f, add ? "tb-gov-stake-1" : "tb-gov-unstake-1");
}

int cmd_gov_stake(const tb_cli *cli)
{
    return change_stake(cli, true);
}

int cmd_gov_unstake(const tb_cli *cli)
{
    return change_stake(cli, false);
}

int cmd_gov_withdraw(const tb_cli *cli)
{
    tb_actor a = { .cli = cli };
    fault f = { 0 };
    chain_tx tx = { .type = CHAIN_TX_STAKE_WITHDRAW };
    return tb_actor_send(&a, tb_actor_open(&a, cli, &f), &tx, &f, "tb-gov-withdraw-1");
}

int cmd_gov_delegate(const tb_cli *cli)
{
    tb_actor a = { .cli = cli };
    fault f = { 0 };
    chain_tx tx = { .type = CHAIN_TX_DELEGATE };
    err e = tb_actor_open(&a, cli, &f);
    if (e == OK)
        e = house_of(&a, &tx.payload.delegate.house, &f);
    if (e == OK)
        e = tb_actor_address(&a, &tx.payload.delegate.to, cli->args[0], &f);
    return tb_actor_send(&a, e, &tx, &f, "tb-gov-delegate-1");
}

int cmd_gov_undelegate(const tb_cli *cli)
{
    tb_actor a = { .cli = cli };
    fault f = { 0 };
    chain_tx tx = { .type = CHAIN_TX_UNDELEGATE };
    err e = tb_actor_open(&a, cli, &f);
    if (e == OK)
        e = house_of(&a, &tx.payload.undelegate.house, &f);
    return tb_actor_send(&a, e, &tx, &f, "tb-gov-undelegate-1");
}

/* --- votes ---------------------------------------------------------------------------------------------------------------- */

static err read_choice(uint8_t *choice, const char *word, fault *f)
{
    static const char *const words[] = { [CHAIN_VOTE_YES] = "yes", [CHAIN_VOTE_NO] = "no", [CHAIN_VOTE_ABSTAIN] = "abstain" };
    for (*choice = CHAIN_VOTE_YES; *choice <= CHAIN_VOTE_ABSTAIN; ++*choice)
        if (strcmp(words[*choice], word) == 0)
            return OK;
    return fail(f, ERR_USAGE, "yes, no or abstain", 0);
}

int cmd_gov_vote(const tb_cli *cli)
{
    tb_actor a = { .cli = cli };
    fault f = { 0 };
    chain_tx tx = { .type = CHAIN_TX_VOTE };
    err e = tb_number_parse(&tx.payload.vote.proposal, cli->args[0], "N: number of a proposal", &f);
    if (e == OK)
        e = read_choice(&tx.payload.vote.choice, cli->args[1], &f);
    if (e == OK)
        e = tb_actor_open(&a, cli, &f);
    return tb_actor_send(&a, e, &tx, &f, "tb-gov-vote-1");
}

int cmd_gov_vote_for(const tb_cli *cli)
{
    tb_actor a = { .cli = cli };
    fault f = { 0 };
    chain_tx tx = { .type = CHAIN_TX_VOTE_FOR };
    err e = tb_number_parse(&tx.payload.vote_for.proposal, cli->args[0], "N: number of a proposal", &f);
    if (e == OK)
        e = tb_actor_open(&a, cli, &f);
    if (e == OK)
        e = house_of(&a, &tx.payload.vote_for.house, &f);
    if (e == OK)
        e = tb_actor_address(&a, &tx.payload.vote_for.voter, cli->args[1], &f);
    return tb_actor_send(&a, e, &tx, &f, "tb-gov-vote-for-1");
}

/* --- proposals ------------------------------------------------------------------------------------------------------------ */

typedef struct filing {
    tb_actor           actor;
    size_t             count;
    chain_param_change change[LIMIT_PROPOSAL_CHANGES_N];
    const char        *subject; /* what an error is about; NULL: the transaction */
    char               why[160];
    uint8_t            items[256];
    char               question[96];
} filing;

/* ERR_RANGE, ... with a text of its own. */
__attribute__((format(printf, 4, 5))) static err refuse(filing *p, fault *f, err code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->why, sizeof p->why, format, args);
    va_end(args);
    return fail(f, code, p->why, 0);
}

static err add_change(filing *p, const char *word, fault *f)
{
    char key[64];
    size_t len = strcspn(word, "=");
    uint64_t value;
    p->subject = word;
    if (!word[len] || len >= sizeof key)
        return fail(f, ERR_USAGE, "KEY=VALUE", len);
    memcpy(key, word, len);
    key[len] = 0;
    chain_param param = chain_param_by_key(key);
    if (param == CHAIN_PARAM_COUNT)
        return refuse(p, f, ERR_USAGE, "no parameter is called %s", key);
    TRY(tb_number_parse(&value, word + len + 1, "VALUE: a whole number in the parameter's unit", f));
    if (p->count == LIMIT_PROPOSAL_CHANGES)
        return fail(f, ERR_USAGE, "more changes than one proposal may have", p->count);
    size_t at = p->count; /* ascending by number */
    for (; at && chain_param_rows[p->change[at - 1].param].number >= chain_param_rows[param].number; at--) {
        if (p->change[at - 1].param == param)
            return fail(f, ERR_DUPLICATE, chain_param_rows[param].key, 0);
        p->change[at] = p->change[at - 1];
    }
    p->change[at] = (chain_param_change){ param, value };
    p->count++;
    return OK;
}

/* The bounds that this network gives the parameter. */
static err check_bound(filing *p, const chain_param_change *change, const json_t *params, fault *f)
{
    size_t i;
    json_t *one;
    const chain_param_row *row = &chain_param_rows[change->param];
    json_array_foreach(params, i, one) {
        uint64_t min, max;
        if (strcmp(tb_view_text(one, "key"), row->key) != 0)
            continue;
        TRY(tb_json_u64(&min, one, "min", f));
        TRY(tb_json_u64(&max, one, "max", f));
        if (change->value < min || change->value > max)
            return refuse(p, f, ERR_RANGE, "%s: from %" PRIu64 " to %" PRIu64 " %s", row->key, min, max, row->unit);
    }
    return OK;
}

/* What the ledger would refuse, told before anything is signed, and with the bound. */
static err check_changes(filing *p, chain_proposal_kind *kind, fault *f)
{
    json_t *answer;
    const bool emergency = tb_flag(p->actor.cli, "emergency");
    chain_params then = p->actor.ledger.params;
    *kind = emergency ? CHAIN_PROPOSAL_EMERGENCY : CHAIN_PROPOSAL_PARAMETERS;
    TRY(tb_ledger_call(&p->actor.ledger, "gov.params", json_object(), 0, &answer, f));
    err e = OK;
    for (size_t i = 0; e == OK && i < p->count; i++) {
        const chain_param_row *row = &chain_param_rows[p->change[i].param];
        uint64_t now = then.v[p->change[i].param];
        chain_tightens way = chain_param_tightens(p->change[i].param);
        p->subject = row->key;
        if (row->changer != CHAIN_CHANGER_BOTH_HOUSES)
            e = fail(f, ERR_PERMISSION, "no vote changes it", 0);
        else if (p->change[i].value == now)
            e = refuse(p, f, ERR_EXISTS, "it is %" PRIu64 " already", now);
        else if (emergency && way != (p->change[i].value > now ? CHAIN_TIGHTENS_UP : CHAIN_TIGHTENS_DOWN))
            e = fail(f, ERR_PERMISSION, "an emergency only tightens", 0);
        else if (chain_param_electorate(p->change[i].param) != chain_param_electorate(p->change[0].param))
            e = refuse(p, f, ERR_RANGE, "other operators decide on it than on %s", chain_param_rows[p->change[0].param].key);
        else
            e = check_bound(p, &p->change[i], json_object_get(answer, "params"), f);
        then.v[p->change[i].param] = p->change[i].value;
        if (row->class == CHAIN_CLASS_CONSTITUTIONAL && !emergency)
            *kind = CHAIN_PROPOSAL_AMENDMENT;
    }
    json_decref(answer);
    return e == OK ? chain_params_check(&then, f) : e;
}

/* --document, --stake, and consent to what a rejection may cost. */
static err finish_filing(filing *p, uint64_t *stake, hash256 *document, const char *what, fault *f)
{
    const tb_cli *cli = p->actor.cli;
    const char *hex = tb_text(cli, "document"), *amount = tb_text(cli, "stake");
    char text[TB_AMOUNT_TEXT];
    *stake = p->actor.ledger.params.v[CHAIN_PARAM_GOV_PROPOSAL_STAKE];
    if (*amount)
        TRY(tb_amount_parse(stake, amount, f));
    if (*hex && base_hex_decode(document->b, sizeof document->b, hex) != OK)
        return fail(f, ERR_USAGE, "--document: 64 hex digits", 0);
    tb_amount_format(text, *stake);
    snprintf(p->question, sizeof p->question, "propose %s, with a stake of %s BLOCK", what, text);
    return tb_actor_consent(&p->actor, p->question, f);
}

static int send_filing(filing *p, err e, chain_tx *tx, fault *f)
{
    if (e != OK && p->subject) {
        tb_actor_close(&p->actor);
        return tb_report(p->actor.cli, e, p->subject, f);
    }
    int code = tb_actor_send(&p->actor, e, tx, f, "tb-gov-propose-1");
    if (code == 0 && !p->actor.cli->json)
        fputs("what becomes of it: tb gov list\n", stderr);
    return code;
}

static err read_proposal(filing *p, chain_tx_proposal_submit *t, fault *f)
{
    static const char *const kinds[] = { [CHAIN_PROPOSAL_PARAMETERS] = "changes of parameters", [CHAIN_PROPOSAL_AMENDMENT] = "an amendment",
                                         [CHAIN_PROPOSAL_DISBURSEMENT] = "a disbursement", [CHAIN_PROPOSAL_EMERGENCY] = "an emergency" };
    const tb_cli *cli = p->actor.cli;
    chain_proposal_kind kind = CHAIN_PROPOSAL_DISBURSEMENT;
    for (size_t i = 0; i < cli->n_args; i++)
        TRY(add_change(p, cli->args[i], f));
    p->subject = NULL;
    if (tb_given(cli, "disbursement") == (p->count > 0))
        return fail(f, ERR_USAGE, "KEY=VALUE..., or --disbursement", 0);
    TRY(tb_actor_open(&p->actor, cli, f));
    if (p->count)
        TRY(check_changes(p, &kind, f));
    else
        t->target = tb_uint(cli, "disbursement");
    p->subject = NULL;
    t->kind = (uint8_t)kind;
    TRY(house_of(&p->actor, &t->house, f));
    TRY(chain_changes_encode(&t->changes, p->items, sizeof p->items, p->change, p->count));
    return finish_filing(p, &t->stake, &t->document, kinds[kind], f);
}

int cmd_gov_propose(const tb_cli *cli)
{
    filing p = { .actor = { .cli = cli } };
    fault f = { 0 };
    chain_tx tx = { .type = CHAIN_TX_PROPOSAL_SUBMIT };
    err e = read_proposal(&p, &tx.payload.proposal_submit, &f);
    return send_filing(&p, e, &tx, &f);
}

int cmd_gov_rollback(const tb_cli *cli)
{
    filing p = { .actor = { .cli = cli } };
    fault f = { 0 };
    chain_tx tx = { .type = CHAIN_TX_PROPOSAL_SUBMIT };
    chain_tx_proposal_submit *t = &tx.payload.proposal_submit;
    t->kind = CHAIN_PROPOSAL_ROLLBACK;
    err e = tb_number_parse(&t->target, cli->args[0], "N: number of a proposal", &f);
    if (e == OK)
        e = tb_actor_open(&p.actor, cli, &f);
    if (e == OK)
        e = house_of(&p.actor, &t->house, &f);
    if (e == OK)
        e = chain_changes_encode(&t->changes, p.items, sizeof p.items, NULL, 0);
    if (e == OK)
        e = finish_filing(&p, &t->stake, &t->document, "a rollback", &f);
    return send_filing(&p, e, &tx, &f);
}

/* --- members -------------------------------------------------------------------------------------------------------------- */

int cmd_gov_member(const tb_cli *cli)
{
    static const char *const actions[] = { [CHAIN_MEMBERSHIP_ISSUER_ADMIT] = "admit-issuer",       [CHAIN_MEMBERSHIP_ISSUER_REMOVE] = "remove-issuer",
                                           [CHAIN_MEMBERSHIP_AUTHORITY_ADMIT] = "admit-authority", [CHAIN_MEMBERSHIP_AUTHORITY_REMOVE] = "remove-authority",
                                           [CHAIN_MEMBERSHIP_BADGE_END] = "end-badge" };
    filing p = { .actor = { .cli = cli } };
    fault f = { 0 };
    chain_tx tx = { .type = CHAIN_TX_MEMBERSHIP_PROPOSE };
    chain_tx_membership_propose *t = &tx.payload.membership_propose;
    uint64_t role = tb_uint(cli, "role"), scope = tb_uint(cli, "scope");
    for (size_t i = 1; i < COUNT_OF(actions); i++)
        if (strcmp(actions[i], cli->args[0]) == 0)
            t->action = (uint8_t)i;
    err e = !t->action ? fail(&f, ERR_USAGE, "ACTION: admit-issuer, remove-issuer, admit-authority, remove-authority or end-badge", 0)
            : role > 4 || scope > UINT32_MAX ? fail(&f, ERR_USAGE, "--role or --scope", role) : OK;
    t->role = (uint8_t)role;
    t->scope = (uint32_t)scope;
    if (e == OK)
        e = tb_actor_open(&p.actor, cli, &f);
    if (e == OK)
        e = house_of(&p.actor, &t->house, &f);
    if (e == OK)
        e = tb_actor_address(&p.actor, &t->subject, cli->args[1], &f);
    if (e == OK)
        e = finish_filing(&p, &t->stake, &t->document, cli->args[0], &f);
    return send_filing(&p, e, &tx, &f);
}
