/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/job_spec.h"

#include "apps/amount.h"
#include "apps/corpus.h"

#include "base/int.h"
#include "base/port/file.h"
#include "rpc/json.h"
#include "train/gradient.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

enum { SPEC_BYTES_MAX = 65536 };

typedef enum member_type { MEMBER_U32, MEMBER_U64, MEMBER_AMOUNT, MEMBER_RATE, MEMBER_PATH, MEMBER_LEVEL } member_type;

static const struct member {
    const char *name;
    member_type type;
    size_t      offset;
    uint64_t    least, most, standard;
} members[] = {
#define JOB_MEMBER(name, type, member, least, most, standard, shown, doc) { name, MEMBER_##type, offsetof(tb_job_spec, member), least, most, standard },
#include "job.def"
#undef JOB_MEMBER
};

static err read_rate(int32_t *out, const json_t *v, const char *name, fault *f)
{
    char *end;
    if (!json_is_string(v))
        return fail(f, ERR_TYPE, name, 0);
    double rate = strtod(json_string_value(v), &end);
    if (*end || !(rate > 0 && rate <= 1))
        return fail(f, ERR_RANGE, name, 0);
    *out = (int32_t)lrint(rate * (1 << 28));
    return OK;
}

const char *tb_level_name(uint8_t level)
{
    static const char *const names[] = { [CHAIN_LEVEL_REFEREED] = "refereed", [CHAIN_LEVEL_LINEAR] = "linear", [CHAIN_LEVEL_FULL] = "full" };
    return level > 0 && level < COUNT_OF(names) ? names[level] : "?";
}

err tb_level_parse(uint8_t *out, const char *text, const char *what, fault *f)
{
    *out = strcmp(text, "full") == 0 ? CHAIN_LEVEL_FULL : strcmp(text, "refereed") == 0 ? CHAIN_LEVEL_REFEREED : 0;
    return *out ? OK : fail(f, ERR_RANGE, what, 0);
}

static err read_member(tb_job_spec *s, const struct member *m, const json_t *v, fault *f)
{
    void *to = (uint8_t *)s + m->offset;
    uint64_t n = m->standard;
    if (m->type == MEMBER_RATE && v)
        return read_rate(to, v, m->name, f);
    if (m->type == MEMBER_RATE) {
        *(int32_t *)to = (int32_t)m->standard;
        return OK;
    }
    if (m->type == MEMBER_LEVEL && v)
        return json_is_string(v) ? tb_level_parse(to, json_string_value(v), m->name, f) : fail(f, ERR_TYPE, m->name, 0);
    if (m->type == MEMBER_LEVEL) {
        *(uint8_t *)to = (uint8_t)m->standard;
        return OK;
    }
    if (m->type == MEMBER_PATH) {
        const char *path = v ? json_string_value(v) : "";
        if (!path)
            return fail(f, ERR_TYPE, m->name, 0);
        if (strlen(path) >= TB_PATH_MAX)
            return fail(f, ERR_LIMIT, m->name, strlen(path));
        strcpy(to, path);
        return OK;
    }
    if (v && m->type == MEMBER_AMOUNT) {
        if (!json_is_string(v))
            return fail(f, ERR_TYPE, m->name, 0); /* a number would have lost digits already */
        TRY(tb_amount_parse(&n, json_string_value(v), f));
    } else if (v) {
        if (!json_is_integer(v) || json_integer_value(v) < 0)
            return fail(f, ERR_TYPE, m->name, 0);
        n = (uint64_t)json_integer_value(v);
    }
    if (n < m->least || (m->most && n > m->most))
        return fail(f, ERR_RANGE, m->name, n);
    if (m->type == MEMBER_U32)
        *(uint32_t *)to = (uint32_t)n;
    else
        *(uint64_t *)to = n;
    return OK;
}

static err read_spec(tb_job_spec *s, const json_t *object, fault *f)
{
    size_t known = 0;
    if (!json_is_object(object))
        return fail(f, ERR_TYPE, "spec: not an object", 0);
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        const json_t *v = json_object_get(object, members[i].name);
        known += v != NULL;
        TRY(read_member(s, &members[i], v, f));
    }
    if (json_object_size(object) != known)
        return fail(f, ERR_FIELD, "spec: a member that nobody knows", json_object_size(object) - known);
    s->shape.helper = s->shape.bits > 12 ? NUM_WIDE : NUM_NARROW;
    s->schedule.total_steps = s->steps;
    if (s->level == CHAIN_LEVEL_FULL && s->shape.bits > 12)
        return fail(f, ERR_RANGE, "bits: at most 12 at level full", s->shape.bits);
    if (s->lease > s->batch || s->batch % s->lease != 0)
        return fail(f, ERR_RANGE, "lease: must divide batch", s->lease);
    if ((uint64_t)s->lease * s->shape.context > LIMIT_LEASE_TOKENS)
        return fail(f, ERR_RANGE, "lease: too many tokens", (uint64_t)s->lease * s->shape.context);
    uint64_t cost;
    TRY(tb_job_spec_cost(&cost, s, f));
    if (s->escrow == 0) /* leases are priced one by one, each rounded */
        s->escrow = cost + s->steps * (s->batch / s->lease);
    return s->escrow >= cost ? OK : fail(f, ERR_RANGE, "escrow: less than the price of all sequences", cost);
}

err tb_job_spec_parse(tb_job_spec *out, bytes text, fault *f)
{
    json_t *object;
    *out = (tb_job_spec){ 0 };
    TRY(rpc_json_read(&object, text, f));
    err e = read_spec(out, object, f);
    json_decref(object);
    return e;
}

err tb_job_spec_load(tb_job_spec *out, const char *path, fault *f)
{
    buf text;
    buf_init(&text, SPEC_BYTES_MAX);
    err e = base_file_read(&text, path, f);
    if (e == OK) {
        fault own = { 0 };
        /* Whatever a member's row says elsewhere: a wrong specification is a wrong setting of the user's. */
        if (tb_job_spec_parse(out, buf_bytes(&text), &own) != OK)
            e = fail(f, own.code == ERR_MEMORY ? ERR_MEMORY : ERR_CONFIG, own.what, own.at);
    }
    buf_deinit(&text);
    return e;
}

err tb_job_spec_open(tb_job_spec *s, tr_dataset *data, const char **name, fault *f)
{
    num_const c;
    TRY(corpus_open(data, s->data, s->shape.context, name, f));
    s->shape.vocab = data->manifest.vocab;
    return num_const_of(&c, &s->shape, f);
}

err tb_job_spec_cost(uint64_t *nblock, const tb_job_spec *s, fault *f)
{
    uint64_t total;
    if (checked_mul_u64(&total, s->steps, s->batch) != OK || mul_div_u64(nblock, total, s->price, s->price_sequences, ROUND_UP) != OK ||
        *nblock > CHAIN_AMOUNT_MAX)
        return fail(f, ERR_OVERFLOW, "price: the job costs more than there is", s->price);
    return OK;
}

hash256 tb_job_config_hash(const num_shape *shape, const bt_schedule *schedule, uint32_t batch, uint64_t steps)
{
    uint8_t buffer[256];
    cbor_writer w = cbor_writer_on(buffer, sizeof buffer);
    cbor_put_array(&w, 9);
    cbor_put_text(&w, bytes_of_str("theblock/training-config/v1"));
    cbor_put_uint(&w, shape->helper);
    cbor_put_int(&w, schedule->lr_max);
    cbor_put_uint(&w, schedule->warm_steps);
    cbor_put_uint(&w, schedule->total_steps);
    cbor_put_uint(&w, batch);
    cbor_put_uint(&w, steps);
    cbor_put_uint(&w, shape->bits);
    cbor_put_uint(&w, shape->context);
    bytes view;
    CHECK(cbor_finish(&w, &view) == OK);
    return cr_blake3_hash(view);
}

/* BLAKE3 of the initial master weights, little-endian: what the job starts from. */
static err start_weights(hash256 *out, const num_shape *shape, uint64_t seed, fault *f)
{
    bt_state state;
    cr_blake3 h;
    TRY(bt_state_init(&state, shape, seed, f));
    cr_blake3_init(&h);
    for (uint64_t i = 0, n = num_parameter_count(shape); i < n; i++) {
        uint8_t le[4];
        store_le32(le, (uint32_t)state.master[i]);
        cr_blake3_update(&h, bytes_of(le, sizeof le));
    }
    *out = cr_blake3_final(&h);
    bt_state_deinit(&state);
    return OK;
}

err tb_job_spec_post(chain_tx *tx, const tb_job_spec *s, const tr_dataset *data, const cr_public_key *coordinator, uint64_t height, fault *f)
{
    hash256 weights;
    TRY(start_weights(&weights, &s->shape, s->seed, f));
    *tx = (chain_tx){ .type = CHAIN_TX_JOB_POST };
    tx->payload.job_post = (chain_tx_job_post){
        .coordinator = *coordinator, .model_checkpoint_cid = weights, .dataset_manifest_cid = data->cid,
        .training_config = tb_job_config_hash(&s->shape, &s->schedule, s->batch, s->steps), .model_parameters = num_parameter_count(&s->shape),
        .width = s->shape.width, .layers = s->shape.layers, .heads = s->shape.heads, .context = s->shape.context, .vocabulary = s->shape.vocab,
        .operand_bits = (uint8_t)s->shape.bits, .batch_size = s->batch, .steps = s->steps,
        .learning_rate_ppb = (uint64_t)s->schedule.lr_max * 1000000000 >> 28, .determinism_seed = s->seed, .gradient_format = TR_GRADIENT_VERSION,
        .max_batch_latency_blocks = s->expiry_blocks, .max_batch_latency_ms = 30000, .sequences_total = s->steps * s->batch, .price = s->price,
        .price_sequences = s->price_sequences, .level_min = s->level, .sample_ppm = s->sample_ppm, .escrow = s->escrow,
        .expiry_height = height + s->expiry_blocks };
    return OK;
}
