/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RPC_NODE_INT_H
#define RPC_NODE_INT_H

#include "rpc/json.h"
#include "rpc/node.h"

/* New object with every field of a record, named and typed as rpc/fields.h says; NULL if there is no memory. */
json_t *rpc_record_json(const chain_record *r, const void *object, const char *prefix);
/* The same, of a state row: enumerations as words. */
json_t *rpc_row_json(chain_table table, const void *row, const char *prefix);

/* Words of chain_job_status and so on; NULL for an unknown value. */
const char *rpc_job_status_name(uint64_t status);
const char *rpc_level_name(uint64_t level);
const char *rpc_audit_status_name(uint64_t status);
const char *rpc_proposal_status_name(uint64_t status);

/* An event with its sequence number, height and transaction; NULL if there is no memory. */
json_t *rpc_event_json(const rpc_node *n, const eng_event *event);

/* Drops a result that could not be finished; ERR_MEMORY. */
err rpc_no_memory(json_t *partial, fault *f) MUST_USE;

/* Adds to an object; false if there is no memory (the value, which may be NULL, is taken over). */
bool rpc_put(json_t *object, const char *name, json_t *value);

/* Adds "proof" (as proof.get) to `object` if `wanted`. Not between read_begin and read_end. */
err rpc_put_proof(rpc_node *n, json_t *object, bool wanted, chain_table table, bytes key, fault *f) MUST_USE;

/* A position in a table as an opaque cursor. */
err     rpc_cursor_read(size_t *out, const rpc_text *cursor, bool given, fault *f) MUST_USE;
json_t *rpc_cursor_json(size_t next, bool more);

enum { RPC_PAGE_DEFAULT = 100, RPC_SCAN_ROWS = 4096 /* looked at before the next block may be made */ };

rpc_method_fn rpc_chain_status, rpc_chain_block, rpc_chain_events, rpc_account_get, rpc_tx_submit, rpc_tx_get, rpc_supply_get,
    rpc_params_list, rpc_proof_get, rpc_genesis_get;                                                    /* node_chain.c, node_tx.c */
rpc_method_fn rpc_econ_get, rpc_econ_epoch, rpc_econ_provider, rpc_econ_standby;                                       /* node_econ.c */
rpc_method_fn rpc_gov_list, rpc_gov_get, rpc_gov_power, rpc_gov_params, rpc_gov_log;                                /* node_gov.c */
rpc_method_fn rpc_worker_list, rpc_worker_get, rpc_job_list, rpc_job_get, rpc_job_receipts, rpc_audit_list,
    rpc_audit_get, rpc_audit_states;                                                                    /* node_market.c */
rpc_method_fn rpc_worker_status, rpc_job_progress, rpc_throughput_history, rpc_verification_status, rpc_live_report; /* node_live.c */

#endif
