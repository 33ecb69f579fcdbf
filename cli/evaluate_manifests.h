#ifndef BW_CLI_EVALUATE_MANIFESTS_H
#define BW_CLI_EVALUATE_MANIFESTS_H

#include "cli/settings.h"

/* breakwater evaluate -f: every workload of the manifests, as an admission would answer it. Returns the exit status. */
int bw_evaluate_manifests(const struct bw_arguments *arguments, struct bw_config *config, bool json);

#endif
