/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/event.h"

#include "chain/field_int.h"

#define EVENT_BEGIN(ID, number, name, doc) static const chain_field fields_##name[] = {
#define FIELD(record, type, field, max, doc) CHAIN_FIELD(chain_event_##record, record, type, field, max, doc)
#define EVENT_END(ID, name) { 0 } };
#include "events.def"
#undef EVENT_BEGIN
#undef FIELD
#undef EVENT_END

static const struct {
    chain_event_type type;
    chain_record     record;
} events[] = {
#define EVENT_BEGIN(ID, number, title, text)                                                                            \
    { CHAIN_EVENT_##ID,                                                                                                 \
      { .name = #title, .doc = (text), .fields = fields_##title, .count = CHAIN_FIELD_COUNT(fields_##title),            \
        .size = sizeof(chain_event_##title) } },
#define FIELD(record, type, field, max, doc)
#define EVENT_END(ID, name)
#include "events.def"
#undef EVENT_BEGIN
#undef FIELD
#undef EVENT_END
};

const chain_record *chain_event_record(uint64_t type)
{
    for (size_t i = 0; i < COUNT_OF(events); i++)
        if ((uint64_t)events[i].type == type)
            return &events[i].record;
    return NULL;
}

const chain_record *chain_event_record_at(size_t index, chain_event_type *type)
{
    if (index >= COUNT_OF(events))
        return NULL;
    if (type)
        *type = events[index].type;
    return &events[index].record;
}
