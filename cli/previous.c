/* What `breakwater evaluate` compares an image with: the option --previous, and what is said without it. */
#include "cli/previous.h"

#include "base/limits.h"
#include "base/watch_dir.h"
#include "image/report_json.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int read_document(struct bw_report **out, const char *path, struct bw_error *err)
{
    char *text = NULL;
    size_t len = 0;
    if (bw_file_read(&text, &len, path, BW_MAX_ANALYSIS_BYTES, err) != 0) {
        return -1;
    }
    int status = bw_report_read_json(out, text, len, err);
    free(text);
    return status;
}

static int look_up(struct bw_report **out, const struct bw_arguments *arguments, const struct bw_config *config,
                   const char *name, struct bw_error *err)
{
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_ARENA_ADMISSION);
    struct bw_platform platform = bw_platform_here();
    struct bw_access access = {0};
    struct bw_catalog *catalog = NULL;
    struct bw_reference reference = {0};
    struct bw_image_answer answer = {0};
    const char *wanted = bw_argument(arguments, "platform");
    if ((wanted != NULL && bw_platform_parse(&platform, wanted, &arena, err) != 0) ||
        bw_access_open(&access, config, true, err) != 0) {
        return -1;
    }
    int status = bw_catalog_open_for(&catalog, arguments, config, &config->analysis_needs, err);
    if (status == 0) {
        status = bw_image_look_up(&answer, &reference, catalog, &access, name, &platform, &arena, err);
    }
    if (status == 0 && answer.n_variants > 0) {
        *out = bw_report_retain(answer.variants[0].report);
    }
    bw_image_answer_clear(&answer);
    bw_catalog_destroy(catalog);
    bw_access_close(&access);
    return status;
}

int bw_previous_open(struct bw_report **out, const struct bw_arguments *arguments, const struct bw_config *config,
                     struct bw_error *err)
{
    const char *name = bw_argument(arguments, "previous");
    struct bw_report *report = NULL;
    struct bw_error why = {0};
    struct stat st;
    if (name == NULL) {
        *out = NULL;
        return 0;
    }
    bool file = stat(name, &st) == 0 && S_ISREG(st.st_mode);
    int status = file ? read_document(&report, name, &why) : look_up(&report, arguments, config, name, &why);
    if (status != 0) {
        return bw_error_detail(err, why.code, why.detail, "--previous %.200s%s: %s", name,
                               file ? "" : " (no such file, so an image)", why.message);
    }
    *out = report;
    return 0;
}

void bw_notes_print(const struct bw_arguments *arguments, const char *image, const struct bw_decision *decision)
{
    const char *said = NULL;
    for (size_t i = 0; i < decision->n_policies; i++) {
        for (size_t j = 0; j < decision->policies[i].n_rules; j++) {
            const char *note = decision->policies[i].rules[j].note;
            if (note != NULL && (said == NULL || strcmp(said, note) != 0)) {
                (void)bw_trouble(arguments, "note: %.200s: %s", image, note);
                said = note;
            }
        }
    }
}
