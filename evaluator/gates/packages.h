#ifndef BW_EVALUATOR_GATES_PACKAGES_H
#define BW_EVALUATOR_GATES_PACKAGES_H

#include "evaluator/gate.h"

/* `verify` (evaluator/gates/packages_verify.c) */
enum { BW_VERIFY_PARAMS = 3 };
extern const struct bw_param bw_verify_params[BW_VERIFY_PARAMS];
int bw_verify_load(struct bw_loader *loader, struct bw_value *values, struct bw_error *err);
int bw_verify(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err);

#endif
