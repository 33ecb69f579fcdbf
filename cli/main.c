/* The program: finds the command, reads its options off its row, runs it. */
#include "base/memory.h"
#include "base/str.h"
#include "cli/command.h"
#include "image/analyzer/analyzer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct bw_command *const bw_commands[] = {
    &bw_command_serve,
    &bw_command_evaluate,
    &bw_command_analyze,
    &bw_command_check,
    &bw_command_test,
    &bw_command_explain,
    &bw_command_certs,
    &bw_command_uninstall,
    &bw_command_probe,
    &bw_command_version,
    NULL,
};

static size_t find_option(const struct bw_command *command, const char *name, size_t len)
{
    size_t i = 0;
    for (; command->options[i].name != NULL; i++) {
        if (strncmp(command->options[i].name, name, len) == 0 && command->options[i].name[len] == '\0') {
            return i;
        }
    }
    return i;
}

size_t bw_argument_all(const struct bw_arguments *arguments, const char *option, const char *const **values_out)
{
    size_t i = find_option(arguments->command, option, strlen(option));
    if (arguments->command->options[i].name == NULL) {
        abort();
    }
    *values_out = arguments->values[i];
    return arguments->n_values[i];
}

const char *bw_argument(const struct bw_arguments *arguments, const char *option)
{
    const char *const *values = NULL;
    size_t n = bw_argument_all(arguments, option, &values);
    return n == 0 ? NULL : values[n - 1];
}

int bw_trouble(const struct bw_arguments *arguments, const char *fmt, ...)
{
    char line[2 * BW_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    bw_text_clean(line, true);
    (void)fprintf(stderr, "breakwater %s: %s\n", arguments->command->name, line);
    return BW_EXIT_TROUBLE;
}

int bw_argument_choice(const struct bw_arguments *arguments, const char *option, const char *const *choices)
{
    const char *value = bw_argument(arguments, option);
    size_t n = 0;
    for (; choices[n] != NULL; n++) {
        if (value == NULL || strcmp(value, choices[n]) == 0) {
            return (int)n;
        }
    }
    const char *near = bw_suggest(value, choices, n);
    (void)bw_trouble(arguments, "--%s %s is not known%s%s; breakwater %s --help tells what is", option, value,
                     near == NULL ? "" : ", did you mean ", near == NULL ? "" : near, arguments->command->name);
    return -1;
}

/* Text wrapped at 78 columns behind an indent; a line that begins with a blank is kept as it is. */
static void print_wrapped(FILE *out, const char *text, int indent)
{
    struct bw_str rest = bw_str_from(text);
    for (struct bw_str line; bw_str_next(&line, &rest, '\n');) {
        int column = 0;
        if (line.len == 0 || line.base[0] == ' ') {
            (void)fprintf(out, "%*s%.*s\n", line.len == 0 ? 0 : indent, "", (int)line.len, line.base);
            continue;
        }
        for (struct bw_str word; bw_str_next_word(&word, &line);) {
            if (column > 0 && indent + column + 1 + (int)word.len > 78) {
                (void)fputc('\n', out);
                column = 0;
            }
            (void)fprintf(out, "%*s%.*s", column == 0 ? indent : 1, "", (int)word.len, word.base);
            column += (column == 0 ? 0 : 1) + (int)word.len;
        }
        (void)fputc('\n', out);
    }
}

static void print_help(const struct bw_command *command)
{
    printf("NAME\n    breakwater %s - %s\n\nSYNOPSIS\n", command->name, command->summary);
    print_wrapped(stdout, command->synopsis, 4);
    printf("\nDESCRIPTION\n");
    print_wrapped(stdout, command->description, 4);
    printf("\nOPTIONS\n");
    for (const struct bw_option *option = command->options; option->name != NULL; option++) {
        printf("    --%s%s%s\n", option->name, option->argument == NULL ? "" : " ",
               option->argument == NULL ? "" : option->argument);
        print_wrapped(stdout, option->doc, 8);
    }
    printf("    --help\n        Print this page.\n\nEXIT STATUS\n");
    print_wrapped(stdout, command->exit_status, 4);
    printf("\nEXAMPLES\n");
    print_wrapped(stdout, command->examples, 4);
}

static int print_overview(FILE *out, int status)
{
    (void)fprintf(
        out,
        "breakwater keeps bad container images out of Kubernetes clusters: it admits or denies pods by\n"
        "policy bundles, from the content of their images.\n\nusage: breakwater COMMAND [OPTION...] [ARGUMENT...]\n\n");
    for (size_t i = 0; bw_commands[i] != NULL; i++) {
        (void)fprintf(out, "  %-10s %s\n", bw_commands[i]->name, bw_commands[i]->summary);
    }
    (void)fprintf(out, "\nbreakwater COMMAND --help tells all about one.\n");
    return status;
}

static int unknown_option(const struct bw_arguments *arguments, const char *text)
{
    const char *names[BW_MAX_OPTIONS];
    size_t n = 0;
    for (; arguments->command->options[n].name != NULL; n++) {
        names[n] = arguments->command->options[n].name;
    }
    const char *near = strncmp(text, "--", 2) == 0 ? bw_suggest(text + 2, names, n) : NULL;
    return bw_trouble(arguments, "unknown option %s%s%s; see breakwater %s --help", text,
                      near == NULL ? "" : ", did you mean --", near == NULL ? "" : near, arguments->command->name);
}

/* As kubectl has them: -f FILE, -n NAME. */
static const char *spelt_out(const char *text)
{
    static const char *const letters[][2] = {{"-f", "--filename"}, {"-n", "--namespace"}};
    for (size_t i = 0; i < BW_LENGTH(letters); i++) {
        if (strcmp(text, letters[i][0]) == 0) {
            return letters[i][1];
        }
    }
    return text;
}

/* One option at argv[at]; *used is the number of words it took. 0, or the exit status of trouble. */
static int take_option(struct bw_arguments *arguments, char **argv, int argc, int at, int *used)
{
    const char *text = spelt_out(argv[at]), *name = text + 2, *equals = strchr(name, '=');
    size_t len = equals == NULL ? strlen(name) : (size_t)(equals - name);
    size_t i = strncmp(text, "--", 2) == 0 && len > 0 ? find_option(arguments->command, name, len) : BW_MAX_OPTIONS;
    const struct bw_option *option = i == BW_MAX_OPTIONS ? NULL : &arguments->command->options[i];
    if (option == NULL || option->name == NULL) {
        return unknown_option(arguments, text);
    }
    const char *value = "";
    *used = 1;
    if (option->argument != NULL && equals != NULL) {
        value = equals + 1;
    } else if (option->argument != NULL) {
        if (at + 1 >= argc) {
            return bw_trouble(arguments, "--%s needs %s", option->name, option->argument);
        }
        value = argv[at + 1];
        *used = 2;
    } else if (equals != NULL) {
        return bw_trouble(arguments, "--%s takes no value", option->name);
    }
    size_t n = arguments->n_values[i];
    if (n == BW_MAX_REPEATS || (n > 0 && !option->repeats)) {
        return bw_trouble(arguments, "--%s is given %s", option->name, n == 1 ? "twice" : "too often");
    }
    arguments->values[i][arguments->n_values[i]++] = value;
    return 0;
}

static int run_command(const struct bw_command *command, int argc, char **argv)
{
    static struct bw_arguments arguments; /* large, and there is one */
    const char **operands = calloc((size_t)argc + 1, sizeof(*operands));
    int status = operands == NULL ? BW_EXIT_TROUBLE : 0;
    bool options_end = false, help = false;
    arguments.command = command;
    arguments.operands = operands;
    for (int i = 0, used = 1; status == 0 && i < argc; i += used, used = 1) {
        if (!options_end && strcmp(argv[i], "--") == 0) {
            options_end = true;
        } else if (!options_end && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            help = true;
        } else if (!options_end && argv[i][0] == '-' && argv[i][1] != '\0') {
            status = take_option(&arguments, argv, argc, i, &used);
        } else {
            operands[arguments.n_operands++] = argv[i];
        }
    }
    if (status == 0 && help) {
        print_help(command);
    } else if (status == 0) {
        status = command->run(&arguments);
    }
    if (fflush(stdout) != 0 && status == 0) {
        status = bw_trouble(&arguments, "standard output cannot be written");
    }
    free(operands);
    return status;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], BW_ANALYZER_CHILD_COMMAND) == 0) {
        return bw_analyzer_child_main(argc - 1, argv + 1);
    }
    bw_memory_set_up();
    if (argc < 2) {
        return print_overview(stderr, BW_EXIT_TROUBLE);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        return print_overview(stdout, BW_EXIT_OK);
    }
    const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1], *names[16];
    size_t n = 0;
    for (; bw_commands[n] != NULL; n++) {
        names[n] = bw_commands[n]->name;
        if (strcmp(name, bw_commands[n]->name) == 0) {
            return run_command(bw_commands[n], argc - 2, argv + 2);
        }
    }
    const char *near = bw_suggest(name, names, n);
    (void)fprintf(stderr, "breakwater: no command \"%.60s\"%s%s; breakwater --help lists them\n", name,
                  near == NULL ? "" : ", did you mean ", near == NULL ? "" : near);
    return BW_EXIT_TROUBLE;
}
