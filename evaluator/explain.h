#ifndef BW_EVALUATOR_EXPLAIN_H
#define BW_EVALUATOR_EXPLAIN_H

#include "base/error.h"

#include <stdio.h>

/* What the tables say, for a person: all gates, one gate, or one trigger. Either name may be NULL. An unknown name is
 * BW_ENOTFOUND with a suggestion. */
int bw_explain_text(FILE *out, const char *gate, const char *trigger, struct bw_error *err) BW_MUST_CHECK;
int bw_explain_markdown(FILE *out, const char *gate, const char *trigger,
                        struct bw_error *err) BW_MUST_CHECK; /* docs/gates.md */
int bw_explain_json_schema(FILE *out);                       /* docs/bundle.schema.json */

#endif
