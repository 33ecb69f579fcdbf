#ifndef BW_CLI_CHECK_OUTPUT_H
#define BW_CLI_CHECK_OUTPUT_H

#include "base/yaml.h"
#include "cli/sarif.h"
#include "evaluator/bundle.h"

/* How `breakwater check` tells what it finds: text as it comes, JSON and SARIF at the end. */
enum bw_check_format { BW_CHECK_TEXT, BW_CHECK_JSON, BW_CHECK_SARIF };

struct bw_check_output {
    enum bw_check_format format;
    json_t *faults;
    struct bw_sarif sarif;
};

struct bw_check_place {
    const char *file;  /* as on the command line */
    const char *part;  /* of a manifest: "ConfigMap prod", "ConfigMap prod data[prod.json]"; NULL: all of the file */
    const char *field; /* "data[prod.json]"; NULL: the part is no text of its own */
    struct bw_yaml_place at; /* of that text in the file; line 0: not known */
};

void bw_check_begin(struct bw_check_output *output, enum bw_check_format format);
/* What was found in one text; where, is looked up in it. */
void bw_check_tell(struct bw_check_output *output, const struct bw_check_place *place, const char *text, size_t len,
                   const struct bw_problems *problems);
/* A fault of the manifest around the bundles. */
void bw_check_tell_manifest(struct bw_check_output *output, const struct bw_check_place *place, bool error,
                            const char *message);
void bw_check_end(struct bw_check_output *output, bool complete);

#endif
