/* SPDX-License-Identifier: Apache-2.0
 *
 * check_layers ROOT: holds the sources to layers.txt and to the rules of the house that a text search can decide. Prints one
 * line per violation, exits 1 if there is one and 2 if it could not run. The rules are in check_file() and below it. */
#define _GNU_SOURCE
#include <fts.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINES_MAX = 1000, ITEMS_MAX = 64, LAYERS_MAX = 64 };

typedef struct words {
    char  *item[ITEMS_MAX];
    size_t count;
} words;

typedef struct layer {
    char *folder;
    char *prefix;  /* of its symbols */
    words allowed; /* folders, or single headers such as proof/referee.h */
} layer;

typedef struct source {
    char   *path; /* below ROOT/src, or below ROOT for other trees */
    char  **include; /* quoted includes as written */
    size_t *line;
    size_t  include_count;
    int     mark; /* of the search for cycles */
} source;

static layer  layers[LAYERS_MAX];
static size_t layer_count;
static words  pure, banned;
static source *sources; /* of src/ only */
static size_t source_count;
static size_t violations;

static void *must(void *p)
{
    if (!p) {
        fputs("check_layers: out of memory\n", stderr);
        exit(2);
    }
    return p;
}

__attribute__((format(printf, 3, 4))) static void report(const char *path, size_t line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("%s:%zu: ", path, line);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    violations++;
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

static bool has(const words *w, const char *text)
{
    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->item[i], text) == 0)
            return true;
    return false;
}

/* ---- layers.txt ---- */

static void split_words(words *out, char *text)
{
    for (char *save = NULL, *word = strtok_r(text, " \t\n", &save); word; word = strtok_r(NULL, " \t\n", &save)) {
        if (out->count == ITEMS_MAX) {
            fputs("check_layers: a line of layers.txt is too long\n", stderr);
            exit(2);
        }
        out->item[out->count++] = must(strdup(word));
    }
}

static const layer *layer_of(const char *folder)
{
    for (size_t i = 0; i < layer_count; i++)
        if (strcmp(layers[i].folder, folder) == 0)
            return &layers[i];
    return NULL;
}

/* A layer may name only layers that stand above it in the file: that order is what makes a cycle impossible. */
static void add_layer(words *w, size_t line)
{
    if (w->count < 3 || layer_count == LAYERS_MAX) {
        report("layers.txt", line, "expected: folder prefix allowed...");
        return;
    }
    layer *l = &layers[layer_count];
    l->folder = w->item[0];
    l->prefix = w->item[1];
    for (size_t i = 2; i < w->count; i++) {
        char *item = w->item[i];
        if (strcmp(item, "-") == 0) {
            free(item);
            continue;
        }
        char *folder = must(strndup(item, strcspn(item, "/")));
        if (!layer_of(folder))
            report("layers.txt", line, "%s may include %s, which does not stand above it: a cycle or a typing error",
                   l->folder, item);
        free(folder);
        l->allowed.item[l->allowed.count++] = item;
    }
    layer_count++;
}

static void read_layers(void)
{
    FILE *f = fopen("layers.txt", "r");
    if (!f) {
        perror("layers.txt");
        exit(2);
    }
    char *text = NULL;
    size_t cap = 0;
    for (size_t line = 1; getline(&text, &cap, f) >= 0; line++) {
        words w = { 0 };
        if (text[0] == '#' || text[0] == '\n')
            continue;
        if (starts_with(text, "pure:"))
            split_words(&pure, text + 5);
        else if (starts_with(text, "banned:"))
            split_words(&banned, text + 7);
        else {
            split_words(&w, text);
            add_layer(&w, line);
        }
    }
    free(text);
    fclose(f);
}

/* ---- one file ---- */

static char *folder_of(const char *path)
{
    return must(strndup(path, strcspn(path, "/")));
}

/* `pure` lists folders of src/ and single files; tests may print and read files. */
static bool is_pure(const char *path)
{
    char *folder = folder_of(path);
    bool yes = !ends_with(path, "_test.c") && (has(&pure, folder) || has(&pure, path));
    free(folder);
    return yes;
}

static void check_ban(const char *path, size_t line, const char *target)
{
    for (size_t i = 0; i < banned.count; i++) {
        const char *b = banned.item[i];
        if (strcmp(target, b) == 0 || (ends_with(b, "/") && starts_with(target, b)))
            report(path, line, "%s is banned in what consensus links", target);
    }
}

/* A quoted include of a file under src/. */
static void check_include(const char *path, size_t line, const char *target)
{
    if (strstr(target, "..")) {
        report(path, line, "include \"%s\": name it from src/, not by a relative path", target);
        return;
    }
    if (!strchr(target, '/'))
        return; /* a table of schema/, or a text of the same folder */
    char *from = folder_of(path), *to = folder_of(target);
    const layer *l = layer_of(from);
    bool same = strcmp(from, to) == 0;
    char installed[300]; /* include/blocktorch/... is everybody's */
    snprintf(installed, sizeof installed, "include/%s", target);
    if (!layer_of(to) && access(installed, F_OK) != 0)
        report(path, line, "\"%s\" is neither in a folder of layers.txt nor an installed header", target);
    if (!same && layer_of(to) && l && !has(&l->allowed, to) && !has(&l->allowed, target))
        report(path, line, "%s may not include \"%s\" (layers.txt)", from, target);
    if (!same && ends_with(target, "_int.h"))
        report(path, line, "\"%s\" is internal to %s", target, to);
    free(from);
    free(to);
}

static void add_include(source *s, size_t line, const char *target)
{
    s->include = must(realloc(s->include, (s->include_count + 1) * sizeof *s->include));
    s->line = must(realloc(s->line, (s->include_count + 1) * sizeof *s->line));
    s->line[s->include_count] = line;
    s->include[s->include_count++] = must(strdup(target));
}

static void check_line(const char *path, source *s, size_t line, const char *text)
{
    /* In two pieces each, so that this file passes its own check. */
    if (strstr(text, "TO" "DO") || strstr(text, "FIX" "ME"))
        report(path, line, "a note to finish later");
    char open, target[256];
    if (sscanf(text, " # include %c%255[^>\"]", &open, target) != 2 || (open != '<' && open != '"'))
        return;
    if (strcmp(target, "assert" ".h") == 0)
        report(path, line, "assert" ".h: use CHECK or a typed error");
    if (!s)
        return;
    if (is_pure(s->path))
        check_ban(path, line, target);
    if (open == '"') {
        check_include(s->path, line, target);
        add_include(s, line, target);
    }
}

static bool is_code(const char *name)
{
    const char *const ends[] = { ".c", ".h", ".def", ".cu", ".comp", ".m", ".metal", ".sh", ".py", ".cmake", ".js", ".ts", ".tsx" };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends_with(name, ends[i]))
            return true;
    return strcmp(name, "CMakeLists.txt") == 0;
}

static void check_file(const char *path)
{
    source *s = NULL;
    if (starts_with(path, "src/")) {
        sources = must(realloc(sources, (source_count + 1) * sizeof *sources));
        s = &sources[source_count++];
        *s = (source){ .path = must(strdup(path + 4)) };
        char *folder = folder_of(s->path);
        if (strchr(s->path, '/') && !layer_of(folder))
            report(path, 1, "folder %s is not in layers.txt", folder);
        free(folder);
    }
    FILE *f = fopen(path, "r");
    if (!f) {
        perror(path);
        exit(2);
    }
    char *text = NULL;
    size_t cap = 0, line = 0;
    bool licensed = false;
    while (getline(&text, &cap, f) >= 0) {
        line++;
        if (line <= 3 && strstr(text, "SPDX-License-Identifier: Apache-2.0"))
            licensed = true;
        check_line(path, s, line, text);
    }
    free(text);
    fclose(f);
    if (!licensed)
        report(path, 1, "no SPDX-License-Identifier line on top");
    if (line > LINES_MAX)
        report(path, line, "%zu lines: past %d it is two things", line, LINES_MAX);
}

static void check_tree(const char *top)
{
    char *roots[] = { must(strdup(top)), NULL };
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (!walk) {
        perror(top);
        exit(2);
    }
    for (FTSENT *entry; (entry = fts_read(walk));) {
        const char *const skipped[] = { "node_modules", "__pycache__", "corpus", "build", "dist" };
        if (entry->fts_info == FTS_D)
            for (size_t i = 0; i < sizeof skipped / sizeof *skipped; i++)
                if (strcmp(entry->fts_name, skipped[i]) == 0)
                    fts_set(walk, entry, FTS_SKIP);
        if (entry->fts_info == FTS_F && is_code(entry->fts_name))
            check_file(entry->fts_path);
    }
    fts_close(walk);
    free(roots[0]);
}

/* ---- cycles between files ---- */

static source *find_source(const source *from, const char *target)
{
    const char *slash = strrchr(from->path, '/');
    size_t dir = slash ? (size_t)(slash + 1 - from->path) : 0;
    for (size_t i = 0; i < source_count; i++) {
        const char *path = sources[i].path;
        if (strcmp(path, target) == 0 || (strncmp(path, from->path, dir) == 0 && strcmp(path + dir, target) == 0))
            return &sources[i];
    }
    return NULL;
}

static void search_cycle(source *s)
{
    s->mark = 1;
    for (size_t i = 0; i < s->include_count; i++) {
        source *next = find_source(s, s->include[i]);
        if (!next || next == s) /* a kernel text may include itself, once per instruction set */
            continue;
        if (next->mark == 1)
            report(s->path, s->line[i], "include cycle through \"%s\"", s->include[i]);
        else if (next->mark == 0)
            search_cycle(next);
    }
    s->mark = 2;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: check_layers ROOT\n", stderr);
        return 2;
    }
    /* Relative paths from here on, so that reports are the same everywhere. */
    if (chdir(argv[1]) != 0) {
        perror(argv[1]);
        return 2;
    }
    read_layers();
    const char *const trees[] = { "src", "include", "schema", "tools", "tests", "fuzz", "bench", "cmake", "python", "scripts", "web" };
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++)
        if (access(trees[i], F_OK) == 0)
            check_tree(trees[i]);
    for (size_t i = 0; i < source_count; i++)
        if (sources[i].mark == 0)
            search_cycle(&sources[i]);
    if (violations)
        printf("check_layers: %zu violations\n", violations);
    return violations ? 1 : 0;
}
