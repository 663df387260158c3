/* SPDX-License-Identifier: Apache-2.0
 *
 * The verdict says something about the lease, or nothing: whatever fails on the validator's machine, nobody is convicted. */
#include "world_kit.h"

/* Every error, and whether it convicts: those of spec/audit.md, and no other. */
static void errors_that_convict(void **state)
{
    (void)state;
    static const err list[] = { ERR_UNPROVED, ERR_TRUNCATED, ERR_TRAILING, ERR_CANONICAL, ERR_VERSION, ERR_RANGE, ERR_LEDGER, ERR_UNSUPPORTED, ERR_LIMIT, ERR_SHAPE };
    unsigned convicting = 0;
    for (unsigned e = 0; e < 1000; e++) {
        bool listed = false;
        for (size_t i = 0; i < COUNT_OF(list); i++)
            listed = listed || (unsigned)list[i] == e;
        assert_int_equal(tr_audit_refutes((err)e), listed);
        convicting += listed;
    }
    assert_int_equal(convicting, COUNT_OF(list));
}

/* --- allocations that fail ----------------------------------------------------------------------------------------------------- */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t to, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t to, size_t n);

static unsigned allocations, failing; /* since it was reset; the number of the one that fails, 0: none */

static bool fails(void)
{
    return ++allocations == failing;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

void *__wrap_aligned_alloc(size_t to, size_t n)
{
    return fails() ? NULL : __real_aligned_alloc(to, n);
}

/* What a validator knows of the world's lease. */
static tr_audited about(world *w)
{
    chain_signed s;
    tr_audited a = { .job = *chain_job(eng_solo_read_begin(w->engine), &w->id) };
    eng_solo_read_end(w->engine);
    assert_int_equal(chain_lease_decode(&a.lease, &s, w->lease_bytes, NULL), OK);
    a.lease_hash = s.hash;
    assert_int_equal(chain_attestation_decode(&a.attestation, &s, w->attestation_bytes, NULL), OK);
    return a;
}

static tr_finding verify(const tr_audited *a, const bytes shown[TR_SHOWN_KINDS], unsigned nth, fault *f)
{
    allocations = 0;
    failing = nth;
    tr_finding found = tr_audit_verify(a, shown, NULL, f);
    failing = 0;
    return found;
}

/* An honest lease, and each allocation of its verification fails once; then a false one, which is not let off for it either. */
static void no_memory_is_no_verdict(void **state)
{
    (void)state;
    for (lie l = LIE_NONE; l <= LIE_LOSS; l++) {
        world w;
        fault f = { 0 };
        bytes shown[TR_SHOWN_KINDS];
        begin(&w, 0, l);
        tr_audited a = about(&w);
        tr_finding right = l == LIE_NONE ? TR_FOUND_VALID : TR_FOUND_FALSE;
        for (int k = 0; k < TR_SHOWN_KINDS; k++)
            shown[k] = buf_bytes(&w.shown[k]);
        assert_int_equal(verify(&a, shown, 0, &f), right); /* what is made once for the process is there now */
        assert_int_equal(verify(&a, shown, 0, &f), right);
        unsigned all = allocations, nothing = 0, most = 400, step = all / most + 1;
        for (unsigned nth = 1; nth <= all; nth += step) {
            tr_finding found = verify(&a, shown, nth, &f);
            if (found != right && (found != TR_FOUND_NOTHING || f.code != ERR_MEMORY))
                fail_msg("allocation %u of %u: finding %d, %s %s", nth, all, (int)found, err_describe(f.code)->name, f.what);
            nothing += found == TR_FOUND_NOTHING;
        }
        print_message("%u allocations, %u of %u failures noticed\n", all, nothing, (all + step - 1) / step);
        assert_true(nothing > 0);
        end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(errors_that_convict), cmocka_unit_test(no_memory_is_no_verdict) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
