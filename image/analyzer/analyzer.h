#ifndef BW_IMAGE_ANALYZER_ANALYZER_H
#define BW_IMAGE_ANALYZER_ANALYZER_H

#include "image/report.h"
#include "image/source.h"

/*
 * Pull, unpack and catalog one image. The caller's process holds network and credentials: it reads the blobs (size and
 * digest checked) and hands their bytes through shared memory to a child of the same program, which alone touches the
 * image's content: it has its descriptors and nothing else (rlimits, seccomp, Landlock where the kernel has it). The
 * report that comes back is read as strictly as one from a shared cache.
 */
struct bw_analyzer_options {
    struct bw_needs needs;
    uint64_t secret_max_bytes;    /* 10 000 by default */
    uint64_t retrieved_max_bytes; /* 1 000 KiB by default */
    bool fetch_foreign_layers;
    unsigned layers_in_flight; /* 0: min(cores, 4) */
    unsigned cpu_s, wall_s;    /* 0: the limits of base/limits.h */
    const char *program;       /* what to run as the child; NULL: /proc/self/exe */
    /* Called now and then on the analysing thread: layers and compressed bytes done so far. May be NULL. */
    void (*progress)(void *payload, size_t layers_done, size_t n_layers, uint64_t bytes_done, uint64_t n_bytes);
    void *payload;
};

/*
 * The platform image manifest `digest` of the reference's repository. Blocks (network and analysis). Details of content
 * faults: layer_corrupt, layer_format, layer_unsupported, tar_corrupt, tar_limit, diff_id_mismatch,
 * config_layer_mismatch, blob_digest_mismatch, blob_size_mismatch, decompression_bomb, image_too_large,
 * too_many_layers, foreign_layer, analyzer_crashed, analyzer_timeout.
 */
int bw_analyze(struct bw_report **out, struct bw_image_source *source, const struct bw_reference *reference,
               const struct bw_digest *digest, const struct bw_analyzer_options *options, struct bw_deadline deadline,
               struct bw_error *err) BW_MUST_CHECK;

/* The child's side: main() calls this when the internal command was given; returns the exit status. */
#define BW_ANALYZER_CHILD_COMMAND "analyzer-child"
int bw_analyzer_child_main(int argc, char **argv);

#endif
