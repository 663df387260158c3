/* SPDX-License-Identifier: Apache-2.0
 *
 * gen DIR: writes the reference pages that follow from schema/ (rpc, errors, limits, tx, params, packs, profiles, config, cli, job) into DIR.
 * gen --check DIR: writes nothing, prints the name of each page that is not what schema/ says, exits 1 if there is one. */
#define _GNU_SOURCE
#include "base/limits.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_AMOUNT_MAX 40000000000000000u
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

typedef enum kind { ROW_BEGIN_OF, ROW_FIELD, ROW_END_OF } kind;

/* One line of a table of records: the start of one, a field, the end. */
typedef struct line {
    kind        what;
    uint64_t    number;
    const char *name, *type, *given, *extra, *returns, *doc;
    uint64_t    max;
} line;

static const line methods[] = {
#define RPC_BEGIN(ID, symbol, title, scope, result, back, text) { .what = ROW_BEGIN_OF, .name = title, .extra = #scope, .returns = back, .doc = text },
#define PARAM(symbol, kind_, title, required, most, text)                                                                  \
    { .what = ROW_FIELD, .name = #title, .type = #kind_, .given = #required, .max = (most), .doc = text },
#define RPC_END(ID, symbol) { .what = ROW_END_OF },
#include "rpc.def"
#undef RPC_BEGIN
#undef PARAM
#undef RPC_END
};

static const line lives[] = {
#define LIVE_BEGIN(symbol, text) { .what = ROW_BEGIN_OF, .name = #symbol, .doc = text },
#define PARAM(symbol, kind_, title, required, most, text)                                                                  \
    { .what = ROW_FIELD, .name = #title, .type = #kind_, .given = #required, .max = (most), .doc = text },
#define LIVE_END(symbol) { .what = ROW_END_OF },
#include "live.def"
#undef LIVE_BEGIN
#undef PARAM
#undef LIVE_END
};

static const line txs[] = {
#define TX_BEGIN(ID, wire, title, size_max, text) { .what = ROW_BEGIN_OF, .number = (wire), .name = #title, .max = (size_max), .doc = text },
#define FIELD(record, kind_, title, most, text) { .what = ROW_FIELD, .name = #title, .type = #kind_, .max = (most), .doc = text },
#define TX_END(ID, title) { .what = ROW_END_OF },
#include "tx.def"
#undef TX_BEGIN
#undef TX_END
#undef FIELD
};

static const line events[] = {
#define EVENT_BEGIN(ID, wire, title, text) { .what = ROW_BEGIN_OF, .number = (wire), .name = #title, .doc = text },
#define FIELD(record, kind_, title, most, text) { .what = ROW_FIELD, .name = #title, .type = #kind_, .max = (most), .doc = text },
#define EVENT_END(ID, title) { .what = ROW_END_OF },
#include "events.def"
#undef EVENT_BEGIN
#undef EVENT_END
#undef FIELD
};

/* --- pages -------------------------------------------------------------------------------------------------------------- */

static void head(FILE *out, const char *title, const char *source, const char *intro)
{
    fprintf(out, "<!-- SPDX-License-Identifier: Apache-2.0 -->\n<!-- Written by tools/gen.c from %s: change that. -->\n# %s\n\n%s\n", source,
            title, intro);
}

/* Table cells: a bar would end one. */
static void cell(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            fputc('\\', out);
        fputc(*text, out);
    }
}

/* Starts with a capital, ends with a stop. */
static void sentence(FILE *out, const char *text)
{
    fputc(*text >= 'a' && *text <= 'z' ? *text - 32 : *text, out);
    fprintf(out, "%s.\n", text + 1);
}

static const char *json_type(const char *type)
{
    static const struct { const char *type, *text; } names[] = {
        { "BOOL", "boolean" }, { "U32", "integer" }, { "U64", "decimal string" }, { "I64", "signed decimal string" },
        { "HASH", "hash (64 hex digits)" }, { "ADDRESS", "address (tb1...)" }, { "TEXT", "text" }, { "BYTES", "hex" }, { "OBJECT", "object" },
    };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (strcmp(names[i].type, type) == 0)
            return names[i].text;
    }
    return type;
}

static void bound(FILE *out, const line *l)
{
    /* The whole range of a type is no bound worth a number. */
    if (l->max != 0 && (l->max < INT32_MAX || l->max == CHAIN_AMOUNT_MAX))
        fprintf(out, "%" PRIu64, l->max);
}

static void json_fields(FILE *out, const line *l)
{
    fputs("\n| name | type | | most | meaning |\n|---|---|---|---|---|\n", out);
    for (; l->what == ROW_FIELD; l++) {
        fprintf(out, "| `%s` | %s | %s | ", l->name, json_type(l->type), strcmp(l->given, "REQUIRED") == 0 ? "required" : "optional");
        bound(out, l);
        fputs(" | ", out);
        cell(out, l->doc);
        fputs(" |\n", out);
    }
}

static void lower(char *out, size_t cap, const char *text)
{
    snprintf(out, cap, "%s", text);
    for (; *out; out++)
        *out = *out >= 'A' && *out <= 'Z' ? (char)(*out + 32) : *out;
}

static void page_rpc(FILE *out)
{
    char scope[16];
    head(out, "JSON-RPC", "schema/rpc.def and schema/live.def",
         "JSON-RPC 2.0 on `POST /rpc` with `Content-Type: application/json`, over the node's Unix socket (every scope) or over\n"
         "`http://127.0.0.1:PORT` with `Authorization: Bearer TOKEN`. Parameters by name or by position; unknown names are refused. Batches\n"
         "are answered call by call. `rpc.discover` gives this page as an OpenRPC document.\n\n"
         "Numbers of 64 bits are decimal strings, hashes and bytes are lower-case hex, amounts are nBLOCK (1 BLOCK = 10^9). Cursors are opaque:\n"
         "hand back `next` as `cursor`.\n\n"
         "An error has `code`, `message` and `data: {code, name, message, retryable, what, at}`. `data.code` is always a row of\n"
         "[errors](errors.md); `code` is -32700 (not readable as JSON), -32600 (not a request, or too large a batch), -32601 (no such method\n"
         "here), -32602 (wrong parameters: `what` names one), -32603 (our fault), and `data.code` otherwise. `what` says which input was\n"
         "refused and `at` where.");
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        const line *l = &methods[i];
        if (l->what != ROW_BEGIN_OF)
            continue;
        lower(scope, sizeof scope, l->extra);
        fprintf(out, "\n## %s\n\nScope %s. ", l->name, scope);
        sentence(out, l->doc);
        if (l[1].what == ROW_FIELD)
            json_fields(out, l + 1);
        fprintf(out, "\nResult: %s.\n", l->returns);
    }
    fputs("\n# Live records\n\nWhat coordinators and workers report and the chain does not know. It informs and decides nothing.\n", out);
    for (size_t i = 0; i < COUNT_OF(lives); i++) {
        if (lives[i].what != ROW_BEGIN_OF)
            continue;
        fprintf(out, "\n## Live record %s\n\n", lives[i].name);
        sentence(out, lives[i].doc);
        json_fields(out, &lives[i + 1]);
    }
}

static void page_errors(FILE *out)
{
    static const struct { const char *name; int number, exit_code, retryable; const char *text; } rows[] = {
#define ERR(id, number, exit_code, retryable, text) { #id, number, exit_code, retryable, text },
#include "errors.def"
#undef ERR
    };
    head(out, "Errors", "schema/errors.def",
         "Every error that input, disk, network or another party can cause. The number travels over RPC and stands in receipts. *retry*: the\n"
         "same request may succeed later. Exit codes of `tb`: 0 ok, 1 internal, 2 usage, 3 not found, 4 key or permission, 5 unreachable,\n"
         "6 rejected or failed on chain, 7 timeout with unknown outcome, 8 verification failed, 9 limit, 130 interrupted.");
    fputs("\n| number | name | exit | retry | meaning |\n|---|---|---|---|---|\n", out);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        fprintf(out, "| %d | %s | %d | %s | %s |\n", rows[i].number, rows[i].name, rows[i].exit_code, rows[i].retryable ? "yes" : "", rows[i].text);
}

static void page_limits(FILE *out)
{
    static const struct { const char *name; uint64_t value; const char *unit, *why; } rows[] = {
#define LIMIT(name, value, unit, why) { #name, (value), unit, why },
#include "limits.def"
#undef LIMIT
    };
    head(out, "Limits", "schema/limits.def", "Bounds of everything that comes from outside. What is over one is refused with LIMIT (or RANGE), before it costs anything.");
    fputs("\n| name | value | unit | of what |\n|---|---|---|---|\n", out);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        fprintf(out, "| %s | %" PRIu64 " | %s | %s |\n", rows[i].name, rows[i].value, rows[i].unit, rows[i].why);
}

static void page_invariants(FILE *out)
{
    static const struct { const char *name, *kind, *guarantee, *check; } rows[] = {
#define INVARIANT(ID, name, kind, guarantee, check) { name, #kind, guarantee, check },
#include "invariants.def"
#undef INVARIANT
    };
    head(out, "Invariants", "schema/invariants.def", "What every block must leave true; one that breaks any is refused whole with INVARIANT, by this name (spec/constitution.md).");
    fputs("\n| name | kind | guarantee | what is checked |\n|---|---|---|---|\n", out);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        fprintf(out, "| %s | %s | %s | %s |\n", rows[i].name, rows[i].kind[0] == 'C' ? "cryptographic" : "economic", rows[i].guarantee, rows[i].check);
}

static void record_fields(FILE *out, const line *l)
{
    if (l->what != ROW_FIELD)
        return;
    fputs("\n| field | type | most | meaning |\n|---|---|---|---|\n", out);
    for (; l->what == ROW_FIELD; l++) {
        fprintf(out, "| `%s` | %s | ", l->name, l->type);
        bound(out, l);
        fputs(" | ", out);
        cell(out, l->doc);
        fputs(" |\n", out);
    }
}

static void page_tx(FILE *out)
{
    head(out, "Transactions and events", "schema/tx.def and schema/events.def",
         "Fields in wire order. Types: U8, U32, U64 integers; HASH and KEY 32 bytes; ADDRESS kind and hash; BLOB bytes; ITEMS a canonical CBOR\n"
         "array. *most* is the greatest value of an integer, or the greatest length of a view. What each transaction does:\n"
         "[spec/tx.md](../../spec/tx.md).");
    for (size_t i = 0; i < COUNT_OF(txs); i++) {
        if (txs[i].what != ROW_BEGIN_OF)
            continue;
        fprintf(out, "\n## %s (%" PRIu64 ")\n\nAt most %" PRIu64 " bytes. ", txs[i].name, txs[i].number, txs[i].max);
        sentence(out, txs[i].doc);
        record_fields(out, &txs[i + 1]);
    }
    fputs("\n# Events\n\nWhat execution did. Events are outside every hash.\n", out);
    for (size_t i = 0; i < COUNT_OF(events); i++) {
        if (events[i].what != ROW_BEGIN_OF)
            continue;
        fprintf(out, "\n## Event %s (%" PRIu64 ")\n\n", events[i].name, events[i].number);
        sentence(out, events[i].doc);
        record_fields(out, &events[i + 1]);
    }
}

static void page_params(FILE *out)
{
    static const struct { uint32_t number; const char *key, *unit; uint64_t initial, min, max; const char *class, *changer, *doc; } rows[] = {
#define PARAM(ID, number, key, unit, def, min, max, class, changer, doc) { number, key, unit, def, min, max, #class, #changer, doc },
#define PARAM_RULE(text, condition)
#include "params.def"
#undef PARAM
#undef PARAM_RULE
    };
    static const char *const rules[] = {
#define PARAM(ID, number, key, unit, def, min, max, class, changer, doc)
#define PARAM_RULE(text, condition) text,
#include "params.def"
#undef PARAM
#undef PARAM_RULE
    };
    char class[32], changer[32];
    head(out, "Parameters", "schema/params.def", "Every parameter of the ledger. A genesis may set any value within the bounds.");
    fputs("\n| number | key | unit | default | least | most | class | changed by | meaning |\n|---|---|---|---|---|---|---|---|---|\n", out);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        lower(class, sizeof class, rows[i].class);
        lower(changer, sizeof changer, rows[i].changer);
        for (char *p = changer; *p; p++)
            *p = *p == '_' ? ' ' : *p;
        fprintf(out, "| %" PRIu32 " | `%s` | %s | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %s | %s | %s |\n", rows[i].number, rows[i].key, rows[i].unit,
                rows[i].initial, rows[i].min, rows[i].max, class, changer, rows[i].doc);
    }
    fputs("\nRules between them:\n\n", out);
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        fprintf(out, "- %s\n", rules[i]);
}

static void page_profiles(FILE *out)
{
    enum {
#define PARAM(ID, number, key, unit, def, min, max, class, changer, doc) ROW_##ID,
#define PARAM_RULE(text, condition)
#include "params.def"
#undef PARAM
    };
    static const char *const keys[] = {
#define PARAM(ID, number, key, unit, def, min, max, class, changer, doc) [ROW_##ID] = key,
#include "params.def"
#undef PARAM
#undef PARAM_RULE
    };
    enum what { NAME, VALUE, BOUND };
    static const struct { enum what what; int key; uint64_t least, most; const char *name, *doc; } rows[] = {
#define PROFILE(ID, name, doc) { NAME, 0, 0, 0, name, doc },
#define PROFILE_PARAM(profile, param, value, doc) { VALUE, ROW_##param, value, value, #profile, doc },
#define PROFILE_BOUND(profile, param, least, most, doc) { BOUND, ROW_##param, least, most, #profile, doc },
#include "profiles.def"
#undef PROFILE
#undef PROFILE_PARAM
#undef PROFILE_BOUND
    };
    head(out, "Profiles of sovereign forks", "schema/profiles.def",
         "What `tb genesis new --profile` starts with: parameters that differ from their defaults, and bounds that no vote of that network leaves\n"
         "(`spec/tx.md` section Genesis). How to start a network of one's own: `docs/forks.md`.");
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].what == NAME) {
            fprintf(out, "\n## %s\n\n", rows[i].name);
            sentence(out, rows[i].doc);
            if (i + 1 < COUNT_OF(rows) && rows[i + 1].what != NAME)
                fputs("\n| parameter | | why |\n|---|---|---|\n", out);
        } else if (rows[i].what == VALUE)
            fprintf(out, "| `%s` | is %" PRIu64 " | %s |\n", keys[rows[i].key], rows[i].least, rows[i].doc);
        else
            fprintf(out, "| `%s` | stays from %" PRIu64 " to %" PRIu64 " | %s |\n", keys[rows[i].key], rows[i].least, rows[i].most, rows[i].doc);
}

static void page_packs(FILE *out)
{
    static const struct { const char *name; unsigned bit; int gated; const char *doc; } rows[] = {
#define PACK_FEATURE(ID, bit, name, gated, doc) { name, bit, gated, doc },
#include "pack.def"
#undef PACK_FEATURE
    };
    head(out, "Jurisdiction packs", "schema/pack.def",
         "What a pack may rule in its region (`spec/identity.md` section 3): the bits of `features_off`. A gated feature may need consent.\n"
         "A transfer without a memo, and every transaction that takes money back, no pack can stop.");
    fputs("\n| bit | name | gated | meaning |\n|---|---|---|---|\n", out);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        fprintf(out, "| %u | `%s` | %s | %s |\n", rows[i].bit, rows[i].name, rows[i].gated ? "yes" : "no", rows[i].doc);
}

static void page_config(FILE *out)
{
    static const struct { const char *section, *key, *type, *initial; uint64_t least, greatest; const char *doc; } rows[] = {
#define CONFIG(section, key, type, initial, least, greatest, doc) { #section, #key, #type, initial, least, greatest, doc },
#include "config.def"
#undef CONFIG
    };
    char type[16];
    head(out, "node.conf", "schema/config.def",
         "INI: `[section]`, then `key = value`. Unknown sections and keys are errors. A value comes from, in this order: a flag, the environment\n"
         "(`TB_<SECTION>_<KEY>`), node.conf, the default. In a default `<home>` is the data directory and `<section.key>` the value of that key.\n"
         "Paths are absolute; endpoints are `unix:/path` or `http://host:port`.");
    const char *section = "";
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (strcmp(section, rows[i].section) != 0)
            fprintf(out, "\n## [%s]\n\n| key | type | default | least | most | meaning |\n|---|---|---|---|---|---|\n", rows[i].section);
        section = rows[i].section;
        lower(type, sizeof type, rows[i].type);
        fprintf(out, "| `%s` | %s | %s%s%s | ", rows[i].key, type, *rows[i].initial ? "`" : "", rows[i].initial, *rows[i].initial ? "`" : "");
        if (rows[i].greatest)
            fprintf(out, "%" PRIu64 " | %" PRIu64 " | ", rows[i].least, rows[i].greatest);
        else
            fputs(" | | ", out);
        cell(out, rows[i].doc);
        fputs(" |\n", out);
    }
}

typedef struct cli_command { const char *noun, *verb, *args, *help; } cli_command;
typedef struct cli_option { const char *noun, *verb, *name, *type, *initial, *help; } cli_option;

static const cli_command cli_commands[] = {
#define CMD(noun, verb, function, args, help) { noun, verb, args, help },
#define OPT(noun, verb, name, type, initial, help)
#include "cli.def"
#undef CMD
#undef OPT
};

static const cli_option cli_options[] = {
#define CMD(noun, verb, function, args, help)
#define OPT(noun, verb, name, type, initial, help) { noun, verb, name, #type, initial, help },
#include "cli.def"
#undef CMD
#undef OPT
};

static bool word_meets(const char *a, const char *b)
{
    return strcmp(a, b) == 0 || strcmp(a, "*") == 0 || strcmp(b, "*") == 0;
}

/* A command that stands twice, or two options of one name that a command would have both: only the first would ever be found. */
static bool cli_is_clear(void)
{
    bool clear = true;
    for (size_t i = 0; i < COUNT_OF(cli_commands); i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(cli_commands[i].noun, cli_commands[k].noun) == 0 && strcmp(cli_commands[i].verb, cli_commands[k].verb) == 0) {
                fprintf(stderr, "cli.def: the command \"%s %s\" stands twice\n", cli_commands[i].noun, cli_commands[i].verb);
                clear = false;
            }
    for (size_t i = 0; i < COUNT_OF(cli_options); i++)
        for (size_t k = 0; k < i; k++) {
            const cli_option *a = &cli_options[i], *b = &cli_options[k];
            bool everywhere = strcmp(a->noun, "*") == 0 || strcmp(b->noun, "*") == 0;
            if (strcmp(a->name, b->name) == 0 && (everywhere || (strcmp(a->noun, b->noun) == 0 && word_meets(a->verb, b->verb)))) {
                fprintf(stderr, "cli.def: the option --%s of \"%s %s\" stands twice\n", a->name, a->noun, a->verb);
                clear = false;
            }
        }
    return clear;
}

/* The options of one command; NULL: those of every command. */
static void cli_option_rows(FILE *out, const cli_command *c)
{
    bool any = false;
    for (size_t i = 0; i < COUNT_OF(cli_options); i++) {
        const cli_option *o = &cli_options[i];
        bool all = strcmp(o->noun, "*") == 0;
        if (c ? all || strcmp(o->noun, c->noun) != 0 || (strcmp(o->verb, "*") != 0 && strcmp(o->verb, c->verb) != 0) : !all)
            continue;
        if (!any)
            fputs("\n| option | default | meaning |\n|---|---|---|\n", out);
        any = true;
        const char *value = strcmp(o->type, "FLAG") == 0 ? "" : strcmp(o->type, "UINT") == 0 ? " N" : strcmp(o->type, "FILE") == 0 ? " FILE" : " TEXT";
        fprintf(out, "| `--%s%s` | %s%s%s | ", o->name, value, *o->initial ? "`" : "", o->initial, *o->initial ? "`" : "");
        cell(out, o->help);
        fputs(" |\n", out);
    }
}

static void page_cli(FILE *out)
{
    head(out, "tb", "schema/cli.def",
         "Results go to standard output, everything else to standard error. Without a terminal nothing is asked: the message names the option that is\n"
         "missing. Exit codes: 0 done, 1 internal error, 2 usage, 3 not found, 4 key or permission, 5 unreachable (try again), 6 rejected or failed on chain (do not\n"
         "repeat), 7 timeout, outcome unknown, 8 verification failed, 9 limit or policy, 130 interrupted; errors.md has the one of each error.");
    fputs("\n## Every command\n", out);
    cli_option_rows(out, NULL);
    for (size_t i = 0; i < COUNT_OF(cli_commands); i++) {
        const cli_command *c = &cli_commands[i];
        fprintf(out, "\n## tb %s%s%s%s%s\n\n", c->noun, *c->verb ? " " : "", c->verb, *c->args ? " " : "", c->args);
        sentence(out, c->help);
        cli_option_rows(out, c);
    }
}

static void page_job(FILE *out)
{
    static const struct { const char *name, *type; uint64_t least, most; const char *shown, *doc; } rows[] = {
#define JOB_MEMBER(name, type, member, least, most, standard, shown, doc) { name, #type, least, most, shown, doc },
#include "job.def"
#undef JOB_MEMBER
    };
    char type[16];
    head(out, "Job specification", "schema/job.def",
         "What `tb job quote`, `post` and `run` read: one JSON object. Every member may be left out; unknown ones are errors. Amounts and rates are texts,\n"
         "because JSON numbers lose digits.");
    fputs("\n| member | type | default | least | most | meaning |\n|---|---|---|---|---|---|\n", out);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        lower(type, sizeof type, rows[i].type);
        fprintf(out, "| `%s` | %s | %s%s%s | ", rows[i].name, type, *rows[i].shown ? "`" : "", rows[i].shown, *rows[i].shown ? "`" : "");
        if (rows[i].most)
            fprintf(out, "%" PRIu64 " | %" PRIu64 " | ", rows[i].least, rows[i].most);
        else
            fputs(" | | ", out);
        cell(out, rows[i].doc);
        fputs(" |\n", out);
    }
}

static const struct { const char *name; void (*write)(FILE *out); } pages[] = {
    { "rpc.md", page_rpc }, { "errors.md", page_errors }, { "limits.md", page_limits }, { "invariants.md", page_invariants }, { "tx.md", page_tx }, { "params.md", page_params }, { "packs.md", page_packs }, { "profiles.md", page_profiles },
    { "config.md", page_config }, { "cli.md", page_cli }, { "job.md", page_job },
};

/* --- files -------------------------------------------------------------------------------------------------------------- */

static bool same_as_file(const char *path, const char *text, size_t len)
{
    FILE *in = fopen(path, "rb");
    if (!in)
        return false;
    char *found = malloc(len + 1);
    bool same = found && fread(found, 1, len + 1, in) == len && memcmp(found, text, len) == 0;
    free(found);
    fclose(in);
    return same;
}

static bool write_file(const char *path, const char *text, size_t len)
{
    FILE *out = fopen(path, "wb");
    if (!out)
        return false;
    bool good = fwrite(text, 1, len, out) == len;
    return fclose(out) == 0 && good;
}

int main(int argc, char **argv)
{
    bool check = argc == 3 && strcmp(argv[1], "--check") == 0;
    if (argc != 2 && !check) {
        fputs("usage: gen [--check] DIR\n", stderr);
        return 2;
    }
    if (!cli_is_clear())
        return 2;
    int status = 0;
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        char *text = NULL, path[4096];
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);
        if (!out) {
            perror("gen");
            return 2;
        }
        pages[i].write(out);
        if (fclose(out) != 0) {
            perror("gen");
            return 2;
        }
        snprintf(path, sizeof path, "%s/%s", argv[argc - 1], pages[i].name);
        if (check && !same_as_file(path, text, len)) {
            printf("%s: not what schema/ says; run gen %s\n", path, argv[argc - 1]);
            status = 1;
        } else if (!check && !same_as_file(path, text, len) && !write_file(path, text, len)) {
            perror(path);
            status = 2;
        }
        free(text);
    }
    return status;
}
