/* SPDX-License-Identifier: Apache-2.0
 *
 * Autograd on arbitrary graphs. A program is a list of instructions; it runs through graph.h (calibration, then a training run) and
 * through an oracle in double precision that differentiates the same program at the values the graph found. Products without a rounding
 * in between must agree exactly; everything else at w = 16 in direction and length. */
#include "torch/graph.h"
#include "torch/tables.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { COUNT = 2, CONTEXT = 8, N = COUNT * CONTEXT, WIDTH = 16, HEADS = 2, VOCAB = 16, NODES_MAX = 64, SLOTS = 8 };

typedef enum opcode { INPUT, PARAM, LINEAR, STREAM, INDEX, ADD, ADD_TAKING, NORM, GELU, ATTENTION, SLICE, TRANSPOSE, RESHAPE, SEED } opcode;

/* INPUT, PARAM: a x b elements at fraction c. LINEAR, STREAM, INDEX: product a b. SLICE: of a, p = dim, start, stop, step. RESHAPE: of a
 * to p[0] x p[1]. SEED: the gradient of value a gets operands at fraction c. Others: operands a, b, c. */
typedef struct inst {
    opcode op;
    int    a, b, c;
    int    p[4];
} inst;

typedef struct grid {
    size_t  rows, cols;
    double *v, *grad;
} grid;

typedef struct machine {
    const inst   *program;
    size_t        n;
    num_shape     shape;
    num_const     c;
    num_fractions fractions;
    bt_device    *device;
    bt_tables    *tables;
    bt_graph     *graph;
    bt_value      value[NODES_MAX];
    int8_t        slot[NODES_MAX][SLOTS];
    bt_tensor     gradient[NODES_MAX]; /* PARAM */
    grid          grid[NODES_MAX];
    uint32_t      random;
} machine;

static uint32_t draw(machine *m, uint32_t below)
{
    m->random = m->random * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)m->random * below) >> 32);
}

static bt_tensor operand(machine *m, size_t rows, size_t cols, int fraction)
{
    bt_tensor t;
    assert_int_equal(bt_tensor_new(&t, m->device, BT_I16, 2, (const uint64_t[]){ rows, cols }, fraction), OK);
    int16_t *data = bt_tensor_data(&t);
    for (size_t i = 0; i < rows * cols; i++)
        data[i] = (int16_t)((int)draw(m, (uint32_t)m->c.q_max) - m->c.q_max / 2);
    return t;
}

static double element(const bt_tensor *t, size_t i, size_t j)
{
    int64_t at = (int64_t)i * t->stride[0] + (int64_t)j * t->stride[1];
    const void *data = bt_tensor_data(t);
    double x = t->dtype == BT_I16 ? ((const int16_t *)data)[at] : t->dtype == BT_I32 ? ((const int32_t *)data)[at]
                                                                                      : (double)((const int64_t *)data)[at];
    return ldexp(x, -t->fraction);
}

static void read_value(machine *m, size_t at)
{
    const bt_tensor *t = bt_value_tensor(m->graph, m->value[at]);
    grid *g = &m->grid[at];
    *g = (grid){ .rows = t->shape[0], .cols = t->shape[1] };
    g->v = calloc(g->rows * g->cols, sizeof *g->v);
    g->grad = calloc(g->rows * g->cols, sizeof *g->grad);
    for (size_t i = 0; i < g->rows; i++)
        for (size_t j = 0; j < g->cols; j++)
            g->v[i * g->cols + j] = element(t, i, j);
}

static bt_slot slot(machine *m, size_t at, int which)
{
    return (bt_slot){ &m->slot[at][which], NUM_TENSOR_ID(at, which) };
}

static bt_value leaf(machine *m, size_t at, const inst *k)
{
    bt_tensor t = operand(m, (size_t)k->a, (size_t)k->b, k->c);
    bt_value v;
    if (k->op == INPUT) {
        v = bt_input(m->graph, &t);
    } else {
        assert_int_equal(bt_tensor_new(&m->gradient[at], m->device, BT_I64, 2, (const uint64_t[]){ (uint64_t)k->a, (uint64_t)k->b }, 0), OK);
        bt_tensor_zero(&m->gradient[at]);
        v = bt_parameter(m->graph, &t, &m->gradient[at]);
    }
    bt_tensor_unref(&t);
    return v;
}

static void seed(machine *m, const inst *k)
{
    grid *g = &m->grid[k->a];
    bt_tensor t = operand(m, g->rows, g->cols, k->c);
    bt_seed_gradient(m->graph, m->value[k->a], &t);
    for (size_t i = 0; i < g->rows * g->cols; i++)
        g->grad[i] += element(&t, i / g->cols, i % g->cols);
    bt_tensor_unref(&t);
}

static bt_value run_inst(machine *m, size_t at)
{
    const inst *k = &m->program[at];
    bt_graph *g = m->graph;
    const bt_value *v = m->value;
    bt_slot none = { 0 }, out = slot(m, at, 0), grad = slot(m, at, 1);
    bt_attn_slots attn = { .o = out, .dp = grad, .dv = slot(m, at, 2), .ds = slot(m, at, 3), .dq = slot(m, at, 4), .dk = slot(m, at, 5) };
    switch (k->op) {
    case INPUT:
    case PARAM:      return leaf(m, at, k);
    case LINEAR:     return bt_linear(g, v[k->a], v[k->b], BT_OPERAND, out, grad);
    case STREAM:     return bt_linear(g, v[k->a], v[k->b], BT_STREAM, (bt_slot){ NULL, out.id }, grad);
    case INDEX:      return bt_linear(g, v[k->a], v[k->b], BT_INDEX, out, grad);
    case ADD:
    case ADD_TAKING: return bt_add(g, v[k->a], v[k->b], k->op == ADD_TAKING, out.id);
    case NORM:       return bt_rmsnorm(g, v[k->a], out, out.id, grad, out.id, out.id);
    case GELU:       return bt_gelu(g, v[k->a], out, grad);
    case ATTENTION:  return bt_attention(g, v[k->a], v[k->b], v[k->c], &attn);
    case SLICE:      return bt_view_slice(g, v[k->a], (uint32_t)k->p[0], (uint64_t)k->p[1], (uint64_t)k->p[2], (uint64_t)k->p[3]);
    case TRANSPOSE:  return bt_view_transpose(g, v[k->a]);
    case RESHAPE:    return bt_view_reshape(g, v[k->a], (uint64_t)k->p[0], (uint64_t)k->p[1]);
    case SEED:       seed(m, k); break;
    }
    (void)none;
    return 0;
}

static void drop_grids(machine *m)
{
    for (size_t i = 0; i < m->n; i++) {
        free(m->grid[i].v);
        free(m->grid[i].grad);
        m->grid[i] = (grid){ 0 };
        bt_tensor_unref(&m->gradient[i]);
    }
}

static void drop_graph(machine *m)
{
    drop_grids(m);
    bt_graph_free(m->graph);
    m->graph = NULL;
}

static err run(machine *m, bt_mode mode, bool keep_gx)
{
    static const uint64_t sequences[COUNT] = { 3, 11 };
    static const uint16_t tokens[COUNT * (CONTEXT + 1)];
    bt_graph_spec spec = { .shape = &m->shape, .tables = m->tables, .fractions = &m->fractions, .mode = mode, .sequences = sequences,
                           .count = COUNT, .tokens = tokens, .context = CONTEXT, .keep_gx = keep_gx };
    m->random = 99;
    assert_int_equal(bt_graph_new(&m->graph, m->device, &spec), OK);
    for (size_t i = 0; i < m->n; i++) {
        m->value[i] = run_inst(m, i);
        if (m->program[i].op != SEED && bt_graph_status(m->graph, NULL, NULL) == OK)
            read_value(m, i);
    }
    if (mode != BT_INFER)
        bt_backward(m->graph);
    return bt_graph_status(m->graph, NULL, NULL);
}

static void machine_open(machine *m, const inst *program, size_t n, uint32_t bits)
{
    *m = (machine){ .program = program, .n = n };
    assert_true(n <= NODES_MAX);
    m->shape = (num_shape){ VOCAB, CONTEXT, WIDTH, 1, HEADS, bits, bits > 12 ? NUM_WIDE : NUM_NARROW };
    assert_int_equal(num_const_of(&m->c, &m->shape, NULL), OK);
    assert_int_equal(bt_backend_cpu.open(&m->device, 0, 2), OK);
    assert_int_equal(bt_tables_new(&m->tables, &m->shape, NULL), OK);
}

static void machine_close(machine *m)
{
    drop_graph(m);
    bt_tables_free(m->tables);
    bt_backend_cpu.close(m->device);
}

/* Chooses fractions, then trains with them; the graph stays open. */
static err calibrate_and_run(machine *m)
{
    err e = run(m, BT_CALIBRATE, false);
    while (e == ERR_STEP_RANGE && m->fractions.top.gx > -20) {
        drop_graph(m);
        m->fractions.top.gx = (int8_t)(m->fractions.top.gx - 3);
        e = run(m, BT_CALIBRATE, true);
    }
    drop_graph(m);
    return e == OK ? run(m, BT_TRAIN, false) : e;
}

/* ---- the oracle ---- */

static void back_product(grid *x, grid *w, const grid *y)
{
    for (size_t i = 0; i < y->rows; i++)
        for (size_t j = 0; j < y->cols; j++)
            for (size_t k = 0; k < x->cols; k++) {
                double dy = y->grad[i * y->cols + j], xv = x->v[i * x->cols + k], wv = w->v[k * w->cols + j];
                x->grad[i * x->cols + k] += dy * wv;
                w->grad[k * w->cols + j] += dy * xv;
            }
}

static void back_norm(grid *x, const grid *y)
{
    for (size_t i = 0; i < x->rows; i++) {
        const double *xi = x->v + i * x->cols, *dn = y->grad + i * x->cols;
        double squares = 0, dot = 0;
        for (size_t j = 0; j < x->cols; j++)
            squares += xi[j] * xi[j];
        double r = 1 / sqrt(squares / (double)x->cols + 0x1p-17);
        for (size_t j = 0; j < x->cols; j++)
            dot += dn[j] * xi[j] * r;
        for (size_t j = 0; j < x->cols; j++)
            x->grad[i * x->cols + j] += r * (dn[j] - xi[j] * r * dot / (double)x->cols);
    }
}

static void back_gelu(grid *h, const grid *y)
{
    for (size_t i = 0; i < h->rows * h->cols; i++) {
        double x = h->v[i], cdf = 0.5 * erfc(-x * 0.70710678118654752), pdf = exp(-x * x / 2) * 0.39894228040143268;
        h->grad[i] += y->grad[i] * (cdf + x * pdf);
    }
}

/* One row of attention probabilities of one head. */
static void probabilities(double *p, const grid *q, const grid *k, size_t row, size_t first, size_t last, size_t h0, size_t hd)
{
    double max = -INFINITY, sum = 0;
    for (size_t j = first; j <= last; j++) {
        double dot = 0;
        for (size_t c = h0; c < h0 + hd; c++)
            dot += q->v[row * q->cols + c] * k->v[j * k->cols + c];
        p[j - first] = dot / sqrt((double)hd);
        max = p[j - first] > max ? p[j - first] : max;
    }
    for (size_t j = 0; j <= last - first; j++)
        sum += p[j] = exp(p[j] - max);
    for (size_t j = 0; j <= last - first; j++)
        p[j] /= sum;
}

static void back_attention_row(grid *q, grid *k, grid *v, const grid *o, size_t row, size_t h0, size_t hd)
{
    double p[CONTEXT], dp[CONTEXT], dot = 0;
    size_t first = row / CONTEXT * CONTEXT, d = q->cols;
    probabilities(p, q, k, row, first, row, h0, hd);
    for (size_t j = first; j <= row; j++) {
        dp[j - first] = 0;
        for (size_t c = h0; c < h0 + hd; c++) {
            dp[j - first] += o->grad[row * d + c] * v->v[j * d + c];
            v->grad[j * d + c] += p[j - first] * o->grad[row * d + c];
        }
        dot += p[j - first] * dp[j - first];
    }
    for (size_t j = first; j <= row; j++) {
        double ds = p[j - first] * (dp[j - first] - dot) / sqrt((double)hd);
        for (size_t c = h0; c < h0 + hd; c++) {
            q->grad[row * d + c] += ds * k->v[j * d + c];
            k->grad[j * d + c] += ds * q->v[row * d + c];
        }
    }
}

static size_t source_of(const inst *k, const grid *from, const grid *to, size_t i, size_t j)
{
    if (k->op == TRANSPOSE)
        return j * from->cols + i;
    if (k->op == RESHAPE)
        return i * to->cols + j;
    size_t step = (size_t)k->p[3], start = (size_t)k->p[1];
    return k->p[0] == 0 ? (start + i * step) * from->cols + j : i * from->cols + start + j * step;
}

static void oracle_inst(machine *m, size_t at)
{
    const inst *k = &m->program[at];
    grid *a = &m->grid[k->a], *b = &m->grid[k->b], *c = &m->grid[k->c], *y = &m->grid[at];
    switch (k->op) {
    case LINEAR:
    case STREAM:
    case INDEX:      back_product(a, b, y); break;
    case ADD:
    case ADD_TAKING:
        for (size_t i = 0; i < y->rows * y->cols; i++)
            a->grad[i] += y->grad[i], b->grad[i] += y->grad[i];
        break;
    case NORM:       back_norm(a, y); break;
    case GELU:       back_gelu(a, y); break;
    case ATTENTION:
        for (size_t row = 0; row < N; row++)
            for (size_t h = 0; h < HEADS; h++)
                back_attention_row(a, b, c, y, row, h * (WIDTH / HEADS), WIDTH / HEADS);
        break;
    case SLICE:
    case TRANSPOSE:
    case RESHAPE:
        for (size_t i = 0; i < y->rows; i++)
            for (size_t j = 0; j < y->cols; j++)
                a->grad[source_of(k, a, y, i, j)] += y->grad[i * y->cols + j];
        break;
    case INPUT:
    case PARAM:
    case SEED:       break;
    }
}

static double forward_element(const machine *m, const inst *k, const grid *y, size_t i, size_t j)
{
    const grid *a = &m->grid[k->a], *b = &m->grid[k->b];
    double sum = 0;
    switch (k->op) {
    case LINEAR:
    case STREAM:
    case INDEX:
        for (size_t c = 0; c < a->cols; c++)
            sum += a->v[i * a->cols + c] * b->v[c * b->cols + j];
        return sum;
    case GELU: {
        double x = a->v[i * a->cols + j];
        return x * 0.5 * erfc(-x * 0.70710678118654752);
    }
    case NORM:
        for (size_t c = 0; c < a->cols; c++)
            sum += a->v[i * a->cols + c] * a->v[i * a->cols + c];
        return a->v[i * a->cols + j] / sqrt(sum / (double)a->cols + 0x1p-17);
    case ATTENTION: {
        double p[CONTEXT];
        size_t first = i / CONTEXT * CONTEXT, hd = WIDTH / HEADS;
        probabilities(p, a, b, i, first, i, j / hd * hd, hd);
        for (size_t r = first; r <= i; r++)
            sum += p[r - first] * m->grid[k->c].v[r * y->cols + j];
        return sum;
    }
    case SLICE:
    case TRANSPOSE:
    case RESHAPE:    return a->v[source_of(k, a, y, i, j)];
    default:         return y->v[i * y->cols + j];
    }
}

typedef struct likeness {
    double dot, ours, theirs;
} likeness;

static void liken(likeness *l, double ours, double theirs)
{
    l->dot += ours * theirs, l->ours += ours * ours, l->theirs += theirs * theirs;
}

static double cosine(const likeness *l)
{
    return l->ours == 0 && l->theirs == 0 ? 1 : l->dot / sqrt(l->ours * l->theirs);
}

/* Each operation's result against the same operation on the inputs it had. */
static void check_forward(const machine *m)
{
    for (size_t at = 0; at < m->n; at++) {
        const grid *y = &m->grid[at];
        if (m->program[at].op == SEED || m->program[at].op == ADD_TAKING)
            continue;
        double worst = 0, largest = 0;
        for (size_t i = 0; i < y->rows; i++)
            for (size_t j = 0; j < y->cols; j++) {
                double want = forward_element(m, &m->program[at], y, i, j);
                worst = fmax(worst, fabs(y->v[i * y->cols + j] - want));
                largest = fmax(largest, fabs(want));
            }
        if (worst > 2e-3 * (largest + 0.1))
            fail_msg("instruction %zu: off by %g of %g", at, worst, largest);
    }
}

/* The gradient array of a parameter comes without its fraction: the power of two is taken from the lengths. */
static int scale_of(const bt_tensor *t, const grid *g)
{
    double ours = 0, theirs = 0;
    for (size_t i = 0; i < g->rows * g->cols; i++) {
        double x = element(t, i / g->cols, i % g->cols);
        ours += x * x, theirs += g->grad[i] * g->grad[i];
    }
    return theirs == 0 ? 0 : (int)lrint(log2(ours / theirs) / 2);
}

static void check_leaf(machine *m, size_t at, bool exact, double least, likeness *all)
{
    const grid *g = &m->grid[at];
    bt_tensor t = m->gradient[at];
    if (m->program[at].op == INPUT)
        assert_int_equal(bt_gradient_acc(m->graph, m->value[at], &t, &t.fraction), OK);
    else
        t.fraction = scale_of(&t, g);
    likeness here = { 0 };
    for (size_t i = 0; i < g->rows * g->cols; i++) {
        double ours = element(&t, i / g->cols, i % g->cols);
        liken(&here, ours, g->grad[i]);
        liken(all, ours, g->grad[i]);
        if (exact && ours != g->grad[i])
            fail_msg("leaf %zu, element %zu: %.17g, wanted %.17g", at, i, ours, g->grad[i]);
    }
    if (cosine(&here) < least || (here.theirs > 0 && fabs(sqrt(here.ours / here.theirs) - 1) > 0.02))
        fail_msg("leaf %zu: cosine %.7f, length %g of %g", at, cosine(&here), sqrt(here.ours), sqrt(here.theirs));
}

static void check_gradients(machine *m, bool exact, double least)
{
    for (size_t i = m->n; i-- > 0;)
        oracle_inst(m, i);
    likeness all = { 0 };
    for (size_t i = 0; i < m->n; i++)
        if (m->program[i].op == INPUT || m->program[i].op == PARAM)
            check_leaf(m, i, exact, least, &all);
    if (cosine(&all) < 0.9999)
        fail_msg("cosine over all leaves %.7f", cosine(&all));
}

static void must_run(machine *m)
{
    fault f = { .what = "" };
    if (calibrate_and_run(m) != OK) {
        if (m->graph)
            (void)!bt_graph_status(m->graph, NULL, &f);
        fail_msg("%s %llu: error %d", f.what, (unsigned long long)f.at, f.code);
    }
}

static void check_program(const inst *program, size_t n, uint32_t bits, bool exact)
{
    machine m;
    machine_open(&m, program, n, bits);
    must_run(&m);
    if (bits == 16)
        check_forward(&m);
    check_gradients(&m, exact, 0.9999);
    machine_close(&m);
}

#define CHECK_PROGRAM(program, bits, exact) check_program(program, COUNT_OF(program), bits, exact)

/* ---- programs ---- */

static void test_exact_products(void **state)
{
    (void)state;
    const inst shared[] = { /* one value in four products, as both factors, through each kind of view */
        { .op = INPUT, .a = N, .b = N, .c = 10 },          /* 0 */
        { .op = PARAM, .a = N, .b = 7, .c = 11 },          /* 1 */
        { .op = INPUT, .a = 8, .b = 5, .c = 9 },           /* 2 */
        { .op = LINEAR, .a = 0, .b = 1 },                  /* 3 */
        { .op = SLICE, .a = 0, .p = { 1, 1, 16, 2 } },     /* 4: N x 8 */
        { .op = LINEAR, .a = 4, .b = 2 },                  /* 5 */
        { .op = TRANSPOSE, .a = 0 },                       /* 6 */
        { .op = LINEAR, .a = 6, .b = 1 },                  /* 7 */
        { .op = RESHAPE, .a = 0, .p = { 32, 8 } },         /* 8 */
        { .op = LINEAR, .a = 8, .b = 2 },                  /* 9 */
        { .op = LINEAR, .a = 0, .b = 6 },                  /* 10: x x^T */
        { .op = LINEAR, .a = 0, .b = 0 },                  /* 11: x x */
        { .op = SEED, .a = 3, .c = 9 },  { .op = SEED, .a = 5, .c = 12 }, { .op = SEED, .a = 7, .c = 9 }, { .op = SEED, .a = 9, .c = 8 },
        { .op = SEED, .a = 10, .c = 10 }, { .op = SEED, .a = 11, .c = 11 }, { .op = SEED, .a = 0, .c = 3 },
    };
    CHECK_PROGRAM(shared, 12, true);
    const inst views[] = { /* views of views, overlapping; an unused branch; a seed on a view */
        { .op = INPUT, .a = 12, .b = 10, .c = 8 },         /* 0 */
        { .op = SLICE, .a = 0, .p = { 0, 2, 12, 3 } },     /* 1: 4 x 10 */
        { .op = TRANSPOSE, .a = 1 },                       /* 2: 10 x 4 */
        { .op = SLICE, .a = 2, .p = { 0, 0, 6, 1 } },      /* 3: 6 x 4 */
        { .op = LINEAR, .a = 3, .b = 1 },                  /* 4: 6 x 10 */
        { .op = RESHAPE, .a = 0, .p = { 10, 12 } },        /* 5 */
        { .op = LINEAR, .a = 5, .b = 0 },                  /* 6: 10 x 10, unused */
        { .op = SEED, .a = 4, .c = 7 }, { .op = SEED, .a = 2, .c = 10 },
    };
    CHECK_PROGRAM(views, 12, true);
    const inst five[] = { /* more products than are kept pending */
        { .op = INPUT, .a = N, .b = 4, .c = 8 }, { .op = INPUT, .a = 4, .b = 3, .c = 8 }, { .op = INPUT, .a = 4, .b = 5, .c = 9 },
        { .op = LINEAR, .a = 0, .b = 1 }, { .op = LINEAR, .a = 0, .b = 2 }, { .op = LINEAR, .a = 0, .b = 1 }, { .op = LINEAR, .a = 0, .b = 2 },
        { .op = LINEAR, .a = 0, .b = 1 }, { .op = LINEAR, .a = 0, .b = 1 }, { .op = SEED, .a = 3, .c = 7 }, { .op = SEED, .a = 4, .c = 8 },
        { .op = SEED, .a = 5, .c = 9 }, { .op = SEED, .a = 6, .c = 10 }, { .op = SEED, .a = 7, .c = 5 }, { .op = SEED, .a = 8, .c = 12 },
    };
    CHECK_PROGRAM(five, 12, true);
}

static void test_parameters(void **state)
{
    (void)state;
    const inst every_way[] = { /* a parameter as left factor, as right factor, through a view: one fraction, one sum */
        { .op = PARAM, .a = N, .b = N, .c = 10 }, { .op = INPUT, .a = N, .b = N, .c = 10 }, { .op = TRANSPOSE, .a = 0 },
        { .op = LINEAR, .a = 0, .b = 1 }, { .op = LINEAR, .a = 1, .b = 0 }, { .op = LINEAR, .a = 2, .b = 1 },
        { .op = SEED, .a = 3, .c = 9 }, { .op = SEED, .a = 4, .c = 9 }, { .op = SEED, .a = 5, .c = 9 },
    };
    CHECK_PROGRAM(every_way, 12, true);
}

static void test_mixes(void **state)
{
    (void)state;
    const inst block[] = { /* a transformer block, its stream used again after it, q and k sharing one value */
        { .op = INPUT, .a = N, .b = WIDTH, .c = 14 },       /* 0 */
        { .op = INPUT, .a = WIDTH, .b = WIDTH, .c = 15 },   /* 1: used at two gradient fractions */
        { .op = PARAM, .a = WIDTH, .b = WIDTH, .c = 15 },   /* 2 */
        { .op = PARAM, .a = WIDTH, .b = 40, .c = 15 },      /* 3 */
        { .op = INPUT, .a = 40, .b = WIDTH, .c = 15 },      /* 4: too */
        { .op = STREAM, .a = 0, .b = 1 },                   /* 5 */
        { .op = NORM, .a = 5 },                             /* 6 */
        { .op = LINEAR, .a = 6, .b = 2 },                   /* 7 */
        { .op = ATTENTION, .a = 7, .b = 7, .c = 6 },        /* 8 */
        { .op = STREAM, .a = 8, .b = 1 },                   /* 9 */
        { .op = ADD, .a = 5, .b = 9 },                      /* 10 */
        { .op = NORM, .a = 10 },                            /* 11 */
        { .op = INDEX, .a = 11, .b = 3 },                   /* 12 */
        { .op = GELU, .a = 12 },                            /* 13 */
        { .op = GELU, .a = 12 },                            /* 14 */
        { .op = STREAM, .a = 13, .b = 4 },                  /* 15 */
        { .op = ADD, .a = 15, .b = 5 },                     /* 16 */
        { .op = ADD_TAKING, .a = 16, .b = 10 },             /* 17 */
        { .op = NORM, .a = 17 },                            /* 18 */
        { .op = TRANSPOSE, .a = 18 },                       /* 19 */
        { .op = LINEAR, .a = 18, .b = 19 },                 /* 20 */
        { .op = LINEAR, .a = 14, .b = 4 },                  /* 21 */
        { .op = SEED, .a = 20, .c = 15 }, { .op = SEED, .a = 21, .c = 14 }, { .op = SEED, .a = 18, .c = 13 },
    };
    CHECK_PROGRAM(block, 16, false);
    const inst twice[] = { /* a stream added to itself; a norm of rows that are not the batch's; slices of normed rows */
        { .op = INPUT, .a = 24, .b = 10, .c = 14 }, { .op = PARAM, .a = 10, .b = 12, .c = 14 }, { .op = STREAM, .a = 0, .b = 1 },
        { .op = ADD, .a = 2, .b = 2 }, { .op = NORM, .a = 3 }, { .op = SLICE, .a = 4, .p = { 0, 1, 24, 2 } }, { .op = SLICE, .a = 4, .p = { 1, 2, 9, 3 } },
        { .op = LINEAR, .a = 5, .b = 5 }, { .op = TRANSPOSE, .a = 6 }, { .op = LINEAR, .a = 8, .b = 4 },
        { .op = SEED, .a = 7, .c = 15 }, { .op = SEED, .a = 9, .c = 14 },
    };
    CHECK_PROGRAM(twice, 16, false);
}

/* ---- random graphs ---- */

static int pick(machine *m, const grid *have, const bt_kind *kinds, int n, bt_kind kind, size_t rows, size_t cols)
{
    for (int tries = 0; tries < 40; tries++) {
        int i = (int)draw(m, (uint32_t)n);
        if (kinds[i] == kind && (!rows || have[i].rows == rows) && (!cols || have[i].cols == cols))
            return i;
    }
    return -1;
}

static bool random_view(machine *m, inst *k, const grid *x, grid *y)
{
    uint32_t which = draw(m, 3);
    if (which == 0) {
        *k = (inst){ .op = TRANSPOSE, .a = k->a };
        *y = (grid){ .rows = x->cols, .cols = x->rows };
    } else if (which == 1) {
        int dim = (int)draw(m, 2), size = (int)(dim ? x->cols : x->rows), step = 1 + (int)draw(m, 3), start = (int)draw(m, 3);
        if (size - start < 2 * step)
            return false;
        *k = (inst){ .op = SLICE, .a = k->a, .p = { dim, start, size, step } };
        size_t n = (size_t)((size - start + step - 1) / step);
        *y = dim ? (grid){ .rows = x->rows, .cols = n } : (grid){ .rows = n, .cols = x->cols };
    } else {
        if (x->rows % 2)
            return false;
        *k = (inst){ .op = RESHAPE, .a = k->a, .p = { (int)x->rows / 2, (int)x->cols * 2 } };
        *y = (grid){ .rows = x->rows / 2, .cols = x->cols * 2 };
    }
    return true;
}

/* One random instruction that fits what is there; false if this draw fits nothing. A reshape of what is not contiguous is an error, so
 * reshapes take leaves and results only. */
static bool random_inst(machine *m, inst *k, grid *have, bt_kind *kinds, int n)
{
    static const opcode kind_of[] = { LINEAR, LINEAR, STREAM, INDEX, ADD, NORM, NORM, GELU, ATTENTION, TRANSPOSE };
    *k = (inst){ .op = kind_of[draw(m, COUNT_OF(kind_of))] };
    grid *y = &have[n];
    kinds[n] = k->op == STREAM || k->op == ADD ? BT_STREAM : k->op == INDEX ? BT_INDEX : BT_OPERAND;
    bt_kind from = k->op == ADD || k->op == NORM ? BT_STREAM : k->op == GELU ? BT_INDEX : BT_OPERAND;
    bool attention = k->op == ATTENTION;
    k->a = pick(m, have, kinds, n, from, attention ? N : 0, attention ? WIDTH : 0);
    if (k->a < 0)
        return false;
    const grid *x = &have[k->a];
    *y = *x;
    if (k->op == LINEAR || k->op == STREAM || k->op == INDEX) {
        k->b = pick(m, have, kinds, n, BT_OPERAND, x->cols, 0);
        if (k->b >= 0)
            y->cols = have[k->b].cols;
    } else if (k->op == ADD) {
        k->b = pick(m, have, kinds, n, BT_STREAM, x->rows, x->cols);
    } else if (attention) {
        k->b = pick(m, have, kinds, n, BT_OPERAND, N, WIDTH);
        k->c = pick(m, have, kinds, n, BT_OPERAND, N, WIDTH);
    } else if (k->op == TRANSPOSE) {
        return random_view(m, k, x, y);
    }
    return k->b >= 0 && k->c >= 0;
}

static size_t random_program(inst *program, uint32_t number)
{
    machine m = { .random = number * 2654435761u + 1 };
    grid have[NODES_MAX];
    bt_kind kinds[NODES_MAX] = { 0 };
    int n = 0;
    for (; n < 4; n++) {
        program[n] = (inst){ .op = INPUT, .a = N, .b = WIDTH, .c = n ? 15 : 14 };
        have[n] = (grid){ .rows = N, .cols = WIDTH };
        kinds[n] = BT_OPERAND;
    }
    int leaves = n;
    for (int tries = 0; n < 20 && tries < 400; tries++)
        if (random_inst(&m, &program[n], have, kinds, n))
            n++;
    int last = n;
    for (int i = last; i-- > leaves && n < 30;)
        if (kinds[i] == BT_OPERAND && draw(&m, 3) == 0)
            program[n++] = (inst){ .op = SEED, .a = i, .c = 14 };
    return (size_t)n;
}

static void test_random(void **state)
{
    (void)state;
    unsigned ran = 0, refused = 0;
    for (uint32_t number = 0; number < 160; number++) {
        inst program[NODES_MAX];
        size_t n = random_program(program, number);
        machine m;
        machine_open(&m, program, n, 16);
        err e = calibrate_and_run(&m);
        if (e == OK) {
            check_forward(&m);
            check_gradients(&m, false, 0.999);
            ran++;
        } else {
            assert_true(e == ERR_STEP_RANGE || e == ERR_SHAPE || e == ERR_RANGE || e == ERR_LEDGER);
            refused++;
        }
        machine_close(&m);
    }
    print_message("%u graphs agree, %u refused\n", ran, refused);
    assert_true(ran >= 100);
}

/* ---- errors ---- */

static err status_of(const inst *program, size_t n, bt_mode mode)
{
    machine m;
    machine_open(&m, program, n, 12);
    err e = run(&m, mode, false);
    machine_close(&m);
    return e;
}

#define STATUS(mode, ...) status_of((const inst[]){ __VA_ARGS__ }, COUNT_OF(((const inst[]){ __VA_ARGS__ })), mode)
#define MATRIX(rows, columns) { .op = INPUT, .a = rows, .b = columns, .c = 9 }

static void test_shape_errors(void **state)
{
    (void)state;
    assert_int_equal(STATUS(BT_CALIBRATE, MATRIX(4, 5), MATRIX(4, 5), { .op = LINEAR, .a = 0, .b = 1 }), ERR_SHAPE);
    assert_int_equal(STATUS(BT_CALIBRATE, MATRIX(4, 5), { .op = NORM, .a = 0 }), ERR_SHAPE); /* wrong kind */
    assert_int_equal(STATUS(BT_CALIBRATE, MATRIX(4, 5), { .op = GELU, .a = 0 }), ERR_SHAPE);
    assert_int_equal(STATUS(BT_CALIBRATE, MATRIX(4, 5), { .op = ADD, .a = 0, .b = 0 }), ERR_SHAPE);
    assert_int_equal(STATUS(BT_CALIBRATE, MATRIX(4, 5), { .op = LINEAR, .a = 0, .b = 40 }), ERR_SHAPE); /* no such value */
    assert_int_equal(STATUS(BT_CALIBRATE, MATRIX(4, 5), { .op = SLICE, .a = 0, .p = { 2, 0, 1, 1 } }), ERR_SHAPE);
    assert_int_equal(STATUS(BT_CALIBRATE, MATRIX(4, 5), { .op = SLICE, .a = 0, .p = { 0, 3, 5, 1 } }), ERR_SHAPE);
    assert_int_equal(STATUS(BT_CALIBRATE, MATRIX(4, 5), { .op = SLICE, .a = 0, .p = { 0, 0, 4, 0 } }), ERR_SHAPE);
    assert_int_equal(STATUS(BT_CALIBRATE, MATRIX(4, 5), { .op = RESHAPE, .a = 0, .p = { 3, 7 } }), ERR_SHAPE);
    assert_int_equal(STATUS(BT_CALIBRATE, MATRIX(4, 5), { .op = TRANSPOSE, .a = 0 }, { .op = RESHAPE, .a = 1, .p = { 2, 10 } }), ERR_SHAPE);
    assert_int_equal(STATUS(BT_CALIBRATE, MATRIX(N + 1, WIDTH), { .op = ATTENTION, .a = 0, .b = 0, .c = 0 }), ERR_SHAPE);
    assert_int_equal(STATUS(BT_CALIBRATE, MATRIX(N, WIDTH), MATRIX(N, 8), { .op = ATTENTION, .a = 0, .b = 1, .c = 0 }), ERR_SHAPE);
}

/* Runs a good start, then does one thing wrong. */
static err misuse(bt_mode mode, void wrong(machine *m))
{
    const inst program[] = { MATRIX(N, WIDTH), MATRIX(WIDTH, WIDTH), { .op = STREAM, .a = 0, .b = 1 }, { .op = LINEAR, .a = 0, .b = 1 } };
    machine m;
    machine_open(&m, program, COUNT_OF(program), 12);
    static const uint64_t sequences[COUNT] = { 0, 1 };
    static const uint16_t tokens[COUNT * (CONTEXT + 1)];
    bt_graph_spec spec = { .shape = &m.shape, .tables = m.tables, .fractions = &m.fractions, .mode = mode, .sequences = sequences,
                           .count = COUNT, .tokens = tokens, .context = CONTEXT };
    assert_int_equal(bt_graph_new(&m.graph, m.device, &spec), OK);
    for (size_t i = 0; i < m.n; i++) {
        m.slot[i][0] = 5;
        m.value[i] = run_inst(&m, i);
    }
    assert_int_equal(bt_graph_status(m.graph, NULL, NULL), OK);
    wrong(&m);
    fault f = { .what = NULL };
    err e = bt_graph_status(m.graph, NULL, &f);
    assert_true(e == OK || f.what);
    machine_close(&m);
    return e;
}

static void use_released(machine *m)
{
    bt_release(m->graph, m->value[3]);
    (void)bt_linear(m->graph, m->value[3], m->value[1], BT_OPERAND, slot(m, 4, 0), slot(m, 4, 1));
}

static void use_taken(machine *m)
{
    (void)bt_add(m->graph, m->value[2], m->value[2], false, 0);
    (void)bt_add(m->graph, m->value[2], bt_linear(m->graph, m->value[3], m->value[1], BT_STREAM, slot(m, 4, 0), slot(m, 4, 1)), true, 0);
    (void)bt_add(m->graph, m->value[2], m->value[2], false, 0);
}

static void backward_alone(machine *m)
{
    bt_backward(m->graph);
}

static void backward_twice(machine *m)
{
    bt_backward(m->graph);
    bt_backward(m->graph);
}

/* A value used by a product needs a rounding of its gradient: without a slot there is none. */
static void no_slot(machine *m)
{
    bt_slot none = { 0 };
    bt_value y = bt_linear(m->graph, m->value[0], m->value[1], BT_OPERAND, slot(m, 4, 0), none);
    bt_value z = bt_linear(m->graph, y, m->value[1], BT_OPERAND, slot(m, 4, 0), slot(m, 4, 1));
    bt_tensor dz = operand(m, N, WIDTH, 9);
    bt_seed_gradient(m->graph, z, &dz);
    bt_tensor_unref(&dz);
    bt_backward(m->graph);
}

static void seed_stream(machine *m)
{
    bt_tensor dz = operand(m, N, WIDTH, 9);
    bt_seed_gradient(m->graph, m->value[2], &dz);
    bt_tensor_unref(&dz);
}

static void seed_of_another_shape(machine *m)
{
    bt_tensor dz = operand(m, N, WIDTH - 1, 9);
    bt_seed_gradient(m->graph, m->value[3], &dz);
    bt_tensor_unref(&dz);
}

static void shift_out_of_range(machine *m)
{
    m->slot[4][0] = 100;
    (void)bt_linear(m->graph, m->value[0], m->value[1], BT_OPERAND, slot(m, 4, 0), slot(m, 4, 1));
}

static void fractions_too_far_apart(machine *m)
{
    for (int fraction = -60; fraction <= 60; fraction += 120) {
        bt_tensor dz = operand(m, N, WIDTH, fraction);
        bt_seed_gradient(m->graph, m->value[3], &dz);
        bt_tensor_unref(&dz);
    }
    bt_backward(m->graph);
}

static void parameter_at_two_fractions(machine *m)
{
    bt_tensor w = operand(m, WIDTH, WIDTH, 9), dw;
    assert_int_equal(bt_tensor_new(&dw, m->device, BT_I64, 2, (const uint64_t[]){ WIDTH, WIDTH }, 0), OK);
    bt_tensor_zero(&dw);
    bt_value p = bt_parameter(m->graph, &w, &dw);
    for (int fraction = 7; fraction < 9; fraction++) {
        bt_value y = bt_linear(m->graph, m->value[0], p, BT_OPERAND, slot(m, 3, 0), slot(m, 4, 1));
        bt_tensor dy = operand(m, N, WIDTH, fraction);
        bt_seed_gradient(m->graph, y, &dy);
        bt_tensor_unref(&dy);
    }
    bt_backward(m->graph);
    bt_tensor_unref(&w);
    bt_tensor_unref(&dw);
}

static void loss_of_another_vocabulary(machine *m)
{
    bt_tensor w = operand(m, WIDTH, VOCAB - 1, 9);
    bt_cross_entropy(m->graph, m->value[3], bt_input(m->graph, &w), 1);
    bt_tensor_unref(&w);
}

static void gradient_of_no_input(machine *m)
{
    bt_tensor t;
    int fraction;
    assert_int_equal(bt_gradient_acc(m->graph, m->value[0], &t, &fraction), ERR_USAGE); /* before the backward pass */
    bt_backward(m->graph);
    assert_int_equal(bt_gradient_acc(m->graph, m->value[3], &t, &fraction), ERR_USAGE);
    assert_int_equal(bt_gradient_acc(m->graph, 99, &t, &fraction), ERR_USAGE);
    assert_int_equal(bt_gradient_acc(m->graph, m->value[0], &t, &fraction), OK);
    assert_int_equal(((const int64_t *)bt_tensor_data(&t))[0], 0);
}

static void test_misuse(void **state)
{
    (void)state;
    assert_int_equal(misuse(BT_TRAIN, use_released), ERR_SHAPE);
    assert_int_equal(misuse(BT_INFER, use_released), ERR_SHAPE);
    assert_int_equal(misuse(BT_TRAIN, use_taken), ERR_SHAPE);
    assert_int_equal(misuse(BT_TRAIN, backward_alone), OK); /* nothing seeded: all gradients are zero */
    assert_int_equal(misuse(BT_INFER, backward_alone), ERR_USAGE);
    assert_int_equal(misuse(BT_TRAIN, backward_twice), ERR_USAGE);
    assert_int_equal(misuse(BT_TRAIN, no_slot), ERR_USAGE);
    assert_int_equal(misuse(BT_TRAIN, seed_stream), ERR_SHAPE);
    assert_int_equal(misuse(BT_TRAIN, seed_of_another_shape), ERR_SHAPE);
    assert_int_equal(misuse(BT_TRAIN, shift_out_of_range), ERR_RANGE);
    assert_int_equal(misuse(BT_TRAIN, fractions_too_far_apart), ERR_LEDGER);
    assert_int_equal(misuse(BT_TRAIN, parameter_at_two_fractions), ERR_RANGE);
    assert_int_equal(misuse(BT_TRAIN, loss_of_another_vocabulary), ERR_SHAPE);
    assert_int_equal(misuse(BT_TRAIN, gradient_of_no_input), OK);
}

/* A stream that doubles until its squares leave their domain. */
static void squares_too_large(machine *m)
{
    bt_value x = m->value[2];
    for (int i = 0; i < 16; i++)
        x = bt_add(m->graph, x, x, false, 0);
    (void)bt_rmsnorm(m->graph, x, slot(m, 4, 0), 77, slot(m, 4, 1), 0, 0);
}

static void test_squares_have_a_domain(void **state)
{
    (void)state;
    assert_int_equal(misuse(BT_TRAIN, squares_too_large), ERR_STEP_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_products),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_mixes),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_shape_errors),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_squares_have_a_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
