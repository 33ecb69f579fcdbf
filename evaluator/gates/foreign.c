/* Gates of Anchore Enterprise that are not evaluated here: refused at load by name, so that nobody takes them for a
 * misspelling. */
#include "evaluator/gate.h"

#define FOREIGN(variable, word, sentence)                                                                              \
    const struct bw_gate bw_gate_##variable = {.name = word, .doc = sentence, .state = BW_GATE_FOREIGN}

FOREIGN(ancestry, "ancestry", "Base images of an image, which need a history of analyses.");
FOREIGN(image_source_drift, "image_source_drift", "Differences between an image and its source repository.");
FOREIGN(stig, "stig", "Results of STIG profiles.");
