/* SPDX-License-Identifier: Apache-2.0
 * Everything that the ledger reads from outside, picked by the first byte: transactions (then executed, as one of the small
 * chain's own accounts), leases, attestations, headers, genesis documents, state proofs, snapshot chunks. What decodes must encode
 * to the same bytes; what executes must leave every invariant standing, and dropping it must leave nothing. */
#include "chain/auction/auction.h"
#include "chain/chain_kit.h"
#include "chain/gov/gov_int.h"

#include "chain/ident/overlay.h"
#include "crypto/sha256.h"

#include <stdlib.h>

static kit network; /* account 3 is a validator and issuer, too */
static hash256 job, overlay; /* accounts 1 and 2 are members of the overlay, a poll is open */
static hash256 auctions[3]; /* in which bids are placed, opened, settled: account 3 has a bid in the last two */
static chain_receipt paid[2]; /* leases 32 and 33 of it, worker 1; an audit of the first lacks one vote */

static void roles(chain_genesis *g)
{
    static cr_public_key producers[2], issuers[2];
    producers[0] = issuers[0] = kit_public(3);
    producers[1] = kit_public(KIT_PRODUCER);
    issuers[1] = kit_public(KIT_ISSUER);
    g->producers = producers;
    g->issuers = issuers;
    g->producer_count = g->issuer_count = 2;
    g->params.v[CHAIN_PARAM_EPOCH] = 2;
    g->params.v[CHAIN_PARAM_ORACLE_WINDOW] = 3;
    g->params.v[CHAIN_PARAM_GOV_PROPOSAL_STAKE] = 1000;
    g->params.v[CHAIN_PARAM_GOV_COOLDOWN] = 0;
    g->authorities[0] = (chain_authority){ CHAIN_ROLE_PACKS, 0, kit_public(0) };
    g->authorities[1] = (chain_authority){ CHAIN_ROLE_RELEASES, 0, kit_public(1) };
    g->authorities[2] = (chain_authority){ CHAIN_ROLE_RELEASES, 0, kit_public(2) };
    g->authority_count = 3;
}

/* Accounts 1, 2 and 7 are members of both houses; 7 delegates to 2; proposal 1 of account 1 is open to votes. */
static void govern(void)
{
    static const unsigned members[] = { 1, 2, 7 };
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        cr_address a = kit_address(members[i]);
        chain_voter_inputs in = { .operator_months = { 3, 3, 3, 3 }, .builder_months = 3, .reputation_ppm = 500000, .markets = 15, .builder = true };
        CHECK(chain_reserve(network.c, 8, 4096) == OK);
        CHECK(chain_voter_update(network.c, &a, &in, chain_head(network.c)->height + 1, NULL) == OK);
        chain_tx stake = kit_tx(&network, members[i], CHAIN_TX_STAKE_ADD, 0);
        stake.payload.stake_add.amount = 1000000;
        CHECK(kit_run(&network, &stake, members[i]) == OK);
    }
    chain_tx delegate = kit_tx(&network, 7, CHAIN_TX_DELEGATE, 0);
    delegate.payload.delegate = (chain_tx_delegate){ .house = CHAIN_HOUSE_OPERATORS, .to = kit_address(2) };
    CHECK(kit_run(&network, &delegate, 7) == OK);
    kit_advance(&network, 4);
    uint8_t buffer[64];
    const chain_param_change change = { CHAIN_PARAM_FEE_MIN, 1001 };
    chain_tx propose = kit_tx(&network, 1, CHAIN_TX_PROPOSAL_SUBMIT, 0);
    propose.payload.proposal_submit = (chain_tx_proposal_submit){ .kind = CHAIN_PROPOSAL_PARAMETERS, .house = 1, .stake = 1000 };
    CHECK(chain_changes_encode(&propose.payload.proposal_submit.changes, buffer, sizeof buffer, &change, 1) == OK);
    CHECK(kit_run(&network, &propose, 1) == OK);
    kit_advance(&network, 2);
    chain_tx vote = kit_tx(&network, 2, CHAIN_TX_VOTE, 0);
    vote.payload.vote = (chain_tx_vote){ .proposal = 1, .choice = CHAIN_VOTE_YES };
    CHECK(kit_run(&network, &vote, 2) == OK);
}

static void run(chain_tx tx, unsigned who)
{
    CHECK(kit_run(&network, &tx, who) == OK);
}

static void start_overlay(void)
{
    static const chain_rule rules[] = { { .kind = CHAIN_RULE_STAKE, .number = 1 } };
    uint8_t buffer[64];
    bytes items;
    CHECK(chain_rules_encode(&items, buffer, sizeof buffer, rules, COUNT_OF(rules)) == OK);
    chain_tx tx = kit_tx(&network, 1, CHAIN_TX_OVERLAY_CREATE, 0);
    tx.payload.overlay_create = (chain_tx_overlay_create){ .rules = items, .vote_base = 1, .threshold_ppm = 500000, .pay_base = 1 };
    CHECK(chain_name_set(&tx.payload.overlay_create.community, bytes_of_str("guild")) == OK);
    chain_key key = chain_key_overlay(&tx.payload.overlay_create.community);
    memcpy(overlay.b, key.b, sizeof overlay.b);
    run(tx, 1);
    for (unsigned who = 1; who <= 2; who++) {
        tx = kit_tx(&network, who, CHAIN_TX_OVERLAY_JOIN, 0);
        tx.payload.overlay_join = (chain_tx_overlay_join){ .overlay = overlay, .stake = 1000, .fund = 100001 };
        run(tx, who);
    }
    tx = kit_tx(&network, 1, CHAIN_TX_OVERLAY_POLL, 0);
    tx.payload.overlay_poll = (chain_tx_overlay_poll){ .overlay = overlay, .subject = { { 1 } }, .epochs = LIMIT_POLL_EPOCHS };
    run(tx, 1);
}

static hash256 open_auction(void)
{
    chain_tx tx = kit_tx(&network, 0, CHAIN_TX_AUCTION_OPEN, 0);
    tx.payload.auction_open = (chain_tx_auction_open){ .kind = CHAIN_AUCTION_UNIFORM, .units = 2000, .reserve = 3 };
    CHECK(kit_run(&network, &tx, 0) == OK);
    return network.last_id;
}

/* The bid that the seed opens: price 32, 1024 units, salt 04 04 ... */
static void place_bid(const hash256 *auction)
{
    chain_tx tx = kit_tx(&network, 3, CHAIN_TX_AUCTION_COMMIT, 0);
    chain_sealed_bid bid = { .price = 32, .units = 1024 };
    memset(&bid.salt, 4, sizeof bid.salt);
    cr_address me = kit_address(3);
    hash256 genesis = chain_network(network.c);
    tx.payload.auction_commit = (chain_tx_auction_commit){ .auction = *auction, .bid_class = 1,
                                                            .commitment = chain_auction_commitment(&genesis, auction, &me, &bid) };
    CHECK(kit_run(&network, &tx, 3) == OK);
}

static void report(unsigned who, uint64_t feed, uint64_t value)
{
    chain_tx tx = kit_tx(&network, who, CHAIN_TX_ORACLE_REPORT, 0);
    tx.payload.oracle_report = (chain_tx_oracle_report){ .feed = feed, .round = 1, .value = value };
    CHECK(kit_run(&network, &tx, who) == OK);
}

/* Feed 2 can be closed, feed 1 has four sources and no reading; the three auctions are in their three phases. */
static void trade(void)
{
    static const unsigned sources[] = { 0, 1, 2, 3 };
    for (uint64_t feed = 1; feed <= 2; feed++)
        for (size_t i = 0; i < COUNT_OF(sources); i++) {
            chain_tx tx = kit_tx(&network, sources[i], CHAIN_TX_ORACLE_REGISTER, 0);
            tx.payload.oracle_register = (chain_tx_oracle_register){ .feed = feed, .stake = 10000000000u };
            CHECK(kit_run(&network, &tx, sources[i]) == OK);
        }
    for (size_t i = 0; i < 3; i++)
        report(sources[i], 2, 100 + i);
    auctions[2] = open_auction();
    place_bid(&auctions[2]);
    auctions[1] = open_auction();
    place_bid(&auctions[1]);
    auctions[0] = open_auction();
}

static void start(void)
{
    kit_start(&network, roles);
    job = kit_post_job_at(&network, 40, 0, CHAIN_LEVEL_REFEREED);
    kit_add_worker(&network, 1, &job);
    for (uint64_t i = 0; i < 2; i++)
        paid[i] = kit_proved_receipt(&network, &job, 1, 32 + i);
    CHECK(kit_pay(&network, KIT_COORDINATOR, &job, paid, 2) == OK);
    chain_tx open = kit_audit_open(&network, 2, &job, &paid[0]);
    CHECK(kit_run(&network, &open, 2) == OK);
    chain_tx vote = kit_audit_verdict(&network, KIT_PRODUCER, &job, 32, ERR_UNPROVED);
    CHECK(kit_run(&network, &vote, KIT_PRODUCER) == OK);
    govern();
    start_overlay();
    trade();
}

static const hash256 *auction_for(chain_tx_type type)
{
    return &auctions[type == CHAIN_TX_AUCTION_COMMIT ? 0 : type == CHAIN_TX_AUCTION_REVEAL ? 1 : 2];
}

/* What the seeds have in place of what only this network knows. */
static void localize(chain_tx *tx)
{
    const chain_record *r = chain_tx_record(tx->type);
    const chain_receipt *known = &paid[tx->type == CHAIN_TX_AUDIT_OPEN];
    for (size_t i = 0; i < r->count; i++) {
        void *at = (uint8_t *)&tx->payload + r->fields[i].offset;
        if (strcmp(r->fields[i].name, "job") == 0 && ((hash256 *)at)->b[0] == 1)
            *(hash256 *)at = job;
        if (strcmp(r->fields[i].name, "overlay") == 0 && ((hash256 *)at)->b[0] == 1)
            *(hash256 *)at = overlay;
        if (strcmp(r->fields[i].name, "auction") == 0 && ((hash256 *)at)->b[0] == 1)
            *(hash256 *)at = *auction_for(tx->type);
        const cr_address sample = kit_address(5);
        if (strcmp(r->fields[i].name, "bidder") == 0 && cr_address_equal(at, &sample))
            *(cr_address *)at = kit_address(3);
        if (strcmp(r->fields[i].name, "round") == 0 && *(uint64_t *)at == 32)
            *(uint64_t *)at = 1;
        if (tx->type == CHAIN_TX_ORACLE_CLOSE && strcmp(r->fields[i].name, "feed") == 0 && *(uint64_t *)at == 1)
            *(uint64_t *)at = 2;
        if (r->fields[i].type == CHAIN_TYPE_BLOB && bytes_equal(*(bytes *)at, bytes_of_str("evidence"))) {
            if (strcmp(r->fields[i].name, "lease") == 0)
                *(bytes *)at = known->lease;
            else if (strcmp(r->fields[i].name, "attestation") == 0)
                *(bytes *)at = known->attestation;
        }
    }
}

static void fuzz_tx(bytes in)
{
    static const unsigned senders[] = { 0, 1, 2, 7, KIT_COORDINATOR, KIT_PRODUCER, KIT_ISSUER, 3 };
    static uint8_t buffer[80000];
    chain_tx tx;
    bytes body;
    if (chain_tx_decode(&tx, in, NULL) != OK)
        return;
    CHECK(chain_tx_encode_body(&body, buffer, sizeof buffer, &tx, NULL) == OK);
    CHECK(bytes_equal(body, tx.body));

    unsigned who = senders[tx.tip % COUNT_OF(senders)];
    chain_tx mine = kit_tx(&network, who, tx.type, 0);
    mine.payload = tx.payload;
    localize(&mine);
    bytes raw;
    cr_secret_key secret = kit_key(who);
    if (chain_tx_sign(&raw, buffer, sizeof buffer, &mine, &secret, NULL, NULL) != OK)
        return;
    hash256 root = chain_head(network.c)->state_root;
    if (kit_execute(&network, &raw, 1, false, NULL) == OK) {
        CHECK(chain_audit(network.c, NULL) == OK);
        chain_abort(network.c);
    }
    CHECK(chain_audit(network.c, NULL) == OK && hash256_equal(&root, &chain_head(network.c)->state_root));
}

static void fuzz_signed(const chain_record *r, bytes in)
{
    union {
        chain_lease       lease;
        chain_attestation attestation;
        chain_header      header;
    } object;
    uint8_t buffer[4096];
    chain_signed s;
    bytes body;
    if (chain_signed_read(&s, r, &object, in, NULL) != OK)
        return;
    cbor_writer w = cbor_writer_on(buffer, sizeof buffer);
    chain_record_encode(&w, r, &object);
    CHECK(cbor_finish(&w, &body) == OK && bytes_equal(body, s.body));
}

static void *take(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void release(void *ctx, void *block, size_t size)
{
    (void)ctx;
    (void)size;
    free(block);
}

static void fuzz_genesis(bytes in)
{
    chain_config config = { .memory = { NULL, take, release } };
    chain *c;
    if (chain_new(&c, &config, in, NULL) != OK)
        return;
    CHECK(chain_audit(c, NULL) == OK);
    chain_free(c);
}

static void fuzz_proof(bytes in)
{
    static uint8_t buffer[16384];
    smt_proof p;
    bytes again;
    hash256 root = { { 0 } };
    if (smt_proof_decode(&p, in, NULL) != OK)
        return;
    CHECK(smt_proof_encode(&again, buffer, sizeof buffer, &p) == OK && bytes_equal(again, in));
    uint8_t key[33] = { 0 };
    CHECK(smt_verify(&p, &root, CHAIN_TABLE_ACCOUNT, BYTES_OF(key), NULL, NULL) != OK);
}

static void fuzz_chunk(bytes in)
{
    chain_config config = { .memory = { NULL, take, release } };
    chain *c;
    hash256 hash = cr_sha256(in);
    CHECK(chain_load_begin(&c, &config, chain_genesis_bytes(network.c), NULL) == OK);
    if (chain_load_chunk(c, 0, in, &hash, NULL) == OK)
        CHECK(chain_load_end(c, in, NULL) != OK);
    chain_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!network.c)
        start();
    if (size < 1)
        return 0;
    bytes in = bytes_of(data + 1, size - 1);
    switch (data[0] % 8) {
    case 0: case 1: fuzz_tx(in); break;
    case 2: fuzz_signed(&chain_lease_record, in); break;
    case 3: fuzz_signed(&chain_attestation_record, in); break;
    case 4: fuzz_signed(&chain_header_record, in); break;
    case 5: fuzz_genesis(in); break;
    case 6: fuzz_proof(in); break;
    case 7: fuzz_chunk(in); break;
    }
    return 0;
}
