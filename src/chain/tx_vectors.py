#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks spec/vectors/tx.json with other libraries: encodes each structure from its listed values with cbor2, verifies the
signature with PyNaCl and the hashes with hashlib."""
import hashlib
import json
import sys

import cbor2
import nacl.exceptions
import nacl.signing


def value_of(entry):
    if "int" in entry:
        return int(entry["int"])
    if "text" in entry:
        return entry["text"]
    if "item" in entry:
        return cbor2.loads(bytes.fromhex(entry["item"]))
    return bytes.fromhex(entry["bytes"])


def check_signed(name, body, key, signed_hex, hash_hex):
    signed = bytes.fromhex(signed_hex)
    encoded = cbor2.dumps(body)
    decoded = cbor2.loads(signed)
    assert signed == b"\x82" + encoded + cbor2.dumps(decoded[1]), name + ": encoding"
    assert hashlib.sha256(encoded).hexdigest() == hash_hex, name + ": hash"
    verify_key = nacl.signing.VerifyKey(bytes.fromhex(key))
    verify_key.verify(encoded, decoded[1])
    for at in range(0, len(encoded), 11):
        bad = bytearray(encoded)
        bad[at] ^= 1
        try:
            verify_key.verify(bytes(bad), decoded[1])
        except nacl.exceptions.BadSignatureError:
            continue
        raise AssertionError(name + ": a changed body verifies")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        vectors = json.load(file)
    for v in vectors["transactions"]:
        body = ["theblock/tx/v1", v["chain_id"], v["type"], bytes.fromhex(v["sender"]), v["nonce"], v["expiry_height"],
                v["fee_max"], v["tip"], [value_of(entry) for entry in v["values"]]]
        check_signed(v["name"], body, v["sender"], v["tx"], v["id"])
    for v in vectors["signed"]:
        check_signed(v["name"], [v["tag"]] + [value_of(entry) for entry in v["values"]], v["key"], v["signed"], v["hash"])
    for v in vectors["draws"]:
        digest = hashlib.sha256(v["tag"].encode() + bytes.fromhex(v["randomness"]) + bytes.fromhex(v["lease"])).digest()
        assert int.from_bytes(digest[:8], "big") * 10**6 // 2**64 + 1 == v["least_rate_ppm"], v["tag"]
    genesis = bytes.fromhex(vectors["genesis"])
    assert cbor2.dumps(cbor2.loads(genesis)) == genesis, "genesis: not canonical"
    assert hashlib.sha256(genesis).hexdigest() == vectors["network"], "genesis: hash"
    print(len(vectors["transactions"]), "transactions,", len(vectors["signed"]), "signed structures,", len(vectors["draws"]), "draws, 1 genesis")


main()
