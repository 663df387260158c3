/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/treasury/breaker.h"

enum { WHOLE_PPM = 1000000 };

static const size_t failed_at[CHAIN_BREAKER_FAILURES_MAX] = {
    offsetof(chain_row_breaker, failed_1), offsetof(chain_row_breaker, failed_2), offsetof(chain_row_breaker, failed_3),
    offsetof(chain_row_breaker, failed_4), offsetof(chain_row_breaker, failed_5), offsetof(chain_row_breaker, failed_6),
    offsetof(chain_row_breaker, failed_7), offsetof(chain_row_breaker, failed_8),
};

static uint64_t *failed(chain_row_breaker *b, unsigned i)
{
    return (uint64_t *)(void *)((uint8_t *)b + failed_at[i]);
}

uint64_t chain_breaker_failed(const chain_row_breaker *b, unsigned i)
{
    return *(const uint64_t *)(const void *)((const uint8_t *)b + failed_at[i]);
}

chain_row_breaker chain_breaker_new(void)
{
    return (chain_row_breaker){ .scale_ppm = WHOLE_PPM };
}

/* Neither factor is above 10^6 and the other above 2^44: all products of this file fit. */
static uint64_t share_down(uint64_t of, uint64_t ppm)
{
    return of * ppm / WHOLE_PPM;
}

uint64_t chain_breaker_threshold(const chain_row_breaker *b, const chain_breaker_rules *r)
{
    uint64_t scaled = share_down(r->failures, b->scale_ppm);
    return scaled ? scaled : 1;
}

static void forget_failures(chain_row_breaker *b)
{
    for (unsigned i = 0; i < CHAIN_BREAKER_FAILURES_MAX; i++)
        *failed(b, i) = 0;
}

static void open_it(chain_row_breaker *b, const chain_breaker_rules *r, uint64_t height, uint64_t epoch)
{
    b->state = CHAIN_BREAKER_OPEN;
    b->opened_height = height;
    b->successes = 0;
    forget_failures(b);
    chain_breaker_incident(b, r, epoch);
}

void chain_breaker_epoch(chain_row_breaker *b, const chain_breaker_rules *r, uint64_t height)
{
    /* Rounded up: the smallest scale grows, too. */
    uint64_t step = ((uint64_t)b->scale_ppm * r->recover_ppm + WHOLE_PPM - 1) / WHOLE_PPM;
    b->scale_ppm = step < WHOLE_PPM - b->scale_ppm ? (uint32_t)(b->scale_ppm + step) : WHOLE_PPM;
    if (b->state == CHAIN_BREAKER_OPEN && height - b->opened_height >= r->open)
        b->state = CHAIN_BREAKER_HALF_OPEN;
}

bool chain_breaker_admits(const chain_row_breaker *b, uint64_t height)
{
    return b->state == CHAIN_BREAKER_CLOSED || (b->state == CHAIN_BREAKER_HALF_OPEN && b->probe_height != height);
}

void chain_breaker_success(chain_row_breaker *b, const chain_breaker_rules *r, uint64_t height)
{
    forget_failures(b);
    if (b->state != CHAIN_BREAKER_HALF_OPEN)
        return;
    b->probe_height = height;
    b->successes++;
    if (b->successes >= r->successes) {
        b->state = CHAIN_BREAKER_CLOSED;
        b->successes = 0;
    }
}

void chain_breaker_failure(chain_row_breaker *b, const chain_breaker_rules *r, uint64_t height, uint64_t epoch)
{
    if (b->state == CHAIN_BREAKER_OPEN)
        return;
    if (b->state == CHAIN_BREAKER_HALF_OPEN) {
        b->probe_height = height;
        open_it(b, r, height, epoch);
        return;
    }
    for (unsigned i = CHAIN_BREAKER_FAILURES_MAX - 1; i > 0; i--)
        *failed(b, i) = *failed(b, i - 1);
    *failed(b, 0) = height;
    uint64_t recent = 0;
    for (unsigned i = 0; i < CHAIN_BREAKER_FAILURES_MAX; i++)
        recent += *failed(b, i) && height - *failed(b, i) < r->window;
    if (recent >= chain_breaker_threshold(b, r))
        open_it(b, r, height, epoch);
}

void chain_breaker_incident(chain_row_breaker *b, const chain_breaker_rules *r, uint64_t epoch)
{
    if (b->incident_epoch == epoch)
        return;
    b->incident_epoch = epoch;
    uint64_t tight = share_down(b->scale_ppm, r->tighten_ppm);
    if (tight < r->scale_min_ppm)
        tight = r->scale_min_ppm;
    if (tight < b->scale_ppm) /* a parameter that was raised since loosens nothing */
        b->scale_ppm = (uint32_t)tight;
}
