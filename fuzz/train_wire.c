/* SPDX-License-Identifier: Apache-2.0
 * What coordinator and worker tell each other (train/wire.h), and what is shown to validators (train/audit.h), picked by the first byte: what decodes encodes to the same bytes. */
#include "train/audit.h"
#include "train/wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static err session(buf *again, bytes in, fault *f)
{
    tr_session s;
    TRY(tr_session_decode(&s, in, f));
    return tr_session_encode(again, &s);
}

static err work(buf *again, bytes in, fault *f)
{
    tr_work w;
    TRY(tr_work_decode(&w, in, f));
    return tr_work_encode(again, &w);
}

static err part(buf *again, bytes in, fault *f)
{
    uint64_t total;
    bytes piece;
    TRY(tr_part_decode(&total, &piece, in, f));
    return tr_part_encode(again, total, piece);
}

static err count(buf *again, bytes in, fault *f)
{
    uint64_t n;
    TRY(tr_count_decode(&n, in, f));
    return tr_count_encode(again, n);
}

/* The header line of a signed request: text, so only that its parts are read within bounds. */
static err auth(buf *again, bytes in, fault *f)
{
    char *text = malloc(in.len + 1);
    CHECK(text != NULL);
    memcpy(text, in.data, in.len);
    text[in.len] = 0;
    tr_auth a;
    err e = tr_auth_parse(&a, text, f);
    free(text);
    TRY(e);
    return buf_put(again, in.data, in.len);
}

/* The path of a part that is shown to a validator, and its authenticator behind a line break. */
static err push(buf *again, bytes in, fault *f)
{
    char url[TR_PUSH_URL_MAX], authenticator[TR_PUSH_AUTH_BYTES], *text = malloc(in.len + 1);
    CHECK(text != NULL);
    memcpy(text, in.data, in.len);
    text[in.len] = 0;
    char *second = strchr(text, '\n');
    if (second)
        *second++ = 0;
    tr_push p;
    err e = tr_push_read(&p, text, second, f);
    free(text);
    TRY(e);
    tr_push_write(url, authenticator, &p);
    return buf_printf(again, "%s\n%s", url + sizeof TR_AUDIT_PREFIX - 1, authenticator);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static err (*const kinds[])(buf *, bytes, fault *) = { session, work, part, count, auth, push };
    if (size == 0)
        return 0;
    bytes in = bytes_of(data + 1, size - 1);
    buf again;
    buf_init(&again, size + 64);
    fault f = { 0 };
    err e = kinds[data[0] % COUNT_OF(kinds)](&again, in, &f);
    if (e == OK)
        CHECK(bytes_equal(in, buf_bytes(&again)));
    else
        CHECK(f.code == e && f.what != NULL);
    buf_deinit(&again);
    return 0;
}
