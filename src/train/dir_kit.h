/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: a fresh directory, and the end of it. */
#ifndef TRAIN_DIR_KIT_H
#define TRAIN_DIR_KIT_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct dir_kit {
    char path[200];
} dir_kit;

static inline dir_kit dir_kit_make(void)
{
    dir_kit d;
    const char *base = getenv("TMPDIR");
    snprintf(d.path, sizeof d.path, "%.160s/tb-train-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(d.path))
        abort();
    return d;
}

static inline unsigned dir_kit_count(const dir_kit *d, const char *prefix)
{
    unsigned n = 0;
    DIR *dir = opendir(d->path);
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;)
        n += e->d_name[0] != '.' && strncmp(e->d_name, prefix, strlen(prefix)) == 0;
    if (dir)
        closedir(dir);
    return n;
}

static inline void dir_kit_remove(const dir_kit *d)
{
    char path[600];
    DIR *dir = opendir(d->path);
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", d->path, e->d_name);
        if (e->d_name[0] != '.' && unlink(path) != 0) {
            dir_kit sub;
            snprintf(sub.path, sizeof sub.path, "%.199s", path);
            dir_kit_remove(&sub);
        }
    }
    if (dir)
        closedir(dir);
    rmdir(d->path);
}

#endif
