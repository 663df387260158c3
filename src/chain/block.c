/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/block.h"

#include "chain/field_int.h"
#include "chain/lease.h"
#include "crypto/sha256.h"

static const chain_field header_fields[] = {
#define HEADER(type, member, max, doc) CHAIN_FIELD(chain_header, header, type, member, max, doc)
    HEADER(U32, version, UINT32_MAX, "1")
    HEADER(NAME, chain_id, 0, "network")
    HEADER(U64, height, UINT64_MAX, "number of the block")
    HEADER(HASH, previous, 0, "hash of the block before")
    HEADER(U64, time_ms, UINT64_MAX, "informative")
    HEADER(U32, tx_count, LIMIT_BLOCK_TXS, "transactions")
    HEADER(HASH, tx_root, 0, "root over the transactions")
    HEADER(HASH, state_root, 0, "root of the state after the block")
    HEADER(HASH, randomness, 0, "hash of the beacon")
    HEADER(SIGNATURE, beacon, 0, "the producer's signature over the beacon message")
    HEADER(KEY, producer, 0, "who made the block")
#undef HEADER
};

const chain_record chain_header_record = { .name = "header", .tag = "theblock/header/v1", .doc = "a block header",
                                           .fields = header_fields, .count = COUNT_OF(header_fields),
                                           .size = sizeof(chain_header) };

void chain_beacon_message(uint8_t out[CHAIN_BEACON_MESSAGE_BYTES], const hash256 *previous_randomness,
                          const hash256 *previous_hash, uint64_t height)
{
    static const char tag[] = "theblock/beacon/v1";
    _Static_assert(sizeof tag - 1 == CHAIN_BEACON_MESSAGE_BYTES - 72, "length of the tag");
    memcpy(out, tag, sizeof tag - 1);
    memcpy(out + 18, previous_randomness->b, 32);
    memcpy(out + 50, previous_hash->b, 32);
    store_be64(out + 82, height);
}

hash256 chain_randomness(const cr_signature *beacon)
{
    static const char tag[] = "theblock/randomness/v1";
    const bytes parts[] = { bytes_of(tag, sizeof tag - 1), BYTES_OF(*beacon) };
    return cr_sha256_concat(parts, COUNT_OF(parts));
}

hash256 chain_rfc6962_root(hash256 *leaves, size_t count)
{
    if (count == 0)
        return cr_sha256(bytes_of("", 0));
    /* Joining neighbours level by level, an odd one going up unchanged, gives the tree of RFC 6962. */
    while (count > 1) {
        size_t next = 0;
        for (size_t i = 0; i + 1 < count; i += 2)
            leaves[next++] = cr_sha256_node(1, &leaves[i], &leaves[i + 1]);
        if (count & 1)
            leaves[next++] = leaves[count - 1];
        count = next;
    }
    return leaves[0];
}

hash256 chain_tx_root(const bytes *txs, size_t count, hash256 *scratch)
{
    static const uint8_t leaf = 0;
    for (size_t i = 0; i < count; i++) {
        hash256 h = cr_sha256(txs[i]);
        const bytes parts[] = { bytes_of(&leaf, 1), BYTES_OF(h) };
        scratch[i] = cr_sha256_concat(parts, COUNT_OF(parts));
    }
    return chain_rfc6962_root(scratch, count);
}

err chain_header_sign(bytes *out, uint8_t *buffer, size_t cap, const chain_header *h, const cr_secret_key *producer,
                      hash256 *block_hash, fault *f)
{
    if (memcmp(producer->b + 32, h->producer.b, sizeof h->producer.b) != 0)
        return fail(f, ERR_KEY, "header.producer", 0);
    return chain_signed_write(out, buffer, cap, &chain_header_record, h, producer, block_hash, f);
}

err chain_header_decode(chain_header *out, hash256 *block_hash, bytes in, fault *f)
{
    chain_signed s;
    if (in.len > LIMIT_HEADER_BYTES)
        return fail(f, ERR_LIMIT, "header", in.len);
    TRY(chain_signed_read(&s, &chain_header_record, out, in, f));
    if (out->version != CHAIN_HEADER_VERSION)
        return fail(f, ERR_VERSION, "header.version", out->version);
    if (chain_signed_verify(&s, &out->producer) != OK)
        return fail(f, ERR_SIGNATURE, "header.signature", 0);
    if (block_hash)
        *block_hash = s.hash;
    return OK;
}
