/* SPDX-License-Identifier: Apache-2.0
 * The descriptor of one field, for the expansions of the .def files inside this folder. */
#ifndef CHAIN_FIELD_INT_H
#define CHAIN_FIELD_INT_H

#include "chain/record.h"

#define CHAIN_FIELD(ctype, record, wire_type, member, greatest, text) \
    { .name = #member, .where = #record "." #member, .doc = (text), .type = CHAIN_TYPE_##wire_type, \
      .offset = (uint32_t)offsetof(ctype, member), .max = (greatest) },

/* A list of fields closed by an entry without a name, so that a record without fields is an array too. */
#define CHAIN_FIELD_COUNT(array) (COUNT_OF(array) - 1)

#endif
