/* SPDX-License-Identifier: Apache-2.0
 *
 * Every law of src/econ and every operation of base/fixed.h by name, on plain integers: what the vectors, the comparison with Python and the
 * other compilers and machines all call. The order of the integers is that of spec/vectors/economy.json. */
#ifndef TESTS_ECON_LAWS_H
#define TESTS_ECON_LAWS_H

#include <stdbool.h>
#include <stddef.h>

enum { LAWS_LINE_MAX = 8192 };

/* Answers "NAME INTEGER..." with "INTEGER..." or with "ERROR field"; false if the line is not a question. */
bool laws_answer(char out[LAWS_LINE_MAX], const char *line);

/* The names, NULL past the end. */
const char *laws_name(size_t index);

#endif
