/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line: one table (schema/cli.def) drives parsing, help and completion. Conventions: results on standard output,
 * everything else on standard error; --json gives one document, errors included; exit codes as in errors.def. */
#ifndef APPS_CLI_H
#define APPS_CLI_H

#include "base/err.h"

#include <jansson.h>

typedef enum tb_opt_type { TB_FLAG, TB_TEXT, TB_UINT, TB_FILE } tb_opt_type;

enum { TB_OPTIONS_MAX = 48, TB_ARGS_MAX = 8 };

typedef struct tb_cli {
    const char *noun, *verb;
    const char *args[TB_ARGS_MAX];
    size_t      n_args;
    struct {
        const char *name;
        tb_opt_type type;
        const char *text;  /* as given, or the default */
        bool        given;
    } options[TB_OPTIONS_MAX];
    size_t      n_options;
    bool        json, no_input, color_out, color_err;
} tb_cli;

/* Values of options; the name must stand in the table (CHECK). Numbers were checked by the parser. */
bool        tb_flag(const tb_cli *cli, const char *name);
const char *tb_text(const tb_cli *cli, const char *name); /* "" if not given and without default */
uint64_t    tb_uint(const tb_cli *cli, const char *name);
bool        tb_given(const tb_cli *cli, const char *name);

typedef int tb_command(const tb_cli *cli); /* returns the exit code */

#define CMD(noun, verb, function, args, help) tb_command function;
#define OPT(noun, verb, name, type, standard, help)
#include "cli.def"
#undef CMD
#undef OPT

/* Reports an error in the form the user asked for and returns its exit code. `subject` (may be NULL) is what it is about: a file, an
 * address; `f` (may be NULL) says what and where. */
int tb_report(const tb_cli *cli, err code, const char *subject, const fault *f);

/* Asks on the terminal unless there is --yes, an option of the command: OK; ERR_USAGE if nobody can be asked, ERR_INTERRUPTED naming
 * `refused` (static) if the answer is no. */
err tb_consent(const tb_cli *cli, const char *question, const char *refused, fault *f) MUST_USE;

/* How many letters must be put in, taken out or replaced to make one of the other: for "did you mean". */
size_t tb_word_distance(const char *a, const char *b);

/* Prints one JSON document and frees it. */
void tb_print_json(json_t *document);

/* Words that could stand where the last of `words` (the command line after "tb") is being typed: nouns, verbs, options. Returns how
 * many were shown. */
typedef void tb_complete_fn(void *ctx, const char *before, const char *name);
size_t tb_complete(char *const *words, size_t count, tb_complete_fn *show, void *ctx);

/* Parses and runs; the value for exit(). */
int tb_main(int argc, char **argv);

#endif
