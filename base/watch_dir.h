#ifndef BW_BASE_WATCH_DIR_H
#define BW_BASE_WATCH_DIR_H

#include "base/error.h"

#include <stddef.h>

/* Watches folders (not files: Kubernetes swaps mounted volumes through a `..data` symlink) with inotify, plus a poll of
 * the content's hash every poll_ms as a safety net. One thread for all folders; changes within 50 ms are one call. */
struct bw_watch_dir;

/* `changed` runs on the watch's thread, with the folder that changed. */
typedef void (*bw_watch_changed)(void *payload, const char *folder);

int bw_watch_dir_start(struct bw_watch_dir **out, const char *const *folders, size_t n_folders, int poll_ms,
                       bw_watch_changed changed, void *payload, struct bw_error *err) BW_MUST_CHECK;
void bw_watch_dir_stop(struct bw_watch_dir *watch); /* joins the thread; NULL is fine */

/* A whole file, at most max_bytes, NUL after it; the caller frees. BW_ENOTFOUND, BW_ELIMIT. */
int bw_file_read(char **out, size_t *len_out, const char *path, size_t max_bytes, struct bw_error *err) BW_MUST_CHECK;
/* Written beside and renamed: a failure leaves the old file. Mode as given. */
int bw_file_write(const char *path, const void *bytes, size_t len, unsigned mode, struct bw_error *err) BW_MUST_CHECK;

#endif
