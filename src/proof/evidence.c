/* SPDX-License-Identifier: Apache-2.0 */
#include "proof/referee.h"

#include "base/cbor.h"

enum { VERSION = 1 };

static err read_openings(cbor_reader *r, pf_opening *out, uint32_t *count, size_t count_max)
{
    size_t n;
    TRY(cbor_get_array(r, "evidence.openings", &n, count_max));
    for (size_t i = 0; i < n; i++) {
        TRY(cbor_get_array_fixed(r, "evidence.opening", 3));
        TRY(cbor_get_uint(r, "evidence.opening.first", &out[i].first));
        TRY(cbor_get_bytes(r, "evidence.opening.elements", &out[i].elements, LIMIT_EVIDENCE_BYTES));
        TRY(cbor_get_bytes(r, "evidence.opening.siblings", &out[i].siblings, LIMIT_EVIDENCE_BYTES));
    }
    *count = (uint32_t)n;
    return OK;
}

static err read_fields(pf_evidence *e, cbor_reader *r, fault *f)
{
    uint64_t version, tensor;
    TRY(cbor_get_array_fixed(r, "evidence", 11));
    TRY(cbor_get_uint(r, "evidence.version", &version));
    if (version != VERSION)
        return fail(f, ERR_VERSION, "evidence.version", version);
    TRY(cbor_get_bytes(r, "evidence.lease", &e->lease, LIMIT_EVIDENCE_BYTES));
    TRY(cbor_get_bytes(r, "evidence.attestation", &e->attestation, LIMIT_EVIDENCE_BYTES));
    TRY(cbor_get_bytes(r, "evidence.model", &e->model, LIMIT_EVIDENCE_BYTES));
    TRY(cbor_get_uint_max(r, "evidence.tensor", &tensor, UINT32_MAX));
    e->tensor = (uint32_t)tensor;
    TRY(cbor_get_uint(r, "evidence.sequence", &e->sequence));
    TRY(cbor_get_uint(r, "evidence.element", &e->element));
    TRY(read_openings(r, e->trace, &e->trace_count, PF_OPENINGS_MAX));
    TRY(read_openings(r, e->weight, &e->weight_count, PF_OPENINGS_MAX));
    TRY(read_openings(r, &e->gradient, &e->gradient_count, 1));
    TRY(read_openings(r, &e->tokens, &e->tokens_count, 1));
    return cbor_end(r);
}

err pf_evidence_decode(pf_evidence *out, bytes file, fault *f)
{
    if (file.len > LIMIT_EVIDENCE_BYTES)
        return fail(f, ERR_LIMIT, "evidence", file.len);
    cbor_reader r = cbor_reader_on(file);
    err e = read_fields(out, &r, f);
    if (e != OK && r.fault.code == e && f)
        *f = r.fault;
    return e;
}

static void put_openings(cbor_writer *w, const pf_opening *openings, uint32_t count)
{
    cbor_put_array(w, count);
    for (uint32_t i = 0; i < count; i++) {
        cbor_put_array(w, 3);
        cbor_put_uint(w, openings[i].first);
        cbor_put_bytes(w, openings[i].elements);
        cbor_put_bytes(w, openings[i].siblings);
    }
}

err pf_evidence_encode(uint8_t *out, size_t cap, const pf_evidence *e, bytes *view)
{
    CHECK(e->trace_count <= PF_OPENINGS_MAX && e->weight_count <= PF_OPENINGS_MAX && e->gradient_count <= 1 && e->tokens_count <= 1);
    cbor_writer w = cbor_writer_on(out, cap < LIMIT_EVIDENCE_BYTES ? cap : LIMIT_EVIDENCE_BYTES);
    cbor_put_array(&w, 11);
    cbor_put_uint(&w, VERSION);
    cbor_put_bytes(&w, e->lease);
    cbor_put_bytes(&w, e->attestation);
    cbor_put_bytes(&w, e->model);
    cbor_put_uint(&w, e->tensor);
    cbor_put_uint(&w, e->sequence);
    cbor_put_uint(&w, e->element);
    put_openings(&w, e->trace, e->trace_count);
    put_openings(&w, e->weight, e->weight_count);
    put_openings(&w, &e->gradient, e->gradient_count);
    put_openings(&w, &e->tokens, e->tokens_count);
    return cbor_finish(&w, view);
}
