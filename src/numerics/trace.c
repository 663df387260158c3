/* SPDX-License-Identifier: Apache-2.0 */
#include "numerics/trace.h"

/* ---- the order (sections 4 and 5) ---- */

static const uint8_t forward_slots[] = {
    NUM_X, NUM_R1, NUM_Y1, NUM_QQ, NUM_KK, NUM_VV, NUM_ZZ, NUM_EE, NUM_ZSUM, NUM_RSUM,
    NUM_OO, NUM_B1, NUM_XMID, NUM_R2, NUM_Y2, NUM_HH, NUM_GG, NUM_B2,
};
/* The final norm, the loss and the head's backward pass, all with layer number L. */
static const uint8_t head_slots[] = {
    NUM_X, NUM_R1, NUM_Y1, NUM_LG, NUM_EL, NUM_ZL, NUM_RL, NUM_LOSS, NUM_DL, NUM_DN1, NUM_M1, NUM_DX1,
};
static const uint8_t backward_slots[] = {
    NUM_DM, NUM_DH, NUM_DN2, NUM_M2, NUM_DX2, NUM_DA, NUM_DP, NUM_DV, NUM_CC, NUM_DS, NUM_DQ, NUM_DK,
    NUM_DN1, NUM_M1, NUM_DX1, NUM_GX,
};

enum { FORWARD = COUNT_OF(forward_slots), HEAD = COUNT_OF(head_slots), BACKWARD = COUNT_OF(backward_slots) };

static void slot_shape(num_trace_tensor *t, const num_shape *s, uint32_t slot)
{
    t->rows = s->context;
    t->cols = s->width;
    t->elem_bytes = 2;
    switch (slot) {
    case NUM_X: case NUM_XMID: case NUM_B1: case NUM_B2: case NUM_DN1: case NUM_DN2: case NUM_DX1: case NUM_DX2: case NUM_GX:
        t->elem_bytes = 4;
        break;
    case NUM_R1: case NUM_R2: case NUM_M1: case NUM_M2: case NUM_ZL: case NUM_RL: case NUM_LOSS:
        t->cols = 1;
        t->elem_bytes = 8;
        break;
    case NUM_ZSUM: case NUM_RSUM: case NUM_CC:
        t->cols = s->heads;
        t->elem_bytes = 8;
        break;
    case NUM_ZZ:
        t->elem_bytes = 4;
        /* fall through */
    case NUM_EE: case NUM_DS:
        t->rows = s->heads * s->context;
        t->cols = s->context;
        break;
    case NUM_HH:
        t->elem_bytes = 4;
        /* fall through */
    case NUM_GG: case NUM_DH:
        t->cols = 4 * s->width;
        break;
    case NUM_LG: case NUM_EL:
        t->elem_bytes = 4;
        /* fall through */
    case NUM_DL:
        t->cols = s->vocab;
        break;
    default: /* y q k v o dm da dp dv dq dk: T x d operands */
        break;
    }
    t->tile_rows = num_tiles(t->rows);
    t->tile_cols = num_tiles(t->cols);
    t->tiles = (uint64_t)t->tile_rows * t->tile_cols;
}

static uint64_t tiles_of(const num_shape *s, const uint8_t *slots, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        num_trace_tensor t;
        slot_shape(&t, s, slots[i]);
        sum += t.tiles;
    }
    return sum;
}

uint32_t num_trace_count(const num_shape *s)
{
    return (uint32_t)(FORWARD + BACKWARD) * s->layers + HEAD;
}

num_trace_tensor num_trace_at(const num_shape *s, uint32_t k)
{
    CHECK(k < num_trace_count(s));
    const uint32_t L = s->layers;
    uint64_t first = 0;
    uint32_t layer, place;
    const uint8_t *slots;
    if (k < FORWARD * L) {
        layer = k / FORWARD, place = k % FORWARD, slots = forward_slots;
        first = tiles_of(s, forward_slots, FORWARD) * layer;
    } else if (k < FORWARD * L + HEAD) {
        layer = L, place = k - FORWARD * L, slots = head_slots;
        first = tiles_of(s, forward_slots, FORWARD) * L;
    } else {
        uint32_t back = (k - FORWARD * L - HEAD) / BACKWARD;
        layer = L - 1 - back, place = (k - FORWARD * L - HEAD) % BACKWARD, slots = backward_slots;
        first = tiles_of(s, forward_slots, FORWARD) * L + tiles_of(s, head_slots, HEAD) +
                tiles_of(s, backward_slots, BACKWARD) * back;
    }
    num_trace_tensor t = { .id = NUM_TENSOR_ID(layer, slots[place]), .tile_first = first + tiles_of(s, slots, place) };
    slot_shape(&t, s, slots[place]);
    return t;
}

static uint32_t place_of(const uint8_t *slots, uint32_t count, uint32_t slot)
{
    uint32_t i = 0;
    while (i < count && slots[i] != slot)
        i++;
    return i;
}

err num_trace_find(num_trace_tensor *out, uint32_t *k, const num_shape *s, uint32_t id)
{
    uint32_t layer = id / 64, slot = id % 64, found;
    if (layer > s->layers)
        return ERR_NOT_FOUND;
    if (layer == s->layers) {
        found = place_of(head_slots, HEAD, slot);
        if (found == HEAD)
            return ERR_NOT_FOUND;
        found += FORWARD * layer;
    } else if ((found = place_of(forward_slots, FORWARD, slot)) < FORWARD) {
        found += FORWARD * layer;
    } else {
        found = place_of(backward_slots, BACKWARD, slot);
        if (found == BACKWARD)
            return ERR_NOT_FOUND;
        found += FORWARD * s->layers + HEAD + BACKWARD * (s->layers - 1 - layer);
    }
    *out = num_trace_at(s, found);
    if (k)
        *k = found;
    return OK;
}

uint64_t num_trace_leaves(const num_shape *s, uint64_t sequences)
{
    num_trace_tensor last = num_trace_at(s, num_trace_count(s) - 1);
    return sequences * (last.tile_first + last.tiles);
}

uint64_t num_trace_leaf(const num_trace_tensor *t, uint64_t sequences, uint64_t seq_index, uint32_t tile_row,
                        uint32_t tile_col)
{
    CHECK(seq_index < sequences && tile_row < t->tile_rows && tile_col < t->tile_cols);
    return sequences * t->tile_first + seq_index * t->tiles + (uint64_t)tile_row * t->tile_cols + tile_col;
}

err num_trace_locate(num_trace_tensor *out, uint64_t *seq_index, uint32_t *tile_row, uint32_t *tile_col,
                     const num_shape *s, uint64_t sequences, uint64_t leaf)
{
    if (sequences == 0 || leaf >= num_trace_leaves(s, sequences))
        return ERR_NOT_FOUND;
    uint64_t unit = leaf / sequences; /* tile_first of the tensor is the largest one <= unit */
    uint32_t low = 0, high = num_trace_count(s);
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (num_trace_at(s, middle).tile_first <= unit)
            low = middle;
        else
            high = middle;
    }
    *out = num_trace_at(s, low);
    uint64_t rest = leaf - sequences * out->tile_first;
    *seq_index = rest / out->tiles;
    rest %= out->tiles;
    *tile_row = (uint32_t)(rest / out->tile_cols);
    *tile_col = (uint32_t)(rest % out->tile_cols);
    return OK;
}

/* ---- leaves ---- */

size_t num_tile_pack(uint8_t *out, const uint8_t *elements, uint32_t n_rows, uint32_t n_cols, uint32_t size)
{
    size_t n = (size_t)n_cols * size;
    for (uint32_t i = 0; i < n_rows; i++)
        memmove(out + i * n, elements + (size_t)i * NUM_TILE * size, n);
    return n_rows * n;
}

void num_tile_unpack(uint8_t *elements, const uint8_t *packed, uint32_t n_rows, uint32_t n_cols, uint32_t size)
{
    size_t n = (size_t)n_cols * size;
    memset(elements, 0, (size_t)size * NUM_TILE_ELEMENTS);
    for (uint32_t i = 0; i < n_rows; i++)
        memcpy(elements + (size_t)i * NUM_TILE * size, packed + i * n, n);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "elements in memory are the elements of a leaf");

/* The part of a rows x cols tensor that lies in the tile; `out` has 256 elements. */
static void tile_encode(uint8_t *out, const uint8_t *data, uint32_t rows, uint32_t cols, uint32_t elem_bytes,
                        uint32_t tile_row, uint32_t tile_col)
{
    uint32_t row = tile_row * NUM_TILE, col = tile_col * NUM_TILE;
    uint32_t n_rows = num_tile_span(rows, tile_row), n_cols = num_tile_span(cols, tile_col);
    if (n_rows < NUM_TILE || n_cols < NUM_TILE)
        memset(out, 0, (size_t)elem_bytes * NUM_TILE_ELEMENTS);
    for (uint32_t i = 0; i < n_rows; i++)
        memcpy(out + (size_t)i * NUM_TILE * elem_bytes, data + ((size_t)(row + i) * cols + col) * elem_bytes, (size_t)n_cols * elem_bytes);
}

static void leaf_head(uint8_t *out, const num_trace_tensor *t, uint64_t sequence, uint32_t tile_row, uint32_t tile_col)
{
    memset(out, 0, NUM_LEAF_HEAD);
    store_le32(out, t->id);
    store_le64(out + 4, sequence);
    store_le32(out + 12, tile_row);
    store_le32(out + 16, tile_col);
}

void num_leaf_encode(uint8_t *out, const num_trace_tensor *t, uint64_t sequence, uint32_t tile_row, uint32_t tile_col,
                     const void *data)
{
    CHECK(tile_row < t->tile_rows && tile_col < t->tile_cols);
    leaf_head(out, t, sequence, tile_row, tile_col);
    tile_encode(out + NUM_LEAF_HEAD, data, t->rows, t->cols, t->elem_bytes, tile_row, tile_col);
}

bool num_leaf_is_formed(bytes leaf, const num_trace_tensor *t, uint64_t sequence, uint32_t tile_row, uint32_t tile_col)
{
    uint8_t want[NUM_LEAF_BYTES_MAX], packed[8 * NUM_TILE_ELEMENTS];
    uint32_t n_rows = num_tile_span(t->rows, tile_row), n_cols = num_tile_span(t->cols, tile_col);
    if (leaf.len != num_leaf_bytes(t->elem_bytes))
        return false;
    leaf_head(want, t, sequence, tile_row, tile_col);
    num_tile_pack(packed, leaf.data + NUM_LEAF_HEAD, n_rows, n_cols, t->elem_bytes);
    num_tile_unpack(want + NUM_LEAF_HEAD, packed, n_rows, n_cols, t->elem_bytes);
    return memcmp(want, leaf.data, leaf.len) == 0;
}

int64_t num_leaf_element(const uint8_t *leaf, uint32_t elem_bytes, uint32_t at)
{
    const uint8_t *p = leaf + NUM_LEAF_HEAD + (size_t)elem_bytes * at;
    if (elem_bytes == 2)
        return (int16_t)load_le16(p);
    if (elem_bytes == 4)
        return (int32_t)load_le32(p);
    return (int64_t)load_le64(p);
}

static uint64_t weight_tiles(const num_tensor_info *t)
{
    return (uint64_t)num_tiles(t->rows) * num_tiles(t->cols);
}

/* Leaves before tensor `tensor`; that of num_tensor_count is the number of all. */
static uint64_t weight_leaf_first(const num_shape *s, uint32_t tensor)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < tensor; i++) {
        num_tensor_info t = num_tensor_describe(s, i);
        sum += weight_tiles(&t);
    }
    return sum;
}

uint64_t num_weight_leaves(const num_shape *s)
{
    return weight_leaf_first(s, num_tensor_count(s));
}

uint64_t num_weight_leaf(const num_shape *s, uint32_t tensor, uint32_t tile_row, uint32_t tile_col)
{
    num_tensor_info t = num_tensor_describe(s, tensor);
    return weight_leaf_first(s, tensor) + (uint64_t)tile_row * num_tiles(t.cols) + tile_col;
}

void num_weight_locate(uint32_t *tensor, uint32_t *tile_row, uint32_t *tile_col, const num_shape *s, uint64_t leaf)
{
    CHECK(leaf < num_weight_leaves(s));
    uint32_t i = 0;
    num_tensor_info t = num_tensor_describe(s, i);
    for (; leaf >= weight_tiles(&t); t = num_tensor_describe(s, ++i))
        leaf -= weight_tiles(&t);
    *tensor = i;
    *tile_row = (uint32_t)(leaf / num_tiles(t.cols));
    *tile_col = (uint32_t)(leaf % num_tiles(t.cols));
}

/* `data` begins with row `first_row`, a multiple of NUM_TILE up to the tile's own. */
static void parameter_leaf_encode(uint8_t *out, const num_shape *s, uint32_t tensor, uint32_t tile_row, uint32_t tile_col,
                                  const void *data, uint32_t first_row, uint32_t elem_bytes)
{
    num_tensor_info t = num_tensor_describe(s, tensor);
    CHECK(tile_row < num_tiles(t.rows) && tile_col < num_tiles(t.cols));
    memset(out, 0, NUM_LEAF_HEAD);
    store_le32(out, tensor);
    store_le32(out + 4, tile_row);
    store_le32(out + 8, tile_col);
    tile_encode(out + NUM_LEAF_HEAD, data, t.rows - first_row, t.cols, elem_bytes, tile_row - first_row / NUM_TILE, tile_col);
}

void num_weight_leaf_encode(uint8_t out[NUM_WEIGHT_LEAF_BYTES], const num_shape *s, uint32_t tensor, uint32_t tile_row,
                            uint32_t tile_col, const int16_t *weights)
{
    parameter_leaf_encode(out, s, tensor, tile_row, tile_col, weights, 0, 2);
}

void num_gradient_leaf_encode(uint8_t out[NUM_GRADIENT_LEAF_BYTES], const num_shape *s, uint32_t tensor, uint32_t tile_row,
                              uint32_t tile_col, const int64_t *gradient)
{
    parameter_leaf_encode(out, s, tensor, tile_row, tile_col, gradient, 0, 8);
}

void num_gradient_band_encode(uint8_t out[NUM_GRADIENT_LEAF_BYTES], const num_shape *s, uint32_t tensor, uint32_t tile_row,
                              uint32_t tile_col, const int64_t *band)
{
    parameter_leaf_encode(out, s, tensor, tile_row, tile_col, band, tile_row * NUM_TILE, 8);
}

void num_token_leaf_encode(uint8_t *out, uint64_t sequence, const uint16_t *tokens, uint32_t context)
{
    store_le64(out, sequence);
    for (uint32_t i = 0; i <= context; i++)
        store_le16(out + NUM_TOKEN_LEAF_HEAD + 2 * (size_t)i, tokens[i]);
}
