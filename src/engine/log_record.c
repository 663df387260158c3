/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/log_record.h"

#include "crypto/blake3.h"

static const uint8_t segment_magic[8] = { 'T', 'B', 'B', 'L', 'O', 'C', 'K', 'S' };
static const uint8_t record_magic[4] = { 'T', 'B', 'R', '\n' };
static const uint8_t trailer[LOG_TRAILER] = { 'T', 'B', 'R', 'e', 'n', 'd', '.', '\n' };

void log_segment_derive(log_segment *segment)
{
    cr_blake3 h;
    cr_blake3_init_derive(&h, "theblock 2026 block log key v1");
    cr_blake3_update(&h, BYTES_OF(segment->genesis));
    cr_blake3_update(&h, bytes_of(segment->salt, LOG_SALT));
    hash256 key = cr_blake3_final(&h);
    memcpy(segment->key, key.b, sizeof segment->key);
}

void log_segment_encode(uint8_t out[LOG_SEGMENT_HEADER], const log_segment *segment)
{
    memcpy(out, segment_magic, 8);
    store_le32(out + 8, LOG_VERSION);
    store_le32(out + 12, LOG_SEGMENT_HEADER);
    store_le64(out + 16, segment->bytes);
    store_le64(out + 24, segment->first_height);
    memcpy(out + 32, segment->genesis.b, 32);
    memcpy(out + 64, segment->previous.b, 32);
    memcpy(out + 96, segment->salt, LOG_SALT);
    hash256 sum = cr_blake3_hash_in("theblock 2026 block log segment v1", bytes_of(out, 112));
    memcpy(out + 112, sum.b, 16);
}

err log_segment_decode(log_segment *out, bytes file, fault *f)
{
    const uint8_t *p = file.data;
    if (file.len < LOG_SEGMENT_HEADER)
        return fail(f, ERR_TRUNCATED, "block log segment: header", file.len);
    if (memcmp(p, segment_magic, 8) != 0)
        return fail(f, ERR_MAGIC, "block log segment: magic", 0);
    if (load_le32(p + 8) != LOG_VERSION)
        return fail(f, ERR_VERSION, "block log segment: version", 8);
    if (load_le32(p + 12) != LOG_SEGMENT_HEADER)
        return fail(f, ERR_RANGE, "block log segment: header length", 12);
    hash256 sum = cr_blake3_hash_in("theblock 2026 block log segment v1", bytes_of(p, 112));
    if (memcmp(p + 112, sum.b, 16) != 0)
        return fail(f, ERR_CHECKSUM, "block log segment: header checksum", 112);
    out->bytes = load_le64(p + 16);
    out->first_height = load_le64(p + 24);
    memcpy(out->genesis.b, p + 32, 32);
    memcpy(out->previous.b, p + 64, 32);
    memcpy(out->salt, p + 96, LOG_SALT);
    log_segment_derive(out);
    return OK;
}

static size_t padded(size_t len)
{
    return (len + 7) & ~(size_t)7;
}

size_t log_record_size(size_t len)
{
    return LOG_RECORD_HEADER + padded(len) + LOG_TRAILER;
}

/* Keyed, so that bytes inside a block cannot pass for a header. *seed starts the whitening of the record's body. */
static uint64_t header_tag(const log_segment *segment, const uint8_t *header, uint64_t *seed)
{
    cr_blake3 h;
    cr_blake3_init_keyed(&h, segment->key);
    cr_blake3_update(&h, bytes_of(header, 48));
    hash256 sum = cr_blake3_final(&h);
    *seed = load_le64(sum.b + 8);
    return load_le64(sum.b);
}

/* Adds (and so removes) a pseudo-random mask (splitmix64), so that no sector of a body is blank unless it was never written. */
static void whiten(uint8_t *body, size_t len, uint64_t seed)
{
    for (size_t i = 0; i < len; i += 8) {
        uint64_t z = seed += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        store_le64(body + i, load_le64(body + i) ^ z ^ z >> 31);
    }
}

/* Over the bytes as they are stored. */
static hash256 record_mark(const log_segment *segment, const uint8_t *header, bytes body)
{
    cr_blake3 h;
    cr_blake3_init_keyed(&h, segment->key);
    cr_blake3_update(&h, bytes_of(header, 56));
    cr_blake3_update(&h, body);
    return cr_blake3_final(&h);
}

void log_record_encode(uint8_t *out, hash256 *mark, const log_segment *segment, uint64_t height, const hash256 *previous,
                       bytes block)
{
    memcpy(out, record_magic, 4);
    store_le32(out + 4, (uint32_t)block.len);
    store_le64(out + 8, height);
    memcpy(out + 16, previous->b, 32);
    uint64_t seed;
    store_le64(out + 48, header_tag(segment, out, &seed));
    uint8_t *body = out + LOG_RECORD_HEADER;
    size_t   len = padded(block.len);
    memcpy(body, block.data, block.len);
    memset(body + block.len, 0, len - block.len);
    whiten(body, len, seed);
    *mark = record_mark(segment, out, bytes_of(body, len));
    memcpy(out + 56, mark->b, 32);
    memcpy(body + len, trailer, LOG_TRAILER);
}

/* The last word of the body in the clear, where the block does not fill it: block bytes, then padding. */
static void last_word(uint8_t out[8], const log_record *record)
{
    size_t whole = record->len & ~(size_t)7;
    memcpy(out, record->body + whole, 8);
    whiten(out, 8, record->seed + whole / 8 * 0x9e3779b97f4a7c15u);
}

void log_record_block(uint8_t *out, const log_record *record)
{
    size_t whole = record->len & ~(size_t)7;
    memcpy(out, record->body, whole);
    whiten(out, whole, record->seed);
    if (whole != record->len) {
        uint8_t last[8];
        last_word(last, record);
        memcpy(out + whole, last, record->len - whole);
    }
}

/* Padding is zero, so that a block has one record. */
static bool padding_is_zero(const log_record *record)
{
    uint8_t last[8], any = 0;
    if (record->len % 8 == 0)
        return true;
    last_word(last, record);
    for (size_t i = record->len % 8; i < 8; i++)
        any |= last[i];
    return any == 0;
}

/* Size of the record that the header at `at` announces; 0 if no header of this segment stands there. */
static size_t framed_size(bytes image, uint64_t at, const log_segment *segment, uint64_t *seed)
{
    if (at > image.len || image.len - at < LOG_RECORD_HEADER + LOG_TRAILER)
        return 0;
    const uint8_t *p = image.data + at;
    size_t len = load_le32(p + 4);
    if (memcmp(p, record_magic, 4) != 0 || len == 0 || len > LIMIT_LOG_RECORD_BYTES || log_record_size(len) > image.len - at)
        return 0;
    return header_tag(segment, p, seed) == load_le64(p + 48) ? log_record_size(len) : 0;
}

err log_record_decode(log_record *out, bytes image, uint64_t at, const log_segment *segment, fault *f)
{
    if (at > image.len || image.len - at < LOG_RECORD_HEADER + LOG_TRAILER)
        return fail(f, ERR_TRUNCATED, "block log record: header", at);
    const uint8_t *p = image.data + at;
    if (memcmp(p, record_magic, 4) != 0)
        return fail(f, ERR_MAGIC, "block log record: magic", at);
    uint64_t seed;
    size_t size = framed_size(image, at, segment, &seed);
    if (size == 0)
        return fail(f, ERR_CHECKSUM, "block log record: header", at);
    if (memcmp(p + size - LOG_TRAILER, trailer, LOG_TRAILER) != 0)
        return fail(f, ERR_TRUNCATED, "block log record: trailer", at + size - LOG_TRAILER);
    const uint8_t *body = p + LOG_RECORD_HEADER;
    hash256 mark = record_mark(segment, p, bytes_of(body, size - LOG_RECORD_HEADER - LOG_TRAILER));
    if (memcmp(mark.b, p + 56, 32) != 0)
        return fail(f, ERR_CHECKSUM, "block log record: mark", at);
    log_record record = { .height = load_le64(p + 8), .mark = mark, .body = body, .len = load_le32(p + 4), .seed = seed,
                          .size = size };
    memcpy(record.previous.b, p + 16, 32);
    if (!padding_is_zero(&record))
        return fail(f, ERR_CANONICAL, "block log record: padding", at + size - LOG_TRAILER - 8);
    *out = record;
    return OK;
}

static uint64_t last_nonzero_end(bytes image, uint64_t at)
{
    uint64_t end = image.len;
    while (end >= at + 8 && load_le64(image.data + end - 8) == 0)
        end -= 8;
    while (end > at && image.data[end - 1] == 0)
        end--;
    return end;
}

static bool blank(bytes image, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        if (image.data[i] != 0)
            return false;
    }
    return true;
}

/* True if one of the disk sectors that share bytes with [from, to) has only zeros there: it was never written. */
static bool has_blank_sector(bytes image, uint64_t from, uint64_t to)
{
    while (from < to) {
        uint64_t next = (from / LOG_SECTOR + 1) * LOG_SECTOR;
        uint64_t end = next < to ? next : to;
        if (blank(image, from, end))
            return true;
        from = end;
    }
    return false;
}

/* True if the record's last bytes are the start of the trailer, followed by zeros: the write stopped before its end. */
static bool trailer_unfinished(bytes image, uint64_t trailer_at)
{
    const uint8_t *p = image.data + trailer_at;
    size_t n = 0;
    while (n < LOG_TRAILER && p[n] == trailer[n])
        n++;
    return n < LOG_TRAILER && blank(image, trailer_at + n, trailer_at + LOG_TRAILER);
}

/* True if image[at .. end) is the start of a record header that was cut inside the header. */
static bool header_unfinished(bytes image, uint64_t at, uint64_t end)
{
    size_t n = end - at < sizeof record_magic ? (size_t)(end - at) : sizeof record_magic;
    return end - at < LOG_RECORD_HEADER && memcmp(image.data + at, record_magic, n) == 0;
}

err log_tail_judge(uint64_t *dirty_end, bytes image, uint64_t at, const log_segment *segment, bool last, fault *f)
{
    uint64_t end = last_nonzero_end(image, at);
    *dirty_end = end;
    if (end == at)
        return OK;
    if (!last)
        return fail(f, ERR_CHECKSUM, "block log: damaged record in a finished segment", at);
    /* A whole record behind it was appended after this one was durable, so this one was damaged later. The key is secret
     * from whoever fills blocks (the salt), so a block cannot contain such a record. */
    for (uint64_t next = at + 8; next < end; next += 8) {
        log_record ignored;
        uint64_t   seed;
        if (framed_size(image, next, segment, &seed) != 0 && log_record_decode(&ignored, image, next, segment, NULL) == OK)
            return fail(f, ERR_CHECKSUM, "block log: damaged record before the last one", at);
    }
    uint64_t seed;
    size_t   size = framed_size(image, at, segment, &seed);
    if (size != 0) {
        if (end > at + size)
            return fail(f, ERR_TRAILING, "block log: bytes behind the last record", at + size);
        if (has_blank_sector(image, at, at + size) || trailer_unfinished(image, at + size - LOG_TRAILER))
            return OK;
        return fail(f, ERR_CHECKSUM, "block log: last record altered", at);
    }
    /* Its header did not arrive, or not whole; what did arrive is at most one record long. */
    uint64_t sectors_end = (at + LOG_RECORD_HEADER + LOG_SECTOR - 1) / LOG_SECTOR * LOG_SECTOR;
    if (sectors_end > image.len)
        sectors_end = image.len;
    bool torn = has_blank_sector(image, at, sectors_end) || header_unfinished(image, at, end);
    if (torn && end - at <= log_record_size(LIMIT_LOG_RECORD_BYTES))
        return OK;
    return fail(f, ERR_MAGIC, "block log: not a record", at);
}
