#ifndef BW_IMAGE_REPORT_H
#define BW_IMAGE_REPORT_H

#include "image/manifest.h"
#include "image/needs.h"

/*
 * Everything an analysis learned about one image (the analysis document): immutable, counted, shared between threads.
 * Written once through a builder by the analyzer or a reader of documents; kept and sent as the binary form below
 * (compact, versioned, checked byte by byte when it is read, whoever wrote it); shown to people as JSON.
 * Absent texts are NULL, absent numbers -1. Texts are NUL-terminated, NUL-free, and as found: they may be invalid
 * UTF-8.
 */
#define BW_REPORT_SCHEMA "breakwater.analysis/1"
enum {
    BW_REPORT_REVISION = 1
}; /* raised when the analyzer sees other things in the same bytes: part of the cache key */

enum bw_file_type { BW_FILE_REGULAR, BW_FILE_DIRECTORY, BW_FILE_SYMLINK, BW_FILE_DEVICE, BW_FILE_OTHER };

struct bw_package {
    const char *type; /* the engine's word: dpkg, APKG, rpm, npm, gem, python, java, go, binary, ... */
    const char *name;
    const char *version;      /* without release for rpm and apk; the whole for dpkg */
    const char *release;      /* NULL when there is none */
    const char *full_version; /* version-release, or version */
    const char *arch, *source_name, *source_version, *origin;
    const char *license;         /* the engine's joined text; NULL when the analysis has none */
    const char *const *licenses; /* whole expressions */
    size_t n_licenses;
    const char *location; /* "pkgdb" or a path */
    const char *owned_by; /* the OS package that owns location, or NULL */
    const char *distro;   /* whose version order applies; NULL: the image's for dpkg, rpm, APKG, none for others */
    int64_t size;
};

struct bw_report_file {
    const char
        *path; /* absolute; files are sorted by path, bytewise, unique; side by side in memory, each with its NUL */
    const char *link;                /* symlink: target as written */
    const char *sha256, *sha1, *md5; /* hex; NULL where not computed */
    enum bw_file_type type;
    uint32_t mode; /* full st_mode */
    int64_t size;
    int64_t uid, gid;
    int32_t layer;
    bool capability; /* carries security.capability */
};

struct bw_verification { /* what a package database expects of a file */
    const char *path;
    const char *package, *package_type;
    const char *algorithm, *digest; /* "md5", "sha1", "sha256"; NULL when the database has none */
    int64_t mode, size;
    bool config_file;
};

struct bw_retrieved_file {
    const char *path;    /* as asked for */
    const char *content; /* len bytes, NUL after them */
    size_t len;
};

struct bw_pattern_hit { /* secrets and content search: one file and one pattern */
    const char *path;
    const char *pattern;  /* "NAME=REGEX" as configured */
    const int64_t *lines; /* from 0 */
    size_t n_lines;
};

struct bw_malware_finding {
    const char *scanner, *path, *signature; /* path and signature NULL: scanned by this scanner, clean */
};

struct bw_report_layer {
    struct bw_digest digest, diff_id;
    const char *media_type;
    uint64_t size;
};

struct bw_incomplete { /* a kind of data that was skipped or cut, and why */
    const char *kind;  /* "packages:rpm", "files", "secrets", "content_search", "retrieved_files", "licenses", ... */
    const char *reason;
};

struct bw_report {
    struct bw_digest digest; /* platform image manifest */
    const char *id;          /* hex of the config digest */
    const char *parent_digest, *media_type, *os, *architecture, *variant, *created, *config;
    int64_t size; /* as the engine computes it; -1 unknown */
    int64_t compressed_size;
    int64_t layer_count;
    const struct bw_report_layer *layers; /* may be fewer than layer_count in imported documents */
    size_t n_layers;
    const char *distro, *distro_version, *distro_like, *distro_source;
    const char *dockerfile_mode, *dockerfile; /* "Guessed", "Actual", NULL */
    const struct bw_package *packages;
    size_t n_packages;
    const struct bw_report_file *files;
    size_t n_files;
    const struct bw_verification *verifications;
    size_t n_verifications;
    const struct bw_retrieved_file *retrieved;
    size_t n_retrieved;
    const struct bw_pattern_hit *secrets;
    size_t n_secrets;
    const struct bw_pattern_hit *contents;
    size_t n_contents;
    const struct bw_malware_finding *malware;
    size_t n_malware;
    const struct bw_incomplete *incomplete;
    size_t n_incomplete;
    const char *const *warnings;
    size_t n_warnings;
    struct bw_needs covers;
    const char *source;   /* "layers", "document" */
    const char *analyzer; /* version of the program that made it */
    int64_t completed_s;
    uint32_t revision;
    /* Found out from the above when the report is finished: places in the lists above. */
    const uint32_t *by_name;          /* packages ordered by name, type and place */
    const uint32_t *same_name;        /* of each package: the first one of its type and name */
    const uint32_t *same_license;     /* of each package: the first one with the same licence texts */
    const uint32_t *privileged_files; /* with the setuid or setgid bit, ascending */
    size_t n_privileged_files;
    size_t memory; /* bytes this report holds, for caches */
};

struct bw_report *bw_report_retain(struct bw_report *report);
void bw_report_release(struct bw_report *report); /* NULL is fine */

const struct bw_report_file *bw_report_find_file(const struct bw_report *report, const char *path);
/* The first package of this type and name, or NULL. */
const struct bw_package *bw_report_find_package(const struct bw_report *report, const char *type, const char *name);
/* How many packages have this name, of whatever type; the places of the first and the last one, if there are any. */
size_t bw_report_count_packages(const struct bw_report *report, const char *name, size_t *first, size_t *last);
const char *bw_report_incomplete(const struct bw_report *report,
                                 const char *kind); /* the reason, or NULL; kind "packages"
                                                       also finds "packages:..." */

/* ---- building: one thread; everything given is copied ---- */
struct bw_report_builder;

struct bw_report_builder *bw_report_builder_create(size_t budget);
void bw_report_builder_destroy(struct bw_report_builder *builder);           /* NULL is fine */
struct bw_report *bw_report_builder_head(struct bw_report_builder *builder); /* scalars, layers, covers: texts must be
                                                                                made with the builder's arena */
struct bw_arena *bw_report_builder_arena(struct bw_report_builder *builder);
int bw_report_add_package(struct bw_report_builder *builder, const struct bw_package *package,
                          struct bw_error *err) BW_MUST_CHECK;
int bw_report_add_file(struct bw_report_builder *builder, const struct bw_report_file *file,
                       struct bw_error *err) BW_MUST_CHECK;
int bw_report_add_verification(struct bw_report_builder *builder, const struct bw_verification *record,
                               struct bw_error *err) BW_MUST_CHECK;
int bw_report_add_retrieved(struct bw_report_builder *builder, const struct bw_retrieved_file *file,
                            struct bw_error *err) BW_MUST_CHECK;
int bw_report_add_secret(struct bw_report_builder *builder, const struct bw_pattern_hit *hit,
                         struct bw_error *err) BW_MUST_CHECK;
int bw_report_add_content(struct bw_report_builder *builder, const struct bw_pattern_hit *hit,
                          struct bw_error *err) BW_MUST_CHECK;
int bw_report_add_malware(struct bw_report_builder *builder, const struct bw_malware_finding *finding,
                          struct bw_error *err) BW_MUST_CHECK;
int bw_report_add_incomplete(struct bw_report_builder *builder, const char *kind, const char *reason,
                             struct bw_error *err) BW_MUST_CHECK;
int bw_report_add_warning(struct bw_report_builder *builder, struct bw_error *err, const char *fmt, ...)
    BW_PRINTF(3, 4) BW_MUST_CHECK;
/* Sorts, checks, and hands the report to the caller; the builder is spent and still to be destroyed. */
int bw_report_builder_finish(struct bw_report **out, struct bw_report_builder *builder,
                             struct bw_error *err) BW_MUST_CHECK;

/* ---- binary form ---- */
/* malloc'ed; the caller frees. Deterministic: equal reports give equal bytes. */
int bw_report_encode(void **out, size_t *len_out, const struct bw_report *report, struct bw_error *err) BW_MUST_CHECK;
/* The bytes are not trusted: every length, order, enum and text is checked. BW_EINPUT names the place. */
int bw_report_decode(struct bw_report **out, const void *bytes, size_t len, struct bw_error *err) BW_MUST_CHECK;

#endif
