#ifndef BW_CLI_PREVIOUS_H
#define BW_CLI_PREVIOUS_H

#include "cli/settings.h"
#include "evaluator/evaluate.h"

/* The report that --previous names: a stored analysis in any format that is read, or an image. *out is NULL without the
 * option. */
int bw_previous_open(struct bw_report **out, const struct bw_arguments *arguments, const struct bw_config *config,
                     struct bw_error *err) BW_MUST_CHECK;

/* Says on standard error why rules had nothing to look at, each reason once. */
void bw_notes_print(const struct bw_arguments *arguments, const char *image, const struct bw_decision *decision);

#endif
