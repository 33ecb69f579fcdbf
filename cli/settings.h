#ifndef BW_CLI_SETTINGS_H
#define BW_CLI_SETTINGS_H

#include "cli/command.h"
#include "image/catalog/catalog.h"
#include "webhook/config.h"

#include <jansson.h>

/* What the commands share: files that are loaded with their problems shown, and the way to images. */

/* "file:line:column: error: /path: message (did you mean x?)", one line. */
void bw_problem_print(FILE *out, const char *file, const struct bw_problem *problem);
/* Line and column of its path in the text, if it has none of its own. */
void bw_problem_locate(struct bw_problem *problem, const char *text, size_t len);
/* All of them, located. */
void bw_problems_print(FILE *out, const char *file, const char *text, size_t len, const struct bw_problems *problems);

/* Text that came from an image or a file, without what a terminal would obey. NULL is nothing. */
void bw_put_clean(FILE *out, const char *text, bool keep_lines);

/* path NULL: all defaults. Says every problem on standard error; 0 or BW_EXIT_TROUBLE. */
int bw_settings_load(struct bw_config **out, const struct bw_arguments *arguments, const char *path);
int bw_bundle_file_load(struct bw_bundle **out, const struct bw_arguments *arguments, const char *path);

/* The registry with one set of credentials. */
struct bw_access {
    struct bw_http_client *http;
    struct bw_registry *registry;
    struct bw_image_source *source;
};

/* Credentials: the configured file; without one and with `personal`, $REGISTRY_AUTH_FILE or ~/.docker/config.json. */
int bw_access_open(struct bw_access *out, const struct bw_config *config, bool personal,
                   struct bw_error *err) BW_MUST_CHECK;
void bw_access_close(struct bw_access *access);

/* A catalog with the stores that the configuration asks for. *recovered: the store on disk was corrupt and begun anew.
 * One that cannot be opened is left out, *cache_err says why: no cache ever stops an admission. */
int bw_catalog_open(struct bw_catalog **out, const struct bw_config *config, void (*done)(void *payload, uint64_t job),
                    void *payload, bool *recovered, struct bw_error *cache_err, struct bw_error *err) BW_MUST_CHECK;

/* The same for a command: what is wrong with the cache is said on standard error. `needs` are those of the analysis. */
int bw_catalog_open_for(struct bw_catalog **out, const struct bw_arguments *arguments, const struct bw_config *config,
                        const struct bw_needs *needs, struct bw_error *err) BW_MUST_CHECK;

/* One image named on the command line, looked up with progress on a terminal. variants are released by the caller
 * (bw_image_answer_clear). *reference_out lives in the arena. */
int bw_image_look_up(struct bw_image_answer *out, struct bw_reference *reference_out, struct bw_catalog *catalog,
                     const struct bw_access *access, const char *text, const struct bw_platform *platform,
                     struct bw_arena *arena, struct bw_error *err) BW_MUST_CHECK;

#endif
