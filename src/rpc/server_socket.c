/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "rpc/server_int.h"

#include "base/port/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128 };

static err fail_errno(fault *f, const char *what)
{
    int number = errno;
    err e = number == EADDRINUSE ? ERR_BUSY : base_errno_err(number);
    return fail(f, e, what, (uint64_t)number);
}

/* Another local user must not be able to reach the socket, or to put his own in its place. */
static err make_private_folder(const char *path, fault *f)
{
    char folder[sizeof ((struct sockaddr_un *)0)->sun_path];
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return fail(f, ERR_PERMISSION, "socket: needs a folder of its own", 0);
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = 0;
    TRY(base_dir_make(folder, f));
    struct stat st;
    if (stat(folder, &st) != 0)
        return fail_errno(f, "socket folder: stat");
    if (st.st_uid != geteuid() || (st.st_mode & 077))
        return fail(f, ERR_PERMISSION, "socket folder: others may use it (chmod 700)", st.st_mode & 0777);
    return OK;
}

/* A socket file that nobody listens on any more, as a killed process leaves it, is removed; a live one is not. */
static err clear_stale(int fd, const struct sockaddr_un *address, fault *f)
{
    struct stat st;
    if (lstat(address->sun_path, &st) != 0)
        return errno == ENOENT ? OK : fail_errno(f, "socket: stat");
    if (!S_ISSOCK(st.st_mode))
        return fail(f, ERR_EXISTS, "socket: something else stands there", 0);
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno != ECONNREFUSED)
        return fail(f, ERR_BUSY, "socket: another process serves it", 0);
    return unlink(address->sun_path) == 0 || errno == ENOENT ? OK : fail_errno(f, "socket: remove");
}

err rpc_listen_unix(int *out, const char *path, fault *f)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address.sun_path)
        return fail(f, ERR_LIMIT, "socket: path too long", sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    TRY(make_private_folder(path, f));
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    err e = probe < 0 || fd < 0 ? fail_errno(f, "socket: make") : clear_stale(probe, &address, f);
    if (probe >= 0)
        close(probe);
    if (e == OK && bind(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        e = fail_errno(f, "socket: bind");
    if (e == OK && (chmod(path, 0600) != 0 || listen(fd, BACKLOG) != 0))
        e = fail_errno(f, "socket: listen");
    if (e != OK) {
        if (fd >= 0)
            close(fd);
        return e;
    }
    *out = fd;
    return OK;
}

err rpc_listen_loopback(int *out, uint16_t *port, fault *f)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t len = sizeof address;
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail_errno(f, "port: make");
    err e = OK;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        e = fail_errno(f, "port: bind");
    if (e == OK && (listen(fd, BACKLOG) != 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0))
        e = fail_errno(f, "port: listen");
    if (e != OK) {
        close(fd);
        return e;
    }
    *out = fd;
    *port = ntohs(address.sin_port);
    return OK;
}
