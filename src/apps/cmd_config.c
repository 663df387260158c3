/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb config`: what is set, and where it was set. */
#include "apps/settings.h"

#include <inttypes.h>
#include <stdio.h>

static const char *type_name(rpc_conf_type type)
{
    static const char *const names[] = { [RPC_CONF_PATH] = "absolute path", [RPC_CONF_TEXT] = "text", [RPC_CONF_BOOL] = "yes or no",
                                         [RPC_CONF_U32] = "number", [RPC_CONF_ENDPOINT] = "unix:/path or http://host:port" };
    return names[type];
}

static err load(rpc_conf *c, const tb_cli *cli, const char *file, fault *f)
{
    tb_home home;
    TRY(tb_home_find(&home, cli, f));
    TRY(tb_settings_load(c, &home, file, f));
    return rpc_conf_resolve(c, home.dir, f);
}

static json_t *value_json(const rpc_conf *c, size_t i)
{
    const rpc_conf_row *row = &rpc_conf_rows[i];
    return json_pack("{s:s, s:s, s:s, s:i, s:s, s:s}", "key", row->name, "value", c->v[i].text, "origin", rpc_conf_origin_name(c->v[i].origin),
                     "line", (int)c->v[i].line, "default", row->initial, "doc", row->doc);
}

int cmd_config_show(const tb_cli *cli)
{
    static rpc_conf c;
    fault f = { 0 };
    err e = load(&c, cli, NULL, &f);
    if (e != OK)
        return tb_report(cli, e, "node.conf", &f);
    json_t *list = json_array();
    for (size_t i = 0; i < RPC_CONF_COUNT; i++) {
        json_array_append_new(list, value_json(&c, i));
        if (!cli->json)
            printf("%-26s %-40s %s\n", rpc_conf_rows[i].name, c.v[i].text, rpc_conf_origin_name(c.v[i].origin));
    }
    if (cli->json)
        tb_print_json(json_pack("{s:s, s:O}", "schema", "tb-config-1", "settings", list));
    json_decref(list);
    return 0;
}

int cmd_config_check(const tb_cli *cli)
{
    static rpc_conf c;
    fault f = { 0 };
    const char *file = cli->n_args ? cli->args[0] : NULL;
    err e = load(&c, cli, file, &f);
    if (e != OK)
        return tb_report(cli, e, file ? file : "node.conf", &f);
    size_t set = 0;
    for (size_t i = 0; i < RPC_CONF_COUNT; i++)
        set += c.v[i].origin != RPC_CONF_DEFAULT;
    if (cli->json)
        tb_print_json(json_pack("{s:s, s:b, s:I}", "schema", "tb-config-check-1", "good", 1, "set", (json_int_t)set));
    else
        printf("good: %zu settings come from node.conf or the environment\n", set);
    return 0;
}

int cmd_config_explain(const tb_cli *cli)
{
    static rpc_conf c;
    fault f = { 0 };
    rpc_conf_key key = rpc_conf_by_name(cli->args[0]);
    err e = key == RPC_CONF_COUNT ? fail(&f, ERR_NOT_FOUND, "no such key: tb config show lists them", 0) : load(&c, cli, NULL, &f);
    if (e != OK)
        return tb_report(cli, e, cli->args[0], &f);
    const rpc_conf_row *row = &rpc_conf_rows[key];
    if (cli->json) {
        json_t *o = value_json(&c, key);
        json_object_set_new(o, "schema", json_string("tb-config-key-1"));
        tb_print_json(o);
        return 0;
    }
    printf("%s = %s\n%s\nform     %s", row->name, c.v[key].text, row->doc, type_name(row->type));
    if (row->type == RPC_CONF_U32)
        printf(", %" PRIu64 " to %" PRIu64, row->least, row->greatest);
    printf("\ndefault  %s\norigin   %s", row->initial, rpc_conf_origin_name(c.v[key].origin));
    if (c.v[key].line)
        printf(", line %u", c.v[key].line);
    putchar('\n');
    return 0;
}
