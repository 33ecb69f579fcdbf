/* The tables of report_record.h and the deep copy. The binary form follows the order of the fields here: a change of
 * any table is a change of its magic word in report_binary.c. */
#include "image/report_record.h"

#include "base/limits.h"

#include <string.h>

#define FIELD(type, member, kind)                                                                                      \
    {                                                                                                                  \
#member, BW_FIELD_##kind, offsetof(type, member), 0, NULL, 0                                                   \
    }
#define MANY(type, member, count, kind, max)                                                                           \
    {                                                                                                                  \
#member, BW_FIELD_##kind, offsetof(type, member), offsetof(type, count), NULL, (max)                           \
    }
#define LIST(type, member, count, record, max)                                                                         \
    {                                                                                                                  \
#member, BW_FIELD_LIST, offsetof(type, member), offsetof(type, count), &(record), (max)                        \
    }
#define RECORD(type, fields)                                                                                           \
    {                                                                                                                  \
        sizeof(type), (fields), BW_LENGTH(fields)                                                                      \
    }

#define OF(member, kind) FIELD(struct bw_package, member, kind)
static const struct bw_field package_fields[] = {
    OF(type, NAME),
    OF(name, NAME),
    OF(version, TEXT),
    OF(release, TEXT),
    OF(full_version, TEXT),
    OF(arch, TEXT),
    OF(source_name, TEXT),
    OF(source_version, TEXT),
    OF(origin, TEXT),
    OF(license, TEXT),
    MANY(struct bw_package, licenses, n_licenses, TEXTS, BW_MAX_LICENSES),
    OF(location, TEXT),
    OF(owned_by, TEXT),
    OF(distro, TEXT),
    OF(size, NUMBER),
};
#undef OF
static const struct bw_record package_record = RECORD(struct bw_package, package_fields);

#define OF(member, kind) FIELD(struct bw_report_file, member, kind)
static const struct bw_field file_fields[] = {
    OF(path, NAME),  OF(link, TEXT),   OF(sha256, TEXT), OF(sha1, TEXT),  OF(md5, TEXT),    OF(type, TYPE),
    OF(mode, SHORT), OF(size, NUMBER), OF(uid, NUMBER),  OF(gid, NUMBER), OF(layer, SHORT), OF(capability, BOOL),
};
#undef OF
static const struct bw_record file_record = RECORD(struct bw_report_file, file_fields);

#define OF(member, kind) FIELD(struct bw_verification, member, kind)
static const struct bw_field verification_fields[] = {
    OF(path, NAME),   OF(package, NAME), OF(package_type, TEXT), OF(algorithm, TEXT),
    OF(digest, TEXT), OF(mode, NUMBER),  OF(size, NUMBER),       OF(config_file, BOOL),
};
#undef OF
static const struct bw_record verification_record = RECORD(struct bw_verification, verification_fields);

static const struct bw_field retrieved_fields[] = {
    FIELD(struct bw_retrieved_file, path, NAME),
    MANY(struct bw_retrieved_file, content, len, BYTES, BW_MAX_KEPT_BYTES),
};
static const struct bw_record retrieved_record = RECORD(struct bw_retrieved_file, retrieved_fields);

static const struct bw_field hit_fields[] = {
    FIELD(struct bw_pattern_hit, path, NAME),
    FIELD(struct bw_pattern_hit, pattern, NAME),
    MANY(struct bw_pattern_hit, lines, n_lines, NUMBERS, BW_MAX_HIT_LINES),
};
static const struct bw_record hit_record = RECORD(struct bw_pattern_hit, hit_fields);

static const struct bw_field malware_fields[] = {
    FIELD(struct bw_malware_finding, scanner, NAME),
    FIELD(struct bw_malware_finding, path, TEXT),
    FIELD(struct bw_malware_finding, signature, TEXT),
};
static const struct bw_record malware_record = RECORD(struct bw_malware_finding, malware_fields);

static const struct bw_field layer_fields[] = {
    FIELD(struct bw_report_layer, digest, DIGEST),
    FIELD(struct bw_report_layer, diff_id, DIGEST),
    FIELD(struct bw_report_layer, media_type, TEXT),
    FIELD(struct bw_report_layer, size, NUMBER),
};
static const struct bw_record layer_record = RECORD(struct bw_report_layer, layer_fields);

static const struct bw_field incomplete_fields[] = {
    FIELD(struct bw_incomplete, kind, NAME),
    FIELD(struct bw_incomplete, reason, NAME),
};
static const struct bw_record incomplete_record = RECORD(struct bw_incomplete, incomplete_fields);

#define OF(member, count) MANY(struct bw_needs, member, count, TEXTS, BW_MAX_NEEDS)
static const struct bw_field needs_fields[] = {
    OF(secret_patterns, n_secret_patterns),
    OF(content_patterns, n_content_patterns),
    OF(retrieved_paths, n_retrieved_paths),
    FIELD(struct bw_needs, file_digests, BOOL),
};
#undef OF
static const struct bw_record needs_record = RECORD(struct bw_needs, needs_fields);

#define OF(member, kind)             FIELD(struct bw_report, member, kind)
#define OF_LIST(member, record, max) LIST(struct bw_report, member, n_##member, record, max)
static const struct bw_field report_fields[] = {
    OF(revision, SHORT),
    OF(digest, DIGEST),
    OF(id, TEXT),
    OF(parent_digest, TEXT),
    OF(media_type, TEXT),
    OF(os, TEXT),
    OF(architecture, TEXT),
    OF(variant, TEXT),
    OF(created, TEXT),
    OF(config, TEXT),
    OF(size, NUMBER),
    OF(compressed_size, NUMBER),
    OF(layer_count, NUMBER),
    OF_LIST(layers, layer_record, BW_MAX_LAYERS),
    OF(distro, TEXT),
    OF(distro_version, TEXT),
    OF(distro_like, TEXT),
    OF(distro_source, TEXT),
    OF(dockerfile_mode, TEXT),
    OF(dockerfile, TEXT),
    OF_LIST(packages, package_record, BW_MAX_PACKAGES),
    OF_LIST(files, file_record, BW_MAX_ENTRIES),
    OF_LIST(verifications, verification_record, BW_MAX_VERIFICATIONS),
    OF_LIST(retrieved, retrieved_record, BW_MAX_NEEDS),
    OF_LIST(secrets, hit_record, BW_MAX_SECRET_HITS),
    OF_LIST(contents, hit_record, BW_MAX_SECRET_HITS),
    OF_LIST(malware, malware_record, BW_MAX_MALWARE),
    OF_LIST(incomplete, incomplete_record, BW_MAX_REMARKS),
    MANY(struct bw_report, warnings, n_warnings, TEXTS, BW_MAX_REMARKS),
    {"covers", BW_FIELD_RECORD, offsetof(struct bw_report, covers), 0, &needs_record, 0},
    OF(source, TEXT),
    OF(analyzer, TEXT),
    OF(completed_s, NUMBER),
};
#undef OF
#undef OF_LIST
const struct bw_record bw_report_record = RECORD(struct bw_report, report_fields);

const struct bw_field *bw_report_list(size_t offset)
{
    for (size_t i = 0; i < BW_LENGTH(report_fields); i++)
        if (report_fields[i].offset == offset && report_fields[i].max != 0)
            return &report_fields[i];
    return NULL;
}

static int copy_text(void *to, const void *from, struct bw_arena *arena, struct bw_error *err)
{
    const char *text = *(const char *const *)from;
    if (text == NULL)
        return 0;
    char *copy = bw_arena_strdup(arena, text);
    if (copy == NULL)
        return bw_arena_spent(err);
    *(const char **)to = copy;
    return 0;
}

static int copy_texts(void *to, const void *from, size_t count, struct bw_arena *arena, struct bw_error *err)
{
    const char *const *texts = *(const char *const *const *)from;
    const char **copies = bw_arena_array(arena, count, sizeof(*copies));
    if (copies == NULL)
        return bw_arena_spent(err);
    for (size_t i = 0; i < count; i++)
        if (copy_text(&copies[i], &texts[i], arena, err))
            return -1;
    *(const char *const **)to = copies;
    return 0;
}

static int copy_list(void *to, const void *from, size_t count, const struct bw_record *record, struct bw_arena *arena,
                     struct bw_error *err)
{
    const char *elements = *(const char *const *)from;
    char *copies = bw_arena_array(arena, count, record->size);
    if (copies == NULL)
        return bw_arena_spent(err);
    for (size_t i = 0; i < count; i++)
        if (bw_record_copy(copies + i * record->size, elements + i * record->size, record, arena, err))
            return -1;
    *(const char **)to = copies;
    return 0;
}

static int copy_block(void *to, const void *from, size_t len, struct bw_arena *arena, struct bw_error *err)
{
    char *copy = bw_arena_alloc(arena, len + 1); /* one more: the NUL after bytes */
    if (copy == NULL)
        return bw_arena_spent(err);
    memcpy(copy, *(const char *const *)from, len);
    *(const char **)to = copy;
    return 0;
}

int bw_record_copy(void *to, const void *from, const struct bw_record *record, struct bw_arena *arena,
                   struct bw_error *err)
{
    memcpy(to, from, record->size);
    for (size_t i = 0; i < record->n_fields; i++) {
        const struct bw_field *field = &record->fields[i];
        void *target = (char *)to + field->offset;
        const void *origin = (const char *)from + field->offset;
        size_t count = field->count_offset ? *(const size_t *)((const char *)from + field->count_offset) : 0;
        int result = 0;
        if (field->max != 0 && count > field->max)
            return bw_error_detail(err, BW_ELIMIT, "report_limit", "%s: %zu of them, at most %zu are kept", field->name,
                                   count, field->max);
        switch (field->kind) {
        case BW_FIELD_TEXT:
        case BW_FIELD_NAME:
            result = copy_text(target, origin, arena, err);
            break;
        case BW_FIELD_BYTES:
            result = *(const char *const *)origin ? copy_block(target, origin, count, arena, err) : 0;
            break;
        case BW_FIELD_NUMBERS:
            result = count ? copy_block(target, origin, count * sizeof(int64_t), arena, err) : 0;
            break;
        case BW_FIELD_TEXTS:
            result = count ? copy_texts(target, origin, count, arena, err) : 0;
            break;
        case BW_FIELD_LIST:
            result = count ? copy_list(target, origin, count, field->of, arena, err) : 0;
            break;
        case BW_FIELD_RECORD:
            result = bw_record_copy(target, origin, field->of, arena, err);
            break;
        default: /* the structure's own bytes are copied */
            break;
        }
        if (result)
            return -1;
    }
    return 0;
}
