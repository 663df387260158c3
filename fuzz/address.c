/* SPDX-License-Identifier: Apache-2.0
 * An address that is accepted has one text: encoding it again gives the input in lower case. */
#include "crypto/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[256], again[CR_ADDRESS_TEXT_MAX];
    cr_address a;
    fault f = { 0 };
    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    err e = cr_address_decode(&a, "tb", text, &f);
    CHECK((e == OK) == (f.code == OK));
    if (e != OK)
        return 0;
    cr_address_encode(again, "tb", &a);
    for (char *c = text; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    CHECK(strcmp(text, again) == 0);
    return 0;
}
