/* SPDX-License-Identifier: Apache-2.0
 *
 * Receipts (spec/receipt.md): one file that proves to a stranger, offline, that a lease was answered, by whom, and that the ledger
 * paid for it; and that says what was checked, by whom, and what was not. */
#ifndef APPS_RECEIPT_H
#define APPS_RECEIPT_H

#include "apps/ledger.h"
#include "chain/block.h"
#include "chain/lease.h"
#include "chain/state.h"

enum { TB_RECEIPT_BYTES_MAX = 65536 };

/* What the verifier believes beforehand: the network, and the key of a producer whose word on the state root counts. */
typedef struct tb_trust {
    hash256       genesis;
    cr_public_key producer;
} tb_trust;

/* "GENESIS_HASH:KEY", both 64 hex digits. ERR_USAGE. */
err tb_trust_parse(tb_trust *out, const char *text, fault *f) MUST_USE;

/* The coordinator's word on how far it looked: a tagged record (tag "theblock/checked/v1"), signed by the key that signed the lease. */
typedef struct tb_checked {
    uint32_t version;     /* TB_CHECKED_VERSION */
    hash256  lease;       /* hash of the lease's body */
    hash256  attestation; /* hash of the attestation's body */
    uint8_t  hashes;      /* 1: the gradient that was summed has the attested hash */
    uint8_t  sampled;     /* 1: the ledger's randomness drew the lease */
    uint8_t  executed;    /* 1: the coordinator computed the lease again and found gradient and trace root equal */
    uint8_t  proved;      /* 1: the coordinator verified the proof that the attestation names */
} tb_checked;

enum { TB_CHECKED_VERSION = 1 };

extern const chain_record tb_checked_record;

/* The parts of a file, as views. */
typedef struct tb_receipt_parts {
    hash256 genesis;
    bytes   header;             /* signed */
    bytes   lease, attestation; /* signed */
    bytes   payment, payment_proof; /* state row and proof of table lease */
    bytes   job, job_proof;
    bytes   beacon, beacon_proof;   /* empty: the lease was never committed to a sample */
    bytes   checked;                /* signed; empty: nobody says */
    bytes   audit, audit_proof;     /* state row of table audit; empty: there is none, and the proof shows it. Both empty: not at level full */
} tb_receipt_parts;

err tb_receipt_encode(buf *out, const tb_receipt_parts *parts, fault *f) MUST_USE;
/* Form only. */
err tb_receipt_decode(tb_receipt_parts *out, bytes file, fault *f) MUST_USE;

/* What a receipt that holds says. */
typedef struct tb_receipt {
    tb_trust          trust;
    chain_header      header;
    hash256           block_hash, lease_hash, attestation_hash;
    chain_lease       lease;
    chain_attestation attestation;
    chain_row_lease   payment;
    chain_row_job     job;
    cr_address        worker;
    bool              drawable; /* the ledger's randomness for this lease is in the receipt */
    bool              sampled;  /* recomputed from it */
    bool              has_checked;
    tb_checked        checked;
    bool              auditable; /* at level full: the receipt says whether there was an audit */
    bool              has_audit;
    chain_row_audit   audit;
    size_t            votes_valid, votes_invalid;
} tb_receipt;

/* Canonical bytes, every signature and hash, inclusion of payment, job and randomness, and inclusion or absence of an audit, under the
 * signed state root, and that all of them are about the same lease. The fault names the part, `at` is its offset in the file. Every refusal has exit code 8 (ERR_RECEIPT
 * where no other row says it better), ERR_MEMORY apart. */
err tb_receipt_verify(tb_receipt *out, bytes file, const tb_trust *trust, fault *f) MUST_USE;

/* The receipt of a file. What tb_receipt_verify says; ERR_TRAILING for more bytes than any receipt has; codes of base_file_read. */
err tb_receipt_load(tb_receipt *out, const char *path, const tb_trust *trust, fault *f) MUST_USE;

/* Whether a genesis document is that of the trusted network and names the trusted key as a producer, the header's chain id as its own, and
 * as many validators (*validators of them) as the audit's votes need: ERR_HASH, ERR_RECEIPT, the codes of chain_genesis_decode. */
err tb_receipt_check_genesis(size_t *validators, const tb_receipt *r, bytes genesis, fault *f) MUST_USE;

/* --- making ------------------------------------------------------------------------------------------------------------- */

/* The signed lease and attestation of the ledger's row `row`, as they stand in block `height` (a commitment's or a payment's), as views
 * of `copy`, which has 2 * LIMIT_LEASE_BYTES. ERR_NOT_FOUND. */
err tb_receipt_find(chain_receipt *out, uint8_t *copy, tb_ledger *l, const chain_row_lease *row, const cr_public_key *coordinator, uint64_t height,
                    fault *f) MUST_USE;

/* Asks the node of `l` for everything and appends the receipt of a paid lease to `out` (bound: TB_RECEIPT_BYTES_MAX). `coordinator`
 * and `checked` (its hashes and version are filled in) go together; NULL: the receipt has no statement. ERR_NOT_FOUND: no such lease, or
 * not paid; ERR_BUSY: blocks come too fast to catch one state: try again. */
err tb_receipt_gather(buf *out, tb_ledger *l, const hash256 *job, uint64_t lease_id, const tb_checked *checked,
                      const cr_secret_key *coordinator, fault *f) MUST_USE;

/* The same into a file (atomic, mode 0644, replaced if it is there), after verifying it against the header's own producer. `out` may be
 * NULL. */
err tb_receipt_write(tb_receipt *out, const char *path, tb_ledger *l, const hash256 *job, uint64_t lease_id,
                     const tb_checked *checked, const cr_secret_key *coordinator, fault *f) MUST_USE;

#endif
