/* SPDX-License-Identifier: Apache-2.0
 *
 * SIGINT and SIGTERM as a call: one thread waits for them, so that what they stop may take locks. */
#ifndef APPS_SIGNALS_H
#define APPS_SIGNALS_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct tb_signals {
    pthread_t   thread;
    atomic_bool caught, over, running;
    bool        until_eof; /* set before start: the end of standard input counts as a signal, so that a child ends with who started it */
    void      (*stop)(void *ctx);
    void       *ctx;
} tb_signals;

/* Blocks SIGINT, SIGTERM and SIGHUP in this and every later thread, ignores SIGPIPE and SIGXFSZ: before the first thread starts, and
 * after the last prompt, where Ctrl-C must end the program. */
void tb_signals_block(void);

/* At the first signal: caught = true, stop(ctx), from another thread. */
void tb_signals_start(tb_signals *s, void (*stop)(void *ctx), void *ctx);
void tb_signals_end(tb_signals *s); /* after this stop is not called any more; harmless if not started */

#endif
