/* breakwater test: what bundles are expected to decide, from files beside them (docs/testing-bundles.md). */
#include "base/deadline.h"
#include "base/limits.h"
#include "base/str.h"
#include "base/watch_dir.h"
#include "base/yaml.h"
#include "cli/test_facts.h"
#include "cli/test_output.h"
#include "image/report_json.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const outputs[] = {"text", "json", "junit", NULL};
static const struct bw_test_writer *const writers[] = {&bw_test_text, &bw_test_json, &bw_test_junit};

enum { MAX_LOCATED = 100 }; /* failures of one file whose line is looked up, each by a walk over the text */

struct testing {
    const struct bw_arguments *arguments;
    const struct bw_test_writer *writer;
    struct bw_test_show show;
    const char *only; /* of --run, or NULL */
    char **files;
    size_t n_files, capacity;
    bool trouble;
};

struct open_file { /* one test file while its cases run */
    struct testing *at;
    const char *path;
    const char *text;
    size_t len, n_located;
    struct bw_test_file file;
    struct bw_bundle *bundle; /* the file's, once it was loaded */
};

/* ---- which files ---- */

static int add_file(struct testing *at, const char *path)
{
    if (at->n_files == BW_MAX_TEST_FILES) {
        return bw_trouble(at->arguments, "more than %d test files", BW_MAX_TEST_FILES);
    }
    if (at->n_files == at->capacity) {
        at->capacity = at->capacity == 0 ? 64 : 2 * at->capacity;
        at->files = reallocarray(at->files, at->capacity, sizeof(*at->files));
    }
    char *copy = strdup(path);
    if (at->files == NULL || copy == NULL) {
        abort();
    }
    at->files[at->n_files++] = copy;
    return 0;
}

static int add_folder(struct testing *at, const char *path, unsigned depth)
{
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, NULL, NULL), status = 0;
    if (n < 0) {
        return bw_trouble(at->arguments, "%.200s: %s", path, strerror(errno));
    }
    if (depth == BW_MAX_FOLDER_DEPTH) {
        status = bw_trouble(at->arguments, "%.200s: folders nest deeper than %d", path, BW_MAX_FOLDER_DEPTH);
    }
    for (int i = 0; i < n; i++) {
        struct stat about;
        char below[4096];
        int length = snprintf(below, sizeof(below), "%s%s%s", path, bw_str_ends_with(bw_str_from(path), "/") ? "" : "/",
                              entries[i]->d_name);
        bool fits = length > 0 && (size_t)length < sizeof(below);
        if (status == 0 && fits && entries[i]->d_name[0] != '.' && lstat(below, &about) == 0) {
            if (S_ISDIR(about.st_mode)) {
                status = add_folder(at, below, depth + 1);
            } else if (bw_test_file_named(entries[i]->d_name)) {
                status = add_file(at, below);
            }
        }
        free(entries[i]);
    }
    free(entries);
    return status;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_operand(struct testing *at, const char *operand)
{
    struct stat about;
    if (stat(operand, &about) != 0 || !S_ISDIR(about.st_mode)) {
        return add_file(at, operand);
    }
    size_t before = at->n_files;
    if (add_folder(at, operand, 0) != 0) {
        return BW_EXIT_TROUBLE;
    }
    if (at->n_files == before) {
        return bw_trouble(at->arguments, "%.200s: no file named *.test.yaml or *_test.yaml", operand);
    }
    qsort(at->files + before, at->n_files - before, sizeof(*at->files), by_path);
    return 0;
}

/* ---- what a case names ---- */

/* Relative to the test file. */
static const char *beside(const struct open_file *from, const char *file, struct bw_arena *arena)
{
    const char *slash = strrchr(from->path, '/');
    return file[0] == '/' || slash == NULL
               ? file
               : bw_arena_printf(arena, "%.*s/%s", (int)(slash - from->path), from->path, file);
}

static int read_beside(char **text_out, size_t *len_out, const struct open_file *from, const char *file, size_t most,
                       struct bw_arena *arena, struct bw_error *err)
{
    const char *path = beside(from, file, arena);
    return path == NULL ? bw_arena_spent(err) : bw_file_read(text_out, len_out, path, most, err);
}

/* The problems of a bundle are told where they are: in its file, or in the test file around it. */
static int load_text(struct bw_bundle **out, const struct open_file *from, const struct bw_test_source *source,
                     const char *text, size_t len, struct bw_arena *arena, struct bw_error *err)
{
    const char *path = source->document != NULL ? from->path : beside(from, source->file, arena);
    char name[256];
    struct bw_problems problems;
    if (path == NULL) {
        return bw_arena_spent(err);
    }
    bw_bundle_name_of(name, sizeof(name), path);
    const struct bw_bundle_options options = {.name = name, .default_patterns = true};
    bw_problems_init(&problems);
    int status = bw_bundle_load(out, &problems, text, len, &options, err);
    for (size_t i = 0; source->document != NULL && i < problems.n_items; i++) {
        struct bw_problem *one = &problems.items[i];
        const char *place = bw_arena_printf(arena, "%s%s", source->pointer, one->path == NULL ? "" : one->path);
        one->path = place == NULL ? source->pointer : place;
        one->line = one->column = 0;
    }
    if (status != 0) {
        bw_problems_print(stderr, path, source->document != NULL ? from->text : text,
                          source->document != NULL ? from->len : len, &problems);
    }
    bw_problems_clear(&problems);
    return status;
}

static int load_bundle(struct bw_bundle **out, const struct open_file *from, const struct bw_test_source *source,
                       struct bw_arena *arena, struct bw_error *err)
{
    char *text = NULL;
    size_t len = 0;
    if (source->document != NULL) {
        text = json_dumps(source->document, JSON_COMPACT);
        len = text == NULL ? 0 : strlen(text);
    } else if (read_beside(&text, &len, from, source->file, BW_MAX_BUNDLE_BYTES, arena, err) != 0) {
        return -1;
    }
    int status = load_text(out, from, source, text == NULL ? "" : text, len, arena, err);
    free(text);
    return status;
}

static int read_analysis(struct bw_report **out, const struct open_file *from, const struct bw_test_source *source,
                         struct bw_arena *arena, struct bw_error *err)
{
    char *text = NULL;
    size_t len = 0;
    if (read_beside(&text, &len, from, source->file, BW_MAX_ANALYSIS_BYTES, arena, err) != 0) {
        return -1;
    }
    int status = bw_report_read_json(out, text, len, err);
    free(text);
    return status != 0 ? bw_error_wrap(err, "%.200s", source->file) : 0;
}

static int check_platform(const struct bw_test_case *one, const struct bw_report *report, struct bw_arena *arena,
                          struct bw_error *err)
{
    const struct bw_platform offered = {report->os, report->architecture,
                                        report->variant == NULL ? "" : report->variant};
    if (!one->has_platform || offered.os == NULL || offered.architecture == NULL ||
        bw_platform_matches(&offered, &one->platform)) {
        return 0;
    }
    const char *text = bw_platform_text(&offered, arena);
    return text == NULL ? bw_arena_spent(err)
                        : bw_error_set(err, BW_EINPUT, "the image is for %.100s, as its analysis says", text);
}

/* ---- one case ---- */

struct run { /* what one case needs, and *place: where in the file a fault of that is */
    struct bw_bundle *bundle;
    struct bw_report *report, *previous;
    struct bw_arena arena, evaluation, trace;
    const char *place;
};

static int read_facts(struct bw_report **out, struct run *run, const struct open_file *from,
                      const struct bw_test_source *source, const struct bw_platform *platform, struct bw_error *err)
{
    const char *inner = "";
    run->place = source->pointer;
    if (source->document == NULL) {
        return read_analysis(out, from, source, &run->arena, err);
    }
    if (bw_test_facts_report(out, &inner, source->document, platform, &run->arena, err) == 0) {
        return 0;
    }
    const char *place = bw_arena_printf(&run->arena, "%s%s", source->pointer, inner);
    run->place = place == NULL ? source->pointer : place;
    return -1;
}

static int prepare(struct run *run, struct open_file *from, const struct bw_test_case *one, struct bw_error *err)
{
    const struct bw_platform *platform = one->has_platform ? &one->platform : NULL;
    const struct bw_test_source *bundle = one->bundle.pointer != NULL ? &one->bundle : &from->file.bundle;
    run->place = bundle->pointer;
    if (bundle == &from->file.bundle) {
        if (from->bundle == NULL && load_bundle(&from->bundle, from, bundle, &run->arena, err) != 0) {
            return -1;
        }
        run->bundle = bw_bundle_retain(from->bundle);
    } else if (load_bundle(&run->bundle, from, bundle, &run->arena, err) != 0) {
        return -1;
    }
    if (read_facts(&run->report, run, from, &one->facts, platform, err) != 0 ||
        (one->previous.pointer != NULL && read_facts(&run->previous, run, from, &one->previous, platform, err) != 0)) {
        return -1;
    }
    run->place = one->pointer;
    return check_platform(one, run->report, &run->arena, err);
}

static int judge(struct bw_test_result *result, struct bw_decision *decision, struct run *run,
                 const struct open_file *from, const struct bw_test_case *one, struct bw_error *err)
{
    struct bw_facts facts = {.reference = &one->reference,
                             .tag_counts = one->tag_counts,
                             .report = run->report,
                             .previous = run->previous,
                             .now_s = one->has_now ? one->now_s : bw_wall_s()};
    struct bw_trace trace = {0};
    const char *place = one->pointer;
    if (bw_test_data_apply(&facts, &place, &one->data, &run->arena, err) != 0) {
        run->place = place;
        return -1;
    }
    if (bw_evaluate(decision, run->bundle, &facts, from->file.no_mapping, &run->evaluation, err) != 0 ||
        bw_trace(&trace, run->bundle, &facts, decision, &run->trace, err) != 0 ||
        bw_test_compare(&result->differences, &one->expect, decision, &trace, &run->trace, err) != 0) {
        return -1;
    }
    const struct bw_entries_trace *mappings = &trace.mappings;
    bool known = decision->mapping >= 0 && (size_t)decision->mapping < mappings->n_items;
    result->mapping = known ? mappings->items[decision->mapping].label : NULL;
    result->decision = decision;
    result->status = result->differences.n_items == 0 ? BW_TEST_PASSED : BW_TEST_FAILED;
    return 0;
}

static void tell(struct open_file *from, struct bw_test_result *result)
{
    struct testing *at = from->at;
    at->show.counts[result->status]++;
    at->trouble = at->trouble || result->status == BW_TEST_NOT_RUN;
    if (result->status != BW_TEST_PASSED && from->n_located < MAX_LOCATED) {
        from->n_located++;
        (void)bw_yaml_locate(&result->line, &result->column, from->text, from->len, result->place);
    }
    at->writer->result(&at->show, result);
}

static void run_case(struct open_file *from, const struct bw_test_case *one)
{
    struct run run = {0};
    struct bw_error err = {0};
    struct bw_decision decision = {0};
    struct bw_test_result result = {
        .file = from->path, .name = one->name, .status = BW_TEST_NOT_RUN, .arena = &run.trace};
    bw_arena_init(&run.arena, BW_ARENA_ADMISSION);
    bw_arena_init(&run.evaluation, BW_ARENA_EVALUATION);
    bw_arena_init(&run.trace, BW_ARENA_EVALUATION);
    if (prepare(&run, from, one, &err) != 0 || judge(&result, &decision, &run, from, one, &err) != 0) {
        result.status = BW_TEST_NOT_RUN;
        result.message = err.message;
    }
    result.place = run.place;
    tell(from, &result);
    bw_bundle_release(run.bundle);
    bw_report_release(run.report);
    bw_report_release(run.previous);
    bw_arena_clear(&run.trace);
    bw_arena_clear(&run.evaluation);
    bw_arena_clear(&run.arena);
}

/* ---- one file ---- */

static void tell_fault(struct testing *at, const char *path, const struct bw_problems *problems,
                       const struct bw_error *err)
{
    at->trouble = true;
    (void)bw_trouble(at->arguments, problems->n_errors > 0 ? "%.200s has %s" : "%.200s: %s", path, err->message);
    if (at->writer->fault != NULL) {
        at->writer->fault(&at->show, err->message, problems);
    }
}

static void run_file(struct testing *at, const char *path)
{
    struct open_file from = {.at = at, .path = path};
    struct bw_problems problems;
    struct bw_error err = {0};
    char *text = NULL;
    bw_problems_init(&problems);
    if (at->writer->file != NULL) {
        at->writer->file(&at->show, path);
    }
    if (bw_file_read(&text, &from.len, path, BW_MAX_TEST_BYTES, &err) != 0 ||
        bw_test_file_read(&from.file, &problems, text, from.len, &err) != 0) {
        bw_problems_print(stderr, path, text, from.len, &problems);
        tell_fault(at, path, &problems, &err);
    }
    from.text = text;
    for (size_t i = 0; i < from.file.n_cases; i++) {
        if (at->only == NULL || strstr(from.file.cases[i].name, at->only) != NULL) {
            run_case(&from, &from.file.cases[i]);
        }
    }
    bw_bundle_release(from.bundle);
    bw_test_file_clear(&from.file);
    bw_problems_clear(&problems);
    free(text);
}

static int run_files(struct testing *at)
{
    for (size_t i = 0; i < at->n_files; i++) {
        run_file(at, at->files[i]);
    }
    at->writer->end(&at->show);
    size_t n_run = 0;
    for (int i = 0; i < BW_TEST_STATUSES; i++) {
        n_run += at->show.counts[i];
    }
    if (n_run == 0 && !at->trouble) {
        return bw_trouble(at->arguments, "--run %.200s: no case has this in its name", at->only);
    }
    return at->trouble ? BW_EXIT_TROUBLE : at->show.counts[BW_TEST_FAILED] > 0 ? BW_EXIT_STOPPED : BW_EXIT_OK;
}

static int run(const struct bw_arguments *arguments)
{
    struct testing at = {.arguments = arguments, .only = bw_argument(arguments, "run")};
    int output = bw_argument_choice(arguments, "output", outputs), status = 0;
    if (output < 0) {
        return BW_EXIT_TROUBLE;
    }
    if (arguments->n_operands == 0) {
        return bw_trouble(arguments, "a test file, or a folder of them, is needed");
    }
    at.writer = writers[output];
    for (size_t i = 0; status == 0 && i < arguments->n_operands; i++) {
        status = add_operand(&at, arguments->operands[i]);
    }
    if (status == 0) {
        status = run_files(&at);
    }
    for (size_t i = 0; i < at.n_files; i++) {
        free(at.files[i]);
    }
    free(at.files);
    json_decref(at.show.files);
    return status;
}

static const struct bw_option options[] = {
    {"run", "NAME", "Only cases whose name contains this.", false},
    {"output", "FORMAT",
     "text (default): a line per case, and what differs below it; json; or junit (XML: a suite per file).", false},
    {0},
};

const struct bw_command bw_command_test = {
    .name = "test",
    .summary = "run the tests of bundles",
    .synopsis = "breakwater test [--run NAME] [--output FORMAT] FILE|DIR...",
    .description =
        "A test file names a bundle and says, for images that it describes, what the bundle is to decide. Nothing is "
        "pulled: the facts of an image stand in the file, or in an analysis beside it. The same code decides as in an "
        "admission. In a folder, and all folders below it, the files named *.test.yaml or *_test.yaml are run.\n\n"
        "The format is described in docs/testing-bundles.md.",
    .options = options,
    .exit_status = "0 every case passes, 1 one fails, 2 it could not be told: a test file or a bundle with faults, an "
                   "analysis that cannot be read, no case of that name.",
    .examples = "  breakwater test bundles/\n"
                "  breakwater test --run root bundles/prod.test.yaml\n"
                "  breakwater test --output junit bundles/ >tests.xml",
    .run = run,
};
