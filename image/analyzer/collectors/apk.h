#ifndef BW_IMAGE_ANALYZER_COLLECTORS_APK_H
#define BW_IMAGE_ANALYZER_COLLECTORS_APK_H

#include "image/analyzer/collector.h"

/* One package of an apk database; base NULL where absent. `files` are its lines from the first F: on. */
struct bw_apk_record {
    struct bw_str name, version, architecture, size, license, origin, maintainer;
    struct bw_str files;
};

/* One path of a package: a folder (F:) or a file (R: with its a: and Z:). */
struct bw_apk_path {
    struct bw_str folder; /* relative, "" for the root */
    struct bw_str name;   /* base NULL: the folder itself */
    struct bw_str mode;   /* octal digits of a:, base NULL when it has none */
    struct bw_str sum;    /* "Q1..." */
};

bool bw_apk_next_record(struct bw_apk_record *out, struct bw_str *rest);
/* Begin with rest = record->files and folder empty; the folder is carried from path to path. */
bool bw_apk_next_path(struct bw_apk_path *out, struct bw_str *rest, struct bw_str *folder);
/* "1.2.3-r4" -> "1.2.3" and "r4" (base NULL without a dash). */
void bw_apk_split_version(struct bw_str *version, struct bw_str *release, struct bw_str text);
/* "Q1" and SHA-1 or "Q2" and SHA-256, in base64: the algorithm's name and hex, or NULL. */
const char *bw_apk_sum(const char **hex_out, struct bw_str sum, struct bw_arena *arena);

/* As bw_dpkg_each_owned. */
int bw_apk_each_owned(struct bw_collect *at, int (*visit)(void *payload, const char *root, struct bw_str path),
                      void *payload, struct bw_error *err) BW_MUST_CHECK;

#endif
