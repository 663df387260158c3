/* SPDX-License-Identifier: Apache-2.0
 * Votes: the power that counts, whose cap it counts towards, and the tallies. */
#include "chain/gov/gov_int.h"
#include "chain/ident/ident.h"
#include "crypto/sha256.h"
#include "econ/voting.h"

chain_key chain_key_vote(uint64_t number, uint8_t round, chain_house_id house, const cr_address *a)
{
    chain_key k = { .len = 43 };
    store_be64(k.b, number);
    k.b[8] = round;
    k.b[9] = (uint8_t)house;
    chain_address_pack(k.b + 10, a);
    return k;
}

chain_key chain_key_person_vote(uint64_t number, uint8_t round, chain_house_id house, const hash256 *person)
{
    chain_key k = { .len = 42 };
    store_be64(k.b, number);
    k.b[8] = round;
    k.b[9] = (uint8_t)house;
    memcpy(k.b + 10, person->b, 32);
    return k;
}

const chain_row_vote *chain_vote(const chain *c, uint64_t number, uint8_t round, chain_house_id house, const cr_address *a)
{
    chain_key key = chain_key_vote(number, round, house, a);
    return chain_row_get(c, CHAIN_TABLE_VOTE, &key);
}

/* Accounts that one issuer attested with one commitment are one person; an account without valid KYC is one by itself. */
static hash256 person_of(const chain *c, const cr_address *a, uint64_t height)
{
    static const char known[] = "theblock/person/v1", unknown[] = "theblock/stranger/v1";
    uint8_t packed[33];
    if (!chain_kyc_valid_at(c, a, height)) {
        chain_address_pack(packed, a);
        return cr_sha256_concat((const bytes[]){ bytes_of_str(unknown), BYTES_OF(packed) }, 2);
    }
    const chain_row_identity *id = chain_identity(c, a);
    chain_address_pack(packed, &id->issuer);
    return cr_sha256_concat((const bytes[]){ bytes_of_str(known), BYTES_OF(packed), BYTES_OF(id->commitment) }, 3);
}

/* --- tallies --- */

typedef struct tally {
    uint64_t *cast, *yes, *no;
} tally;

static tally tally_of(chain_row_proposal *p, chain_house_id house)
{
    if (house == CHAIN_HOUSE_OPERATORS)
        return (tally){ &p->cast_operators, &p->yes_operators, &p->no_operators };
    return (tally){ &p->cast_builders, &p->yes_builders, &p->no_builders };
}

static uint64_t *side_of(tally t, uint8_t choice)
{
    return choice == CHAIN_VOTE_YES ? t.yes : choice == CHAIN_VOTE_NO ? t.no : NULL;
}

static bool enough(uint64_t cast, uint64_t eligible, uint32_t quorum_ppm)
{
    return cast > 0 && (u128)cast * PPM >= (u128)eligible * quorum_ppm;
}

bool chain_gov_quorum_reached(const chain_row_proposal *p)
{
    return enough(p->cast_operators, p->eligible_operators, p->quorum_operators_ppm) &&
           enough(p->cast_builders, p->eligible_builders, p->quorum_builders_ppm);
}

/* --- counting one vote in one house --- */

typedef struct ballot {
    uint64_t       number;
    chain_house_id house;
    cr_address     voter;
    uint8_t        choice;
    bool           direct;
} ballot;

static err person_change(chain *c, const chain_key *key, uint64_t less, uint64_t more)
{
    chain_row_person_vote *row = chain_row_edit_or_create(c, CHAIN_TABLE_PERSON_VOTE, key);
    TRY(checked_sub_u64(&row->power, row->power, less));
    return checked_add_u64(&row->power, row->power, more);
}

/* Takes an earlier vote of the account back out of tallies and cap. */
static err uncount(chain *c, chain_row_proposal *p, const ballot *b, const chain_row_vote *old)
{
    tally t = tally_of(p, b->house);
    uint64_t *side = side_of(t, old->choice);
    chain_key person = chain_key_person_vote(b->number, p->round, b->house, &old->person);
    TRY(checked_sub_u64(t.cast, *t.cast, old->power));
    if (side)
        TRY(checked_sub_u64(side, *side, old->weight));
    return person_change(c, &person, old->power, 0);
}

/* An account with valid KYC, of the home region if there is one. */
static bool is_citizen(const chain *c, const cr_address *a, uint64_t height)
{
    uint64_t home = param(c, CHAIN_PARAM_GOV_HOME_REGION);
    return chain_kyc_valid_at(c, a, height) && (home == 0 || chain_identity(c, a)->jurisdiction == home);
}

/* What the account may vote with: what it had at the snapshot, but no more than it has now. */
static uint64_t raw_power(const chain *c, const chain_row_proposal *p, const ballot *b)
{
    chain_electorate e = gov_electorate(p, b->house);
    uint64_t then = chain_gov_powers_at(c, &b->voter, p->snapshot_epoch).v[e], now = chain_gov_powers_of(chain_voter(c, &b->voter)).v[e];
    return then < now ? then : now;
}

/* Power and cap are weighed alike: several accounts do not help who is no citizen. */
static err power_and_cap(const exec *x, const chain_row_proposal *p, const ballot *b, uint64_t *raw, uint64_t *cap)
{
    const chain *c = x->c;
    *raw = raw_power(c, p, b);
    *cap = param(c, CHAIN_PARAM_GOV_IDENTITY_CAP);
    if (is_citizen(c, &b->voter, x->height))
        return OK;
    uint64_t weight = param(c, CHAIN_PARAM_GOV_FOREIGN_WEIGHT);
    TRY(mul_div_u64(raw, *raw, weight, PPM, ROUND_DOWN));
    return mul_div_u64(cap, *cap, weight, PPM, ROUND_DOWN);
}

/* An emergency's vote is too short for a part of it to be late. */
static uint64_t late_epochs(const chain *c, const chain_row_proposal *p)
{
    return p->kind == CHAIN_PROPOSAL_EMERGENCY ? 0 : param(c, CHAIN_PARAM_GOV_LATE_WINDOW);
}

static err weigh(const chain *c, const chain_row_proposal *p, uint64_t power, uint64_t epoch, uint64_t *weight)
{
    econ_vote_params rules = { .early_bonus_bps = (uint32_t)param(c, CHAIN_PARAM_GOV_EARLY_BONUS), .late_epochs = late_epochs(c, p),
                               .late_ppm = (uint32_t)param(c, CHAIN_PARAM_GOV_LATE_WEIGHT) };
    return econ_vote_weight(weight, power, epoch, p->vote_end, &rules, NULL);
}

/* *counted: whether the account has any power there. */
static err count_vote(exec *x, chain_row_proposal *p, const ballot *b, bool *counted)
{
    chain *c = x->c;
    uint64_t raw, cap, weight;
    TRY(power_and_cap(x, p, b, &raw, &cap));
    *counted = raw > 0;
    if (!raw)
        return OK;
    const chain_row_vote *old = chain_vote(c, b->number, p->round, b->house, &b->voter);
    if (old)
        TRY(uncount(c, p, b, old));
    hash256 person = person_of(c, &b->voter, x->height);
    chain_key person_key = chain_key_person_vote(b->number, p->round, b->house, &person);
    const chain_row_person_vote *used = chain_row_get(c, CHAIN_TABLE_PERSON_VOTE, &person_key);
    uint64_t spent = used ? used->power : 0, room = cap > spent ? cap - spent : 0, power = raw < room ? raw : room;
    TRY(weigh(c, p, power, epoch_of(c, x->height), &weight));
    TRY(person_change(c, &person_key, 0, power));
    tally t = tally_of(p, b->house);
    uint64_t *side = side_of(t, b->choice);
    TRY(checked_add_u64(t.cast, *t.cast, power));
    if (side)
        TRY(checked_add_u64(side, *side, weight));
    chain_key key = chain_key_vote(b->number, p->round, b->house, &b->voter);
    *(chain_row_vote *)chain_row_edit_or_create(c, CHAIN_TABLE_VOTE, &key) =
        (chain_row_vote){ .choice = b->choice, .direct = b->direct, .power = power, .weight = weight, .person = person };
    chain_event_add(c, CHAIN_EVENT_VOTED, x->tx_index)->data.voted =
        (chain_event_voted){ .proposal = b->number, .voter = b->voter, .house = (uint8_t)b->house, .choice = b->choice, .power = power,
                             .weight = weight };
    return OK;
}

/* Stake stays until the vote is over, however long it may still become. */
static void lock_stake(chain *c, const cr_address *a, uint64_t until)
{
    if (chain_voter(c, a)->lock_epoch >= until)
        return;
    chain_key key = chain_key_address(a);
    ((chain_row_voter *)chain_row_edit(c, CHAIN_TABLE_VOTER, &key))->lock_epoch = until;
}

/* A quorum that only late votes made gives the others time to answer. */
static void extend(exec *x, chain_row_proposal *p, uint64_t number, bool reached_before, uint64_t epoch)
{
    uint64_t longer = param(x->c, CHAIN_PARAM_GOV_EXTENSION);
    if (p->extended || reached_before || longer == 0 || p->vote_end - epoch > late_epochs(x->c, p) || !chain_gov_quorum_reached(p))
        return;
    p->extended = 1;
    p->vote_end += longer;
    chain_event_add(x->c, CHAIN_EVENT_VOTE_EXTENDED, x->tx_index)->data.vote_extended =
        (chain_event_vote_extended){ .proposal = number, .vote_end = p->vote_end };
}

static err find_open(const exec *x, uint64_t number, const char *what, const chain_row_proposal **out, fault *f)
{
    const chain_row_proposal *p = *out = chain_proposal(x->c, number);
    uint64_t epoch = epoch_of(x->c, x->height);
    if (!p)
        return fail(f, ERR_NOT_FOUND, what, number);
    if (p->status != CHAIN_PROPOSAL_OPEN)
        return fail(f, ERR_STATE, what, p->status);
    return epoch < p->vote_start ? fail(f, ERR_BUSY, "proposal.vote_start", p->vote_start) : OK; /* not open after vote_end */
}

/* Who publishes packs must not decide who may vote on that. */
err chain_gov_pack_check(const exec *x, const cr_address *a, chain_proposal_kind kind, fault *f)
{
    return kind == CHAIN_PROPOSAL_MEMBERSHIP ? OK : chain_pack_check(x->c, a, CHAIN_FEATURE_VOTE, ECON_MARKETS, x->height, f);
}

static err check_voter(const exec *x, const chain_row_proposal *p, const cr_address *a, const char *what, fault *f)
{
    if (!chain_voter(x->c, a))
        return fail(f, ERR_PERMISSION, what, 0);
    if (param(x->c, CHAIN_PARAM_GOV_KYC_REQUIRED) && !chain_kyc_valid_at(x->c, a, x->height))
        return fail(f, ERR_KYC, what, 0);
    return chain_gov_pack_check(x, a, (chain_proposal_kind)p->kind, f);
}

err chain_exec_vote(exec *x, const chain_tx_vote *t, fault *f)
{
    chain *c = x->c;
    const chain_row_proposal *open;
    TRY(find_open(x, t->proposal, "vote.proposal", &open, f));
    if (t->choice == 0)
        return fail(f, ERR_RANGE, "vote.choice", 0);
    TRY(check_voter(x, open, &x->sender, "vote.sender", f));
    uint64_t epoch = epoch_of(c, x->height);
    TRY(chain_gov_voter_refresh(c, &x->sender, epoch));
    bool reached = chain_gov_quorum_reached(open), counted[2];
    chain_row_proposal *p = chain_gov_proposal_edit(c, t->proposal);
    for (unsigned i = 0; i < 2; i++) {
        ballot b = { .number = t->proposal, .house = (chain_house_id)(i + 1), .voter = x->sender, .choice = t->choice, .direct = true };
        TRY(count_vote(x, p, &b, &counted[i]));
    }
    if (!counted[0] && !counted[1])
        return fail(f, ERR_PERMISSION, "vote.sender", 0);
    lock_stake(c, &x->sender, p->vote_end + (p->extended ? 0 : param(c, CHAIN_PARAM_GOV_EXTENSION)));
    extend(x, p, t->proposal, reached, epoch);
    return OK;
}

err chain_exec_vote_for(exec *x, const chain_tx_vote_for *t, fault *f)
{
    chain *c = x->c;
    const chain_row_proposal *open;
    TRY(chain_gov_house_check(t->house, "vote_for.house", f));
    chain_house_id house = (chain_house_id)t->house;
    TRY(find_open(x, t->proposal, "vote_for.proposal", &open, f));
    TRY(check_voter(x, open, &t->voter, "vote_for.voter", f));
    const chain_row_voter *v = chain_voter(c, &t->voter);
    const hash256 *to = house == CHAIN_HOUSE_OPERATORS ? &v->delegate_operators : &v->delegate_builders;
    if (memcmp(to->b, x->sender.hash, 32) != 0)
        return fail(f, ERR_PERMISSION, "vote_for.voter", 0);
    const chain_row_vote *mine = chain_vote(c, t->proposal, open->round, house, &x->sender);
    if (!mine || !mine->direct)
        return fail(f, ERR_NOT_FOUND, "vote_for.sender", 0);
    const chain_row_vote *own = chain_vote(c, t->proposal, open->round, house, &t->voter);
    if (own && own->direct)
        return fail(f, ERR_EXISTS, "vote_for.voter", 0);
    uint64_t epoch = epoch_of(c, x->height);
    TRY(chain_gov_voter_refresh(c, &t->voter, epoch));
    bool reached = chain_gov_quorum_reached(open), counted;
    ballot b = { .number = t->proposal, .house = house, .voter = t->voter, .choice = mine->choice };
    chain_row_proposal *p = chain_gov_proposal_edit(c, t->proposal);
    TRY(count_vote(x, p, &b, &counted));
    if (!counted)
        return fail(f, ERR_PERMISSION, "vote_for.voter", 0);
    lock_stake(c, &t->voter, p->vote_end + (p->extended ? 0 : param(c, CHAIN_PARAM_GOV_EXTENSION)));
    extend(x, p, t->proposal, reached, epoch);
    return OK;
}
