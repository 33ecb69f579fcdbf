/* The formats of `breakwater check` (cli/check_output.h). */
#include "cli/check_output.h"

#include "base/buf.h"
#include "base/limits.h"
#include "cli/settings.h"

#include <string.h>

static void add_text(json_t *object, const char *name, const char *text)
{
    (void)json_object_set_new(object, name, bw_json_text(text));
}

/* "prod.yaml: ConfigMap prod data[prod.json]" */
static void write_place(struct bw_buf *out, const struct bw_check_place *place)
{
    bw_buf_init(out, BW_MAX_BUNDLE_BYTES);
    bw_buf_puts(out, place->file);
    if (place->part != NULL) {
        bw_buf_puts(out, ": ");
        bw_buf_puts(out, place->part);
    }
}

static const char *severity_of(const struct bw_problem *problem)
{
    return problem->severity == BW_PROBLEM_ERROR ? "error" : "warning";
}

static void to_file(unsigned *line, unsigned *column, const struct bw_yaml_place *at)
{
    if (*line > 0) {
        *line += at->first_line - 1;
        *column += at->indent;
    }
}

/* ---- text and JSON: a line is one of what stands before it ---- */

static void add_json(json_t *all, const char *place, const struct bw_problem *problem)
{
    json_t *one = json_object();
    add_text(one, "file", place);
    add_text(one, "severity", severity_of(problem));
    add_text(one, "kind", problem->kind);
    add_text(one, "path", problem->path);
    add_text(one, "message", problem->message);
    add_text(one, "suggestion", problem->suggestion);
    (void)json_object_set_new(one, "line", json_integer((json_int_t)problem->line));
    (void)json_object_set_new(one, "column", json_integer((json_int_t)problem->column));
    (void)json_array_append_new(all, one);
}

/* ---- SARIF ---- */

static json_t *locations(const struct bw_check_place *place, const struct bw_problem *problem, unsigned line,
                         unsigned column)
{
    json_t *made = json_object(), *physical = json_object(), *artifact = json_object(), *all = json_array();
    (void)json_object_set_new(artifact, "uri", bw_sarif_uri(place->file));
    (void)json_object_set_new(physical, "artifactLocation", artifact);
    if (line > 0) {
        json_t *region = json_object();
        (void)json_object_set_new(region, "startLine", json_integer((json_int_t)line));
        (void)json_object_set_new(region, "startColumn", json_integer((json_int_t)column));
        (void)json_object_set_new(physical, "region", region);
    }
    (void)json_object_set_new(made, "physicalLocation", physical);
    if (place->part != NULL || (problem->path != NULL && problem->path[0] != '\0')) {
        json_t *logical = json_object(), *logicals = json_array();
        BW_BUF_SCOPE name;
        bw_buf_init(&name, BW_MAX_BUNDLE_BYTES);
        bw_buf_puts(&name, place->part != NULL ? place->part : "");
        bw_buf_puts(&name, place->part != NULL && problem->path != NULL && problem->path[0] != '\0' ? ":" : "");
        bw_buf_puts(&name, problem->path != NULL ? problem->path : "");
        add_text(logical, "fullyQualifiedName", name.data);
        (void)json_array_append_new(logicals, logical);
        (void)json_object_set_new(made, "logicalLocations", logicals);
    }
    (void)json_array_append_new(all, made);
    return all;
}

/* The kind in words is all there is to say of a rule. */
static json_int_t rule_of(struct bw_sarif *sarif, const struct bw_problem *problem)
{
    char words[64];
    size_t len = 0;
    for (const char *c = problem->kind; *c != '\0' && len + 1 < sizeof(words); c++) {
        words[len++] = *c == '_' ? ' ' : *c;
    }
    words[len] = '\0';
    return bw_sarif_rule(sarif, problem->kind, words, NULL, severity_of(problem));
}

/* Regions are of the file: of a text that is only packed in it, the place where it stands. */
static void add_sarif(struct bw_sarif *sarif, const struct bw_check_place *place, const struct bw_problem *problem)
{
    unsigned line = problem->line, column = problem->column;
    BW_BUF_SCOPE text;
    bw_buf_init(&text, BW_MAX_BUNDLE_BYTES);
    bw_buf_puts(&text, problem->message);
    if (problem->suggestion != NULL) {
        bw_buf_printf(&text, " (did you mean %s?)", problem->suggestion);
    }
    if (place->field != NULL && place->at.first_line > 0) {
        to_file(&line, &column, &place->at);
    } else if (place->field != NULL) {
        if (line > 0) {
            bw_buf_printf(&text, " (line %u, column %u of the text)", line, column);
        }
        line = place->at.line;
        column = place->at.column;
    }
    (void)bw_sarif_result(sarif, problem->kind, rule_of(sarif, problem), severity_of(problem), text.data,
                          locations(place, problem, line, column));
}

/* ---- all of them ---- */

static void tell_one(struct bw_check_output *output, const struct bw_check_place *place,
                     const struct bw_problem *problem)
{
    if (output->format == BW_CHECK_SARIF) {
        add_sarif(&output->sarif, place, problem);
        return;
    }
    struct bw_check_place shown = *place;
    struct bw_problem told = *problem;
    BW_BUF_SCOPE name, path;
    bw_buf_init(&path, BW_MAX_BUNDLE_BYTES);
    if (place->field != NULL && place->at.first_line > 0) {
        shown.part = NULL;
        to_file(&told.line, &told.column, &place->at);
        bw_buf_puts(&path, place->field);
        bw_buf_puts(&path, problem->path != NULL && problem->path[0] != '\0' ? ":" : "");
        bw_buf_puts(&path, problem->path != NULL ? problem->path : "");
        told.path = path.data;
    }
    write_place(&name, &shown);
    if (output->format == BW_CHECK_JSON) {
        add_json(output->faults, name.data, &told);
    } else {
        bw_problem_print(stdout, name.data, &told);
    }
}

void bw_check_tell(struct bw_check_output *output, const struct bw_check_place *place, const char *text, size_t len,
                   const struct bw_problems *problems)
{
    size_t n_warnings = 0;
    for (size_t i = 0; i < problems->n_items; i++) {
        struct bw_problem problem = problems->items[i];
        bw_problem_locate(&problem, text, len);
        n_warnings += problem.severity == BW_PROBLEM_WARNING;
        tell_one(output, place, &problem);
    }
    if (output->format == BW_CHECK_TEXT) {
        BW_BUF_SCOPE name;
        write_place(&name, place);
        bw_put_clean(stdout, name.data, false);
        bool inside = place->field != NULL && place->at.first_line == 0 && problems->n_items > 0;
        printf(": %zu error%s, %zu warning%s%s\n", problems->n_errors, problems->n_errors == 1 ? "" : "s", n_warnings,
               n_warnings == 1 ? "" : "s", inside ? " (lines are those of the text in this key)" : "");
    }
}

void bw_check_tell_manifest(struct bw_check_output *output, const struct bw_check_place *place, bool error,
                            const char *message)
{
    const struct bw_problem problem = {
        .severity = error ? BW_PROBLEM_ERROR : BW_PROBLEM_WARNING, .kind = "manifest", .message = message};
    tell_one(output, place, &problem);
}

void bw_check_begin(struct bw_check_output *output, enum bw_check_format format)
{
    *output = (struct bw_check_output){.format = format};
    if (format == BW_CHECK_SARIF) {
        bw_sarif_begin(&output->sarif);
        json_t *run = json_array_get(json_object_get(output->sarif.document, "runs"), 0);
        (void)json_object_set_new(run, "columnKind", json_string("unicodeCodePoints"));
    } else if (format == BW_CHECK_JSON) {
        output->faults = json_array();
    }
}

void bw_check_end(struct bw_check_output *output, bool complete)
{
    if (output->format == BW_CHECK_SARIF) {
        if (!complete) {
            bw_sarif_failure(&output->sarif, "not everything could be looked at: standard error says what");
        }
        bw_sarif_finish(&output->sarif);
    } else if (output->format == BW_CHECK_JSON) {
        (void)json_dumpf(output->faults, stdout, JSON_INDENT(2));
        (void)fputc('\n', stdout);
        json_decref(output->faults);
    }
}
