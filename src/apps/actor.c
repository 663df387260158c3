/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/actor.h"

#include "rpc/json.h"

#include <stdio.h>

static err begin(tb_actor *a, const tb_cli *cli, fault *f)
{
    *a = (tb_actor){ .cli = cli };
    TRY(cr_ed25519_self_test());
    return tb_home_find(&a->home, cli, f);
}

static err reach_node(tb_actor *a, fault *f)
{
    tb_ledger_options options = { .node = tb_text(a->cli, "node"), .token_file = tb_text(a->cli, "token-file") };
    return tb_ledger_open(&a->ledger, &a->home, &options, f);
}

err tb_actor_watch(tb_actor *a, const tb_cli *cli, fault *f)
{
    TRY(begin(a, cli, f));
    return reach_node(a, f);
}

/* A key that is not there is told before anybody is asked for anything. */
err tb_actor_open(tb_actor *a, const tb_cli *cli, fault *f)
{
    const char *name = tb_text(cli, "key");
    TRY(begin(a, cli, f));
    TRY(tb_wallet_find(&a->key, &a->home, name, f));
    TRY(reach_node(a, f));
    TRY(tb_ledger_params(&a->ledger, f));
    return tb_wallet_unlock(&a->secret, &a->key, cli, &a->home, name, &a->ledger.chain_id, f);
}

void tb_actor_close(tb_actor *a)
{
    tb_ledger_close(&a->ledger);
    cr_wipe(&a->secret, sizeof a->secret);
}

err tb_actor_address(tb_actor *a, cr_address *out, const char *text, fault *f)
{
    return tb_wallet_address(out, &a->home, a->ledger.prefix, text ? text : tb_text(a->cli, "key"), f);
}

err tb_actor_consent(const tb_actor *a, const char *what, fault *f)
{
    if (!a->cli->json)
        fprintf(stderr, "%s, from %s on %s\n", what, a->key.name, a->ledger.chain_id.text);
    return tb_consent(a->cli, "do it?", "not sent: no consent", f);
}

int tb_actor_send(tb_actor *a, err e, chain_tx *tx, fault *f, const char *schema)
{
    if (e == OK)
        e = tb_ledger_run(&a->ledger, &a->sent, tx, &a->secret, 0, f);
    tb_actor_close(a);
    return tb_sent_report(a->cli, e, &a->sent, f, schema);
}

int tb_actor_show(tb_actor *a, err e, const char *method, json_t *params, fault *f, const char *subject, const char *schema,
                  void (*print)(const json_t *answer))
{
    json_t *answer = NULL;
    if (e == OK)
        e = tb_ledger_call(&a->ledger, method, params, 0, &answer, f);
    else
        json_decref(params);
    tb_actor_close(a);
    return tb_answer_report(a->cli, e, answer, f, subject, schema, print);
}

int tb_answer_report(const tb_cli *cli, err e, json_t *answer, const fault *f, const char *subject, const char *schema,
                     void (*print)(const json_t *answer))
{
    if (e != OK)
        return tb_report(cli, e, subject, f);
    if (cli->json) {
        json_object_set_new(answer, "schema", json_string(schema));
        tb_print_json(answer);
        return 0;
    }
    print(answer);
    json_decref(answer);
    return 0;
}

/* --- answers of a node ---------------------------------------------------------------------------------------------------- */

err tb_view_pages(tb_ledger *l, json_t *all, const char *method, json_t *params, const char *member, fault *f)
{
    err e = params ? OK : fail(f, ERR_MEMORY, method, 0);
    for (bool more = true; e == OK && more;) {
        json_t *page;
        e = tb_ledger_call(l, method, json_incref(params), 0, &page, f);
        if (e != OK)
            break;
        json_t *next = json_object_get(page, "next");
        more = json_is_string(next);
        if (json_array_extend(all, json_object_get(page, member)) != 0 || (more && json_object_set(params, "cursor", next) != 0))
            e = fail(f, ERR_FIELD, member, 0);
        json_decref(page);
    }
    json_decref(params);
    return e;
}

const char *tb_view_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "?";
}

uint64_t tb_view_u64(const json_t *object, const char *name)
{
    uint64_t v;
    return tb_json_u64(&v, object, name, NULL) == OK ? v : 0;
}

const char *tb_view_amount(const json_t *object, const char *name)
{
    static char texts[4][TB_AMOUNT_TEXT];
    static unsigned turn;
    char *text = texts[turn++ % COUNT_OF(texts)];
    tb_amount_format(text, tb_view_u64(object, name));
    return text;
}

err tb_number_parse(uint64_t *out, const char *text, const char *what, fault *f)
{
    return rpc_decimal_u64(out, text) == OK ? OK : fail(f, ERR_USAGE, what, 0);
}
