/* SPDX-License-Identifier: Apache-2.0
 *
 * Passphrases: from a file descriptor (--passphrase-fd N) or a prompt on the terminal; never from the command line or the
 * environment, where others can read them. */
#ifndef APPS_SECRET_H
#define APPS_SECRET_H

#include "apps/cli.h"
#include "base/bytes.h"

typedef struct tb_secret {
    size_t  len;
    uint8_t b[1024];
} tb_secret;

void tb_secret_wipe(tb_secret *s);

static inline bytes tb_secret_bytes(const tb_secret *s)
{
    return (bytes){ s->b, s->len };
}

/* One line without its line break. `what` names the key in the prompt; `confirm` asks twice. ERR_USAGE naming --passphrase-fd
 * if it is not given and nobody can be asked; ERR_PASSPHRASE if the two differ; ERR_LIMIT, ERR_IO. */
err tb_secret_get(tb_secret *out, const tb_cli *cli, const char *what, bool confirm, fault *f) MUST_USE;

#endif
