/* SPDX-License-Identifier: Apache-2.0 */
#include "torch/profile.h"

#include "torch/kernels/ops.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct bt_profile {
    FILE             *file;
    pthread_mutex_t   lock;
    bt_profile_totals totals;
};

static bt_profile      the_profile = { .lock = PTHREAD_MUTEX_INITIALIZER };
static bt_profile     *chosen;
static pthread_once_t  once = PTHREAD_ONCE_INIT;

static void open_profile(void)
{
    const char *path = getenv("BLOCKTORCH_PROFILE");
    if (!path || !*path)
        path = getenv("ORCHARD_TENSOR_PROFILE");
    if (!path || !*path)
        return;
    the_profile.file = strcmp(path, "-") == 0 ? stderr : fopen(path, "a");
    if (the_profile.file) {
        setvbuf(the_profile.file, NULL, _IOLBF, 0); /* processes may share the file: whole lines */
        chosen = &the_profile;
    } else {
        fprintf(stderr, "profile: cannot open %s\n", path);
    }
}

bt_profile *bt_profile_get(void)
{
    pthread_once(&once, open_profile);
    return chosen;
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

err bt_profile_launch(bt_profile *p, bt_device *device, bt_op op, const bt_args *args, uint64_t step, uint32_t tensor_id)
{
    if (!p)
        return device->backend->launch(device, op, args);
    uint64_t start = now_ns();
    err e = device->backend->launch(device, op, args);
    if (e == OK)
        e = device->backend->sync(device);
    uint64_t ns = now_ns() - start;
    pthread_mutex_lock(&p->lock);
    p->totals.launches++;
    p->totals.ns += ns;
    p->totals.bytes += args->n_bytes;
    p->totals.macs += args->macs;
    fprintf(p->file, "{\"step\":%" PRIu64 ",\"op\":\"%s\",\"tensor\":%" PRIu32 ",\"shape\":[%" PRIu64 ",%" PRIu64 "],\"ns\":%" PRIu64
            ",\"bytes\":%" PRIu64 ",\"macs\":%" PRIu64 "}\n",
            step, bt_op_name(op), tensor_id, args->rows, args->cols, ns, args->n_bytes, args->macs);
    pthread_mutex_unlock(&p->lock);
    return e;
}

void bt_profile_note(bt_profile *p, const char *op, uint64_t step, uint64_t ns, uint64_t n_bytes)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    fprintf(p->file, "{\"step\":%" PRIu64 ",\"op\":\"%s\",\"ns\":%" PRIu64 ",\"bytes\":%" PRIu64 "}\n", step, op, ns, n_bytes);
    pthread_mutex_unlock(&p->lock);
}

bt_profile_totals bt_profile_sum(const bt_profile *p)
{
    return p ? p->totals : (bt_profile_totals){ 0 };
}
