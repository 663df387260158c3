/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose the vectors of the claims are. */
#include "proof/claims_int.h"

#include <stdlib.h>
#include <string.h>

fxv *pf_vector(pf_builder *b, size_t n)
{
    pf_claims *c = b->c;
    if (c->memory_count == c->memory_room) {
        size_t room = c->memory_room ? 2 * c->memory_room : 256;
        void **more = realloc(c->memory, room * sizeof *more);
        if (!more)
            return NULL;
        c->memory = more;
        c->memory_room = room;
    }
    fxv *v = fxv_alloc(n);
    if (v)
        c->memory[c->memory_count++] = v;
    return v;
}

static bool is_of_row(const pf_claims *c, uint32_t first, const void *v)
{
    for (uint32_t i = first; i < c->count; i++)
        if (c->rows[i].v == v || c->rows[i].w == v)
            return true;
    return false;
}

void pf_forget(pf_claims *c, size_t from, uint32_t first_row)
{
    size_t kept = from;
    for (size_t i = from; i < c->memory_count; i++)
        if (is_of_row(c, first_row, c->memory[i]))
            c->memory[kept++] = c->memory[i];
        else
            free(c->memory[i]);
    c->memory_count = kept;
}

void pf_claims_deinit(pf_claims *c)
{
    for (size_t i = 0; i < c->memory_count; i++)
        free(c->memory[i]);
    free(c->memory);
    free(c->rows);
    memset(c, 0, sizeof *c);
}
