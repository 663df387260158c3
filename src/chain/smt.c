/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/smt.h"

#include "chain/state.h"
#include "crypto/sha256.h"

hash256 smt_path(uint8_t table, bytes key)
{
    const bytes parts[] = { bytes_of(&table, 1), key };
    return cr_sha256_concat(parts, COUNT_OF(parts));
}

hash256 smt_value_hash(bytes value)
{
    static const uint8_t prefix = 2;
    const bytes parts[] = { bytes_of(&prefix, 1), value };
    return cr_sha256_concat(parts, COUNT_OF(parts));
}

hash256 smt_leaf(const hash256 *path, const hash256 *value_hash)
{
    return cr_sha256_node(0, path, value_hash);
}

hash256 smt_node(uint8_t depth, const hash256 *left, const hash256 *right)
{
    uint8_t in[2 + 64];
    in[0] = 1;
    in[1] = depth;
    memcpy(in + 2, left->b, 32);
    memcpy(in + 34, right->b, 32);
    return cr_sha256(bytes_of(in, sizeof in));
}

static unsigned bit_at(const hash256 *path, unsigned i)
{
    return (unsigned)path->b[i / 8] >> (7 - i % 8) & 1u;
}

/* Wire: ["theblock/proof/v1", module, empty, leaf path, value hash, depths, siblings joined, top joined]. */
static const char proof_tag[] = "theblock/proof/v1";

err smt_proof_encode(bytes *out, uint8_t *buffer, size_t cap, const smt_proof *p)
{
    cbor_writer w = cbor_writer_on(buffer, cap);
    cbor_put_array(&w, 8);
    cbor_put_text(&w, bytes_of_str(proof_tag));
    cbor_put_uint(&w, p->module);
    cbor_put_bool(&w, p->empty);
    cbor_put_bytes(&w, BYTES_OF(p->leaf_path));
    cbor_put_bytes(&w, BYTES_OF(p->value_hash));
    cbor_put_bytes(&w, bytes_of(p->depth, p->count));
    cbor_put_bytes(&w, bytes_of(p->sibling, 32u * (size_t)p->count));
    cbor_put_bytes(&w, BYTES_OF(p->top));
    return cbor_finish(&w, out);
}

static err read_proof(smt_proof *out, cbor_reader *r)
{
    uint64_t module;
    bytes tag, depths, siblings;
    TRY(cbor_get_array_fixed(r, "proof", 8));
    TRY(cbor_get_text(r, "proof.tag", &tag, sizeof proof_tag));
    if (!bytes_equal(tag, bytes_of_str(proof_tag)))
        return fail(&r->fault, ERR_MAGIC, "proof.tag", 1);
    TRY(cbor_get_uint_max(r, "proof.module", &module, CHAIN_MODULE_COUNT - 1));
    out->module = (uint8_t)module;
    TRY(cbor_get_bool(r, "proof.empty", &out->empty));
    TRY(cbor_get_bytes_fixed(r, "proof.leaf_path", out->leaf_path.b, 32));
    TRY(cbor_get_bytes_fixed(r, "proof.value_hash", out->value_hash.b, 32));
    TRY(cbor_get_bytes(r, "proof.depths", &depths, SMT_DEPTH_MAX));
    size_t at = r->at;
    TRY(cbor_get_bytes(r, "proof.siblings", &siblings, 32 * SMT_DEPTH_MAX));
    if (siblings.len != 32 * depths.len)
        return fail(&r->fault, ERR_FIELD, "proof.siblings", at);
    out->count = (uint32_t)depths.len;
    if (depths.len) {
        memcpy(out->depth, depths.data, depths.len);
        memcpy(out->sibling, siblings.data, siblings.len);
    }
    TRY(cbor_get_bytes_fixed(r, "proof.top", (uint8_t *)out->top, sizeof out->top));
    return cbor_end(r);
}

err smt_proof_decode(smt_proof *out, bytes in, fault *f)
{
    memset(out, 0, sizeof *out);
    if (in.len > LIMIT_STATE_PROOF_BYTES)
        return fail(f, ERR_LIMIT, "proof", in.len);
    cbor_reader r = cbor_reader_on(in);
    err e = read_proof(out, &r);
    if (e != OK && f)
        *f = r.fault;
    return e;
}

/* The module root that the leaf and its siblings give; ERR_PROOF for depths out of order. */
static err climb(const smt_proof *p, hash256 *root, fault *f)
{
    static const hash256 zero;
    if (p->empty) {
        if (p->count != 0 || !hash256_equal(&p->leaf_path, &zero) || !hash256_equal(&p->value_hash, &zero))
            return fail(f, ERR_PROOF, "proof.empty", p->count);
        *root = zero;
        return OK;
    }
    hash256 h = smt_leaf(&p->leaf_path, &p->value_hash);
    for (uint32_t i = 0; i < p->count; i++) {
        if (i && p->depth[i] >= p->depth[i - 1])
            return fail(f, ERR_PROOF, "proof.depths", i);
        h = bit_at(&p->leaf_path, p->depth[i]) ? smt_node(p->depth[i], &p->sibling[i], &h)
                                               : smt_node(p->depth[i], &h, &p->sibling[i]);
    }
    *root = h;
    return OK;
}

static hash256 climb_top(const smt_proof *p, const hash256 *module_root)
{
    hash256 h = cr_sha256_concat((const bytes[]){ bytes_of("\0", 1), BYTES_OF(*module_root) }, 2);
    for (unsigned i = 0; i < SMT_TOP_MAX; i++)
        h = (p->module >> i & 1) ? cr_sha256_node(1, &p->top[i], &h) : cr_sha256_node(1, &h, &p->top[i]);
    return h;
}

/* The key is not in the tree if it parts from the proved leaf at a bit where the tree has no branch on that leaf's path: at the
 * first branch below that bit every leaf agrees with the proved one there, and at a branch above it the key goes the same way. */
static err check_absence(const smt_proof *p, const hash256 *path, fault *f)
{
    if (p->empty)
        return OK;
    unsigned parting = 0;
    while (parting < 256 && bit_at(path, parting) == bit_at(&p->leaf_path, parting))
        parting++;
    if (parting == 256)
        return fail(f, ERR_PROOF, "proof.leaf_path", 0);
    for (uint32_t i = 0; i < p->count; i++)
        if (p->depth[i] == parting)
            return fail(f, ERR_PROOF, "proof.depths", i);
    return OK;
}

err smt_verify(const smt_proof *p, const hash256 *state_root, uint8_t table, bytes key, const bytes *value, fault *f)
{
    _Static_assert(CHAIN_MODULE_COUNT == 1 << SMT_TOP_MAX, "the top tree is complete");
    const chain_table_info *info = chain_table_describe(table);
    if (!info || key.len != info->key_len)
        return fail(f, ERR_PROOF, "key", key.len);
    if (p->module != (uint8_t)info->module || p->count > SMT_DEPTH_MAX)
        return fail(f, ERR_PROOF, "proof.module", p->module);
    hash256 path = smt_path(table, key), root;
    if (value) {
        hash256 value_hash = smt_value_hash(*value);
        if (p->empty || !hash256_equal(&path, &p->leaf_path))
            return fail(f, ERR_PROOF, "proof.leaf_path", 0);
        if (!hash256_equal(&value_hash, &p->value_hash))
            return fail(f, ERR_PROOF, "proof.value_hash", 0);
    } else {
        TRY(check_absence(p, &path, f));
    }
    TRY(climb(p, &root, f));
    hash256 top = climb_top(p, &root);
    if (!hash256_equal(&top, state_root))
        return fail(f, ERR_PROOF, "proof.root", 0);
    return OK;
}
