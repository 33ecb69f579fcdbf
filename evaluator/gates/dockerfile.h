#ifndef BW_EVALUATOR_GATES_DOCKERFILE_H
#define BW_EVALUATOR_GATES_DOCKERFILE_H

#include "evaluator/gate.h"

/* A Dockerfile cut into instructions, once per evaluation. */
struct bw_instruction {
    const char *word;   /* upper case */
    const char *line;   /* as written, blanks at both ends off, continuation lines joined */
    struct bw_str rest; /* of the line, behind the word */
};

struct bw_dockerfile {
    bool judged; /* the analysis has a Dockerfile, written or guessed */
    bool actual;
    const struct bw_instruction *instructions;
    size_t n_instructions;
    const char *const *joined; /* words of lines that were read otherwise than the engine reads them */
    size_t n_joined;
};

int bw_dockerfile_prepare(void **out, struct bw_scope *scope, struct bw_error *err) BW_MUST_CHECK;
/* Notes row 12 when the joining of lines touched instructions of this word. */
void bw_dockerfile_note_joined(struct bw_scope *scope, const struct bw_dockerfile *dockerfile, const char *word);

/* `EXPOSE` (evaluator/gates/dockerfile_ports.c) */
extern const struct bw_param bw_exposed_ports_params[];
enum { BW_EXPOSED_PORTS_PARAMS = 3 };
int bw_exposed_ports(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err);

#endif
