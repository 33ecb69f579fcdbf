#ifndef BW_CLI_COMMAND_H
#define BW_CLI_COMMAND_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* The breakwater program: one file per command, each a row. Parsing, `--help` and the errors are read off the rows. */
struct bw_option {
    const char *name;     /* "output" for --output */
    const char *argument; /* what follows, as shown ("FILE"); NULL: a switch */
    const char *doc;
    bool repeats;
};

enum { BW_MAX_OPTIONS = 24, BW_MAX_REPEATS = 64 };

struct bw_arguments {
    const struct bw_command *command;
    const char *values[BW_MAX_OPTIONS][BW_MAX_REPEATS]; /* by position in the command's options; "" for a switch */
    size_t n_values[BW_MAX_OPTIONS];
    const char *const *operands;
    size_t n_operands;
};

struct bw_command {
    const char *name;
    const char *summary;
    const char *synopsis; /* without "breakwater" */
    const char *description;
    const struct bw_option *options; /* name NULL ends */
    const char *exit_status;
    const char *examples;
    int (*run)(const struct bw_arguments *arguments); /* returns the exit status */
};

extern const struct bw_command *const bw_commands[]; /* NULL-terminated */
extern const struct bw_command bw_command_serve, bw_command_evaluate, bw_command_analyze, bw_command_check,
    bw_command_test, bw_command_explain, bw_command_certs, bw_command_uninstall, bw_command_probe, bw_command_version;

enum { BW_EXIT_OK = 0, BW_EXIT_STOPPED = 1, BW_EXIT_TROUBLE = 2 };

/* The last value of an option, or NULL. An option that the command does not have is a broken invariant: abort. */
const char *bw_argument(const struct bw_arguments *arguments, const char *option);
size_t bw_argument_all(const struct bw_arguments *arguments, const char *option, const char *const **values_out);

/* One line on standard error, "breakwater COMMAND: ...". Returns BW_EXIT_TROUBLE. */
int bw_trouble(const struct bw_arguments *arguments, const char *fmt, ...) BW_PRINTF(2, 3);

/* Index of the option's value in choices (NULL-terminated), 0 when absent, -1 after saying what is allowed. */
int bw_argument_choice(const struct bw_arguments *arguments, const char *option, const char *const *choices);

#endif
