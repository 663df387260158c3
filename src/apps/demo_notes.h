/* SPDX-License-Identifier: Apache-2.0
 *
 * What the demo's coordinator said of each lease, by number: its receipts follow from it. */
#ifndef APPS_DEMO_NOTES_H
#define APPS_DEMO_NOTES_H

#include "base/err.h"

typedef enum demo_flag { DEMO_SAMPLED = 1, DEMO_EXECUTED = 2, DEMO_PAID = 4, DEMO_PROVED = 8 } demo_flag;

typedef struct demo_note {
    uint64_t id;
    unsigned flags;
} demo_note;

typedef struct demo_notes {
    demo_note *list; /* owned; ids ascend */
    size_t     count, room;
    bool       incomplete; /* there was no memory for one */
} demo_notes;

void demo_notes_set(demo_notes *n, uint64_t lease_id, demo_flag flag);
void demo_notes_deinit(demo_notes *n);

#endif
