#ifndef BW_IMAGE_ANALYZER_TAR_H
#define BW_IMAGE_ANALYZER_TAR_H

#include "image/report.h"

/*
 * A push reader of tar streams as layers hold them: V7, ustar, GNU (long names, sparse), PAX (POSIX.1-2001). Bytes
 * arrive in any pieces; memory is one header, three extended payloads and a sparse map. Names are normalised as
 * container runtimes do: rooted, "." and ".." resolved, nothing leaves the root.
 */
struct bw_tar_entry {
    const char *path; /* absolute, "/" for the root */
    const char *link; /* target of a symlink or hard link as written, else NULL */
    enum bw_file_type type;
    bool hard_link;
    bool capability; /* carries security.capability */
    bool overlay;    /* carries trusted.overlay.* that borrows content or names from elsewhere */
    bool no_content; /* a sparse file too large to be spelled out: no data() follows */
    uint32_t mode;   /* full st_mode */
    int64_t uid, gid, size;
};

struct bw_tar_sink { /* -1 from any of them ends the reading with that error */
    int (*entry)(void *self, const struct bw_tar_entry *entry, struct bw_error *err);
    int (*data)(void *self, const char *bytes, size_t len, struct bw_error *err); /* of a regular file, in order */
    int (*end)(void *self, struct bw_error *err);                                 /* a regular file is complete */
    void (*warning)(void *self, const char *text);
};

struct bw_tar;

struct bw_tar *bw_tar_create(const struct bw_tar_sink *sink, void *self);
void bw_tar_destroy(struct bw_tar *tar); /* NULL is fine */
/* Details: tar_corrupt, tar_limit. */
int bw_tar_feed(struct bw_tar *tar, const char *bytes, size_t len, struct bw_error *err) BW_MUST_CHECK;
/* After the last byte: -1 if the archive ends in the middle of something. */
int bw_tar_finish(struct bw_tar *tar, struct bw_error *err) BW_MUST_CHECK;
/* Whether the first block was one of a tar at all. */
bool bw_tar_is_recognised(const struct bw_tar *tar);

/* "./a//b/../c" -> "/a/c" into out (BW_MAX_PATH_BYTES + 2 bytes). 0; 1 when ".." wanted to leave the root (and stayed);
 * -1 when a component or the whole is too long to exist. */
int bw_tar_path(char *out, const char *name, size_t len);

#endif
