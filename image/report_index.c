/* What every evaluation of a report would otherwise find out again, once, when the report is finished: packages by
 * name, packages that say the same about themselves, and the few files that run as somebody else. */
#include "image/report_record.h"

#include <stdlib.h>
#include <string.h>

static int compare_texts(const char *a, const char *b)
{
    return a == NULL || b == NULL ? (a != NULL) - (b != NULL) : strcmp(a, b);
}

static int compare_names(const struct bw_package *a, const struct bw_package *b)
{
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : strcmp(a->type, b->type);
}

static int compare_licenses(const struct bw_package *a, const struct bw_package *b)
{
    int order = compare_texts(a->license, b->license);
    if (order == 0)
        order = (a->n_licenses > b->n_licenses) - (a->n_licenses < b->n_licenses);
    for (size_t i = 0; order == 0 && i < a->n_licenses; i++)
        order = strcmp(a->licenses[i], b->licenses[i]);
    return order;
}

struct sorting {
    const struct bw_package *packages;
    int (*compare)(const struct bw_package *a, const struct bw_package *b);
};

static int by_package(const void *a, const void *b, void *context)
{
    const struct sorting *sorting = context;
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    int order = sorting->compare(&sorting->packages[left], &sorting->packages[right]);
    return order != 0 ? order : (left > right) - (left < right);
}

/* sorted: places of packages in order, equal ones as they stand; first: of each package, the first that is equal. */
static void group(uint32_t *sorted, uint32_t *first, const struct bw_report *report, struct sorting sorting)
{
    uint32_t n = (uint32_t)report->n_packages;
    for (uint32_t i = 0; i < n; i++)
        sorted[i] = i;
    if (n > 1)
        qsort_r(sorted, n, sizeof(*sorted), by_package, &sorting);
    for (uint32_t i = 0, begin = 0; i < n; i++) {
        if (sorting.compare(&report->packages[sorted[begin]], &report->packages[sorted[i]]) != 0)
            begin = i;
        first[sorted[i]] = sorted[begin];
    }
}

static int index_files(struct bw_report_box *box, struct bw_error *err)
{
    struct bw_report *report = &box->report;
    size_t count = 0;
    for (size_t i = 0; i < report->n_files; i++)
        count += (report->files[i].mode & 06000) != 0;
    uint32_t *places = bw_arena_array(&box->arena, count, sizeof(*places));
    if (places == NULL)
        return bw_arena_spent(err);
    report->privileged_files = places;
    for (size_t i = 0; i < report->n_files; i++)
        if ((report->files[i].mode & 06000) != 0)
            places[report->n_privileged_files++] = (uint32_t)i;
    return 0;
}

int bw_report_box_index(struct bw_report_box *box, struct bw_error *err)
{
    struct bw_report *report = &box->report;
    size_t n = report->n_packages;
    uint32_t *by_name = bw_arena_array(&box->arena, n, sizeof(*by_name));
    uint32_t *same_name = bw_arena_array(&box->arena, n, sizeof(*same_name));
    uint32_t *same_license = bw_arena_array(&box->arena, n, sizeof(*same_license));
    uint32_t *scratch = calloc(n + 1, sizeof(*scratch));
    if (by_name == NULL || same_name == NULL || same_license == NULL || scratch == NULL) {
        free(scratch);
        return bw_arena_spent(err);
    }
    group(by_name, same_name, report, (struct sorting){report->packages, compare_names});
    group(scratch, same_license, report, (struct sorting){report->packages, compare_licenses});
    free(scratch);
    report->by_name = by_name;
    report->same_name = same_name;
    report->same_license = same_license;
    return index_files(box, err);
}

/* Where the packages begin that are not before this one. */
static size_t lower_bound(const struct bw_report *report, const struct bw_package *wanted)
{
    size_t low = 0, high = report->n_packages;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_names(&report->packages[report->by_name[middle]], wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct bw_package *bw_report_find_package(const struct bw_report *report, const char *type, const char *name)
{
    const struct bw_package wanted = {.type = type, .name = name};
    size_t at = lower_bound(report, &wanted);
    const struct bw_package *found = at < report->n_packages ? &report->packages[report->by_name[at]] : NULL;
    return found != NULL && compare_names(found, &wanted) == 0 ? found : NULL;
}

size_t bw_report_count_packages(const struct bw_report *report, const char *name, size_t *first, size_t *last)
{
    const struct bw_package wanted = {.type = "", .name = name};
    size_t begin = lower_bound(report, &wanted), count = 0;
    for (; begin + count < report->n_packages; count++) {
        size_t place = report->by_name[begin + count];
        if (strcmp(report->packages[place].name, name) != 0)
            break;
        *first = count == 0 || place < *first ? place : *first;
        *last = count == 0 || place > *last ? place : *last;
    }
    return count;
}
