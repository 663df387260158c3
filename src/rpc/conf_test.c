/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static rpc_conf c;

static void defaults(void **state)
{
    (void)state;
    rpc_conf_init(&c);
    assert_int_equal(rpc_conf_resolve(&c, "/h", NULL), OK);
    for (size_t i = 0; i < RPC_CONF_COUNT; i++) {
        assert_null(strchr(c.v[i].text, '<'));
        assert_int_equal(c.v[i].origin, RPC_CONF_DEFAULT);
        assert_int_equal(rpc_conf_by_name(rpc_conf_rows[i].name), i);
    }
    assert_string_equal(c.v[RPC_CONF_node_dir].text, "/h/chain");
    assert_string_equal(c.v[RPC_CONF_client_endpoint].text, "unix:/h/run/rpc.sock");
    assert_int_equal(c.v[RPC_CONF_engine_interval_ms].number, 200);
    assert_int_equal(c.v[RPC_CONF_rpc_tcp].number, 1);
    assert_int_equal(rpc_conf_by_name("rpc.prot"), RPC_CONF_COUNT);
    /* A home too long for a path in it. */
    static char home[1020];
    memset(home, 'a', sizeof home - 1);
    home[0] = '/';
    rpc_conf_init(&c);
    assert_int_equal(rpc_conf_resolve(&c, home, NULL), ERR_LIMIT);
}

static void precedence(void **state)
{
    (void)state;
    static const char text[] = "# a node\n; of ours\n\n[rpc]\r\n  port = 8080 \r\nsocket=/s p/x\n[ engine ]\nidle_ms = 7\n[rpc]\ntcp = no";
    static const char *const environment[] = { "PATH=/bin", "TB_RPC_PORT=9090", "TB_HOME=/x", "TB_RPC_PORTS=1", NULL };
    for (int order = 0; order < 2; order++) {
        rpc_conf_init(&c);
        if (order)
            assert_int_equal(rpc_conf_environment(&c, environment, NULL), OK);
        assert_int_equal(rpc_conf_set(&c, RPC_CONF_engine_idle_ms, bytes_of_str("9"), RPC_CONF_FLAG, NULL), OK);
        assert_int_equal(rpc_conf_read(&c, bytes_of_str(text), NULL), OK);
        if (!order)
            assert_int_equal(rpc_conf_environment(&c, environment, NULL), OK);
        assert_int_equal(rpc_conf_resolve(&c, "/h", NULL), OK);
        assert_int_equal(c.v[RPC_CONF_rpc_port].number, 9090);
        assert_string_equal(rpc_conf_origin_name(c.v[RPC_CONF_rpc_port].origin), "environment");
        assert_int_equal(c.v[RPC_CONF_engine_idle_ms].number, 9);
        assert_int_equal(c.v[RPC_CONF_engine_idle_ms].origin, RPC_CONF_FLAG);
        assert_string_equal(c.v[RPC_CONF_rpc_socket].text, "/s p/x");
        assert_int_equal(c.v[RPC_CONF_rpc_socket].line, 6);
        assert_int_equal(c.v[RPC_CONF_rpc_tcp].number, 0);
        assert_string_equal(c.v[RPC_CONF_client_endpoint].text, "unix:/s p/x"); /* a default follows the value it names */
    }
}

static void refusals(void **state)
{
    (void)state;
    static const struct { const char *text, *what; uint64_t line; } cases[] = {
        { "port = 1", "node.conf: unknown key", 1 },
        { "[rpc]\nprot = 1", "node.conf: unknown key", 2 },
        { "[rpc]\n= 1", "node.conf: unknown key", 2 },
        { "[rpcs]\nport = 1", "node.conf: unknown section", 1 },
        { "[rpc.port]", "node.conf: unknown section", 1 },
        { "[rpc", "node.conf: section", 1 },
        { "[]", "node.conf: section", 1 },
        { "[rpc]\nport", "node.conf: neither section nor key = value", 2 },
        { "[rpc]\nport = 1\nport = 1", "node.conf: key given twice", 3 },
        { "[rpc]\n\nport =", "rpc.port", 3 },
        { "[rpc]\nport = 65536", "rpc.port", 2 },
        { "[rpc]\nport = -1", "rpc.port", 2 },
        { "[rpc]\nport = 1 ; why", "rpc.port", 2 },
        { "[rpc]\nport = 99999999999999999999", "rpc.port", 2 },
        { "[engine]\ninterval_ms = 0", "engine.interval_ms", 2 },
        { "[rpc]\ntcp = true", "rpc.tcp", 2 },
        { "[rpc]\nsocket = run/rpc.sock", "rpc.socket", 2 },
        { "[client]\nendpoint = localhost:80", "client.endpoint", 2 },
        { "[node]\nproducer = a\x01" "b", "node.producer", 2 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        static rpc_conf before;
        fault f = { 0 };
        rpc_conf_init(&c);
        before = c;
        assert_int_equal(rpc_conf_read(&c, bytes_of_str(cases[i].text), &f), ERR_CONFIG);
        assert_string_equal(f.what, cases[i].what);
        assert_true(f.at == cases[i].line);
        assert_memory_equal(&c, &before, sizeof c);
    }
    static char long_text[70000];
    memset(long_text, '#', sizeof long_text);
    assert_int_equal(rpc_conf_read(&c, bytes_of(long_text, sizeof long_text), NULL), ERR_LIMIT);
    memset(long_text, 'a', sizeof long_text);
    memcpy(long_text, "[node]\nproducer=", 16);
    assert_int_equal(rpc_conf_read(&c, bytes_of(long_text, 16 + 1024), NULL), ERR_LIMIT);
    assert_int_equal(rpc_conf_read(&c, bytes_of(long_text, 16 + 1023), NULL), OK);
    static const char *const environment[] = { "TB_RPC_PORT=x", NULL };
    fault f;
    assert_int_equal(rpc_conf_environment(&c, environment, &f), ERR_CONFIG);
    assert_string_equal(f.what, "rpc.port");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(defaults), cmocka_unit_test(precedence), cmocka_unit_test(refusals) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
