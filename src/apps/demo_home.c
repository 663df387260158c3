/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/demo_net.h"

#include "base/port/file.h"

#include <stdio.h>
#include <unistd.h>

enum { PLACES = 8 };

/* Removes what stands at place `number` unless a demo uses it; *lock is -1 then. */
static err clear_place(tb_home *out, int *lock, const tb_home *base, int number, fault *f)
{
    char name[16] = "demo", lock_name[24], dir[TB_PATH_MAX], path[TB_PATH_MAX];
    *lock = -1;
    if (number > 1)
        snprintf(name, sizeof name, "demo-%d", number);
    snprintf(lock_name, sizeof lock_name, "%s.lock", name);
    TRY(tb_home_path(dir, base, name, f));
    TRY(tb_home_path(path, base, lock_name, f));
    fault own = { 0 };
    err e = base_file_lock(lock, path, &own);
    if (e == ERR_BUSY)
        return OK;
    if (e != OK)
        return fail(f, e, own.what, own.at);
    e = base_tree_remove(dir, f);
    return e == OK ? tb_home_at(out, dir, f) : e;
}

/* Every place is looked at, so that no old run is left behind; places that were never used are not made. */
static bool was_used(const tb_home *base, int number)
{
    char name[24], path[TB_PATH_MAX];
    snprintf(name, sizeof name, "demo-%d.lock", number);
    return tb_home_path(path, base, name, NULL) == OK && access(path, F_OK) == 0;
}

err demo_home_take(tb_home *out, int *lock, fault *f)
{
    tb_home base, home;
    *lock = -1;
    TRY(tb_home_find(&base, NULL, f));
    TRY(tb_make_folders(base.dir, f));
    for (int number = 1; number <= PLACES; number++) {
        int fd = -1;
        if (*lock >= 0 && !was_used(&base, number))
            continue;
        err e = clear_place(&home, &fd, &base, number, f);
        if (e != OK) {
            base_file_close(fd);
            base_file_close(*lock);
            return e;
        }
        if (fd >= 0 && *lock < 0) {
            *lock = fd;
            *out = home;
        } else {
            base_file_close(fd);
        }
    }
    return *lock >= 0 ? OK : fail(f, ERR_BUSY, "demo: that many run already", PLACES);
}
