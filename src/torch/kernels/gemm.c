/* SPDX-License-Identifier: Apache-2.0
 *
 * Blocking, packing and threads of the integer product. Per strip of columns: all threads pack B once (shared), then take row tiles;
 * a thread packs its rows of A and runs the microkernel over the tile in runs of k short enough for 32-bit lanes. */
#include "torch/kernels/gemm.h"

#include "base/int.h"
#include "torch/cpu.h"
#include "torch/kernels/gemm_int.h"

#include <stdlib.h>
#include <string.h>

enum {
    RUN_MAX = 512,                 /* k of one run: two panels of it stay close to the core */
    SPLIT_BELOW = 32,              /* flush lengths under this cost more than two products with a split operand */
    SPLIT_MAX = 128,               /* largest part of a split operand */
    STRIP_COLS = 768,              /* of a strip of B, if B_BYTES holds them: A is packed again for each strip */
    B_BYTES = 6 << 20,             /* shared by all threads */
    A_BYTES = 1 << 19,             /* a thread's rows of A */
    SERIAL_MACS = 1 << 18,         /* below, waking the workers costs more than it saves */
    PARTS_MAX = 2 * BT_GEMM_TERMS_MAX,
    ALIGN = 64,
};

typedef struct lane_scratch {
    int16_t *a;
    int64_t *tile; /* BT_GEMM_TILE_ROWS x BT_GEMM_TILE_COLS */
    int64_t *edge; /* one microkernel output */
} lane_scratch;

struct bt_gemm_ws {
    base_pool   *pool;
    size_t       k_max, bytes, a_len, b_len;
    int16_t     *b;
    char        *memory;
    unsigned     threads;
    lane_scratch lanes[];
};

/* One pass over a term: the whole product, or the low or high half of a split A. */
typedef struct part {
    const bt_gemm_term *term;
    bt_gemm_part        which;
    unsigned            shift;
    size_t              k_pad, run; /* both even */
    size_t              a_at, b_at; /* k packed before it: where its panels begin, per lane */
} part;

typedef struct job {
    bt_gemm_ws           *ws;
    const bt_gemm_plan   *plan;
    const bt_gemm_kernel *kernel;
    part                  parts[PARTS_MAX];
    size_t                n_parts, a_k, b_k; /* k of A and of B packed in all */
    size_t                rows;              /* of a row tile, a multiple of mr */
    size_t                j0, panels;        /* the strip at hand: first column, panels of nr columns */
    size_t                pack_panels, group; /* panels of one packing item, of one multiplying item */
    size_t                row_tiles;
} job;

size_t bt_gemm_flush_length(int32_t a_max, int32_t b_max)
{
    uint64_t product = (uint64_t)a_max * (uint64_t)b_max;
    return (size_t)(INT32_MAX / product) & ~(size_t)1;
}

static size_t round_up(size_t x, size_t to)
{
    return (x + to - 1) / to * to;
}

/* Room for k x `lanes` operands, less if that is over `bytes_max`, but at least for k x lanes_min. */
static size_t scratch_bytes(size_t k, size_t lanes_min, size_t lanes, size_t bytes_max)
{
    size_t want = k * lanes * sizeof(int16_t), least = k * lanes_min * sizeof(int16_t);
    want = want < bytes_max ? want : bytes_max;
    return round_up(want > least ? want : least, ALIGN);
}

err bt_gemm_ws_new(bt_gemm_ws **out, base_pool *pool, size_t k_max)
{
    if (k_max > SIZE_MAX / (4 * STRIP_COLS))
        return ERR_MEMORY;
    unsigned    threads = base_pool_threads(pool);
    size_t      k_all = k_max + BT_GEMM_TERMS_MAX; /* an odd k is padded */
    size_t      b_bytes = scratch_bytes(k_all, BT_GEMM_NR_MAX, STRIP_COLS, B_BYTES);
    size_t      a_bytes = scratch_bytes(k_all, 2 * BT_GEMM_MR_MAX, 2 * BT_GEMM_TILE_ROWS, A_BYTES); /* 2: a split operand */
    size_t      tile_bytes = sizeof(int64_t) * BT_GEMM_TILE_ROWS * BT_GEMM_TILE_COLS;
    size_t      edge_bytes = sizeof(int64_t) * BT_GEMM_MR_MAX * BT_GEMM_NR_MAX;
    size_t      bytes = b_bytes + threads * (a_bytes + tile_bytes + edge_bytes);
    bt_gemm_ws *ws = malloc(sizeof *ws + threads * sizeof ws->lanes[0]);
    char       *p = aligned_alloc(ALIGN, bytes);
    if (!ws || !p) {
        free(ws);
        free(p);
        return ERR_MEMORY;
    }
    *ws = (bt_gemm_ws){.pool = pool, .k_max = k_max, .bytes = bytes, .threads = threads, .memory = p, .b = (int16_t *)(void *)p};
    ws->a_len = a_bytes / sizeof(int16_t);
    ws->b_len = b_bytes / sizeof(int16_t);
    p += b_bytes;
    for (unsigned t = 0; t < threads; t++) {
        ws->lanes[t].a = (int16_t *)(void *)p;
        ws->lanes[t].tile = (int64_t *)(void *)(p += a_bytes);
        ws->lanes[t].edge = (int64_t *)(void *)(p += tile_bytes);
        p += edge_bytes;
    }
    *out = ws;
    return OK;
}

void bt_gemm_ws_free(bt_gemm_ws *ws)
{
    if (!ws)
        return;
    free(ws->memory);
    free(ws);
}

size_t bt_gemm_ws_bytes(const bt_gemm_ws *ws)
{
    return ws->bytes;
}

static err plan_check(const bt_gemm_ws *ws, const bt_gemm_plan *plan)
{
    if (plan->n_terms > BT_GEMM_TERMS_MAX)
        return ERR_LIMIT;
    size_t k_all = 0;
    u128   bound = 0;
    for (size_t t = 0; t < plan->n_terms; t++) {
        const bt_gemm_term *term = &plan->terms[t];
        if (term->a_max < 1 || term->a_max > BT_GEMM_OPERAND_MAX || term->b_max < 1 || term->b_max > BT_GEMM_OPERAND_MAX ||
            term->shift > BT_GEMM_SHIFT_MAX)
            return ERR_RANGE;
        if (term->k > ws->k_max - k_all)
            return ERR_LIMIT;
        k_all += term->k;
        uint64_t each = (uint64_t)term->a_max * (uint64_t)term->b_max;
        u128     product = (u128)term->k * each;
        if (product > ((u128)1 << 62 >> term->shift))
            return ERR_LEDGER;
        bound += product << term->shift;
    }
    return bound > (u128)1 << 62 ? ERR_LEDGER : OK;
}

static void add_part(job *j, const bt_gemm_term *term, bt_gemm_part which, unsigned shift, int32_t a_max, size_t b_at)
{
    size_t k_pad = (term->k + 1) & ~(size_t)1, flush = bt_gemm_flush_length(a_max, term->b_max);
    size_t run_max = flush < RUN_MAX ? flush : RUN_MAX;
    size_t runs = (k_pad + run_max - 1) / run_max; /* equal runs: none is a stub */
    j->parts[j->n_parts++] = (part){.term = term, .which = which, .shift = shift, .k_pad = k_pad,
                                    .run = round_up((k_pad + runs - 1) / runs, 2), .a_at = j->a_k, .b_at = b_at};
    j->a_k += k_pad;
}

static void make_parts(job *j)
{
    for (size_t t = 0; t < j->plan->n_terms; t++) {
        const bt_gemm_term *term = &j->plan->terms[t];
        if (term->k == 0)
            continue;
        if (bt_gemm_flush_length(term->a_max, term->b_max) < SPLIT_BELOW) {
            add_part(j, term, BT_GEMM_LOW, term->shift, SPLIT_MAX, j->b_k);
            add_part(j, term, BT_GEMM_HIGH, term->shift + 8, SPLIT_MAX, j->b_k);
        } else {
            add_part(j, term, BT_GEMM_WHOLE, term->shift, term->a_max, j->b_k);
        }
        j->b_k += (term->k + 1) & ~(size_t)1;
    }
}

/* Pool body: packs a few panels of B, all terms. */
static void pack_b_item(void *ctx, size_t item, unsigned thread)
{
    (void)thread;
    const job *j = ctx;
    size_t     nr = j->kernel->nr, panel = item * j->pack_panels, end = panel + j->pack_panels;
    size_t     col = j->j0 + panel * nr, cols = (end < j->panels ? end : j->panels) * nr + j->j0 - col;
    if (cols > j->plan->n - col)
        cols = j->plan->n - col;
    for (size_t i = 0; i < j->n_parts; i++) {
        const part         *p = &j->parts[i];
        const bt_gemm_view *b = &p->term->b;
        if (p->which != BT_GEMM_HIGH) /* that shares the low part's B */
            j->kernel->pack_b(j->ws->b + (p->b_at * j->panels + panel * p->k_pad) * nr, p->k_pad * nr, b->p + (ptrdiff_t)col * b->col,
                              b->col, b->row, cols, p->term->k, BT_GEMM_WHOLE);
    }
}

static void pack_a_rows(const job *j, int16_t *dst, size_t i0, size_t ni)
{
    size_t mr = j->kernel->mr, panels = (ni + mr - 1) / mr;
    for (size_t i = 0; i < j->n_parts; i++) {
        const part         *p = &j->parts[i];
        const bt_gemm_view *a = &p->term->a;
        j->kernel->pack_a(dst + p->a_at * panels * mr, p->k_pad * mr, a->p + (ptrdiff_t)i0 * a->row, a->row, a->col, ni, p->term->k,
                          p->which);
    }
}

/* A block of the result that does not fill a microkernel and may not be written past its edge. */
static void micro_edge(const bt_gemm_kernel *kernel, int64_t *edge, int64_t *c, size_t ldc, size_t ni, size_t nj, const int16_t *a,
                       const int16_t *b, size_t k, unsigned shift, bool add)
{
    kernel->micro(edge, kernel->nr, a, b, k / 2, nj, shift, false);
    for (size_t i = 0; i < ni; i++)
        for (size_t l = 0; l < nj; l++) {
            uint64_t old = add ? (uint64_t)c[i * ldc + l] : 0;
            c[i * ldc + l] = (int64_t)(old + (uint64_t)edge[i * kernel->nr + l]);
        }
}

/* Where a tile is accumulated: scratch with room for whole microkernels, or the caller's matrix. */
typedef struct target {
    int64_t *c;
    size_t   ld;
    size_t   ni, nj;         /* valid elements */
    size_t   ni_room, nj_room; /* elements that may be overwritten */
} target;

/* Adds one run of k of one part to the tile. */
static void tile_run(const job *j, const lane_scratch *s, const target *t, const part *p, size_t panel0, size_t k0, bool add)
{
    const bt_gemm_kernel *kernel = j->kernel;
    size_t mr = kernel->mr, nr = kernel->nr, a_panels = (t->ni + mr - 1) / mr, b_panels = (t->nj + nr - 1) / nr;
    size_t k = p->k_pad - k0 < p->run ? p->k_pad - k0 : p->run;
    for (size_t r = 0; r < a_panels; r++)
        for (size_t q = 0; q < b_panels; q++) {
            const int16_t *a = s->a + (p->a_at * a_panels + r * p->k_pad + k0) * mr;
            const int16_t *b = j->ws->b + (p->b_at * j->panels + (panel0 + q) * p->k_pad + k0) * nr;
            int64_t       *c = t->c + r * mr * t->ld + q * nr;
            size_t         rows = t->ni - r * mr < mr ? t->ni - r * mr : mr, cols = t->nj - q * nr < nr ? t->nj - q * nr : nr;
            if ((r + 1) * mr <= t->ni_room && (q + 1) * nr <= t->nj_room)
                kernel->micro(c, t->ld, a, b, k / 2, cols, p->shift, add);
            else
                micro_edge(kernel, s->edge, c, t->ld, rows, cols, a, b, k, p->shift, add);
        }
}

static void tile_zero(const target *t)
{
    for (size_t i = 0; i < t->ni; i++)
        memset(t->c + i * t->ld, 0, t->nj * sizeof *t->c);
}

static void tile_compute(const job *j, const lane_scratch *s, size_t i0, size_t ni, size_t panel0, size_t panels)
{
    const bt_gemm_plan *plan = j->plan;
    size_t col = j->j0 + panel0 * j->kernel->nr, nj = panels * j->kernel->nr;
    if (nj > plan->n - col)
        nj = plan->n - col;
    target t = {.c = s->tile, .ld = BT_GEMM_TILE_COLS, .ni = ni, .nj = nj, .ni_room = BT_GEMM_TILE_ROWS, .nj_room = BT_GEMM_TILE_COLS};
    bool   add = false;
    if (!plan->epilogue) {
        t.c = plan->c + i0 * plan->ldc + col;
        t.ld = plan->ldc;
        t.ni_room = ni;
        t.nj_room = nj;
        add = plan->accumulate;
    }
    if (j->n_parts == 0 && !add)
        tile_zero(&t);
    for (size_t i = 0; i < j->n_parts; i++)
        for (size_t k0 = 0; k0 < j->parts[i].k_pad; k0 += j->parts[i].run) {
            tile_run(j, s, &t, &j->parts[i], panel0, k0, add);
            add = true;
        }
    if (plan->epilogue)
        plan->epilogue(plan->ctx, t.c, t.ld, i0, ni, col, nj);
}

/* Pool body: a row tile times a group of tiles of the strip. */
static void rows_item(void *ctx, size_t item, unsigned thread)
{
    const job          *j = ctx;
    const lane_scratch *s = &j->ws->lanes[thread];
    size_t              tile_panels = BT_GEMM_TILE_COLS / j->kernel->nr;
    size_t              i0 = item % j->row_tiles * j->rows, first = item / j->row_tiles * j->group, last = first + j->group;
    size_t              ni = j->plan->m - i0 < j->rows ? j->plan->m - i0 : j->rows;
    if (last > j->panels)
        last = j->panels;
    pack_a_rows(j, s->a, i0, ni);
    for (size_t p = first; p < last; p += tile_panels)
        tile_compute(j, s, i0, ni, p, last - p < tile_panels ? last - p : tile_panels);
}

/* Row tiles as high as the thread's scratch allows. */
static void shape_rows(job *j)
{
    size_t mr = j->kernel->mr, rows = BT_GEMM_TILE_ROWS / mr * mr;
    if (j->a_k > 0 && rows > j->ws->a_len / j->a_k / mr * mr)
        rows = j->ws->a_len / j->a_k / mr * mr;
    j->rows = rows;
    j->row_tiles = (j->plan->m + rows - 1) / rows;
}

/* Few items while there are enough for all threads: each multiplying item packs its rows of A itself. */
static void shape_items(job *j, unsigned threads)
{
    size_t tile = BT_GEMM_TILE_COLS / j->kernel->nr, tiles = (j->panels + tile - 1) / tile;
    size_t groups = threads == 1 ? 1 : (3 * (size_t)threads + j->row_tiles - 1) / j->row_tiles;
    j->group = groups >= tiles ? tile : (tiles + groups - 1) / groups * tile;
    j->pack_panels = (j->panels + 2 * (size_t)threads - 1) / (2 * (size_t)threads);
    if (j->pack_panels > tile)
        j->pack_panels = tile;
}

/* Panels of one strip: what the shared scratch holds, in whole tiles where it can, the strips about equal. */
static size_t strip_panels(const job *j, size_t panels)
{
    size_t tile = BT_GEMM_TILE_COLS / j->kernel->nr;
    size_t room = j->b_k == 0 ? panels : j->ws->b_len / (j->b_k * j->kernel->nr);
    if (room >= panels)
        return panels;
    if (room >= tile)
        room = room / tile * tile;
    size_t strips = (panels + room - 1) / room, even = (panels + strips - 1) / strips;
    return room >= tile ? round_up(even, tile) : even;
}

err bt_gemm_run(bt_gemm_ws *ws, const bt_gemm_plan *plan)
{
    TRY(plan_check(ws, plan));
    if (plan->m == 0 || plan->n == 0)
        return OK;
    job j = {.ws = ws, .plan = plan, .kernel = bt_cpu_kernels()->gemm};
    make_parts(&j);
    shape_rows(&j);
    bool       serial = (u128)plan->m * plan->n * j.b_k < SERIAL_MACS;
    base_pool *pool = serial ? NULL : ws->pool;
    size_t     nr = j.kernel->nr, panels = (plan->n + nr - 1) / nr, strip = strip_panels(&j, panels);
    for (size_t p0 = 0; p0 < panels; p0 += strip) {
        j.j0 = p0 * nr;
        j.panels = panels - p0 < strip ? panels - p0 : strip;
        shape_items(&j, base_pool_threads(pool));
        base_pool_for(pool, (j.panels + j.pack_panels - 1) / j.pack_panels, pack_b_item, &j);
        base_pool_for(pool, j.row_tiles * ((j.panels + j.group - 1) / j.group), rows_item, &j);
    }
    return OK;
}
