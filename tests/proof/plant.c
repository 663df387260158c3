/* SPDX-License-Identifier: Apache-2.0 */
#include "plant.h"

#include "proof/sumcheck.h"

#include <stdlib.h>
#include <string.h>

plant planted;

static bool named(const char *name, const char *label)
{
    return name && strcmp(name, label) == 0;
}

/* Whether `what` is one of planted.check. */
static bool is_missing(const char *what)
{
    const char *at = planted.check;
    size_t len = strlen(what);
    while (at && (strncmp(at, what, len) != 0 || (at[len] != '|' && at[len] != 0)))
        at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL;
    return at;
}

err planted_fail(fault *f, err code, const char *what, uint64_t at)
{
    bool check = code == ERR_UNPROVED || code == ERR_RANGE || code == ERR_TRAILING;
    return check && is_missing(what) ? OK : fail(f, code, what, at);
}

/* --- the tape -------------------------------------------------------------------------------------------------------------- */

static void *grown(void *array, size_t *room, size_t count, size_t size)
{
    if (count < *room)
        return array;
    *room = *room ? 2 * *room : 1024;
    array = realloc(array, *room * size);
    CHECK(array);
    return array;
}

static void note(plant_event e)
{
    plant_tape *t = planted.tape;
    if (!t)
        return;
    t->event = grown(t->event, &t->room, t->count, sizeof *t->event);
    t->event[t->count++] = e;
}

static size_t note_joined(const pf_transcript *forks, size_t n)
{
    plant_tape *t = planted.tape;
    size_t first = t ? t->joined_count : 0;
    for (size_t i = 0; t && i < n; i++) {
        t->joined = grown(t->joined, &t->joined_room, t->joined_count, sizeof *t->joined);
        t->joined[t->joined_count++] = forks[i].state;
    }
    return first;
}

void plant_tape_drop(plant_tape *t)
{
    free(t->event);
    free(t->joined);
    free(t->dot);
    free(t->dot_at);
    free(t->root);
    free(t->row_tensor);
    free(t->row_dot);
    *t = (plant_tape){ 0 };
}

/* Whether the input of the call that comes next on the tape is to be altered. */
static bool alters(void)
{
    return planted.tape && planted.altered == planted.tape->count + 1;
}

/* --- the transcript -------------------------------------------------------------------------------------------------------- */

static void absorb_altered(pf_transcript *t, const char *label, bytes data)
{
    uint8_t *copy = malloc(data.len + 1);
    CHECK(copy);
    memcpy(copy, data.data, data.len);
    copy[data.len] = 0;
    copy[data.len / 2] ^= 1; /* of nothing: a byte more */
    pf_absorb(t, label, bytes_of(copy, data.len + (data.len == 0)));
    free(copy);
}

void planted_absorb(pf_transcript *t, const char *label, bytes data)
{
    plant_event e = { PLANT_ABSORB, label, t->state, { { 0 } }, data.data, data.len, 0, t };
    if (named(planted.absorb, label))
        return;
    if (alters())
        absorb_altered(t, label, data);
    else
        pf_absorb(t, label, data);
    e.after = t->state;
    note(e);
}

void planted_absorb_u64(pf_transcript *t, const char *label, uint64_t x)
{
    uint8_t b[8];
    store_le64(b, x);
    planted_absorb(t, label, bytes_of(b, sizeof b));
}

void planted_absorb_fx(pf_transcript *t, const char *label, const fx *x, size_t n)
{
    uint8_t *raw = malloc(n * FX_BYTES + 1);
    CHECK(raw);
    for (size_t i = 0; i < n; i++)
        fx_encode(raw + i * FX_BYTES, x[i]);
    planted_absorb(t, label, bytes_of(raw, n * FX_BYTES));
    free(raw);
}

pf_transcript planted_fork(const pf_transcript *t, const char *label, uint64_t n)
{
    pf_transcript out = pf_fork(t, label, n);
    note((plant_event){ PLANT_FORK, label, t->state, out.state, NULL, 0, 0, t });
    return out;
}

static void join_altered(pf_transcript *t, const pf_transcript *forks, size_t n)
{
    pf_transcript *copy = malloc(n * sizeof *copy);
    CHECK(copy);
    memcpy(copy, forks, n * sizeof *copy);
    copy[n / 2].state.b[0] ^= 1;
    pf_join(t, copy, n);
    free(copy);
}

void planted_join(pf_transcript *t, const pf_transcript *forks, size_t n)
{
    plant_event e = { PLANT_JOIN, "join", t->state, { { 0 } }, NULL, n, note_joined(forks, n), t };
    if (named(planted.absorb, "join"))
        return;
    if (alters())
        join_altered(t, forks, n);
    else
        pf_join(t, forks, n);
    e.after = t->state;
    note(e);
}

void planted_squeeze(pf_transcript *t, pf_stream *s, const char *label)
{
    plant_event e = { PLANT_SQUEEZE, label, t->state, { { 0 } }, NULL, 0, 0, t };
    pf_squeeze(t, s, label);
    e.after = t->state;
    note(e);
}

void planted_challenge(pf_transcript *t, const char *label, fx *out, size_t n)
{
    pf_stream s;
    planted_squeeze(t, &s, label);
    for (size_t i = 0; i < n; i++)
        out[i] = named(planted.zero, label) ? FX_ZERO : pf_stream_fx(&s);
}

/* --- what forgers look at -------------------------------------------------------------------------------------------------- */

fx planted_dot(const fxv *a, const fxv *b, size_t n)
{
    plant_tape *t = planted.tape;
    fx x = fxv_dot(a, b, n);
    if (t) {
        t->dot = grown(t->dot, &t->dot_room, t->dot_count, sizeof *t->dot);
        t->dot_at = grown(t->dot_at, &t->dot_at_room, t->dot_count, sizeof *t->dot_at);
        t->dot[t->dot_count] = x;
        t->dot_at[t->dot_count++] = t->count;
    }
    return x;
}

bool planted_balance(const pf_fraction *f, size_t n, pf_fraction table)
{
    plant_tape *t = planted.tape;
    if (t && !t->root) {
        t->root = malloc((n + 1) * sizeof *t->root);
        CHECK(t->root);
        memcpy(t->root, f, n * sizeof *f);
        t->root[n] = table;
        t->root_count = n + 1;
    }
    return pf_fractions_balance(f, n, table);
}

fx planted_value_of(const pf_values *v, uint32_t tensor)
{
    plant_tape *t = planted.tape;
    if (t) {
        t->row_tensor = grown(t->row_tensor, &t->row_room, t->row_count, sizeof *t->row_tensor);
        t->row_dot = grown(t->row_dot, &t->row_dot_room, t->row_count, sizeof *t->row_dot);
        t->row_tensor[t->row_count] = tensor;
        t->row_dot[t->row_count++] = t->dot_count - 1;
    }
    return pf_value_of(v, tensor);
}

/* What the rounds leave of the claim, less the sum of the products of the ends. */
static fx missing(pf_reader r, pf_transcript t, fx claim, unsigned n, size_t count, const fx *ends)
{
    fx point[PF_VARS_MAX];
    plant_tape *tape = planted.tape;
    planted.tape = NULL;
    CHECK(pf_inner_rounds(&r, &t, n, &claim, point) == OK);
    planted.tape = tape;
    for (size_t m = 0; m < count; m++)
        claim = fx_sub(claim, fx_mul(ends[2 * m], ends[2 * m + 1]));
    return claim;
}

err planted_inner_product(pf_reader *r, pf_transcript *t, const char *what, fx claim, unsigned n, size_t count, fx *point, fx *ends)
{
    pf_reader from = *r;
    pf_transcript before = *t;
    err e = pf_inner_product(r, t, what, claim, n, count, point, ends);
    if (e == OK && planted.tape) {
        fx short_by = missing(from, before, claim, n, count, ends);
        if (!fx_equal(short_by, FX_ZERO))
            planted.tape->short_by = short_by;
    }
    return e;
}

err planted_claims_build(pf_claims *c, const pf_run *run, fx mu, fault *f)
{
    if (planted.claims)
        planted.claims(run, planted.claims_ctx);
    err e = pf_claims_build(c, run, mu, f);
    if (planted.tape)
        planted.tape->claims_value = c->value;
    return e;
}

/* Those over features come first, and begin with the value of the claims; those over tokens are not noted. */
err planted_inner_rounds(pf_reader *r, pf_transcript *t, unsigned n, fx *claim, fx *point)
{
    plant_tape *tape = planted.tape;
    bool features = tape && fx_equal(*claim, tape->claims_value);
    err e = pf_inner_rounds(r, t, n, claim, point);
    if (features)
        tape->claims_left = *claim;
    return e;
}

/* --- what a lying prover sends --------------------------------------------------------------------------------------------- */

err planted_send(pv_writer *w, const char *label, const fx *x, size_t n)
{
    if (!named(planted.false_message, label) || planted.sent++ != planted.false_nth || n <= planted.false_element)
        return pv_send_fx(w, label, x, n);
    fx *copy = malloc(n * sizeof *copy);
    CHECK(copy);
    memcpy(copy, x, n * sizeof *copy);
    copy[planted.false_element] = fx_add(copy[planted.false_element], planted.false_by);
    err e = pv_send_fx(w, label, copy, n);
    free(copy);
    return e;
}
