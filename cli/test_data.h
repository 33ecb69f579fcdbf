#ifndef BW_CLI_TEST_DATA_H
#define BW_CLI_TEST_DATA_H

#include "cli/test_value.h"
#include "evaluator/evaluate.h"

/* What a test says that is known beside an image's analysis: its vulnerabilities, and feeds of published packages. */
struct bw_test_vulnerability {
    struct bw_vulnerability_match match; /* of the package with this name alone, unless it has more */
    bool of_image;                       /* that package is the image's own */
};

struct bw_test_data {
    const char *pointer; /* of the vulnerabilities; NULL: nothing is known of them */
    struct bw_test_vulnerability *items;
    size_t n_items;
    const char
        *about; /* pointer of vulnerabilityData; NULL: they are of the moment, and know the image's distribution */
    int64_t built_s;
    const char *const *distros;
    size_t n_distros;
    struct bw_package_feed npm, gem;
    bool has_npm, has_gem;
};

/* Readers of the keys of a case; base is its struct bw_test_data. */
int bw_test_vulnerabilities_read(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base);
int bw_test_vulnerability_data_read(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base);
int bw_test_feeds_read(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base);

/* Into facts that have their report and time. -1: *pointer_out says where the fault is. All memory from the arena. */
int bw_test_data_apply(struct bw_facts *facts, const char **pointer_out, const struct bw_test_data *data,
                       struct bw_arena *arena, struct bw_error *err) BW_MUST_CHECK;

#endif
