/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/cli.h"

#include "base/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct command {
    const char *noun, *verb;
    tb_command *run;
    const char *args, *help;
} command;

typedef struct option {
    const char *noun, *verb, *name;
    tb_opt_type type;
    const char *standard, *help;
} option;

static const command commands[] = {
#define CMD(noun, verb, function, args, help) { noun, verb, function, args, help },
#define OPT(noun, verb, name, type, standard, help)
#include "cli.def"
#undef CMD
#undef OPT
};

static const option options[] = {
#define CMD(noun, verb, function, args, help)
#define OPT(noun, verb, name, type, standard, help) { noun, verb, name, TB_##type, standard, help },
#include "cli.def"
#undef CMD
#undef OPT
};

static bool option_belongs(const option *o, const command *c)
{
    return strcmp(o->noun, "*") == 0 ||
           (strcmp(o->noun, c->noun) == 0 && (strcmp(o->verb, "*") == 0 || strcmp(o->verb, c->verb) == 0));
}

static size_t find(const tb_cli *cli, const char *name)
{
    size_t i = 0;
    while (i < cli->n_options && strcmp(cli->options[i].name, name) != 0)
        i++;
    CHECK(i < cli->n_options);
    return i;
}

bool tb_flag(const tb_cli *cli, const char *name)
{
    return cli->options[find(cli, name)].given;
}

const char *tb_text(const tb_cli *cli, const char *name)
{
    return cli->options[find(cli, name)].text;
}

bool tb_given(const tb_cli *cli, const char *name)
{
    return cli->options[find(cli, name)].given;
}

static bool parse_uint(const char *text, uint64_t *out)
{
    if (*text < '0' || *text > '9')
        return false;
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && *end == 0;
}

uint64_t tb_uint(const tb_cli *cli, const char *name)
{
    uint64_t v = 0;
    CHECK(parse_uint(tb_text(cli, name), &v));
    return v;
}

void tb_print_json(json_t *document)
{
    json_dumpf(document, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(document);
}

int tb_report(const tb_cli *cli, err code, const char *subject, const fault *f)
{
    const err_row *row = err_describe(code);
    const char *what = f && f->what ? f->what : NULL;
    if (cli && cli->json) {
        json_t *e = json_pack("{s:s, s:i, s:s, s:b}", "name", row->name, "code", (int)row->code, "text", row->text, "retryable", (int)row->retryable);
        if (subject)
            json_object_set_new(e, "subject", json_string(subject));
        if (what) {
            json_object_set_new(e, "what", json_string(what));
            char at[24];
            snprintf(at, sizeof at, "%" PRIu64, f->at);
            json_object_set_new(e, "at", json_string(at));
        }
        tb_print_json(json_pack("{s:s, s:o}", "schema", "tb-error-1", "error", e));
    } else {
        fprintf(stderr, "tb: %s%s%s", subject ? subject : "", subject ? ": " : "", row->text);
        if (what)
            fprintf(stderr, " (%s, at %" PRIu64 ")", what, f->at);
        fprintf(stderr, " [%s]\n", row->name);
    }
    return row->exit_code;
}

static void print_command(const command *c)
{
    printf("usage: tb %s%s%s%s%s [options]\n  %s\n", c->noun, *c->verb ? " " : "", c->verb, *c->args ? " " : "", c->args, c->help);
    for (size_t i = 0; i < COUNT_OF(options); i++)
        if (option_belongs(&options[i], c)) {
            char left[48];
            static const char *const value[] = { [TB_FLAG] = "", [TB_TEXT] = " TEXT", [TB_UINT] = " N", [TB_FILE] = " FILE" };
            snprintf(left, sizeof left, "--%s%s", options[i].name, value[options[i].type]);
            printf("  %-18s %s%s%s%s\n", left, options[i].help, *options[i].standard ? " (default: " : "", options[i].standard,
                   *options[i].standard ? ")" : "");
        }
}

static void print_commands(FILE *to)
{
    fprintf(to, "The Block: an economic network that pays for proved work.\n\nusage: tb NOUN [VERB] [arguments] [options]\n\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        char left[64];
        snprintf(left, sizeof left, "tb %s%s%s%s%s", commands[i].noun, *commands[i].verb ? " " : "", commands[i].verb, *commands[i].args ? " " : "",
                 commands[i].args);
        fprintf(to, "  %-34s %s\n", left, commands[i].help);
    }
    fprintf(to, "\n`tb NOUN VERB --help` lists the options of a command. --json works everywhere.\n");
}

static json_t *command_json(const command *c)
{
    static const char *const types[] = { [TB_FLAG] = "flag", [TB_TEXT] = "text", [TB_UINT] = "number", [TB_FILE] = "file" };
    json_t *list = json_array();
    for (size_t i = 0; i < COUNT_OF(options); i++)
        if (option_belongs(&options[i], c))
            json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "name", options[i].name, "type", types[options[i].type], "default",
                                                  options[i].standard, "help", options[i].help));
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "noun", c->noun, "verb", c->verb, "arguments", c->args, "help", c->help, "options", list);
}

/* Of one command; NULL: of all. */
static void show_help(const tb_cli *cli, const command *c)
{
    if (!cli->json) {
        c ? print_command(c) : print_commands(stdout);
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (!c || c == &commands[i])
            json_array_append_new(list, command_json(&commands[i]));
    tb_print_json(json_pack("{s:s, s:o}", "schema", "tb-help-1", "commands", list));
}

err tb_consent(const tb_cli *cli, const char *question, const char *refused, fault *f)
{
    if (tb_flag(cli, "yes"))
        return OK;
    if (cli->no_input)
        return fail(f, ERR_USAGE, "--yes is missing and there is no terminal to ask on", 0);
    fprintf(stderr, "%s [y/N] ", question);
    int first = getchar();
    for (int c = first; c != '\n' && c != EOF;)
        c = getchar();
    return first == 'y' || first == 'Y' ? OK : fail(f, ERR_INTERRUPTED, refused, 0);
}

size_t tb_word_distance(const char *a, const char *b)
{
    size_t n = strlen(b), row[64];
    if (n >= COUNT_OF(row))
        return SIZE_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[n];
}

static int unknown(const tb_cli *cli, const char *noun, const char *verb)
{
    const command *nearest = NULL;
    size_t least = 4;
    char typed[64], name[64];
    snprintf(typed, sizeof typed, "%s %s", noun, verb ? verb : "");
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        snprintf(name, sizeof name, "%s %s", commands[i].noun, commands[i].verb);
        size_t d = tb_word_distance(typed, name);
        if (d < least) {
            least = d;
            nearest = &commands[i];
        }
    }
    fault f = { .code = ERR_USAGE, .what = "unknown command" };
    int code = tb_report(cli, ERR_USAGE, typed, &f);
    if (nearest && !cli->json)
        fprintf(stderr, "did you mean: tb %s %s\n", nearest->noun, nearest->verb);
    return code;
}

static const command *find_command(int argc, char **argv, int *consumed)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        const command *c = &commands[i];
        if (strcmp(argv[1], c->noun) != 0)
            continue;
        if (!*c->verb) {
            *consumed = 2;
            return c;
        }
        if (argc > 2 && strcmp(argv[2], c->verb) == 0) {
            *consumed = 3;
            return c;
        }
    }
    return NULL;
}

static int parse(tb_cli *cli, const command *c, int argc, const char **argv)
{
    struct poptOption table[TB_OPTIONS_MAX + 1] = { 0 };
    for (size_t i = 0; i < COUNT_OF(options); i++)
        if (option_belongs(&options[i], c)) {
            CHECK(cli->n_options < TB_OPTIONS_MAX);
            size_t at = cli->n_options++;
            cli->options[at].name = options[i].name;
            cli->options[at].type = options[i].type;
            cli->options[at].text = options[i].standard;
            table[at] = (struct poptOption){ .longName = options[i].name, .val = (int)at + 1,
                                             .argInfo = options[i].type == TB_FLAG ? POPT_ARG_NONE : POPT_ARG_STRING };
        }
    poptContext context = poptGetContext("tb", argc, argv, table, 0);
    int code = 0, got = -1;
    while (code == 0 && (got = poptGetNextOpt(context)) > 0) {
        size_t at = (size_t)got - 1;
        if (cli->options[at].type != TB_FLAG) {
            if (cli->options[at].given)
                free((void *)(uintptr_t)cli->options[at].text); /* given twice: the last one counts */
            cli->options[at].text = poptGetOptArg(context); /* kept for the life of the process */
        }
        cli->options[at].given = true;
        uint64_t ignored;
        fault f = { .code = ERR_USAGE, .what = cli->options[at].name };
        if (cli->options[at].type == TB_UINT && !parse_uint(cli->options[at].text, &ignored))
            code = tb_report(cli, ERR_USAGE, cli->options[at].text, &f);
    }
    if (code == 0 && got < -1) {
        fault f = { .code = ERR_USAGE, .what = poptStrerror(got) };
        code = tb_report(cli, ERR_USAGE, poptBadOption(context, 0), &f);
    }
    const char *word;
    while (code == 0 && (word = poptGetArg(context)) != NULL) {
        if (cli->n_args == TB_ARGS_MAX)
            code = tb_report(cli, ERR_USAGE, "too many arguments", NULL);
        else
            cli->args[cli->n_args++] = strdup(word);
    }
    poptFreeContext(context);
    return code;
}

static bool wants_color(const char *mode, int fd)
{
    const char *no_color = getenv("NO_COLOR");
    if (strcmp(mode, "always") == 0)
        return true;
    return strcmp(mode, "never") != 0 && !(no_color && *no_color) && isatty(fd);
}

/* The word N of the command line matches a noun, or a verb of it, or an option of the command: one name a line. */
size_t tb_complete(char *const *words, size_t count, tb_complete_fn *show, void *ctx)
{
    size_t shown = 0;
    const char *typed = count ? words[count - 1] : "", *last = NULL;
    size_t len = strlen(typed);
    const command *exact = NULL;
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        const command *c = &commands[i];
        bool noun = count > 1 && strcmp(words[0], c->noun) == 0;
        if (noun && (!*c->verb || (count > 2 && strcmp(words[1], c->verb) == 0)))
            exact = c;
        const char *name = count <= 1 ? c->noun : noun && count == 2 ? c->verb : "";
        if (*name && strncmp(name, typed, len) == 0 && (!last || strcmp(last, name) != 0)) {
            show(ctx, "", name);
            shown++;
            last = name;
        }
    }
    for (size_t i = 0; exact && typed[0] == '-' && i < COUNT_OF(options); i++)
        if (option_belongs(&options[i], exact) && (len < 2 || strncmp(options[i].name, typed + 2, len - 2) == 0)) {
            show(ctx, "--", options[i].name);
            shown++;
        }
    return shown;
}

/* Required arguments are the words of the table's argument text; [X] may be left out, [X...] may come several times. */
static bool arguments_fit(const command *c, size_t have)
{
    size_t least = 0, most = 0;
    for (const char *p = c->args; *p;) {
        size_t len = strcspn(p, " ");
        most = len > 4 && memcmp(p + len - 4, "...]", 4) == 0 ? TB_ARGS_MAX : most + 1;
        least += *p != '[';
        p += len + (p[len] == ' ');
    }
    return have >= least && have <= most;
}

/* Output that did not arrive is not a success: a full disk, a closed pipe. */
static int end(tb_cli *cli, int result)
{
    if ((fflush(stdout) == 0 && !ferror(stdout)) || result != 0)
        return result;
    cli->json = false;
    fault f = { .code = ERR_IO, .what = "write", .at = (uint64_t)errno };
    return tb_report(cli, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, "standard output", &f);
}

int tb_main(int argc, char **argv)
{
    static tb_cli cli; /* its strings live as long as the process */
    for (int i = 1; i < argc; i++)
        cli.json |= strcmp(argv[i], "--json") == 0; /* known early, so that every error has the right form */
    if (argc < 2) {
        print_commands(stderr);
        return 2;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0) {
        show_help(&cli, NULL);
        return end(&cli, 0);
    }
    int consumed = 0;
    const command *c = find_command(argc, argv, &consumed);
    if (!c)
        return unknown(&cli, argv[1], argc > 2 && argv[2][0] != '-' ? argv[2] : NULL);
    cli.noun = c->noun;
    cli.verb = c->verb;
    int code = parse(&cli, c, argc - consumed + 1, (const char **)(uintptr_t)(argv + consumed - 1));
    if (code)
        return code;
    if (tb_flag(&cli, "help")) {
        show_help(&cli, c);
        return end(&cli, 0);
    }
    if (!arguments_fit(c, cli.n_args)) {
        fault f = { .code = ERR_USAGE, .what = *c->args ? c->args : "this command takes no arguments", .at = cli.n_args };
        return tb_report(&cli, ERR_USAGE, "arguments", &f);
    }
    cli.no_input = tb_flag(&cli, "no-input") || cli.json || !isatty(STDIN_FILENO);
    cli.color_out = wants_color(tb_text(&cli, "color"), STDOUT_FILENO);
    cli.color_err = wants_color(tb_text(&cli, "color"), STDERR_FILENO);
    return end(&cli, c->run(&cli));
}
