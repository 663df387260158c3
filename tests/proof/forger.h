/* SPDX-License-Identifier: Apache-2.0
 *
 * A forger: he leaves the absorbs of one label out, as does the verifier he meets (plant.h), has a proof, looks at what the verifier computes, and
 * alters the proof. */
#ifndef TESTS_PROOF_FORGER_H
#define TESTS_PROOF_FORGER_H

#include "plant.h"
#include "prove/step_kit.h"

#include "proof/run.h"

typedef struct forger {
    step_kit   kit;
    buf        proof;
    plant_tape tape;  /* of the verifier, on the proof as it was made */
    pf_report  report;
    size_t     first[PF_OF_PARTS]; /* byte of each part */
} forger;

/* What the verifier makes of a proof, on the tape. */
static inline err forger_look(forger *x)
{
    plant_tape_drop(&x->tape);
    planted.tape = &x->tape;
    err e = pf_verify(&x->kit.subject, buf_bytes(&x->proof), &x->report, NULL);
    planted.tape = NULL;
    x->first[0] = 0;
    for (size_t i = 0; i + 1 < PF_OF_PARTS; i++)
        x->first[i + 1] = x->first[i] + x->report.bytes[i];
    return e;
}

/* A proof of the step by a prover who does not absorb `label`, and what a verifier says who does not either. */
static inline err forger_prove(forger *x, const char *label)
{
    buf_init(&x->proof, (size_t)1 << 24);
    planted = (plant){ .absorb = label };
    assert_int_equal(pv_prove(x->kit.ws, &x->kit.witness, &x->proof, NULL), OK);
    return forger_look(x);
}

static inline void forger_make(forger *x, const num_shape *shape, uint32_t sequences)
{
    *x = (forger){ 0 };
    kit_make(&x->kit, shape, sequences, 1, NULL);
}

static inline void forger_drop(forger *x)
{
    planted = (plant){ 0 };
    plant_tape_drop(&x->tape);
    buf_deinit(&x->proof);
    kit_drop(&x->kit);
}

/* What the verifier, which leaves the same label out, says of statement and proof as they are now. */
static inline err forger_ask(forger *x)
{
    fault f = { 0 };
    err   e = pf_verify(&x->kit.subject, buf_bytes(&x->proof), NULL, &f);
    if (e != OK)
        print_message("%s: refused: %s\n", planted.absorb ? planted.absorb : "nothing left out", f.what);
    return e;
}

/* Squeeze number `nth` with this label after call `from`: its place on the tape. */
static inline size_t squeeze_after(const plant_tape *t, size_t from, const char *label, size_t nth)
{
    for (size_t i = from; i < t->count; i++)
        if (t->event[i].kind == PLANT_SQUEEZE && strcmp(t->event[i].label, label) == 0 && nth-- == 0)
            return i;
    fail_msg("no squeeze %s", label);
    return 0;
}

static inline pf_stream stream_at(const plant_tape *t, size_t event)
{
    pf_transcript at = { t->event[event].before };
    pf_stream s;
    pf_squeeze(&at, &s, t->event[event].label);
    return s;
}

static inline fx challenge_at(const plant_tape *t, size_t event)
{
    pf_stream s = stream_at(t, event);
    return pf_stream_fx(&s);
}

/* The product of the challenges of n rounds after a call: what a false claim has become at their end. */
static inline fx shrunk(const plant_tape *t, size_t from, size_t n)
{
    fx all = FX_ONE;
    for (size_t i = 0; i < n; i++)
        all = fx_mul(all, challenge_at(t, squeeze_after(t, from, "round", i)));
    return all;
}

/* Element `i` of a part of the proof += x. */
static inline void add_to(forger *x, pf_part_of_proof part, size_t i, fx by)
{
    uint8_t *at = x->proof.data + x->first[part] + i * FX_BYTES;
    fx was;
    assert_true(fx_decode(&was, at));
    fx_encode(at, fx_add(was, by));
}

static inline fx get(const forger *x, pf_part_of_proof part, size_t i)
{
    fx is;
    assert_true(fx_decode(&is, x->proof.data + x->first[part] + i * FX_BYTES));
    return is;
}

static inline fx divide(fx a, fx b)
{
    return fx_mul(a, fx_inv(b));
}

static inline fx power_of(fx a, size_t n)
{
    fx x = FX_ONE;
    while (n-- > 0)
        x = fx_mul(x, a);
    return x;
}

static inline size_t feature_rounds(const plant_tape *t)
{
    size_t n = 0;
    for (size_t i = squeeze_after(t, 0, "claims", 0); i < squeeze_after(t, 0, "tokens", 0); i++)
        n += t->event[i].kind == PLANT_SQUEEZE && strcmp(t->event[i].label, "round") == 0;
    return n;
}

/* v_a(rho) of row a. */
static inline fx feature_weight(const plant_tape *t, size_t a)
{
    size_t tokens = squeeze_after(t, 0, "tokens", 0), first = 0;
    while (t->dot_at[first] != tokens)
        first++;
    return t->dot[first + a];
}

#endif
