/* golden [--report FILE] [--list FILE [--update]] DIR, or golden --export-tests TO DIR (export.c): every reference of
 * every case. A difference passes if a row of docs/anchore-differences.md explains it; with --list it must also be
 * listed with our outcome, and every listed difference must occur. What is not listed is printed. Ends with `N passed,
 * N failed` (cases). */
#include "golden/golden.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 128 };

struct run {
    struct golden_world world;
    const char *folder;
    FILE *report, *update;
    struct bw_map *listed; /* "case\treference" to "row\toutcome"; NULL: no list */
    size_t references, differing, passed, failed;
    size_t by_row[MAX_ROWS];
};

static void print_field(FILE *to, const char *text, char after)
{
    for (; *text != '\0'; text++) {
        fputc(*text == '\t' || *text == '\n' || *text == '\r' ? ' ' : *text, to);
    }
    fputc(after, to);
}

static char *listing_of(const struct golden_difference *difference, struct bw_arena *arena)
{
    return bw_arena_printf(arena, "%u\t%s", difference->row, difference->outcome);
}

static void print_difference(const char *name, const char *reference, const struct golden_difference *difference)
{
    char row[32];
    (void)snprintf(row, sizeof(row), "row %u", difference->row);
    printf("%s %s: %s differs (%s)\n    expected %s\n    got      %s\n", name, reference, difference->what,
           difference->row == 0 ? "no row explains it" : row, difference->expected, difference->got);
}

/* true: the difference, or its absence, is what the list says. */
static bool check_listed(struct run *run, const char *name, const char *reference,
                         const struct golden_difference *difference, struct bw_arena *arena)
{
    char *key = bw_arena_printf(arena, "%s\t%s", name, reference);
    char *listed = bw_map_remove(run->listed, key, strlen(key));
    bool same =
        difference->differs ? listed != NULL && strcmp(listed, listing_of(difference, arena)) == 0 : listed == NULL;
    if (!same && difference->differs) {
        print_difference(name, reference, difference);
    }
    if (!same) {
        printf("%s %s: the list has %s, now it is %s\n", name, reference, listed != NULL ? listed : "nothing",
               difference->differs ? listing_of(difference, arena) : "no difference");
    }
    free(listed);
    return same;
}

static void write_report(FILE *report, const char *name, const char *reference,
                         const struct golden_difference *difference)
{
    char row[16];
    (void)snprintf(row, sizeof(row), "%u", difference->row);
    print_field(report, name, '\t');
    print_field(report, reference, '\t');
    print_field(report, difference->row == 0 ? "-" : row, '\t');
    print_field(report, difference->what, '\t');
    print_field(report, difference->expected, '\t');
    print_field(report, difference->got, '\n');
}

static bool take(struct run *run, const char *name, const char *reference, const struct golden_difference *difference,
                 struct bw_arena *arena)
{
    run->references++;
    if (difference->differs) {
        run->differing++;
        run->by_row[difference->row < MAX_ROWS ? difference->row : 0]++;
        if (run->report != NULL) {
            write_report(run->report, name, reference, difference);
        }
        if (run->update != NULL) {
            fprintf(run->update, "%s\t%s\t%s\n", name, reference, listing_of(difference, arena));
        }
    }
    bool explained = !difference->differs || difference->row != 0;
    if (run->listed != NULL) {
        return check_listed(run, name, reference, difference, arena) && explained;
    }
    if (difference->differs && run->update == NULL) {
        print_difference(name, reference, difference);
    }
    return explained;
}

static bool run_case(struct run *run, const json_t *line)
{
    const char *name = json_string_value(json_object_get(line, "name"));
    const char *file = json_string_value(json_object_get(line, "bundle_file"));
    json_t *read = file == NULL ? NULL : golden_read_json(run->folder, file);
    struct golden_case recorded = {
        .bundle = file == NULL ? json_object_get(line, "bundle") : read,
        .analysis = json_string_value(json_object_get(line, "analysis")),
        .environment = json_string_value(json_object_get(line, "environment")),
        .validation = json_object_get(line, "validation"),
    };
    if (name == NULL || recorded.bundle == NULL || recorded.analysis == NULL || recorded.environment == NULL) {
        printf("%s: not a case\n", name != NULL ? name : "a line without a name");
        return false;
    }
    struct golden_loaded loaded;
    golden_load(&loaded, recorded.bundle);
    const json_t *results = json_object_get(line, "results");
    bool fine = true;
    for (size_t i = 0; i < json_array_size(results); i++) {
        const json_t *result = json_array_get(results, i);
        const char *reference = json_string_value(json_object_get(result, "reference"));
        const json_t *bound = json_object_get(result, "bound");
        struct golden_difference difference;
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, BW_GIB);
        if (reference == NULL || !json_is_object(bound) ||
            golden_judge(&difference, &run->world, &recorded, &loaded, reference, bound, &arena) != 0) {
            printf("%s: could not be run\n", name);
            fine = false;
            continue;
        }
        fine = take(run, name, reference, &difference, &arena) && fine;
    }
    golden_loaded_clear(&loaded);
    json_decref(read);
    return fine;
}

static void run_group(struct run *run, const char *group)
{
    char file[512];
    (void)snprintf(file, sizeof(file), "cases/%s.jsonl", group);
    size_t len = 0;
    char *text = golden_read(run->folder, file, &len);
    struct bw_str rest = {text, len};
    struct bw_str line;
    for (size_t number = 1; text != NULL && bw_str_next(&line, &rest, '\n'); number++) {
        json_t *node = NULL;
        struct bw_error err = {0};
        if (bw_str_trim(line).len == 0) {
            continue;
        }
        if (bw_json_parse(&node, line.base, line.len, BW_GIB, &err) != 0) {
            printf("%s line %zu: %s\n", file, number, err.message);
            run->failed++;
            continue;
        }
        if (run_case(run, node)) {
            run->passed++;
        } else {
            run->failed++;
        }
        json_decref(node);
    }
    run->failed += text == NULL;
    free(text);
}

static struct bw_map *read_list(const char *path)
{
    struct bw_map *listed = bw_map_create();
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t capacity = 0;
    while (file != NULL && getline(&line, &capacity, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        char *tab = line[0] == '#' ? NULL : strchr(line, '\t');
        char *second = tab == NULL ? NULL : strchr(tab + 1, '\t');
        if (second != NULL) {
            *second = '\0';
            free(bw_map_put(listed, line, strlen(line), strdup(second + 1)));
        }
    }
    free(line);
    if (file != NULL) {
        (void)fclose(file);
    }
    return listed;
}

static void report_unmet(struct run *run)
{
    size_t cursor = 0;
    const char *key;
    void *value;
    while (run->listed != NULL && bw_map_next(run->listed, &cursor, &key, &value)) {
        printf("%s: listed, but there is no such case\n", key);
        run->failed++;
    }
    bw_map_destroy(run->listed, free);
}

static FILE *open_output(const char *path, const char *head)
{
    FILE *file = path == NULL ? NULL : fopen(path, "w");
    if (path != NULL && file == NULL) {
        perror(path);
        exit(2);
    }
    if (file != NULL) {
        fputs(head, file);
    }
    return file;
}

static void print_rows(const struct run *run)
{
    printf("%zu references, %zu differ, of these explained by row", run->references, run->differing);
    for (unsigned row = 1; row < MAX_ROWS; row++) {
        if (run->by_row[row] > 0) {
            printf(" %u: %zu,", row, run->by_row[row]);
        }
    }
    printf(" by none: %zu\n", run->by_row[0]);
}

int main(int argc, char **argv)
{
    struct run run = {0};
    const char *report = NULL;
    const char *list = NULL;
    const char *export_to = NULL;
    bool update = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--report") == 0 && i + 1 < argc) {
            report = argv[++i];
        } else if (strcmp(argv[i], "--list") == 0 && i + 1 < argc) {
            list = argv[++i];
        } else if (strcmp(argv[i], "--export-tests") == 0 && i + 1 < argc) {
            export_to = argv[++i];
        } else if (strcmp(argv[i], "--update") == 0) {
            update = true;
        } else if (argv[i][0] != '-' && run.folder == NULL) {
            run.folder = argv[i];
        } else {
            run.folder = NULL;
            break;
        }
    }
    if (run.folder == NULL || (update && list == NULL)) {
        fprintf(stderr, "usage: golden [--report FILE] [--list FILE [--update]] DIR\n"
                        "       golden --export-tests TO DIR\n");
        return 2;
    }
    char cases[4096];
    (void)snprintf(cases, sizeof(cases), "%s/cases", run.folder);
    char **groups = NULL;
    size_t n_groups = golden_list(&groups, cases, ".jsonl");
    if (n_groups == 0 || golden_world_open(&run.world, run.folder) != 0) {
        fprintf(stderr, "golden: %s has no recorded cases\n", run.folder);
        return 2;
    }
    if (export_to != NULL) {
        int status = golden_export(&run.world, run.folder, export_to);
        golden_world_close(&run.world);
        for (size_t i = 0; i < n_groups; i++) {
            free(groups[i]);
        }
        free(groups);
        return status == 0 ? 0 : 1;
    }
    run.listed = list != NULL && !update ? read_list(list) : NULL;
    run.report = open_output(report, "");
    run.update = open_output(update ? list : NULL, "# case\treference\trow of docs/anchore-differences.md\toutcome\n");
    for (size_t i = 0; i < n_groups; i++) {
        run_group(&run, groups[i]);
        free(groups[i]);
    }
    free(groups);
    report_unmet(&run);
    golden_world_close(&run.world);
    bool written = (run.report == NULL || fclose(run.report) == 0) && (run.update == NULL || fclose(run.update) == 0);
    print_rows(&run);
    printf("%zu passed, %zu failed\n", run.passed, run.failed);
    return run.failed == 0 && written ? 0 : 1;
}
