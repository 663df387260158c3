/* SPDX-License-Identifier: Apache-2.0 */
#include "econ/breaker.h"

static err check(const econ_breaker *now, uint64_t height, const econ_breaker_params *p, fault *f)
{
    TRY(econ_within(p->failure_threshold, 1, ECON_BREAKER_FAILURES_MAX, "breaker.failure_threshold", f));
    TRY(econ_within(p->success_threshold, 1, UINT32_MAX, "breaker.success_threshold", f));
    TRY(econ_within(p->window_blocks, 1, UINT32_MAX, "breaker.window", f));
    TRY(econ_within(now->state, ECON_BREAKER_CLOSED, ECON_BREAKER_HALF_OPEN, "breaker.state", f));
    TRY(econ_within(now->failures, 0, ECON_BREAKER_FAILURES_MAX - 1, "breaker.failures", f));
    return econ_within(height, now->height, UINT64_MAX, "breaker.height", f);
}

static void forget(econ_breaker *b, uint32_t count)
{
    for (uint32_t i = 0; i + count < b->failures; i++)
        b->failed_at[i] = b->failed_at[i + count];
    for (uint32_t i = b->failures - count; i < b->failures; i++)
        b->failed_at[i] = 0;
    b->failures -= count;
}

static void trip(econ_breaker *b, uint64_t height)
{
    forget(b, b->failures);
    b->state = ECON_BREAKER_OPEN;
    b->opened_at = height;
    b->successes = 0;
}

err econ_breaker_admit(econ_breaker *next, const econ_breaker *now, uint64_t height, const econ_breaker_params *p, fault *f)
{
    TRY(check(now, height, p, f));
    econ_breaker b = *now;
    b.height = height;
    err e = OK;
    if (b.state == ECON_BREAKER_OPEN && height - b.opened_at >= p->open_blocks)
        b.state = ECON_BREAKER_HALF_OPEN;
    if (b.state == ECON_BREAKER_OPEN)
        e = fail(f, ERR_BUSY, "breaker.open", b.opened_at + p->open_blocks);
    else if (b.state == ECON_BREAKER_HALF_OPEN && b.probing)
        e = fail(f, ERR_BUSY, "breaker.probe", height);
    else if (b.state == ECON_BREAKER_HALF_OPEN)
        b.probing = true;
    *next = b;
    return e;
}

static void failed(econ_breaker *b, uint64_t height, const econ_breaker_params *p)
{
    uint32_t old = 0;
    while (old < b->failures && height - b->failed_at[old] >= p->window_blocks)
        old++;
    forget(b, old);
    b->failed_at[b->failures++] = height;
    if (b->failures >= p->failure_threshold)
        trip(b, height);
}

err econ_breaker_report(econ_breaker *next, const econ_breaker *now, uint64_t height, bool success, const econ_breaker_params *p, fault *f)
{
    TRY(check(now, height, p, f));
    if (now->state == ECON_BREAKER_OPEN || (now->state == ECON_BREAKER_HALF_OPEN && !now->probing))
        return fail(f, ERR_STATE, "breaker.report", height);
    econ_breaker b = *now;
    b.height = height;
    b.probing = false;
    if (b.state == ECON_BREAKER_HALF_OPEN) {
        b.successes += success;
        if (!success)
            trip(&b, height);
        else if (b.successes >= p->success_threshold)
            b = (econ_breaker){ .state = ECON_BREAKER_CLOSED, .height = height };
    } else if (success) {
        forget(&b, b.failures);
    } else {
        failed(&b, height, p);
    }
    *next = b;
    return OK;
}
