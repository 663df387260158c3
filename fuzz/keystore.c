/* SPDX-License-Identifier: Apache-2.0
 * The parts of a keystore file that are read before the passphrase. (The key derivation is slow on purpose; the box behind
 * it is covered by the byte-flip test.) */
#include "crypto/keystore_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bytes file = bytes_of(data, size);
    keystore_file k;
    cr_public_key key;
    char label[65];
    fault f = { 0 };
    err parsed = keystore_parse(&k, file, &f);
    CHECK((parsed == OK) == (f.code == OK) && (parsed == OK || f.what));
    CHECK(cr_keystore_decode_public(file, &key, label, NULL) == parsed);
    if (parsed == OK) {
        CHECK(strlen(label) < sizeof label && size <= KEYSTORE_FILE_MAX);
        CHECK(k.clear.data == data && k.clear.len < size);
        CHECK(k.memlimit <= (uint64_t)1 << 30 && k.opslimit <= 16);
    }
    return 0;
}
