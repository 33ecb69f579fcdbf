#ifndef BW_CLI_TEST_FACTS_H
#define BW_CLI_TEST_FACTS_H

#include "cli/test_value.h"
#include "image/platform.h"
#include "image/report.h"

/*
 * What a test says of an image in place: the layout of the recorded decisions ("analysis/1"), and short forms of it for
 * people, which are written out before the reader of analysis documents sees them.
 */

/* Members that nobody reads and short forms of a wrong shape become problems; -1 if there are any. */
int bw_test_facts_check(struct bw_test_reader *reader, const json_t *facts, const char *pointer);

/* The report of facts that were checked. platform, or NULL, is that of facts which do not say. *pointer_out: where a
 * fault is, below `facts`, in the arena. */
int bw_test_facts_report(struct bw_report **out, const char **pointer_out, const json_t *facts,
                         const struct bw_platform *platform, struct bw_arena *arena,
                         struct bw_error *err) BW_MUST_CHECK;

#endif
