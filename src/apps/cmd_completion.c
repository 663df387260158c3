/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb completion`: the shell asks the binary, so the words are always those of the command table. */
#include "apps/cli.h"

#include <stdio.h>
#include <string.h>

int cmd_completion_bash(const tb_cli *cli)
{
    static const char script[] =
        "_tb() {\n"
        "    local words=(\"${COMP_WORDS[@]:1:COMP_CWORD}\")\n"
        "    if (( ${#words[@]} > 3 )); then words=(\"${words[0]}\" \"${words[1]}\" \"${words[-1]}\"); fi\n"
        "    mapfile -t COMPREPLY < <(\"${COMP_WORDS[0]}\" completion words -- \"${words[@]}\" 2>/dev/null)\n"
        "    if (( ${#COMPREPLY[@]} == 0 )); then mapfile -t COMPREPLY < <(compgen -f -- \"${words[-1]}\"); fi\n"
        "}\n"
        "complete -F _tb tb\n";
    if (cli->json)
        tb_print_json(json_pack("{s:s, s:s, s:s}", "schema", "tb-completion-1", "shell", "bash", "script", script));
    else
        fputs(script, stdout);
    return 0;
}

static void print_word(void *ctx, const char *before, const char *name)
{
    (void)ctx;
    printf("%s%s\n", before, name);
}

static void add_word(void *ctx, const char *before, const char *name)
{
    json_array_append_new(ctx, json_sprintf("%s%s", before, name));
}

int cmd_completion_words(const tb_cli *cli)
{
    char *words[TB_ARGS_MAX];
    memcpy(words, cli->args, sizeof words);
    if (!cli->json) {
        tb_complete(words, cli->n_args, print_word, NULL);
        return 0;
    }
    json_t *list = json_array();
    tb_complete(words, cli->n_args, add_word, list);
    tb_print_json(json_pack("{s:s, s:o}", "schema", "tb-words-1", "words", list));
    return 0;
}
