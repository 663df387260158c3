/* SPDX-License-Identifier: Apache-2.0
 * Written by tools/vectors/commitment.py, which says what is opened; the same rows as spec/vectors/commitment.json. */
#ifndef PROVE_COMMIT_VECTORS_INT_H
#define PROVE_COMMIT_VECTORS_INT_H

#include <stddef.h>
#include <stdint.h>

static const struct {
    unsigned    m;
    size_t      rows;
    const char *root;
    uint64_t    value[3];
    size_t      proof_bytes;
    const char *proof_sha256;
} commit_vectors[] = {
    { 0, 1,
      "5f6c283f399b440287b55155550f3cf1ade4bf0981cc98cb5040b65dbb77ff72",
      { UINT64_C(201494609407366), UINT64_C(190442372115862), UINT64_C(201780462644486) },
      44, "cfb62aeaee7ee2d7d505e80514311b12e9869e7405f3344c164a3dee8e5781ad" },
    { 1, 2,
      "cdf0961be9cd18d3ea2b2664e41a0e9bba289101195d9c2f7151e88de1df7ee2",
      { UINT64_C(57905171950554), UINT64_C(102099925366822), UINT64_C(219201692972021) },
      104, "66b55e584b8413fbf0911b6c621446eb522c3c8de18c933bf1dace1a597a8a57" },
    { 3, 147,
      "56512421669b6ce4d9e598299e7c80d9a5d9c86f17c41e30a3f5a1d839e9a199",
      { UINT64_C(15967460056962), UINT64_C(124108952082721), UINT64_C(78457084725678) },
      9696, "2f3a7166026a6d77195ae1e188e6a533dfa0ad1528bad7e2573d783eb37dcf28" },
    { 6, 17,
      "e4e3a0fabd64fb3d0d0c8d2d874029764eb8ffece611bf8e1452603ec7ae0bd1",
      { UINT64_C(49740649769868), UINT64_C(156032667805982), UINT64_C(30644021412022) },
      11008, "5d18f8e8a17481c8d62559bc11c6596e6eddf585e7eb362c23f2e6f02999b028" },
    { 7, 150,
      "b8faf2b58d0901878800bf5e26bc635a59436dcc8b156cc7af158bb3354d7798",
      { UINT64_C(46505513478918), UINT64_C(112216997132180), UINT64_C(24482742769207) },
      150160, "81c0e0fab7cd601a4867a1c93737e311a0427a6435e6a08dd28b2292fed3130d" },
    { 8, 5,
      "54b19c9537f269947bfdb3accf25412d11f1203203f28fa1ec85450f916a842a",
      { UINT64_C(88399422274520), UINT64_C(28017110582695), UINT64_C(129178322275510) },
      19852, "aca18f06f255948e47ce1195eadd657c55f0434322c3cfb5c2e627a5aca37901" },
};

#endif
