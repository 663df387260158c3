#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recomputes spec/vectors/auction.json from the text of spec/auction.md: seals and ties with hashlib, clearing with exact fractions."""
import hashlib
import json
import sys
from fractions import Fraction


def commitment(case, bid):
    address = b"\x1d" + bytes([bid["bidder"]]) + bytes(31)
    return hashlib.sha256(
        b"theblock/auction/v1\0" + bytes.fromhex(case["network"]) + bytes.fromhex(case["auction"]) + address
        + int(bid["price"]).to_bytes(8, "big") + bid["units"].to_bytes(4, "big") + bytes.fromhex(bid["salt"])).digest()


def clear(case, ties):
    """Price, and units of each bid: one price level after the other."""
    bids, left = case["bids"], case["units"]
    won = [0] * len(bids)
    for price in sorted({int(b["price"]) for b in bids}, reverse=True):
        level = [i for i, b in enumerate(bids) if int(b["price"]) == price]
        wanted = sum(bids[i]["units"] for i in level)
        if wanted <= left:
            for i in level:
                won[i] = bids[i]["units"]
            left -= wanted
            continue
        exact = {i: Fraction(left * bids[i]["units"], wanted) for i in level}
        for i in level:
            won[i] = exact[i].numerator // exact[i].denominator
        rest = left - sum(won[i] for i in level)
        for i in sorted(level, key=lambda i: (-(exact[i] - won[i]), ties[i]))[:rest]:
            won[i] += 1
        return price, won
    return case["reserve"], won


def main():
    cases = json.load(open(sys.argv[1], encoding="utf-8"))["auctions"]
    shared = 0
    for n, case in enumerate(cases):
        seals = [commitment(case, b) for b in case["bids"]]
        for b, s in zip(case["bids"], seals):
            assert s.hex() == b["commitment"], (n, "commitment")
        price, won = clear(case, [hashlib.sha256(b"theblock/auction-tie/v1\0" + s).digest() for s in seals])
        assert (price, sum(won)) == (int(case["price"]), case["sold"]), (n, "price")
        assert won == [b["won"] for b in case["bids"]], (n, "won", won)
        shared += any(0 < w < b["units"] for w, b in zip(won, case["bids"]))
    assert len(cases) >= 100 and shared >= 20, (len(cases), shared)
    print(f"{len(cases)} auctions, {shared} of them shared at the margin")


main()
