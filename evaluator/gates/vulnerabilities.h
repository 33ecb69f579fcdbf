#ifndef BW_EVALUATOR_GATES_VULNERABILITIES_H
#define BW_EVALUATOR_GATES_VULNERABILITIES_H

#include "evaluator/gate.h"

/* `package` (evaluator/gates/vulnerabilities_package.c) */
enum { BW_VULNERABLE_PACKAGE_PARAMS = 20 };
extern const struct bw_param bw_vulnerable_package_params[BW_VULNERABLE_PACKAGE_PARAMS];
int bw_vulnerable_package_load(struct bw_loader *loader, struct bw_value *values, struct bw_error *err);
int bw_vulnerable_package(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err);

/* The matches to judge. NULL with 0: there are no data and the policy asks for that itself; -1: there are none, so the
 * rule cannot be evaluated. */
int bw_vulnerabilities_get(const struct bw_vulnerabilities **out, struct bw_scope *scope,
                           struct bw_error *err) BW_MUST_CHECK;
/* Notes row 35 where a match made a difference that the engine would not have seen. */
void bw_vulnerability_note(struct bw_scope *scope, const struct bw_vulnerability_match *match);

#endif
