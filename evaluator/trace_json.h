#ifndef BW_EVALUATOR_TRACE_JSON_H
#define BW_EVALUATOR_TRACE_JSON_H

#include "base/json.h"
#include "evaluator/trace.h"

/* A decision for programs: what `breakwater evaluate --output json` and GET /debug/explain have in common. Texts are
 * copied. */

/* Adds bundle, action, reason, policies, findings, ... to an object; with `explain` an object of that name as well.
 * facts: those that were judged. */
void bw_judgement_json(json_t *into, const struct bw_judgement *judged, const struct bw_facts *facts, bool explain);
json_t *bw_finding_json(const struct bw_finding *finding);

#endif
