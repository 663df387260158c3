/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/secret.h"

#include "crypto/ed25519.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/select.h>
#include <termios.h>
#include <unistd.h>

void tb_secret_wipe(tb_secret *s)
{
    cr_wipe(s, sizeof *s);
}

/* Byte by byte, so that what follows the line stays for the next reader of the descriptor. */
static err read_line(tb_secret *out, int fd, fault *f)
{
    out->len = 0;
    for (;;) {
        uint8_t byte;
        ssize_t n = read(fd, &byte, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(f, ERR_IO, "passphrase: read", (uint64_t)errno);
        if (n == 0 || byte == '\n')
            return OK;
        if (out->len == sizeof out->b)
            return fail(f, ERR_LIMIT, "passphrase", sizeof out->b);
        out->b[out->len++] = byte;
    }
}

/* Signals that end or stop a program at its prompt: the terminal gets its echo back before they do. */
static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    caught = number;
}

/* The line, with the signals that the caller blocked open only in the wait, so that none falls between a look and a read; *number: one that came. */
static err read_terminal(tb_secret *out, const sigset_t *outside, int *number, fault *f)
{
    struct sigaction before[COUNT_OF(signals)], noting = { .sa_handler = on_signal };
    fd_set ready;
    err e = OK;
    caught = 0;
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        sigaction(signals[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN)
            sigaction(signals[i], &noting, NULL);
    }
    FD_ZERO(&ready);
    FD_SET(STDIN_FILENO, &ready);
    if (pselect(STDIN_FILENO + 1, &ready, NULL, NULL, NULL, outside) >= 0)
        e = read_line(out, STDIN_FILENO, f);
    else if (errno != EINTR)
        e = fail(f, ERR_IO, "passphrase: terminal", (uint64_t)errno);
    for (size_t i = 0; i < COUNT_OF(signals); i++)
        sigaction(signals[i], &before[i], NULL);
    *number = caught;
    return e;
}

/* The line with the echo off. The signals are blocked for as long as it is: none ends the program in between. */
static err read_quietly(tb_secret *out, const struct termios *before, int *number, fault *f)
{
    struct termios quiet = *before;
    sigset_t mine, outside;
    err e;
    quiet.c_lflag = (before->c_lflag & ~(tcflag_t)ECHO) | ICANON | ISIG; /* a whole line, and Ctrl-C is a signal */
    sigemptyset(&mine);
    for (size_t i = 0; i < COUNT_OF(signals); i++)
        sigaddset(&mine, signals[i]);
    sigprocmask(SIG_BLOCK, &mine, &outside);
    *number = 0;
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) != 0)
        TRY_OUT(fail(f, ERR_IO, "passphrase: terminal", (uint64_t)errno));
    e = read_terminal(out, &outside, number, f);
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, before) != 0 && e == OK)
        e = fail(f, ERR_IO, "passphrase: terminal", (uint64_t)errno);
out:
    sigprocmask(SIG_SETMASK, &outside, NULL);
    return e;
}

static err ask(tb_secret *out, const char *label, const char *what, fault *f)
{
    struct termios before;
    int number;
    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return fail(f, ERR_USAGE, "--passphrase-fd is missing and there is no terminal to ask on", 0);
    do {
        fprintf(stderr, "%s %s: ", label, what);
        fflush(stderr);
        err e = read_quietly(out, &before, &number, f);
        fputc('\n', stderr);
        TRY(e);
        if (number)
            raise(number); /* as if we had not looked: it ends here, or is stopped and asks again */
    } while (number == SIGTSTP);
    return number ? fail(f, ERR_INTERRUPTED, "passphrase", (uint64_t)number) : OK;
}

err tb_secret_get(tb_secret *out, const tb_cli *cli, const char *what, bool confirm, fault *f)
{
    if (tb_given(cli, "passphrase-fd")) {
        uint64_t fd = tb_uint(cli, "passphrase-fd");
        return fd <= 1 << 20 ? read_line(out, (int)fd, f) : fail(f, ERR_USAGE, "passphrase-fd", fd);
    }
    if (cli->no_input)
        return fail(f, ERR_USAGE, "--passphrase-fd is missing and there is no terminal to ask on", 0);
    err e = ask(out, confirm ? "new passphrase for" : "passphrase for", what, f);
    if (e != OK || !confirm)
        return e;
    tb_secret again = { 0 };
    e = ask(&again, "once more, for", what, f);
    if (e == OK && !bytes_equal(tb_secret_bytes(out), tb_secret_bytes(&again)))
        e = fail(f, ERR_PASSPHRASE, "the two differ", 0);
    tb_secret_wipe(&again);
    return e;
}
