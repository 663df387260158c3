/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb explain CODE`: what an error means, whether to try again, and what helps. */
#include "apps/cli.h"

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
        fault f = { .what = "no error of this name or number" };
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
