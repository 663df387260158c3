/* SPDX-License-Identifier: Apache-2.0
 *
 * Events: what execution did, returned with the block, never called back and outside every hash. */
#ifndef CHAIN_EVENT_H
#define CHAIN_EVENT_H

#include "chain/tx.h"

typedef enum chain_event_type {
#define EVENT_BEGIN(ID, number, name, doc) CHAIN_EVENT_##ID = (number),
#define FIELD(record, type, field, max, doc)
#define EVENT_END(ID, name)
#include "events.def"
#undef EVENT_BEGIN
#undef FIELD
#undef EVENT_END
} chain_event_type;

#define EVENT_BEGIN(ID, number, name, doc) typedef struct chain_event_##name {
#define FIELD(record, type, field, max, doc) CHAIN_C_##type field;
#define EVENT_END(ID, name) } chain_event_##name;
#include "events.def"
#undef EVENT_BEGIN
#undef FIELD
#undef EVENT_END

enum { CHAIN_EVENT_NO_TX = UINT32_MAX };

typedef struct chain_event {
    chain_event_type type;
    uint32_t         tx_index; /* in the block; CHAIN_EVENT_NO_TX for what the block itself does */
    union {
#define EVENT_BEGIN(ID, number, name, doc) chain_event_##name name;
#define FIELD(record, type, field, max, doc)
#define EVENT_END(ID, name)
#include "events.def"
#undef EVENT_BEGIN
#undef FIELD
#undef EVENT_END
    } data;
} chain_event;

/* The table; `data` of a chain_event is the record's object. NULL for an unknown number or past the end. */
const chain_record *chain_event_record(uint64_t type);
const chain_record *chain_event_record_at(size_t index, chain_event_type *type);

#endif
