/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb explain WORD`: what an error means, whether to try again, and what helps; what a parameter of the ledger is, what it may be, who may
 * change it, and what it is now. */
#include "apps/ledger.h"
#include "rpc/json.h"

#include <inttypes.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What the exit code's family asks of the user; the table has one row for each error of its own. */
static const char *advice(int exit_code)
{
    static const char *const texts[] = {
        [1] = "The fault is on this machine: look at the named file or device, then run `tb doctor`.",
        [2] = "The command or a setting is wrong: `tb NOUN VERB --help` shows the form, `tb config check` the settings.",
        [3] = "The named thing does not exist here: check the spelling, the data directory (--home) and the node.",
        [4] = "A key, passphrase or right is missing: `tb wallet list` shows the keys, `tb wallet unlock-check NAME` tries one.",
        [5] = "Nobody answered, or the answer was `busy`: nothing has happened, try again; `tb node status` shows whether a node runs.",
        [6] = "The ledger said no. The same transaction will fail again: change what the message names.",
        [7] = "It may have happened or not: look (`tb wallet balance`, `tb job status`) before sending again.",
        [8] = "What was checked is not what it claims to be: do not use it. The message names the part and where it is.",
        [9] = "A bound was reached: `schema/limits.def` lists them with the reason.",
    };
    return exit_code > 0 && (size_t)exit_code < COUNT_OF(texts) ? texts[exit_code] : "The user or a signal ended it.";
}

/* --- parameters --- */

static const char *changed_by(const chain_param_row *row)
{
    if (row->changer == CHAIN_CHANGER_NOBODY)
        return "nobody: it is what the genesis says";
    return row->class == CHAIN_CLASS_CONSTITUTIONAL ? "an amendment: two votes of both houses" : "a vote of both houses";
}

/* Its value in force, if a node answers. */
static bool value_in_force(const tb_cli *cli, chain_param p, uint64_t *value)
{
    tb_home home;
    tb_ledger ledger = { 0 };
    tb_ledger_options options = { .node = tb_text(cli, "node"), .token_file = tb_text(cli, "token-file") };
    bool known = tb_home_find(&home, cli, NULL) == OK && tb_ledger_open(&ledger, &home, &options, NULL) == OK && tb_ledger_params(&ledger, NULL) == OK;
    *value = known ? ledger.params.v[p] : 0;
    tb_ledger_close(&ledger);
    return known;
}

/* The text of the i-th rule that reads the parameter; NULL behind the last. */
static const char *rule_of(chain_param p, size_t i)
{
    char reads[64];
    snprintf(reads, sizeof reads, "P(%s)", chain_param_rows[p].id);
    for (size_t r = 0; r < chain_param_rule_count; r++)
        if (strstr(chain_param_rules[r].condition, reads) && i-- == 0)
            return chain_param_rules[r].text;
    return NULL;
}

static void print_param(const chain_param_row *row, chain_param p, bool known, uint64_t value)
{
    const char *rule;
    printf("%s: %s\n", row->key, row->doc);
    if (known)
        printf("in force    %" PRIu64 " %s\n", value, row->unit);
    else
        printf("in force    unknown: no node answers\n");
    printf("default     %" PRIu64 "\nbounds      %" PRIu64 " to %" PRIu64 "\nclass       %s\nchanged by  %s\n", row->initial, row->min, row->max,
           chain_class_names[row->class], changed_by(row));
    for (size_t i = 0; (rule = rule_of(p, i)) != NULL; i++)
        printf("rule        %s\n", rule);
}

static int explain_param(const tb_cli *cli, chain_param p)
{
    const chain_param_row *row = &chain_param_rows[p];
    const char *rule;
    uint64_t value;
    bool known = value_in_force(cli, p, &value);
    if (!cli->json) {
        print_param(row, p, known, value);
        return 0;
    }
    json_t *rules = json_array();
    for (size_t i = 0; (rule = rule_of(p, i)) != NULL; i++)
        json_array_append_new(rules, json_string(rule));
    tb_print_json(json_pack("{s:s, s:s, s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:s, s:o}", "schema", "tb-explain-param-1", "key", row->key, "number",
                            (json_int_t)row->number, "text", row->doc, "unit", row->unit, "value", known ? rpc_json_u64(value) : json_null(), "default",
                            rpc_json_u64(row->initial), "min", rpc_json_u64(row->min), "max", rpc_json_u64(row->max), "class", chain_class_names[row->class],
                            "changed_by", changed_by(row), "rules", rules));
    return 0;
}

/* The key that is most like what was typed; NULL if none is like it. */
static const char *nearest_key(const char *typed)
{
    const char *nearest = NULL;
    size_t least = strlen(typed) / 2 + 1;
    for (size_t i = 0; i < CHAIN_PARAM_COUNT; i++) {
        size_t d = tb_word_distance(typed, chain_param_rows[i].key);
        if (d < least) {
            least = d;
            nearest = chain_param_rows[i].key;
        }
    }
    return nearest;
}

static chain_param param_named(const char *typed)
{
    unsigned i = 0;
    while (i < CHAIN_PARAM_COUNT && strcasecmp(typed, chain_param_rows[i].key) != 0)
        i++;
    return (chain_param)i;
}

int cmd_explain(const tb_cli *cli)
{
    const err_row *row;
    const char *asked = cli->args[0];
    char number[16];
    for (size_t i = 0; (row = err_row_at(i)) != NULL; i++) {
        snprintf(number, sizeof number, "%d", (int)row->code);
        if (strcasecmp(asked, row->name) == 0 || strcmp(asked, number) == 0)
            break;
    }
    if (!row) {
        chain_param p = param_named(asked);
        if (p != CHAIN_PARAM_COUNT)
            return explain_param(cli, p);
        const char *nearest = nearest_key(asked);
        if (nearest && !cli->json)
            fprintf(stderr, "did you mean: tb explain %s\n", nearest);
        fault f = { .what = "no error and no parameter of this name" };
        return tb_report(cli, ERR_NOT_FOUND, asked, &f);
    }
    if (cli->json)
        tb_print_json(json_pack("{s:s, s:s, s:i, s:s, s:i, s:b, s:s}", "schema", "tb-explain-1", "name", row->name, "code", (int)row->code,
                                "text", row->text, "exit_code", row->exit_code, "retryable", (int)row->retryable, "advice",
                                advice(row->exit_code)));
    else
        printf("%s (%d): %s\nexit code %d, %s\n%s\n", row->name, (int)row->code, row->text, row->exit_code,
               row->retryable ? "trying again may help" : "trying again does not help", advice(row->exit_code));
    return 0;
}
