#ifndef BW_CLI_BUNDLE_FOLDER_H
#define BW_CLI_BUNDLE_FOLDER_H

#include "evaluator/bundle.h"

/*
 * Bundles from a folder: every file ending in .json, .yaml or .yml is one, tests of bundles left out; its id is the
 * document's, else the file's name without suffix. A file with a fault keeps its last good bundle; a duplicate id is a
 * fault of the later name. One thread at a time.
 */
struct bw_bundle_folder;

struct bw_bundle_folder *bw_bundle_folder_create(const char *path);
void bw_bundle_folder_destroy(struct bw_bundle_folder *folder); /* NULL is fine */

/* Reads what changed and logs every problem. *out is a new set for the caller, or NULL if nothing changed since the
 * last call with the same default. -1 only if the folder itself cannot be read: the caller keeps what it has. */
int bw_bundle_folder_load(struct bw_bundle_set **out, struct bw_bundle_folder *folder, const char *default_id,
                          bool default_patterns, struct bw_error *err) BW_MUST_CHECK;

size_t bw_bundle_folder_files(const struct bw_bundle_folder *folder);
size_t bw_bundle_folder_faulty(const struct bw_bundle_folder *folder); /* files whose present content is not in force */

#endif
