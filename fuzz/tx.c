/* SPDX-License-Identifier: Apache-2.0
 * Everything that the ledger reads from outside, picked by the first byte: transactions (then executed on a small chain, as if
 * the signature held), leases, attestations, headers, genesis documents, state proofs, snapshot chunks. What decodes must encode
 * to the same bytes; what executes must leave every invariant standing, and dropping it must leave nothing. */
#include "chain/chain.h"

#include "crypto/sha256.h"

#include <stdlib.h>

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

static cr_secret_key key_of(uint8_t who, cr_public_key *pub)
{
    uint8_t seed[32] = { who };
    cr_secret_key secret;
    cr_ed25519_keypair(&secret, pub, seed);
    return secret;
}

static chain *network; /* one account, which is issuer, too; the producer is key 100 */

static void start(void)
{
    static uint8_t genesis[4096];
    cr_public_key account, producer;
    CHECK(cr_ed25519_self_test() == OK);
    (void)key_of(3, &account);
    (void)key_of(100, &producer);
    chain_allocation allocation = { cr_address_of_key(&account), 1000000000000u };
    chain_genesis g = { .allocations = &allocation, .allocation_count = 1, .issuers = &account, .issuer_count = 1,
                        .producers = &producer, .producer_count = 1 };
    CHECK(chain_name_set(&g.chain_id, bytes_of_str("kit-dev")) == OK);
    CHECK(chain_name_set(&g.address_prefix, bytes_of_str("tb")) == OK);
    chain_params_default(&g.params);
    bytes encoded;
    CHECK(chain_genesis_encode(&encoded, genesis, sizeof genesis, &g, NULL) == OK);
    chain_config config = { .memory = { NULL, take, release } };
    CHECK(chain_new(&network, &config, encoded, NULL) == OK);
}

static void fuzz_tx(bytes in)
{
    static uint8_t buffer[80000];
    chain_tx tx;
    bytes body;
    if (chain_tx_decode(&tx, in, NULL) != OK)
        return;
    CHECK(chain_tx_encode_body(&body, buffer, sizeof buffer, &tx, NULL) == OK);
    CHECK(bytes_equal(body, tx.body));

    cr_public_key producer;
    cr_secret_key secret = key_of(100, &producer);
    chain_block_tx item = { .raw = in, .signature_known = true };
    chain_block_input block = { .height = 1, .producer = producer, .txs = &item, .tx_count = 1 };
    uint8_t message[CHAIN_BEACON_MESSAGE_BYTES];
    hash256 head = chain_head_hash(network), root = chain_head(network)->state_root;
    chain_beacon_message(message, &chain_head(network)->randomness, &head, 1);
    cr_ed25519_sign(&block.beacon, &secret, bytes_of(message, sizeof message));
    chain_block_result result;
    CHECK(chain_reserve(network, 1, in.len) == OK);
    if (chain_execute(network, &block, &result, NULL) == OK) {
        CHECK(chain_audit(network, NULL) == OK);
        chain_abort(network);
    }
    CHECK(chain_audit(network, NULL) == OK && hash256_equal(&root, &chain_head(network)->state_root));
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
    CHECK(chain_load_begin(&c, &config, chain_genesis_bytes(network), NULL) == OK);
    if (chain_load_chunk(c, 0, in, &hash, NULL) == OK)
        CHECK(chain_load_end(c, in, NULL) != OK);
    chain_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!network)
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
