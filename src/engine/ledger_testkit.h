/* SPDX-License-Identifier: Apache-2.0
 *
 * A development ledger to drive in tests and benches: numbered keys, a genesis that gives each of the first accounts the same
 * amount, signed transfers. Anything that fails here is a bug of the test: CHECK. */
#ifndef ENGINE_LEDGER_TESTKIT_H
#define ENGINE_LEDGER_TESTKIT_H

#include "base/buf.h"
#include "chain/chain.h"

#define KIT_GRANT_NBLOCK 1000000000000u /* of each account in the genesis */

enum {
    KIT_PRODUCER = 1 << 24, /* number of the producer's key */
    KIT_TX_BYTES = 1024,
};

void kit_key(cr_secret_key *secret, cr_public_key *key, uint64_t number);
cr_address kit_address(uint64_t number);

/* Appends the genesis of a chain "<name>-dev" with accounts 0 .. accounts - 1. */
void kit_genesis(buf *out, const char *name, size_t accounts);

/* A signed transfer of account `from`, good for a million blocks. `out` has KIT_TX_BYTES; returns its view. */
bytes kit_transfer(uint8_t *out, hash256 *id, const char *name, uint64_t from, uint64_t to, uint64_t amount, uint64_t nonce);

/* Registers account `from` as a worker, or adds to its bond. */
bytes kit_bond(uint8_t *out, hash256 *id, const char *name, uint64_t from, uint64_t bond, uint64_t nonce);

/* A chain over malloc. */
chain_config kit_config(void);
chain       *kit_chain(bytes genesis);

/* Executes an encoded block (engine/block.h) with every signature checked, as a stranger would. */
void kit_apply(chain *c, bytes block);

/* Aborts unless every sum and hash of the state is right (chain_audit). */
void kit_audit(const chain *c);

#endif
