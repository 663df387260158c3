/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/home.h"

#include "base/port/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static err join(char out[TB_PATH_MAX], const char *dir, const char *name, fault *f)
{
    int n = snprintf(out, TB_PATH_MAX, "%s%s%s", dir, *name ? "/" : "", name);
    return n > 0 && n < TB_PATH_MAX ? OK : fail(f, ERR_LIMIT, "path too long", TB_PATH_MAX - 1);
}

/* Who may write here may put in keys, settings and a network of his own. */
static err guard(const tb_home *h, fault *f)
{
    static const struct { const char *name, *refusal; } folders[] = {
        { "", "data directory: others may write to it, or it is another user's (chown, chmod go-w)" },
        { "keys", "keys: others may write to this folder, or it is another user's (chown, chmod go-w)" },
    };
    char path[TB_PATH_MAX];
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        fault own = { 0 };
        TRY(join(path, h->dir, folders[i].name, f));
        err e = base_path_guard(path, &own);
        if (e != OK && e != ERR_NOT_FOUND)
            return fail(f, e, e == ERR_PERMISSION ? folders[i].refusal : own.what, own.at);
    }
    return OK;
}

static err home_at(tb_home *h, const char *dir, fault *f)
{
    if (dir[0] == '/')
        return join(h->dir, dir, "", f);
    /* Absolute, because the node's socket and messages outlive a change of directory. */
    char here[TB_PATH_MAX];
    if (!getcwd(here, sizeof here))
        return fail(f, ERR_CONFIG, "home: the current directory has no name", 0);
    return join(h->dir, here, dir, f);
}

err tb_home_at(tb_home *h, const char *dir, fault *f)
{
    h->origin = "caller";
    TRY(home_at(h, dir, f));
    return guard(h, f);
}

static err find(tb_home *h, const tb_cli *cli, fault *f)
{
    const char *given = cli ? tb_text(cli, "home") : "", *value;
    const char *origin = "--home";
    if (!*given) {
        given = (value = getenv("TB_HOME")) != NULL ? value : "";
        origin = "TB_HOME";
    }
    if (*given) {
        h->origin = origin;
        return home_at(h, given, f);
    }
    if ((value = getenv("XDG_DATA_HOME")) != NULL && value[0] == '/') {
        h->origin = "XDG_DATA_HOME";
        return join(h->dir, value, "tb", f);
    }
    h->origin = "HOME";
    if ((value = getenv("HOME")) == NULL || value[0] != '/')
        return fail(f, ERR_CONFIG, "home: neither --home, TB_HOME, XDG_DATA_HOME nor HOME is set", 0);
    return join(h->dir, value, ".local/share/tb", f);
}

err tb_home_find(tb_home *h, const tb_cli *cli, fault *f)
{
    TRY(find(h, cli, f));
    return guard(h, f);
}

err tb_make_folders(const char *path, fault *f)
{
    char part[TB_PATH_MAX];
    TRY(join(part, path, "", f));
    for (char *p = part + 1; *p; p++)
        if (*p == '/') {
            *p = 0;
            if (access(part, F_OK) != 0)
                TRY(base_dir_make(part, f));
            *p = '/';
        }
    return base_dir_make(part, f);
}

err tb_home_make(const tb_home *h, fault *f)
{
    static const char *const folders[] = { "keys", "run" };
    char path[TB_PATH_MAX];
    TRY(tb_make_folders(h->dir, f));
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        TRY(tb_home_path(path, h, folders[i], f));
        TRY(base_dir_make(path, f));
    }
    return OK;
}

err tb_home_path(char out[TB_PATH_MAX], const tb_home *h, const char *name, fault *f)
{
    return join(out, h->dir, name, f);
}
