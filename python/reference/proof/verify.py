# SPDX-License-Identifier: Apache-2.0
"""The verifier: section 12 of spec/proof.md gives the order."""
import functools

from .failed import Check
from .layout import Layout, admitted
from .lookup import Lookup
from .opening import open_commitment, reduce
from .products import Products
from .public import Public, Statement
from .transcript import Reader, Transcript, require

VERSION = 1


@functools.lru_cache(maxsize=8)
def layout_of(shape, layer_values, top_values, sequences, until):
    c, fractions = admitted(shape, layer_values, top_values)
    return Layout(c, fractions, sequences, until)


def verify(fields, proof):
    """Refused, or the reader, whose marks say what lies where. Does not check the statement's hashes: its caller does."""
    s = Statement(fields)
    y = layout_of(tuple(s.shape), tuple(s.layer_fractions), tuple(s.top_fractions), s.count, s.range[0] if s.range else None)
    public = Public(y, s)
    if s.range:
        public.check = Check(y, public)
    reader, t = Reader(proof), Transcript(VERSION)
    require(reader.integer(4, "version") == VERSION, "version")
    s.absorb(t)
    if y.empty:
        public.receive(reader, t)
        public.check.check_x0()
        reader.end()
        return reader
    commitment = reader.take(32, "commitment")
    t.absorb("commitment", commitment)
    public.receive(reader, t)
    lookup = Lookup(y, public, reader)
    lookup.run(t)
    products = Products(y, public, reader, lookup)
    products.run(t)
    rho, tau, values = reduce(y, public, reader, t, lookup.claims + products.claims)
    open_commitment(y, reader, t, commitment, rho, tau, values)
    reader.end()
    return reader
