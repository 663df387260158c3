/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "rpc/server_testkit.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static kit k;

static int start(void **state)
{
    (void)state;
    kit_start(&k, 0);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    kit_stop(&k);
    return 0;
}

static char host_line[64];

/* "METHOD path" with the right Host, `headers` (each ending in CRLF) and a body. Gives the status, and the whole answer. */
static int ask(bool local, const char *line, const char *headers, const char *body, const char **answer)
{
    char *request = NULL;
    bool closed;
    snprintf(host_line, sizeof host_line, local ? "Host: localhost\r\n" : "Host: 127.0.0.1:%u\r\n", (unsigned)rpc_server_port(k.server));
    char length[64] = "";
    if (body)
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(body));
    assert_true(asprintf(&request, "%s HTTP/1.1\r\n%s%s%sConnection: close\r\n\r\n%s", line, strstr(headers, "Host:") ? "" : host_line, headers, length,
                         body ? body : "") > 0);
    const char *text = kit_raw(&k, local, request, 3000, &closed);
    free(request);
    int status = 0;
    sscanf(text, "HTTP/1.1 %d", &status);
    assert_null(strcasestr(text, "Access-Control"));
    if (answer)
        *answer = text;
    return status;
}

#define READ "Authorization: Bearer " KIT_READ "\r\n"
#define JSON "Content-Type: application/json\r\n"
static const char call[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"chain.events\"}";
static const char write_call[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tx.submit\",\"params\":[\"00\"]}";

static void built_in_routes(void **state)
{
    (void)state;
    const char *text;
    for (int local = 0; local < 2; local++) {
        assert_int_equal(ask(local, "GET /health", "", NULL, &text), 200);
        assert_non_null(strstr(text, "{\"status\":\"ok\"}"));
        assert_non_null(strcasestr(text, "X-Content-Type-Options: nosniff"));
        assert_int_equal(ask(local, "GET /nothing", "", NULL, &text), 404);
        assert_non_null(strstr(text, "\"what\":\"path\""));
        assert_int_equal(ask(local, "DELETE /health", "", NULL, NULL), 405);
        assert_int_equal(ask(local, "OPTIONS /rpc", "", NULL, NULL), 405);
        assert_int_equal(ask(local, "GET /health/", "", NULL, NULL), 404);
    }
    assert_int_equal(ask(true, "GET /metrics", "", NULL, &text), 200);
    assert_non_null(strstr(text, "# TYPE tb_kit gauge\ntb_kit 42\n"));
    assert_non_null(strstr(text, "tb_http_requests_total{transport=\"unix\"} "));
    assert_int_equal(ask(false, "GET /metrics", READ, NULL, NULL), 200);
    assert_int_equal(ask(false, "GET /metrics", "", NULL, NULL), 401);
}

static void tokens(void **state)
{
    (void)state;
    const char *text;
    assert_int_equal(ask(true, "POST /rpc", JSON, write_call, &text), 200); /* the socket's owner may do all */
    assert_non_null(strstr(text, "\"result\""));
    assert_int_equal(ask(false, "POST /rpc", JSON, call, &text), 401);
    assert_non_null(strcasestr(text, "WWW-Authenticate: Bearer"));
    assert_non_null(strstr(text, "\"name\":\"PERMISSION\""));
    assert_int_equal(ask(false, "POST /rpc", JSON READ, call, &text), 200);
    assert_non_null(strstr(text, "\"local\":false"));
    assert_int_equal(ask(false, "POST /rpc", JSON READ, write_call, &text), 200);
    assert_non_null(strstr(text, "scope: operate"));
    assert_int_equal(ask(false, "POST /rpc", JSON "Authorization: Bearer " KIT_OPERATE "\r\n", write_call, &text), 200);
    assert_non_null(strstr(text, "\"result\""));
    static const char *const bad[] = {
        "Authorization: Bearer read-tokem\r\n", "Authorization: Bearer \r\n", "Authorization: Basic cmVhZC10b2tlbg==\r\n",
        "Authorization: read-token\r\n", "Authorization: Bearer read-token \"\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char headers[256];
        snprintf(headers, sizeof headers, JSON "%s", bad[i]);
        assert_int_equal(ask(false, "POST /rpc", headers, call, NULL), 401);
    }
    /* A wrong token is refused where none is needed, too: it is a mistake, or guessing. */
    assert_int_equal(ask(false, "GET /health", bad[0], NULL, NULL), 401);
    int refused = 0;
    for (int i = 0; i < 30; i++)
        refused += ask(false, "POST /rpc", "Authorization: Bearer guess\r\n" JSON, call, NULL) == 429;
    assert_true(refused >= 10); /* guessing is slowed down */
    assert_int_equal(ask(false, "POST /rpc", JSON READ, call, NULL), 200); /* and others are not */
}

static void rebinding(void **state)
{
    (void)state;
    char own[128];
    unsigned port = rpc_server_port(k.server);
    static const char *const foreign[] = {
        "Host: evil.example\r\n", "Host: 127.0.0.1\r\n", "Host: 127.0.0.1:1\r\n", "Host: localhost.evil.example\r\n", "Host: \r\n",
        "Origin: http://evil.example\r\n", "Origin: null\r\n", "Origin: http://127.0.0.1\r\n", "Origin: https://localhost\r\n",
        "Sec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Site: same-site\r\n",
    };
    const char *text;
    for (size_t i = 0; i < COUNT_OF(foreign); i++) {
        int status = ask(false, "GET /health", foreign[i], NULL, &text);
        if (status != 403)
            fail_msg("%s gives %d", foreign[i], status);
        assert_non_null(strstr(text, "\"what\":\"header: "));
    }
    snprintf(own, sizeof own, "Host: LocalHost:%u\r\nOrigin: http://localhost:%u\r\nSec-Fetch-Site: same-origin\r\n", port, port);
    assert_int_equal(ask(false, "GET /health", own, NULL, NULL), 200);
    snprintf(own, sizeof own, "Host: localhost:%u\r\nHost: localhost:%u\r\n", port, port);
    assert_int_equal(ask(false, "GET /health", own, NULL, NULL), 400);
    assert_int_equal(ask(true, "GET /health", "Origin: http://localhost\r\n", NULL, NULL), 403);
    assert_int_equal(ask(true, "GET /health", "Host: evil.example\r\n", NULL, NULL), 403);
    bool closed;
    text = kit_raw(&k, false, "GET /health HTTP/1.0\r\n\r\n", 2000, &closed);
    assert_non_null(strstr(text, " 403 "));
    text = kit_raw(&k, false, "GET /health HTTP/1.1\r\n\r\n", 2000, &closed);
    assert_non_null(strstr(text, " 400 "));
}

static void content_types(void **state)
{
    (void)state;
    assert_int_equal(ask(true, "POST /rpc", "", call, NULL), 415);
    assert_int_equal(ask(true, "POST /rpc", "Content-Type: text/plain\r\n", call, NULL), 415);
    assert_int_equal(ask(true, "POST /rpc", "Content-Type: application/jsonx\r\n", call, NULL), 415);
    assert_int_equal(ask(true, "POST /rpc", "Content-Type: application/x-www-form-urlencoded\r\n", call, NULL), 415);
    assert_int_equal(ask(true, "POST /rpc", "Content-Type: Application/JSON; charset=utf-8\r\n", call, NULL), 200);
    assert_int_equal(ask(true, "POST /rpc", JSON, "{\"jsonrpc\":\"2.0\",\"method\":\"chain.events\"}", NULL), 204);
}

static void body_bounds(void **state)
{
    (void)state;
    const char *text;
    char *big = malloc(LIMIT_RPC_BODY_BYTES + 2);
    memset(big, ' ', LIMIT_RPC_BODY_BYTES + 1);
    big[LIMIT_RPC_BODY_BYTES] = 0;
    memcpy(big, call, sizeof call - 1);
    assert_int_equal(ask(true, "POST /rpc", JSON, big, NULL), 200); /* exactly the bound */
    big[LIMIT_RPC_BODY_BYTES] = ' ';
    big[LIMIT_RPC_BODY_BYTES + 1] = 0;
    bool closed;
    char head[256];
    snprintf(head, sizeof head, "POST /rpc HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n" JSON "Content-Length: %llu\r\n\r\n",
             (unsigned long long)LIMIT_RPC_BODY_BYTES + 1);
    text = kit_raw(&k, true, head, 2000, &closed);
    assert_non_null(strstr(text, " 413 "));
    assert_null(strstr(text, " 100 ")); /* refused before a byte of it was asked for */
    snprintf(head, sizeof head, "POST /rpc HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n" JSON "Content-Length: 99999999999999999999\r\n\r\n");
    text = kit_raw(&k, true, head, 2000, &closed);
    assert_true(strstr(text, " 413 ") || strstr(text, " 400 "));
    /* Chunked: the length is known only when it is too late. */
    char *chunked = malloc(LIMIT_RPC_BODY_BYTES + 512);
    sprintf(chunked, "POST /rpc HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n%llx\r\n%s\r\n0\r\n\r\n",
            (unsigned long long)strlen(big), big);
    text = kit_raw(&k, true, chunked, 2000, &closed);
    assert_non_null(strstr(text, " 413 "));
    assert_non_null(strstr(text, "\"what\":\"body\""));
    free(chunked);
    free(big);
    char *path = malloc(40000);
    strcpy(path, "GET /");
    memset(path + 5, 'a', 1100);
    path[1105] = 0;
    assert_int_equal(ask(true, path, "", NULL, NULL), 413);
    memset(path + 5, 'a', 39000);
    path[39005] = 0;
    assert_int_equal(ask(true, path, "", NULL, NULL), 414); /* the library's own bound on the whole head */
    free(path);
}

static void streams(void **state)
{
    (void)state;
    const char *text;
    size_t len = 3000000;
    char *big = malloc(len + 1);
    memset(big, 'x', len);
    big[len] = 0;
    assert_int_equal(ask(true, "PUT /stream/a", "", big, &text), 200);
    assert_non_null(strstr(text, "3000000 "));
    assert_int_equal(ask(true, "PUT /blob/a/b?part=2", "", big, &text), 200);
    assert_non_null(strstr(text, "3000000 "));
    assert_non_null(strstr(text, " a/b 2"));
    big[500000] = 0;
    assert_int_equal(ask(true, "PUT /stream/refuse", "", big, &text), 409);
    assert_non_null(strstr(text, "\"name\":\"STALE\""));
    assert_int_equal(k.streams_begun, 2);
    assert_int_equal(k.streams_ended, 2);
    /* A client that goes away in the middle leaves nothing behind. */
    int fd = kit_connect(&k, true);
    static const char head[] = "PUT /stream/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc";
    assert_int_equal(send(fd, head, sizeof head - 1, 0), sizeof head - 1);
    for (int i = 0; i < 200 && k.streams_begun < 3; i++)
        usleep(10000);
    close(fd);
    for (int i = 0; i < 200 && k.streams_ended < 3; i++)
        usleep(10000);
    assert_int_equal(k.streams_ended, 3);
    free(big);
}

/* Sends `head`, then a byte every 50 ms until the server hangs up; gives the time until then. */
static uint64_t drip(const char *head)
{
    int fd = kit_connect(&k, true);
    uint64_t begin = rpc_clock_ms();
    ssize_t n = send(fd, head, strlen(head), MSG_NOSIGNAL);
    while (n > 0 && rpc_clock_ms() - begin < 5000) {
        char c;
        usleep(50000);
        n = send(fd, "a", 1, MSG_NOSIGNAL);
        if (recv(fd, &c, 1, MSG_DONTWAIT) == 0)
            break;
    }
    close(fd);
    return rpc_clock_ms() - begin;
}

static void slow_clients(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "G", "GET /health HTTP/1.1\r\nHost: localhost\r\nX: ",
        "POST /rpc HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length: 100000\r\n\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        uint64_t took = drip(heads[i]);
        if (took < KIT_REQUEST_MS / 2 || took > 3000)
            fail_msg("%s: cut off after %d ms", heads[i], (int)took);
    }
    /* One that asks and never reads. */
    int fd = kit_connect(&k, true);
    static const char head[] = "GET /zeros/8000000 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_int_equal(send(fd, head, sizeof head - 1, 0), sizeof head - 1);
    usleep(100000);
    close(fd);
    const char *text;
    assert_int_equal(ask(true, "GET /metrics", "", NULL, &text), 200);
    unsigned long long cut = 0;
    assert_int_equal(sscanf(strstr(text, "\ntb_http_cut_off_total"), "\ntb_http_cut_off_total %llu", &cut), 1);
    assert_true(cut >= 3);
    /* A kept connection may be silent longer than a request may take. */
    fd = kit_connect(&k, true);
    static const char health[] = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    char answer[1024];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(send(fd, health, sizeof health - 1, 0), sizeof health - 1);
        assert_true(recv(fd, answer, sizeof answer, 0) > 0);
        usleep((KIT_REQUEST_MS + 100) * 1000);
    }
    assert_int_equal(recv(fd, answer, sizeof answer, 0), 0);
    close(fd);
}

static void files(void **state)
{
    (void)state;
    const char *text;
    assert_int_equal(ask(true, "GET /file", "", NULL, &text), 200);
    assert_non_null(strstr(text, "\r\n\r\nELF"));
}

static void rate(void **state)
{
    (void)state;
    kit_stop(&k);
    kit_start(&k, 5);
    int good = 0, refused = 0;
    const char *text;
    for (int i = 0; i < 12; i++) {
        int status = ask(true, "GET /health", "", NULL, &text);
        good += status == 200;
        refused += status == 429;
    }
    assert_non_null(strcasestr(text, "Retry-After: 1"));
    assert_true(good >= 5 && good <= 8);
    assert_int_equal(good + refused, 12);
    assert_int_equal(ask(false, "GET /health", "", NULL, NULL), 200); /* another credential, another bucket */
    char batch[1024] = "[";
    for (int i = 0; i < 8; i++)
        strcat(strcat(batch, i ? "," : ""), call);
    strcat(batch, "]");
    assert_int_equal(ask(false, "POST /rpc", JSON READ, batch, NULL), 429); /* each call of a batch counts */
    kit_stop(&k);
    kit_start(&k, 0);
}

static void sockets(void **state)
{
    (void)state;
    struct stat st;
    fault f;
    rpc_server *other = NULL;
    rpc_server_config config = { .socket_path = k.socket_path };
    assert_int_equal(stat(k.socket_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(rpc_server_start(&other, &config, &f), ERR_BUSY);
    assert_int_equal(access(k.socket_path, F_OK), 0);
    config = (rpc_server_config){ .tcp = true, .port = rpc_server_port(k.server) };
    assert_int_equal(rpc_server_start(&other, &config, &f), ERR_BUSY);
    config = (rpc_server_config){ 0 };
    assert_int_equal(rpc_server_start(&other, &config, &f), ERR_USAGE);
    char long_path[200];
    memset(long_path, 'a', 199);
    long_path[0] = '/', long_path[199] = 0;
    config = (rpc_server_config){ .socket_path = long_path };
    assert_int_equal(rpc_server_start(&other, &config, &f), ERR_LIMIT);

    char folder[64], path[96];
    snprintf(folder, sizeof folder, "%s/open", k.folder);
    snprintf(path, sizeof path, "%s/s", folder);
    assert_int_equal(mkdir(folder, 0755), 0);
    config = (rpc_server_config){ .socket_path = path };
    assert_int_equal(rpc_server_start(&other, &config, &f), ERR_PERMISSION);
    assert_int_equal(chmod(folder, 0700), 0);
    /* A socket that a killed process left. */
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    strcpy(un.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
    close(fd);
    assert_int_equal(rpc_server_start(&other, &config, &f), OK);
    assert_int_equal(rpc_server_port(other), 0);
    rpc_server_stop(other);
    /* Something that is no socket is left alone. */
    FILE *file = fopen(path, "w");
    fclose(file);
    assert_int_equal(rpc_server_start(&other, &config, &f), ERR_EXISTS);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* Whether the server hangs up within `wait_ms`, without a word. */
static bool hangs_up(int fd, int wait_ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char c;
    return poll(&p, 1, wait_ms) > 0 && recv(fd, &c, 1, MSG_DONTWAIT) <= 0;
}

static bool answers(int fd, const char *request)
{
    char text[1024];
    struct pollfd p = { .fd = fd, .events = POLLIN };
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) <= 0 || poll(&p, 1, 3000) <= 0)
        return false;
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = 0;
    return strncmp(text, "HTTP/1.1 200", 12) == 0;
}

/* A kept connection is no place to drip headers on. */
static void slow_headers_on_a_kept_connection(void **state)
{
    (void)state;
    int fd = kit_connect(&k, true);
    assert_true(answers(fd, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    static const char head[] = "GET /health HTTP/1.1\r\nHost: localhost\r\nX: ";
    assert_int_equal(send(fd, head, sizeof head - 1, 0), sizeof head - 1);
    uint64_t begin = rpc_clock_ms();
    while (!hangs_up(fd, 50) && rpc_clock_ms() - begin < 3000)
        (void)!send(fd, "a", 1, MSG_NOSIGNAL);
    uint64_t took = rpc_clock_ms() - begin;
    assert_in_range(took, KIT_REQUEST_MS / 2, KIT_IDLE_MS - 100);
    close(fd);
}

/* Idle connections keep nobody out: a fresh one is answered at once, one that showed its token is kept, the Unix socket does not care. */
static void idle_connections(void **state)
{
    (void)state;
    int fd[80];
    char known[512];
    snprintf(known, sizeof known, "POST /rpc HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n" READ JSON "Content-Length: %zu\r\n\r\n%s", (unsigned)rpc_server_port(k.server),
             strlen(call), call);
    int mine = kit_connect(&k, false);
    assert_true(answers(mine, known));
    for (int local = 0; local < 2; local++) {
        uint64_t begin = rpc_clock_ms();
        for (size_t i = 0; i < COUNT_OF(fd); i++)
            fd[i] = kit_connect(&k, local);
        assert_int_equal(ask(local, "GET /health", "", NULL, NULL), 200);
        assert_int_equal(ask(!local, "GET /health", "", NULL, NULL), 200);
        if (!local)
            assert_true(answers(mine, known));
        assert_true(rpc_clock_ms() - begin < KIT_REQUEST_MS); /* nobody was cut off for silence yet */
        assert_true(hangs_up(fd[0], 1000) && hangs_up(fd[10], 1000)); /* the oldest made room */
        for (size_t i = 0; i < COUNT_OF(fd); i++)
            close(fd[i]);
    }
    close(mine);
}

/* Where everybody is at work, one more is turned away, on its own transport only. */
static void busy_connections(void **state)
{
    (void)state;
    int fd[64];
    char request[128];
    snprintf(request, sizeof request, "GET /wait?ms=2000 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n", (unsigned)rpc_server_port(k.server));
    k.waiting = 0;
    usleep(100000); /* for the server to see that those of the test before are closed */
    for (size_t i = 0; i < COUNT_OF(fd); i++) {
        fd[i] = kit_connect(&k, false);
        assert_true(send(fd[i], request, strlen(request), 0) > 0);
    }
    for (int i = 0; i < 200 && k.waiting < COUNT_OF(fd); i++)
        usleep(5000);
    assert_int_equal(k.waiting, COUNT_OF(fd));
    int one_more = kit_connect(&k, false);
    assert_true(hangs_up(one_more, 500));
    close(one_more);
    assert_int_equal(ask(true, "GET /health", "", NULL, NULL), 200);
    for (size_t i = 0; i < COUNT_OF(fd); i++) {
        char text[1024];
        assert_true(recv(fd[i], text, sizeof text, 0) > 0); /* none of them was disturbed */
        close(fd[i]);
    }
    assert_int_equal(ask(false, "GET /health", "", NULL, NULL), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_in_routes), cmocka_unit_test(tokens), cmocka_unit_test(rebinding), cmocka_unit_test(content_types),
        cmocka_unit_test(body_bounds), cmocka_unit_test(streams), cmocka_unit_test(slow_clients), cmocka_unit_test(files),
        cmocka_unit_test(rate), cmocka_unit_test(sockets), cmocka_unit_test(slow_headers_on_a_kept_connection),
        cmocka_unit_test(idle_connections), cmocka_unit_test(busy_connections),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
