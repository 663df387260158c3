/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/lease.h"

#include "base/int.h"
#include "chain/field_int.h"
#include "crypto/sha256.h"

static const chain_field lease_fields[] = {
#define LEASE(type, member, max, doc) CHAIN_FIELD(chain_lease, lease, type, member, max, doc)
    LEASE(U32, version, UINT32_MAX, "1")
    LEASE(NAME, chain_id, 0, "network")
    LEASE(HASH, job, 0, "job id")
    LEASE(U64, lease_id, UINT64_MAX, "unique within the job")
    LEASE(U64, step, UINT64_MAX, "optimizer step")
    LEASE(U64, from, UINT64_MAX, "first sequence of the job")
    LEASE(U64, to, UINT64_MAX, "one past the last")
    LEASE(HASH, model, 0, "model id that the gradient is taken at")
    LEASE(HASH, tokens, 0, "Merkle root over the tokens of the range")
    LEASE(KEY, worker, 0, "who may answer")
    LEASE(U64, price, CHAIN_AMOUNT_MAX, "nBLOCK for the whole range")
    LEASE(U8, level_min, CHAIN_LEVEL_FULL, "least assurance level")
    LEASE(U64, expiry_height, UINT64_MAX, "last block at which an answer counts")
#undef LEASE
};

static const chain_field attestation_fields[] = {
#define ATTESTATION(type, member, max, doc) CHAIN_FIELD(chain_attestation, attestation, type, member, max, doc)
    ATTESTATION(U32, version, UINT32_MAX, "1")
    ATTESTATION(HASH, lease, 0, "hash of the lease's body")
    ATTESTATION(HASH, gradient, 0, "BLAKE3 of the gradient; zero for RANGE")
    ATTESTATION(HASH, trace_root, 0, "Merkle root over the trace")
    ATTESTATION(HASH, proof, 0, "BLAKE3 of the proof; zero at refereed")
    ATTESTATION(U8, level, CHAIN_LEVEL_FULL, "assurance level")
    ATTESTATION(U32, spec_version, UINT32_MAX, "version of the numbers' specification")
    ATTESTATION(I64, loss, 0, "sum over the tokens, in 2^-16 nats")
    ATTESTATION(U64, tokens, UINT64_MAX, "tokens of the range")
    ATTESTATION(U64, computation_time_ms, UINT64_MAX, "informative, never sets pay")
    ATTESTATION(U8, result, CHAIN_RESULT_RANGE, "0 NORMAL, 1 RANGE")
    ATTESTATION(U32, range_tensor, UINT32_MAX, "the tensor of a RANGE result")
    ATTESTATION(U64, range_sequence, UINT64_MAX, "the sequence of a RANGE result")
    ATTESTATION(U64, range_index, UINT64_MAX, "the element of a RANGE result")
#undef ATTESTATION
};

const chain_record chain_lease_record = { .name = "lease", .tag = "theblock/lease/v1", .doc = "a training lease",
                                          .fields = lease_fields, .count = COUNT_OF(lease_fields),
                                          .size = sizeof(chain_lease) };

const chain_record chain_attestation_record = { .name = "attestation", .tag = "theblock/attestation/v1",
                                                .doc = "a worker's answer to a lease", .fields = attestation_fields,
                                                .count = COUNT_OF(attestation_fields), .size = sizeof(chain_attestation) };

err chain_signed_write(bytes *out, uint8_t *buffer, size_t cap, const chain_record *r, const void *object,
                       const cr_secret_key *secret, hash256 *hash, fault *f)
{
    if (cap < 1)
        return fail(f, ERR_LIMIT, r->name, cap);
    cbor_writer w = cbor_writer_on(buffer, cap);
    cbor_put_array(&w, 2);
    chain_record_encode(&w, r, object);
    if (w.e != OK)
        return fail(f, w.e, r->name, w.len);
    bytes body = bytes_of(buffer + 1, w.len - 1);
    cr_signature signature;
    cr_ed25519_sign(&signature, secret, body);
    hash256 body_hash = cr_sha256(body);
    cbor_put_bytes(&w, BYTES_OF(signature));
    err e = cbor_finish(&w, out);
    if (e != OK)
        return fail(f, e, r->name, w.len);
    if (hash)
        *hash = body_hash;
    return OK;
}

static err read_signed(chain_signed *s, cbor_reader *r, const chain_record *record, void *object)
{
    TRY(cbor_get_array_fixed(r, record->name, 2));
    size_t start = r->at;
    TRY(chain_record_decode(r, record, object));
    s->body = bytes_of(r->in.data + start, r->at - start);
    TRY(cbor_get_bytes_fixed(r, "signature", s->signature.b, sizeof s->signature.b));
    return cbor_end(r);
}

err chain_signed_read(chain_signed *s, const chain_record *record, void *object, bytes in, fault *f)
{
    memset(s, 0, sizeof *s);
    cbor_reader r = cbor_reader_on(in);
    err e = read_signed(s, &r, record, object);
    if (e != OK) {
        memset(s, 0, sizeof *s);
        memset(object, 0, record->size);
        if (f)
            *f = r.fault;
        return e;
    }
    s->hash = cr_sha256(s->body);
    return OK;
}

err chain_signed_verify(const chain_signed *s, const cr_public_key *key)
{
    return cr_ed25519_verify(key, s->body, &s->signature);
}

static bool is_zero(const hash256 *h)
{
    static const hash256 zero;
    return hash256_equal(h, &zero);
}

static err check_lease(const chain_lease *l, fault *f)
{
    if (l->version != CHAIN_LEASE_VERSION)
        return fail(f, ERR_VERSION, "lease.version", l->version);
    if (l->from >= l->to)
        return fail(f, ERR_RANGE, "lease.to", l->to);
    if (l->to - l->from > LIMIT_LEASE_SEQUENCES)
        return fail(f, ERR_LIMIT, "lease.to", l->to);
    if (l->level_min < CHAIN_LEVEL_REFEREED)
        return fail(f, ERR_RANGE, "lease.level_min", l->level_min);
    if (is_zero(&l->tokens))
        return fail(f, ERR_RANGE, "lease.tokens", 0);
    return OK;
}

static err check_attestation(const chain_attestation *a, fault *f)
{
    if (a->version != CHAIN_ATTESTATION_VERSION)
        return fail(f, ERR_VERSION, "attestation.version", a->version);
    if (a->level < CHAIN_LEVEL_REFEREED)
        return fail(f, ERR_RANGE, "attestation.level", a->level);
    if ((a->level == CHAIN_LEVEL_REFEREED) != is_zero(&a->proof))
        return fail(f, ERR_RANGE, "attestation.proof", a->level);
    if (is_zero(&a->trace_root))
        return fail(f, ERR_RANGE, "attestation.trace_root", 0);
    if ((a->result == CHAIN_RESULT_RANGE) != is_zero(&a->gradient))
        return fail(f, ERR_RANGE, "attestation.gradient", a->result);
    if (a->result == CHAIN_RESULT_NORMAL && a->range_tensor != 0)
        return fail(f, ERR_RANGE, "attestation.range_tensor", a->range_tensor);
    if (a->result == CHAIN_RESULT_NORMAL && a->range_sequence != 0)
        return fail(f, ERR_RANGE, "attestation.range_sequence", a->range_sequence);
    if (a->result == CHAIN_RESULT_NORMAL && a->range_index != 0)
        return fail(f, ERR_RANGE, "attestation.range_index", a->range_index);
    if (a->result == CHAIN_RESULT_RANGE && a->loss != 0)
        return fail(f, ERR_RANGE, "attestation.loss", 0);
    return OK;
}

err chain_lease_sign(bytes *out, uint8_t *buffer, size_t cap, const chain_lease *lease, const cr_secret_key *coordinator,
                     hash256 *hash, fault *f)
{
    TRY(check_lease(lease, f));
    return chain_signed_write(out, buffer, cap, &chain_lease_record, lease, coordinator, hash, f);
}

err chain_attestation_sign(bytes *out, uint8_t *buffer, size_t cap, const chain_attestation *attestation,
                           const cr_secret_key *worker, hash256 *hash, fault *f)
{
    TRY(check_attestation(attestation, f));
    return chain_signed_write(out, buffer, cap, &chain_attestation_record, attestation, worker, hash, f);
}

err chain_lease_decode(chain_lease *out, chain_signed *s, bytes in, fault *f)
{
    if (in.len > LIMIT_LEASE_BYTES)
        return fail(f, ERR_LIMIT, "lease", in.len);
    TRY(chain_signed_read(s, &chain_lease_record, out, in, f));
    return check_lease(out, f);
}

err chain_attestation_decode(chain_attestation *out, chain_signed *s, bytes in, fault *f)
{
    if (in.len > LIMIT_LEASE_BYTES)
        return fail(f, ERR_LIMIT, "attestation", in.len);
    TRY(chain_signed_read(s, &chain_attestation_record, out, in, f));
    return check_attestation(out, f);
}

err chain_attestation_matches(const chain_attestation *a, const chain_lease *lease, const hash256 *lease_hash, fault *f)
{
    if (!hash256_equal(&a->lease, lease_hash))
        return fail(f, ERR_HASH, "attestation.lease", 0);
    if (a->level < lease->level_min)
        return fail(f, ERR_LEVEL, "attestation.level", a->level);
    if (a->spec_version != CHAIN_SPEC_VERSION)
        return fail(f, ERR_VERSION, "attestation.spec_version", a->spec_version);
    if (a->result == CHAIN_RESULT_RANGE && (a->range_sequence < lease->from || a->range_sequence >= lease->to))
        return fail(f, ERR_RANGE, "attestation.range_sequence", a->range_sequence);
    return OK;
}

bool chain_receipt_is(const chain_receipt *r, const hash256 *lease_hash, const hash256 *attestation_hash, const cr_public_key *coordinator)
{
    chain_lease lease;
    chain_attestation attestation;
    chain_signed l, a;
    return chain_lease_decode(&lease, &l, r->lease, NULL) == OK && hash256_equal(&l.hash, lease_hash) &&
           chain_attestation_decode(&attestation, &a, r->attestation, NULL) == OK && hash256_equal(&a.hash, attestation_hash) &&
           chain_signed_verify(&l, coordinator) == OK && chain_signed_verify(&a, &lease.worker) == OK;
}

static bool is_drawn(const char *tag, const hash256 *randomness, const hash256 *lease_hash, uint32_t rate_ppm)
{
    const bytes parts[] = { bytes_of_str(tag), BYTES_OF(*randomness), BYTES_OF(*lease_hash) };
    hash256 h = cr_sha256_concat(parts, COUNT_OF(parts));
    uint64_t draw_ppm = (uint64_t)((u128)load_be64(h.b) * 1000000u >> 64);
    return draw_ppm < rate_ppm;
}

bool chain_sample_selected(const hash256 *randomness, const hash256 *lease_hash, uint32_t rate_ppm)
{
    return is_drawn("theblock/sample/v1", randomness, lease_hash, rate_ppm);
}

bool chain_audit_selected(const hash256 *randomness, const hash256 *lease_hash, uint32_t rate_ppm)
{
    return is_drawn("theblock/audit/v1", randomness, lease_hash, rate_ppm);
}
