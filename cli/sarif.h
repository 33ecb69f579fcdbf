#ifndef BW_CLI_SARIF_H
#define BW_CLI_SARIF_H

#include "base/error.h"

#include <jansson.h>

/* A SARIF 2.1.0 document of one run, as commands fill it. */
struct bw_sarif {
    json_t *document;
    json_t *rules; /* id to its place in the run's rules */
};

void bw_sarif_begin(struct bw_sarif *sarif);
void bw_sarif_finish(struct bw_sarif *sarif); /* prints the document on standard output, and frees it */

json_t *bw_sarif_run(const struct bw_sarif *sarif, const char *key); /* a member of the run, borrowed */
json_t *bw_sarif_message(const char *text);
/* A relative reference (RFC 3986): what may not stand in one, and a colon that would begin a scheme, is quoted. */
json_t *bw_sarif_uri(const char *name);
/* The place of a rule among those of the run; it is added if it is new. comment may be NULL or "". */
json_int_t bw_sarif_rule(struct bw_sarif *sarif, const char *id, const char *doc, const char *comment,
                         const char *level);
/* level: "error", "warning", "note". Takes over locations; what it returns is the run's and can be completed. */
json_t *bw_sarif_result(struct bw_sarif *sarif, const char *id, json_int_t rule, const char *level, const char *text,
                        json_t *locations);
/* Something could not be looked at: the run was no success. */
void bw_sarif_failure(struct bw_sarif *sarif, const char *text);

#endif
