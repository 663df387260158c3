/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/signals.h"

#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

static void fill(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

void tb_signals_block(void)
{
    sigset_t set;
    fill(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* else a full quota kills the process before it can say so */
}

static bool input_ended(void)
{
    struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
    char dropped[64];
    if (poll(&p, 1, 0) <= 0)
        return false;
    ssize_t n = read(STDIN_FILENO, dropped, sizeof dropped);
    return n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN);
}

static void *wait_for_one(void *ctx)
{
    tb_signals *s = ctx;
    sigset_t set;
    const struct timespec slice = { .tv_nsec = 100000000 };
    fill(&set);
    while (!atomic_load(&s->over)) {
        if (sigtimedwait(&set, NULL, &slice) <= 0 && !(s->until_eof && input_ended()))
            continue;
        atomic_store(&s->caught, true);
        s->stop(s->ctx);
        break;
    }
    return NULL;
}

void tb_signals_start(tb_signals *s, void (*stop)(void *ctx), void *ctx)
{
    s->stop = stop;
    s->ctx = ctx;
    atomic_store(&s->caught, false);
    atomic_store(&s->over, false);
    /* Without the thread the signals stay blocked and wait: the caller's own loop still ends when its work does. */
    atomic_store(&s->running, pthread_create(&s->thread, NULL, wait_for_one, s) == 0);
}

void tb_signals_end(tb_signals *s)
{
    if (!atomic_load(&s->running))
        return;
    atomic_store(&s->over, true);
    pthread_join(s->thread, NULL);
    atomic_store(&s->running, false);
}
