/* SPDX-License-Identifier: Apache-2.0
 *
 * Settings of this machine: defaults, node.conf of the data directory, the environment. Flags come on top: set them, then resolve. */
#ifndef APPS_SETTINGS_H
#define APPS_SETTINGS_H

#include "apps/home.h"
#include "rpc/conf.h"

/* Everything but the flags; rpc_conf_resolve is left to the caller. `file` NULL: node.conf of the home, which need not
 * be there; ERR_PERMISSION if others may write to it. */
err tb_settings_load(rpc_conf *c, const tb_home *home, const char *file, fault *f) MUST_USE;

/* A flag of the command line, if it was given. */
err tb_settings_flag(rpc_conf *c, const tb_cli *cli, const char *option, rpc_conf_key key, fault *f) MUST_USE;

#endif
