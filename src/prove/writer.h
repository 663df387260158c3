/* SPDX-License-Identifier: Apache-2.0
 *
 * A proof as it is written: what is sent is appended and absorbed in the same call, as proof/reader.h receives it. Forks of the
 * transcript have writers of their own, whose bytes are appended in order afterwards. */
#ifndef PROVE_WRITER_H
#define PROVE_WRITER_H

#include "base/buf.h"
#include "proof/transcript.h"

typedef struct pv_writer {
    buf           out;
    pf_transcript t;
} pv_writer;

err pv_send_fx(pv_writer *w, const char *label, const fx *x, size_t n) MUST_USE;
err pv_send_bytes(pv_writer *w, const char *label, bytes data) MUST_USE;

#endif
