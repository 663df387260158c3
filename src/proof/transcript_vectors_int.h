/* SPDX-License-Identifier: Apache-2.0
 * Written by tools/vectors/transcript.py; the same rows as spec/vectors/transcript.json. */
#ifndef PROOF_TRANSCRIPT_VECTORS_INT_H
#define PROOF_TRANSCRIPT_VECTORS_INT_H

#include <stdint.h>

static const struct {
    const char *step, *state;
    uint64_t    elements[4][3];
    uint32_t    indices[4];
} transcript_vectors[] = {
    { "start 1",
      "d7250aadc01b5c284f97f13ac201762d0a9c1dc9d23fe715d9842a5fdaf7b370",
      { { 0 } },
      { 0 } },
    { "absorb empty, nothing",
      "affb3820be70588edf9c36c45f3cd0e8a35938452ccdf840a590baa7ed6fe1b0",
      { { 0 } },
      { 0 } },
    { "absorb with an empty label: i mod 251 for i < 5000",
      "6bd25ee7718dfe76a6f0934ea8baf9ee8b7a9d833809070900abc3a022107909",
      { { 0 } },
      { 0 } },
    { "absorb n, le64 of 2^64 - 1",
      "4d8c293b75758a56966321a4ca3b76f1290fd73dc75cbad5f76f866b290b11ba",
      { { 0 } },
      { 0 } },
    { "absorb elements (0, 1, p - 1), (2, 3, 4)",
      "1f99c9e5e80d13f718d7211c03930ec2def7dcd34de8d25f538df3940eb79726",
      { { 0 } },
      { 0 } },
    { "squeeze first: elements of K 0, 1, 198, 199, then an index below 2^10",
      "192c5a896d1170d1acf5b1d363dd6354a8877ee77f53984d8ef32911965ba406",
      { { UINT64_C(212568787836070), UINT64_C(209606739444949), UINT64_C(198492347761150) },
        { UINT64_C(111708135253394), UINT64_C(39481062561632), UINT64_C(81265811022824) },
        { UINT64_C(1103834624600), UINT64_C(160178676468493), UINT64_C(191223256925968) },
        { UINT64_C(129276648718813), UINT64_C(113252478796409), UINT64_C(141556065044441) } },
      { UINT32_C(848) } },
    { "squeeze queries: indices below 2^0, 2^1, 2^18, 2^32",
      "4aac65e846523999f343ff4bd94e675637f90e564b1f0a06867c6692b26e80e1",
      { { 0 } },
      { UINT32_C(0), UINT32_C(0), UINT32_C(205084), UINT32_C(1713392571) } },
    { "fork part 0",
      "87bda4950b9dcd247014b243039127bbe43958e444920de3c2d0886487034631",
      { { 0 } },
      { 0 } },
    { "fork part 2",
      "f8c8d6af2ad3ca43a3224077870b011da62a61bfe131d86daadc762343405caf",
      { { 0 } },
      { 0 } },
    { "fork part 1, absorb inside, x",
      "7699c2f1c8aa30aa436c77dc9546d3e71db967df0be829557c5d07f11c96fc52",
      { { 0 } },
      { 0 } },
    { "join of the three",
      "3bd57fcdd80f9519b88e3ce65529a7d8ccc5bf232944184767756b518a0a6555",
      { { 0 } },
      { 0 } },
    { "join of none",
      "43ee47143728a7f8ca98e0707d63362903b2208234c213fe10d39237f709be3b",
      { { 0 } },
      { 0 } },
};

#endif
