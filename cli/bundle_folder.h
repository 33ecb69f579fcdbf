#ifndef BW_CLI_BUNDLE_FOLDER_H
#define BW_CLI_BUNDLE_FOLDER_H

#include "cli/bundle_store.h"

/*
 * Bundles from a folder: every file ending in .json, .yaml or .yml is one, tests of bundles left out; its id is the
 * document's, else the file's name without suffix. BW_ENOTFOUND when there is no such folder, other classes when it
 * cannot be read: then the store keeps what it has.
 */
int bw_bundle_folder_feed(struct bw_bundle_store *store, const char *path, bool default_patterns,
                          struct bw_error *err) BW_MUST_CHECK;

#endif
