/* SPDX-License-Identifier: Apache-2.0
 *
 * A copy of prover and verifier for tests, built from the same sources with a few functions renamed (CMakeLists.txt), in which one check
 * or the absorbs of one label can be left out: tests that find a missing check are shown to find one. The copy also keeps a tape of its
 * transcripts. The product's own objects have no such switch. */
#ifndef TESTS_PROOF_PLANT_H
#define TESTS_PROOF_PLANT_H

#include "proof/reduce.h"
#include "prove/writer.h"

typedef enum plant_kind { PLANT_ABSORB, PLANT_FORK, PLANT_JOIN, PLANT_SQUEEZE } plant_kind;

/* One call; a fork's `before` is its parent, a join's forks follow in plant_tape.joined. */
typedef struct plant_event {
    plant_kind     kind;
    const char    *label;
    hash256        before, after;
    const uint8_t *data;
    size_t         len;           /* of data; of a join: number of forks */
    size_t         joined;        /* index of the first */
    const pf_transcript *where;
} plant_event;

typedef struct plant_tape {
    plant_event *event;
    size_t       count, room;
    hash256     *joined;
    size_t       joined_count, joined_room;
    /* Inner products of vectors that the verifier computed, each with the number of calls before it. */
    fx          *dot;
    size_t      *dot_at;
    size_t       dot_count, dot_room, dot_at_room;
    /* The tensor of each row of the reduction over tokens, and the inner product of its weights, as an index. */
    uint32_t    *row_tensor;
    size_t      *row_dot;
    size_t       row_count, row_room, row_dot_room;
    /* How much the ends of the last inner product that is false fall short of what they should be. */
    fx           short_by;
    /* What the claims added up to, and what their rounds over features left of it. */
    fx           claims_value, claims_left;
    /* The fractions that had to balance, the table's last. */
    pf_fraction *root;
    size_t       root_count;
} plant_tape;

typedef struct plant {
    const char *check;   /* `what` of the check that is left out, or of several, with | between them (ERR_UNPROVED, ERR_RANGE, ERR_TRAILING); NULL: none */
    const char *absorb;  /* label of the absorbs that are left out; "join" too; NULL: none */
    size_t      altered; /* 1 + event number of the absorb or join whose input is altered by one bit, 0: none */
    /* The prover alters an element of the message with this label of which false_nth have been sent before, and goes on. NULL: none. */
    const char *false_message;
    size_t      false_nth, false_element, sent;
    fx          false_by;
    const char *zero;    /* label of challenges that come out as 0; NULL: none */
    plant_tape *tape;    /* written if not NULL; one thread only */
    void      (*claims)(const pf_run *run, void *ctx); /* called by the verifier before it collects the claims; NULL: not */
    void       *claims_ctx;
} plant;

extern plant planted;

void plant_tape_drop(plant_tape *t);

/* What the copy calls instead of the functions named alike. */
err           planted_fail(fault *f, err code, const char *what, uint64_t at) MUST_USE;
void          planted_absorb(pf_transcript *t, const char *label, bytes data);
void          planted_absorb_u64(pf_transcript *t, const char *label, uint64_t x);
void          planted_absorb_fx(pf_transcript *t, const char *label, const fx *x, size_t n);
pf_transcript planted_fork(const pf_transcript *t, const char *label, uint64_t n);
void          planted_join(pf_transcript *t, const pf_transcript *forks, size_t n);
void          planted_squeeze(pf_transcript *t, pf_stream *s, const char *label);
void          planted_challenge(pf_transcript *t, const char *label, fx *out, size_t n);
fx            planted_dot(const fxv *a, const fxv *b, size_t n);
fx            planted_value_of(const pf_values *v, uint32_t tensor);
err           planted_inner_product(pf_reader *r, pf_transcript *t, const char *what, fx claim, unsigned n, size_t count, fx *point, fx *ends) MUST_USE;
err           planted_claims_build(pf_claims *c, const pf_run *run, fx mu, fault *f) MUST_USE;
err           planted_inner_rounds(pf_reader *r, pf_transcript *t, unsigned n, fx *claim, fx *point) MUST_USE;
err           planted_send(pv_writer *w, const char *label, const fx *x, size_t n) MUST_USE;
bool          planted_balance(const pf_fraction *f, size_t n, pf_fraction table);

#endif
