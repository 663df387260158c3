/* SPDX-License-Identifier: Apache-2.0
 *
 * The data directory: --home, else TB_HOME, else $XDG_DATA_HOME/tb, else ~/.local/share/tb. In it:
 *   keys/NAME.key   encrypted keys            genesis.cbor   the network
 *   chain/          the node's ledger         run/rpc.sock   the node's socket
 *   token.read, token.operate                 tokens for loopback TCP, made by the node
 *   jobs/JOB/       a buyer's checkpoints and receipts */
#ifndef APPS_HOME_H
#define APPS_HOME_H

#include "apps/cli.h"

enum { TB_PATH_MAX = 1024 };

typedef struct tb_home {
    char        dir[TB_PATH_MAX];
    const char *origin; /* "--home", "TB_HOME", ...: static */
} tb_home;

/* Where it is; nothing is made. `cli` may be NULL: without --home. ERR_CONFIG if nothing says where; ERR_PERMISSION if it, or keys in
 * it, is another user's or one that others may write to. */
err tb_home_find(tb_home *h, const tb_cli *cli, fault *f) MUST_USE;
/* The same for a directory that the caller names. */
err tb_home_at(tb_home *h, const char *dir, fault *f) MUST_USE;
/* Makes it and the folders keys and run, mode 0700. */
err tb_home_make(const tb_home *h, fault *f) MUST_USE;

/* "<dir>/<name>"; ERR_LIMIT if it does not fit. */
err tb_home_path(char out[TB_PATH_MAX], const tb_home *h, const char *name, fault *f) MUST_USE;

/* Every missing folder of `path`, mode 0700. */
err tb_make_folders(const char *path, fault *f) MUST_USE;

#endif
