/* SPDX-License-Identifier: Apache-2.0
 *
 * Live data of the training network behind the four blocktorch methods (seed 12.9): the records of schema/live.def, the face that
 * answers for them, and a board that keeps what it was told.
 *
 * A coordinator or worker in the node's own process fills the board with rpc_live_put_..., or brings its own face. One in another
 * process calls the method live.report of the node, whose board takes it. Live data informs; it decides nothing. */
#ifndef RPC_LIVE_H
#define RPC_LIVE_H

#include "base/limits.h"
#include "rpc/fields.h"

/* rpc_live_worker, rpc_live_sample, rpc_live_job, rpc_live_verification: a member and a given_ flag for each field; set both. */
#define LIVE_BEGIN(symbol, doc) typedef struct rpc_live_##symbol { uint32_t count;
#define PARAM(symbol, type, name, given, max, doc) RPC_C_##type name; bool given_##name;
#define LIVE_END(symbol) } rpc_live_##symbol;
#include "live.def"
#undef LIVE_BEGIN
#undef PARAM
#undef LIVE_END

/* RPC_LIVE_SET(&record, step, 7) */
#define RPC_LIVE_SET(record, name, ...) ((record)->name = (__VA_ARGS__), (record)->given_##name = true)

#define LIVE_BEGIN(symbol, doc) extern const rpc_fields rpc_live_##symbol##_fields;
#define PARAM(symbol, type, name, given, max, doc)
#define LIVE_END(symbol)
#include "live.def"
#undef LIVE_BEGIN
#undef PARAM
#undef LIVE_END

rpc_text rpc_text_of(const char *text); /* cut at 64 bytes */

/* Who answers. Each may be NULL (it knows nothing of that kind) and may be called from any thread. ERR_NOT_FOUND: knows nothing of
 * this one. *age_ms: how old the answer is. */
typedef struct rpc_live {
    void       *ctx;
    const char *source; /* "coordinator", "reported" */
    err (*worker)(void *ctx, rpc_live_worker *out, uint64_t *age_ms, const cr_address *worker);
    err (*job)(void *ctx, rpc_live_job *out, uint64_t *age_ms, const hash256 *job);
    err (*verification)(void *ctx, rpc_live_verification *out, uint64_t *age_ms, const hash256 *job);
    /* Samples that ended at since_ms (Unix time) or later, oldest first; *count is the room on entry. */
    err (*samples)(void *ctx, rpc_live_sample *out, size_t *count, const cr_address *worker, uint64_t since_ms);
} rpc_live;

enum { RPC_LIVE_SAMPLES = 512 }; /* newest samples kept of each worker */

/* The newest record of each worker and job, LIMIT_LIVE_ENTRIES of each: a new one takes the place of the one not heard of for
 * longest. From any thread. */
typedef struct rpc_live_board rpc_live_board;

err  rpc_live_board_new(rpc_live_board **out) MUST_USE;
void rpc_live_board_free(rpc_live_board *b); /* NULL is fine */

/* ERR_MEMORY; ERR_STALE: the sample ended before the newest one. */
err rpc_live_put_worker(rpc_live_board *b, const cr_address *worker, const rpc_live_worker *record) MUST_USE;
err rpc_live_put_sample(rpc_live_board *b, const cr_address *worker, const rpc_live_sample *record) MUST_USE;
err rpc_live_put_job(rpc_live_board *b, const hash256 *job, const rpc_live_job *record) MUST_USE;
err rpc_live_put_verification(rpc_live_board *b, const hash256 *job, const rpc_live_verification *record) MUST_USE;

/* The board as a face; valid while the board is. */
rpc_live rpc_live_of_board(rpc_live_board *b, const char *source);

#endif
