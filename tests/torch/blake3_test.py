# SPDX-License-Identifier: Apache-2.0
"""The reference BLAKE3 against vectors published with the algorithm (BLAKE3-team/BLAKE3, test_vectors.json)."""
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "python"))
from reference import blake3 as b3  # noqa: E402

KEY = b"whats the Elvish word for friend"
CONTEXT = "BLAKE3 2019-12-27 16:29:52 test vectors context"
# input length: hash, keyed hash, derived key (first bytes of the extended outputs)
VECTORS = {
    0: ("af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262e00f03e7b69af26b7faaf09fcd333050338ddfe085b8cc869ca98b206c08243a26f5487789e8f660afe6c99ef9e0c52b",
        "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26", "2cc39783c223154fea8dfb7c1b1660f2ac2dcbd1c1de8277b0b0dd39b7e50d7d"),
    1: ("2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
        "6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b6568c0490609413006fbd428eb3fd14e7756d90f73a4725fad147f7bf70fd61c4e0cf7074885e92b",
        "b3e2e340a117a499c6cf2398a19ee0d29cca2bb7404c73063382693bf66cb06c"),
    1023: ("10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11", "c951ecdf03288d0fcc96ee3413563d8a6d3589547f2c2fb36d9786470f1b9d6e",
           "74a16c1c3d44368a86e1ca6df64be6a2f64cce8f09220787450722d85725dea5"),
    1024: ("42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7", "75c46f6f3d9eb4f55ecaaee480db732e6c2105546f1e675003687c31719c7ba4",
           "7356cd7720d5b66b6d0697eb3177d9f8d73a4a5c5e968896eb6a6896843027066c23b601d3ddfb391e90d5c8eccdef4ae2a264bce9e612ba15e2bc9d654af1481b2e75dbabe615974f"),
    1025: ("d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444", "357dc55de0c7e382c900fd6e320acc04146be01db6a8ce7210b7189bd664ea69",
           "effaa245f065fbf82ac186839a249707c3bddf6d3fdda22d1b95a3c970379bcb"),
    2049: ("5f4d72f40d7a5f82b15ca2b2e44b1de3c2ef86c426c95c1af0b6879522563030", "9f29700902f7c86e514ddc4df1e3049f258b2472b6dd5267f61bf13983b78dd5",
           "2ea477c5515cc3dd606512ee72bb3e0e758cfae7232826f35fb98ca1bcbdf273"),
    3073: ("7124b49501012f81cc7f11ca069ec9226cecb8a2c850cfe644e327d22d3e1cd3", "68dede9bef00ba89e43f31a6825f4cf433389fedae75c04ee9f0cf16a427c95a",
           "72613c9ec9ff7e40f8f5c173784c532ad852e827dba2bf85b2ab4b76f7079081"),
    7169: ("a003fc7a51754a9b3c7fae0367ab3d782dccf28855a03d435f8cfe74605e7817", "ed9b1a922c046fdb3d423ae34e143b05ca1bf28b710432857bf738bcedbfa511",
           "554b0a5efea9ef183f2f9b931b7497995d9eb26f5c5c6dad2b97d62fc5ac31d9"),
}


def sample(n):
    return bytes(i % 251 for i in range(n))


def test_published_vectors():
    for n, (plain, keyed, derived) in VECTORS.items():
        data = sample(n)
        assert b3.blake3(data, len(plain) // 2).hex() == plain, n
        assert b3.keyed(KEY, data, len(keyed) // 2).hex() == keyed, n
        assert b3.derive(CONTEXT, data, len(derived) // 2).hex() == derived, n


def test_many_lanes_equal_one_at_a_time():
    messages = [sample(n) for n in (0, 5, 13, 63, 64)]
    lengths = [8, 64, 65, 200, 128]
    for m, n, out in zip(messages, lengths, b3.keyed_outputs(KEY, messages, lengths)):
        assert out.tobytes() == b3.keyed(KEY, m, n)
    for length in (1, 64, 100, 524, 1024):
        rows = (np.arange(3 * length) % 251).astype(np.uint8).reshape(3, length)
        for row, derived, keyed in zip(rows, b3.derive_rows(CONTEXT, rows), b3.keyed_rows(KEY, rows)):
            assert derived.tobytes() == b3.derive(CONTEXT, row.tobytes())
            assert keyed.tobytes() == b3.keyed(KEY, row.tobytes())
