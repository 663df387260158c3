/* SPDX-License-Identifier: Apache-2.0
 * Authorities: the accounts that may publish packs or attest releases. */
#include "chain/chain_int.h"
#include "chain/ident/ident.h"

const chain_row_authority *chain_authority_get(const chain *c, chain_role role, const cr_address *a)
{
    chain_key key = chain_key_authority((uint8_t)role, a);
    const chain_row_authority *row = chain_row_get(c, CHAIN_TABLE_AUTHORITY, &key);
    return row && row->active ? row : NULL;
}

uint64_t chain_authority_generation(const chain *c, chain_role role)
{
    chain_key key = chain_key_authority((uint8_t)role, NULL);
    const chain_row_authority *row = chain_row_get(c, CHAIN_TABLE_AUTHORITY, &key);
    return row ? row->generation : 0;
}

err chain_authority_set(chain *c, chain_role role, const cr_address *a, uint32_t scope, bool active, fault *f)
{
    if (role != CHAIN_ROLE_PACKS && role != CHAIN_ROLE_RELEASES)
        return fail(f, ERR_RANGE, "authority.role", role);
    if (a->kind != CR_ADDRESS_ACCOUNT)
        return fail(f, ERR_ADDRESS, "authority.address", a->kind);
    if (scope > (role == CHAIN_ROLE_PACKS ? LIMIT_REGION : 0))
        return fail(f, ERR_RANGE, "authority.scope", scope);
    chain_key key = chain_key_authority((uint8_t)role, a), role_key = chain_key_authority((uint8_t)role, NULL);
    const chain_row_authority *now = chain_row_get(c, CHAIN_TABLE_AUTHORITY, &key);
    if (now ? now->active == active && now->scope == scope : !active)
        return OK;
    const chain_row_authority *head = chain_row_get(c, CHAIN_TABLE_AUTHORITY, &role_key);
    uint32_t slot = now ? now->slot : head ? head->slot : 0; /* an authority that comes back has its old bit */
    if (!now && slot >= LIMIT_AUTHORITY_SLOTS)
        return fail(f, ERR_LIMIT, "authority.slot", slot);

    chain_row_authority *role_row = chain_row_edit_or_create(c, CHAIN_TABLE_AUTHORITY, &role_key);
    role_row->slot += now == NULL;
    TRY(checked_add_u64(&role_row->generation, role_row->generation, 1));
    chain_row_authority *row = chain_row_edit_or_create(c, CHAIN_TABLE_AUTHORITY, &key);
    *row = (chain_row_authority){ .active = active, .scope = scope, .slot = slot };
    chain_event_add(c, CHAIN_EVENT_AUTHORITY_CHANGED, CHAIN_EVENT_NO_TX)->data.authority_changed =
        (chain_event_authority_changed){ .role = (uint8_t)role, .authority = *a, .scope = scope, .active = active };
    return OK;
}
