/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/demo_notes.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 1024 };

static bool make_room(demo_notes *n)
{
    size_t room = n->room ? 2 * n->room : ROOM_FIRST;
    demo_note *list = n->count < n->room ? n->list : realloc(n->list, room * sizeof *list);
    if (!list)
        return false;
    n->room = n->count < n->room ? n->room : room;
    n->list = list;
    return true;
}

void demo_notes_set(demo_notes *n, uint64_t lease_id, demo_flag flag)
{
    size_t at = 0;
    for (size_t end = n->count; at < end;) {
        size_t middle = at + (end - at) / 2;
        if (n->list[middle].id < lease_id)
            at = middle + 1;
        else
            end = middle;
    }
    if (at == n->count || n->list[at].id != lease_id) { /* leases are numbered as they go out: mostly the last */
        if (!make_room(n)) {
            n->incomplete = true;
            return;
        }
        memmove(&n->list[at + 1], &n->list[at], (n->count++ - at) * sizeof *n->list);
        n->list[at] = (demo_note){ .id = lease_id };
    }
    n->list[at].flags |= flag;
}

void demo_notes_deinit(demo_notes *n)
{
    free(n->list);
    *n = (demo_notes){ 0 };
}
