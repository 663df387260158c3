# SPDX-License-Identifier: Apache-2.0
"""An independent reading of spec/receipt.md: CBOR by cbor2, signatures by PyNaCl, hashes by hashlib.

receipt_oracle.py TRUST FILE...: exits 1 naming the first rule that a file breaks."""
import hashlib
import sys

import cbor2
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def need(holds, rule):
    if not holds:
        sys.exit(f"{current}: {rule}")


def signed(data, key, tag):
    """The body of [body, signature], its hash; the signature is over the body's canonical bytes."""
    item = cbor2.loads(data)
    need(cbor2.dumps(item, canonical=True) == data, f"{tag}: canonical bytes")
    body, signature = item
    raw = data[1:len(data) - 66]
    need(cbor2.loads(raw) == body and body[0] == tag, f"{tag}: body")
    if callable(key):
        key = key(body)
    try:
        VerifyKey(key).verify(raw, signature)
    except BadSignatureError:
        need(False, f"{tag}: signature")
    return body, sha(raw)


def included(proof, state_root, module, table, key, value):
    """Inclusion of the value; absence of the key if the value is None."""
    tag, got_module, empty, leaf_path, value_hash, depths, siblings, top = cbor2.loads(proof)
    path = sha(bytes([table]), key)
    need(tag == "theblock/proof/v1" and got_module == module and empty is False, "proof: kind")
    if value is None:
        bit = next((i for i in range(256) if (leaf_path[i // 8] ^ path[i // 8]) >> (7 - i % 8) & 1), None)
        need(bit is not None and bit not in depths, "proof: absence")
        path = leaf_path
    else:
        need(leaf_path == path and value_hash == sha(b"\x02", value), "proof: leaf")
    need(len(siblings) == 32 * len(depths) and all(a > b for a, b in zip(depths, depths[1:])), "proof: depths")
    h = sha(b"\x00", path, value_hash)
    for i, depth in enumerate(depths):
        sibling = siblings[32 * i:32 * i + 32]
        right = path[depth // 8] >> (7 - depth % 8) & 1
        h = sha(b"\x01", bytes([depth]), *((sibling, h) if right else (h, sibling)))
    h = sha(b"\x00", h)
    for i in range(4):
        sibling = top[32 * i:32 * i + 32]
        h = sha(b"\x01", *((sibling, h) if module >> i & 1 else (h, sibling)))
    need(h == state_root, "proof: state root")


def verify(data, genesis, producer):
    item = cbor2.loads(data)
    need(cbor2.dumps(item, canonical=True) == data, "canonical bytes")
    need(len(item) == 12 and item[0] == "theblock/receipt/v2", "tag")
    _, network, header, lease, attestation, payment, payment_proof, job, job_proof, beacon, checked, audit = item
    need(network == genesis, "genesis")
    head, _ = signed(header, lambda body: body[11], "theblock/header/v1")
    need(head[11] == producer, "producer")
    chain_id, height, state_root = head[2], head[3], head[8]

    # lease: tag version chain_id job lease_id step from to model tokens worker price level_min expiry
    terms, lease_hash = signed(lease, cbor2.loads(job)[1], "theblock/lease/v1")
    _, _, lease_chain, job_id, lease_id, _, start, end, _, _, worker, price, _, _ = terms
    said, said_hash = signed(attestation, worker, "theblock/attestation/v1")
    need(lease_chain == chain_id and said[2] == lease_hash, "lease and attestation")
    included(job_proof, state_root, 3, 4, job_id, job)
    included(payment_proof, state_root, 6, 10, job_id + lease_id.to_bytes(8, "big"), payment)

    row = cbor2.loads(payment)
    account = bytes([29]) + sha(b"theblock/account/v1", worker)
    need(row[0] == lease_hash and row[1] == said_hash and row[2] == said[4] and row[3] == said[6] and row[4] == said[5], "payment: hashes, level, proof")
    need(row[5] == account and row[6:9] == [start, end, 2], "payment: worker, range, status")
    need(row[11] == price and row[12] <= price and row[9] <= row[10] <= height, "payment: amounts, heights")

    need((row[9] != 0) == (beacon is not None), "beacon")
    drawn = False
    if beacon:
        value, proof = beacon
        included(proof, state_root, 7, 11, (row[9] + 1).to_bytes(8, "big"), value)
        draw = int.from_bytes(sha(b"theblock/sample/v1", cbor2.loads(value)[0], lease_hash)[:8], "big") * 1000000 >> 64
        drawn = draw < cbor2.loads(job)[27]
    if checked is not None:
        words, _ = signed(checked, cbor2.loads(job)[1], "theblock/checked/v1")
        need(words[1:4] == [1, lease_hash, said_hash] and bool(words[5]) == drawn and (not words[7] or said[6] == 3), "statement")

    # audit: opener deposit fee status open_height end_height valid invalid reason
    need((said[6] == 3) == (audit is not None), "audit")
    if audit:
        value, proof = audit
        included(proof, state_root, 6, 12, job_id + lease_id.to_bytes(8, "big"), value or None)
        if value:
            _, _, _, status, opened, ended, valid, _, _ = cbor2.loads(value)
            need(status in (1, 2, 4) and (ended == 0) == (status == 1) and (status != 2 or any(valid)), "audit: status")
            need((row[9] or row[10]) <= opened <= height and ended <= height and (ended == 0 or ended >= opened), "audit: heights")


trusted_genesis, trusted_key = (bytes.fromhex(half) for half in sys.argv[1].split(":"))
for current in sys.argv[2:]:
    with open(current, "rb") as file:
        verify(file.read(), trusted_genesis, trusted_key)
print(f"{len(sys.argv) - 2} receipts hold")
