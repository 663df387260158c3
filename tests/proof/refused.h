/* SPDX-License-Identifier: Apache-2.0
 *
 * Which checks of the verifier refuse a proof: it is shown to verifiers in which some of them are missing (plant.h). */
#ifndef TESTS_PROOF_REFUSED_H
#define TESTS_PROOF_REFUSED_H

#include "plant.h"
#include "prove/step_kit.h"

/* `missing`: as plant.check. */
static inline err verify_without(const char *missing, step_kit *k, const buf *proof, fault *f)
{
    planted.check = missing;
    err e = pf_verify(&k->subject, buf_bytes(proof), NULL, f);
    planted.check = NULL;
    return e;
}

/* The proof is refused by the first of the checks, which are parted by |; by any of them where the others are missing; by nothing else. */
static inline void assert_refused(const char *name, const char *checks, step_kit *k, const buf *proof)
{
    enum { LIST_MAX = 128 };
    fault f = { 0 };
    size_t first = strcspn(checks, "|");
    assert_true(strlen(checks) < LIST_MAX);
    if (verify_without(NULL, k, proof, &f) == OK || strlen(f.what) != first || strncmp(f.what, checks, first) != 0)
        fail_msg("%s: %s", name, f.code == OK ? "accepted" : f.what);
    for (const char *at = checks, *next; at; at = next) {
        char others[LIST_MAX];
        next = strchr(at, '|') ? strchr(at, '|') + 1 : NULL;
        memcpy(others, checks, (size_t)(at - checks));
        strcpy(others + (at - checks), next ? next : "");
        if (verify_without(others, k, proof, &f) == OK || strncmp(f.what, at, strlen(f.what)) != 0)
            fail_msg("%s: without %s", name, others);
    }
    if (verify_without(checks, k, proof, &f) != OK)
        fail_msg("%s: %s says so, too", name, f.what);
}

#endif
