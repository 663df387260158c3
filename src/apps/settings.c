/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/settings.h"

#include "base/port/file.h"

extern char **environ;

enum { CONF_FILE_MAX = 1 << 20 };

err tb_settings_load(rpc_conf *c, const tb_home *home, const char *file, fault *f)
{
    char path[TB_PATH_MAX];
    buf text;
    rpc_conf_init(c);
    if (!file)
        TRY(tb_home_path(path, home, "node.conf", f));
    buf_init(&text, CONF_FILE_MAX);
    fault own = { 0 };
    err e = file ? OK : base_path_guard(path, &own);
    if (e == ERR_PERMISSION) /* it names the node's key and where tokens are sent */
        return fail(f, e, "node.conf: others may write to it, or it is another user's (chown, chmod go-w)", own.at);
    if (e == OK)
        e = base_file_read(&text, file ? file : path, f);
    if (e == ERR_NOT_FOUND && !file)
        e = OK;
    else if (e == OK)
        e = rpc_conf_read(c, buf_bytes(&text), f);
    buf_deinit(&text);
    return e == OK ? rpc_conf_environment(c, (const char *const *)environ, f) : e;
}

err tb_settings_flag(rpc_conf *c, const tb_cli *cli, const char *option, rpc_conf_key key, fault *f)
{
    return tb_given(cli, option) ? rpc_conf_set(c, key, bytes_of_str(tb_text(cli, option)), RPC_CONF_FLAG, f) : OK;
}
