/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/client.h"

#include "crypto/ed25519.h"
#include "rpc/error.h"
#include "rpc/json.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { DEFAULT_CONNECT_MS = 2000, DEFAULT_TOTAL_MS = 10000, URL_MAX = 2048, ERROR_BODY_MAX = 16384 };

struct rpc_client {
    CURL              *curl;
    char               base[256];   /* "http://localhost" for a Unix socket */
    char               socket[128]; /* "" for TCP */
    char              *authorization;
    uint32_t           connect_ms, total_ms;
    const atomic_bool *stop;
    uint64_t           next_id;
    rpc_remote         remote;
};

/* One request under way: what the callbacks see. */
typedef struct transfer {
    rpc_client     *client;
    const rpc_http *request;
    bytes           left;      /* of a body in memory */
    uint64_t        source_left;
    uint64_t        received;
    size_t          reply_start;
    buf             error_body;
    err             e;         /* why a callback stopped it */
} transfer;

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode       curl_started;

static void start_curl(void)
{
    curl_started = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* --- life --------------------------------------------------------------------------------------------------------------- */

static err parse_endpoint(rpc_client *c, const char *endpoint, fault *f)
{
    if (strncmp(endpoint, "unix:", 5) == 0) {
        const char *path = endpoint + 5;
        if (*path != '/')
            return fail(f, ERR_SYNTAX, "endpoint: unix: needs an absolute path", 5);
        if (strlen(path) >= 108)
            return fail(f, ERR_LIMIT, "endpoint: path too long", 107);
        strcpy(c->socket, path);
        strcpy(c->base, "http://localhost");
        return OK;
    }
    if (strncmp(endpoint, "http://", 7) != 0 || strpbrk(endpoint + 7, "/?#@ ") || !endpoint[7])
        return fail(f, ERR_SYNTAX, "endpoint: neither unix:/path nor http://host:port", 0);
    if (strlen(endpoint) >= sizeof c->base)
        return fail(f, ERR_LIMIT, "endpoint: too long", sizeof c->base - 1);
    strcpy(c->base, endpoint);
    return OK;
}

/* A token in clear is for this machine only. */
static bool stays_here(const rpc_client *c)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost", "[::1]" };
    const char *host = c->base + 7;
    bool here = *c->socket;
    for (size_t i = 0; i < COUNT_OF(hosts) && !here; i++) {
        size_t len = strlen(hosts[i]);
        here = strncasecmp(host, hosts[i], len) == 0 && (host[len] == 0 || host[len] == ':');
    }
    return here;
}

err rpc_client_new(rpc_client **out, const char *endpoint, const rpc_client_options *options, fault *f)
{
    static const rpc_client_options none;
    const rpc_client_options *o = options ? options : &none;
    pthread_once(&curl_once, start_curl);
    rpc_client *c = calloc(1, sizeof *c);
    if (!c)
        return fail(f, ERR_MEMORY, "http client", 0);
    c->connect_ms = o->connect_ms ? o->connect_ms : DEFAULT_CONNECT_MS;
    c->total_ms = o->total_ms ? o->total_ms : DEFAULT_TOTAL_MS;
    c->stop = o->stop;
    err e = parse_endpoint(c, endpoint, f);
    if (e == OK && o->token) {
        size_t len = strlen(o->token);
        if (len > LIMIT_RPC_TOKEN_BYTES || strpbrk(o->token, "\r\n"))
            e = fail(f, ERR_KEY, "token", len);
        else if (!stays_here(c))
            e = fail(f, ERR_PERMISSION, "endpoint: a token goes to this machine only (127.0.0.1; use a tunnel)", 0);
        else if (!(c->authorization = malloc(len + 32)))
            e = fail(f, ERR_MEMORY, "http client", 0);
        else
            snprintf(c->authorization, len + 32, "Authorization: Bearer %s", o->token);
    }
    if (e == OK && (curl_started != CURLE_OK || !(c->curl = curl_easy_init())))
        e = fail(f, ERR_MEMORY, "http client", 0);
    if (e != OK) {
        rpc_client_free(c);
        return e;
    }
    *out = c;
    return OK;
}

void rpc_client_free(rpc_client *c)
{
    if (!c)
        return;
    curl_easy_cleanup(c->curl);
    if (c->authorization)
        cr_wipe(c->authorization, strlen(c->authorization));
    free(c->authorization);
    free(c);
}

const rpc_remote *rpc_client_remote(const rpc_client *c)
{
    return &c->remote;
}

/* --- one request -------------------------------------------------------------------------------------------------------- */

static size_t on_reply(char *data, size_t size, size_t count, void *ctx)
{
    transfer *t = ctx;
    bytes piece = bytes_of(data, size * count);
    long status = 0;
    curl_easy_getinfo(t->client->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 || status > 299) {
        /* An error's document; what is too long to be one is let go. */
        if (buf_put(&t->error_body, piece.data, piece.len) != OK)
            buf_clear(&t->error_body);
        t->received += piece.len;
        return t->received > LIMIT_RPC_REPLY_BYTES ? 0 : piece.len;
    }
    t->received += piece.len;
    if (t->received > t->request->reply_max)
        t->e = ERR_LIMIT;
    else if (t->request->sink)
        t->e = t->request->sink(t->request->sink_ctx, piece);
    else if (t->request->reply)
        t->e = buf_put(t->request->reply, piece.data, piece.len);
    return t->e == OK ? piece.len : 0;
}

static size_t on_upload(char *out, size_t size, size_t count, void *ctx)
{
    transfer *t = ctx;
    size_t len = size * count;
    if (t->request->source) {
        if (len > t->source_left)
            len = (size_t)t->source_left;
        t->e = len ? t->request->source(t->request->source_ctx, (uint8_t *)out, &len) : OK;
        t->source_left -= len;
        return t->e == OK ? len : CURL_READFUNC_ABORT;
    }
    if (len > t->left.len)
        len = t->left.len;
    if (len)
        memcpy(out, t->left.data, len);
    t->left = bytes_of(t->left.data + len, t->left.len - len);
    return len;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    const transfer *t = ctx;
    return t->client->stop && atomic_load(t->client->stop);
}

static err transport_error(const transfer *t, CURLcode code, fault *f)
{
    curl_off_t connected = 0;
    curl_easy_getinfo(t->client->curl, CURLINFO_PRETRANSFER_TIME_T, &connected);
    bool sent = connected > 0;
    uint64_t at = (uint64_t)code;
    if (t->e != OK)
        return fail(f, t->e, "http: reply or body", t->received);
    switch (code) {
    case CURLE_OK: return OK;
    case CURLE_ABORTED_BY_CALLBACK: return fail(f, ERR_INTERRUPTED, "http", at);
    case CURLE_OUT_OF_MEMORY: return fail(f, ERR_MEMORY, "http", at);
    case CURLE_OPERATION_TIMEDOUT:
        return sent ? fail(f, ERR_TIMEOUT, "http: no answer in time", at) : fail(f, ERR_UNREACHABLE, "http: no connection in time", at);
    case CURLE_COULDNT_RESOLVE_HOST: case CURLE_COULDNT_CONNECT: return fail(f, ERR_UNREACHABLE, "http: nobody listens", at);
    case CURLE_SEND_FAIL_REWIND: /* a kept connection broke before an answer; the body is not sent a second time */
    case CURLE_SEND_ERROR: case CURLE_RECV_ERROR: case CURLE_GOT_NOTHING: case CURLE_PARTIAL_FILE:
        /* What only reads may simply be asked again. */
        return sent && strcmp(t->request->method, "GET") != 0 ? fail(f, ERR_TIMEOUT, "http: connection lost after sending", at)
                                                             : fail(f, ERR_UNREACHABLE, "http: connection lost", at);
    default: return fail(f, ERR_IO, "http", at);
    }
}

static err error_of_status(long status)
{
    switch (status) {
    case 401: case 403: return ERR_PERMISSION;
    case 404: return ERR_NOT_FOUND;
    case 405: case 415: case 501: return ERR_UNSUPPORTED;
    case 408: case 504: return ERR_TIMEOUT;
    case 409: return ERR_STATE;
    case 413: case 414: case 431: return ERR_LIMIT;
    case 429: case 503: return ERR_BUSY;
    case 507: return ERR_DISK_FULL;
    default: return status >= 500 ? ERR_INTERNAL : ERR_USAGE;
    }
}

static void copy_text(char *out, size_t cap, const json_t *text)
{
    const char *from = json_string_value(text);
    snprintf(out, cap, "%s", from ? from : "");
    for (char *p = out; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?'; /* it will be printed on a terminal */
    }
}

/* Notes {code, name, message, retryable, what, at}; `fallback` if it is none. */
static err note_remote(rpc_client *c, const json_t *document, err fallback)
{
    rpc_remote *r = &c->remote;
    const json_t *number = json_object_get(document, "code");
    r->error = json_is_integer(number) && json_integer_value(number) > 0 ? rpc_error_of_number(json_integer_value(number)) : fallback;
    r->retryable = err_describe(r->error)->retryable;
    copy_text(r->message, sizeof r->message, json_object_get(document, "message"));
    copy_text(r->what, sizeof r->what, json_object_get(document, "what"));
    json_int_t at = json_integer_value(json_object_get(document, "at"));
    r->at = at > 0 ? (uint64_t)at : 0;
    return r->error;
}

static err server_verdict(transfer *t, long status, fault *f)
{
    json_t *document = NULL;
    err fallback = error_of_status(status);
    if (t->error_body.len == 0 || rpc_json_read(&document, buf_bytes(&t->error_body), NULL) != OK)
        document = NULL;
    err e = note_remote(t->client, document ? json_object_get(document, "error") : NULL, fallback);
    json_decref(document);
    return fail(f, e, "http: refused by the server", (uint64_t)status);
}

static err set_options(rpc_client *c, transfer *t, const char *url, struct curl_slist *headers)
{
    const rpc_http *q = t->request;
    CURL *h = c->curl;
    bool get = strcmp(q->method, "GET") == 0;
    uint64_t body_len = q->source ? q->source_len : q->body.len;
    curl_easy_reset(h);
    CURLcode bad = CURLE_OK;
#define SET(option, value) bad = bad != CURLE_OK ? bad : curl_easy_setopt(h, option, value)
    SET(CURLOPT_URL, url);
    SET(CURLOPT_PROTOCOLS_STR, "http");
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)c->connect_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)(q->total_ms ? q->total_ms : c->total_ms));
    SET(CURLOPT_WRITEFUNCTION, on_reply);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_READFUNCTION, on_upload);
    SET(CURLOPT_READDATA, t);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_HTTP_TRANSFER_DECODING, 1L);
    if (c->stop) {
        SET(CURLOPT_NOPROGRESS, 0L);
        SET(CURLOPT_XFERINFOFUNCTION, on_progress);
        SET(CURLOPT_XFERINFODATA, t);
    }
    if (c->socket[0])
        SET(CURLOPT_UNIX_SOCKET_PATH, c->socket);
    if (!get) {
        SET(CURLOPT_UPLOAD, 1L);
        SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)body_len);
        SET(CURLOPT_CUSTOMREQUEST, q->method);
    }
#undef SET
    return bad == CURLE_OK ? OK : bad == CURLE_OUT_OF_MEMORY ? ERR_MEMORY : ERR_UNSUPPORTED;
}

static struct curl_slist *make_headers(const rpc_client *c, const rpc_http *q)
{
    char type[160];
    snprintf(type, sizeof type, "Content-Type: %s", q->content_type ? q->content_type : "application/octet-stream");
    struct curl_slist *list = curl_slist_append(NULL, strcmp(q->method, "GET") == 0 ? "Accept: */*" : type);
    struct curl_slist *more = list && c->authorization ? curl_slist_append(list, c->authorization) : list;
    if (!more)
        curl_slist_free_all(list);
    return more;
}

err rpc_client_http(rpc_client *c, const rpc_http *request, unsigned *status_out, fault *f)
{
    char url[URL_MAX];
    transfer t = { .client = c, .request = request, .left = request->body, .source_left = request->source_len };
    long status = 0;
    c->remote = (rpc_remote){ 0 };
    if (status_out)
        *status_out = 0;
    int n = snprintf(url, sizeof url, "%s%s", c->base, request->path);
    if (request->path[0] != '/' || n < 0 || (size_t)n >= sizeof url)
        return fail(f, ERR_LIMIT, "http: path", URL_MAX);
    if (c->stop && atomic_load(c->stop)) /* also where nobody listens, so that whoever tries again ends */
        return fail(f, ERR_INTERRUPTED, "http", 0);
    struct curl_slist *headers = make_headers(c, request);
    if (!headers)
        return fail(f, ERR_MEMORY, "http", 0);
    buf_init(&t.error_body, ERROR_BODY_MAX);
    t.reply_start = request->reply ? request->reply->len : 0;
    err e = set_options(c, &t, url, headers);
    if (e != OK) {
        e = fail(f, e, "http: options", 0);
    } else {
        CURLcode code = curl_easy_perform(c->curl);
        curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
        bool refused = t.e == OK && status >= 300; /* a server may refuse, and hang up, before it has read a long body */
        e = refused ? server_verdict(&t, status, f) : transport_error(&t, code, f);
        c->remote.status = (int)status;
    }
    if (status_out)
        *status_out = (unsigned)status;
    if (e != OK && request->reply)
        request->reply->len = t.reply_start;
    buf_deinit(&t.error_body);
    curl_slist_free_all(headers);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, NULL);
    return e;
}

static err simple(rpc_client *c, const char *method, const char *path, bytes body, buf *reply, uint64_t reply_max, fault *f)
{
    const rpc_http q = { .method = method, .path = path, .body = body, .reply = reply, .reply_max = reply_max };
    return rpc_client_http(c, &q, NULL, f);
}

err rpc_client_get(rpc_client *c, const char *path, buf *reply, uint64_t reply_max, fault *f)
{
    return simple(c, "GET", path, (bytes){ 0 }, reply, reply_max, f);
}

err rpc_client_put(rpc_client *c, const char *path, bytes body, buf *reply, uint64_t reply_max, fault *f)
{
    return simple(c, "PUT", path, body, reply, reply_max, f);
}

err rpc_client_post(rpc_client *c, const char *path, bytes body, buf *reply, uint64_t reply_max, fault *f)
{
    return simple(c, "POST", path, body, reply, reply_max, f);
}

/* --- JSON-RPC ----------------------------------------------------------------------------------------------------------- */

static err read_answer(rpc_client *c, bytes text, uint64_t id, json_t **result, fault *f)
{
    json_t *document;
    TRY(rpc_json_read(&document, text, f));
    err e = OK;
    const json_t *error = json_object_get(document, "error");
    if (json_is_object(error)) {
        const json_t *data = json_object_get(error, "data");
        e = note_remote(c, data ? data : error, ERR_INTERNAL);
        c->remote.code = json_integer_value(json_object_get(error, "code"));
        e = fail(f, e, "rpc: refused by the server", c->remote.at);
    } else if (json_integer_value(json_object_get(document, "id")) != (json_int_t)id || !(*result = json_object_get(document, "result"))) {
        e = fail(f, ERR_FIELD, "rpc: not an answer", 0);
    } else {
        json_incref(*result);
    }
    json_decref(document);
    return e;
}

err rpc_client_call_wait(rpc_client *c, const char *method, const json_t *params, uint32_t extra_ms, json_t **result, fault *f)
{
    buf text, answer;
    buf_init(&text, LIMIT_RPC_BODY_BYTES);
    buf_init(&answer, LIMIT_RPC_REPLY_BYTES);
    uint64_t id = ++c->next_id;
    json_t *document = json_pack("{s:s, s:s, s:I, s:O*}", "jsonrpc", "2.0", "method", method, "id", (json_int_t)id, "params", params);
    err e = !document ? fail(f, ERR_MEMORY, "rpc", 0) : rpc_json_write(&text, document);
    if (document && e != OK)
        e = fail(f, e, "rpc: request too long", text.max);
    json_decref(document);
    if (e == OK) {
        const rpc_http q = {
            .method = "POST", .path = "/rpc", .content_type = "application/json", .body = buf_bytes(&text), .reply = &answer,
            .reply_max = LIMIT_RPC_REPLY_BYTES, .total_ms = c->total_ms + extra_ms,
        };
        e = rpc_client_http(c, &q, NULL, f);
    }
    if (e == OK)
        e = read_answer(c, buf_bytes(&answer), id, result, f);
    buf_deinit(&text);
    buf_deinit(&answer);
    return e;
}

err rpc_client_call(rpc_client *c, const char *method, const json_t *params, json_t **result, fault *f)
{
    return rpc_client_call_wait(c, method, params, 0, result, f);
}
