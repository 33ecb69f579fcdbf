/* Folders watched with inotify and, as a safety net, by a hash of their content (base/watch_dir.h); whole files read
 * and replaced. Kubernetes swaps a mounted volume by renaming a `..data` symlink, so the folder is watched, never a
 * file. */
#include "base/watch_dir.h"

#include "base/deadline.h"
#include "base/memory.h"
#include "base/sha256.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SETTLE_MS = 50, SETTLE_MAX_MS = 500, HASHED_FILE_BYTES = 32 * 1024 * 1024 };

struct folder {
    char *path;
    int watch; /* inotify descriptor, -1 while the folder is not there */
    uint8_t hash[BW_SHA256_BYTES];
    bool touched;
};

struct bw_watch_dir {
    struct folder *folders;
    size_t n_folders;
    int poll_ms;
    bw_watch_changed changed;
    void *payload;
    int inotify; /* -1 where the kernel has none left: the poll alone remains */
    int stop;
    pthread_t thread;
};

static const uint32_t interest = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE_SELF |
                                 IN_MOVE_SELF | IN_ATTRIB | IN_ONLYDIR;

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int visible(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* Regular files by content, whatever else by its kind: a touch alone is no change. */
static void hash_entry(struct bw_hash *hash, int folder, const char *name)
{
    static const char kinds[] = "?fo";
    bw_hash_update(hash, name, strlen(name) + 1);
    struct stat status;
    int file = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0 || fstat(file, &status)) {
        bw_hash_update(hash, kinds, 1);
    } else if (!S_ISREG(status.st_mode)) {
        bw_hash_update(hash, kinds + 2, 1);
    } else {
        char block[16384];
        size_t total = 0;
        bw_hash_update(hash, kinds + 1, 1);
        for (ssize_t n; total < HASHED_FILE_BYTES && (n = read(file, block, sizeof(block))) > 0; total += (size_t)n)
            bw_hash_update(hash, block, (size_t)n);
        bw_hash_update(hash, &status.st_size, sizeof(status.st_size));
    }
    if (file >= 0)
        close(file);
}

static void hash_folder(uint8_t *out, const char *path)
{
    struct bw_hash *hash = bw_hash_create(BW_SHA256);
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, visible, by_name);
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < n; i++) {
        if (folder >= 0)
            hash_entry(hash, folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    if (folder >= 0)
        close(folder);
    bw_hash_finish(hash, out);
    bw_hash_destroy(hash);
}

static void folder_watch(const struct bw_watch_dir *watch, struct folder *folder)
{
    if (watch->inotify >= 0 && folder->watch < 0)
        folder->watch = inotify_add_watch(watch->inotify, folder->path, interest);
}

/* Empties the queue; the events only tell which folders to look at. */
static void events_read(struct bw_watch_dir *watch)
{
    _Alignas(struct inotify_event) char events[4096];
    for (ssize_t n; (n = read(watch->inotify, events, sizeof(events))) > 0;) {
        for (char *at = events; at < events + n;) {
            const struct inotify_event *event = (const struct inotify_event *)(void *)at;
            for (size_t i = 0; i < watch->n_folders; i++) {
                struct folder *folder = &watch->folders[i];
                if (folder->watch != event->wd && !(event->mask & IN_Q_OVERFLOW))
                    continue;
                folder->touched = true;
                if (event->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF)) {
                    if (!(event->mask & IN_IGNORED))
                        inotify_rm_watch(watch->inotify, folder->watch);
                    folder->watch = -1;
                }
            }
            at += sizeof(*event) + event->len;
        }
    }
}

static void folders_check(struct bw_watch_dir *watch, bool all)
{
    for (size_t i = 0; i < watch->n_folders; i++) {
        struct folder *folder = &watch->folders[i];
        if (!all && !folder->touched)
            continue;
        folder->touched = false;
        folder_watch(watch, folder);
        uint8_t hash[BW_SHA256_BYTES];
        hash_folder(hash, folder->path);
        if (memcmp(hash, folder->hash, sizeof(hash)) == 0)
            continue;
        memcpy(folder->hash, hash, sizeof(hash));
        watch->changed(watch->payload, folder->path);
    }
}

static void *watch_run(void *argument)
{
    struct bw_watch_dir *watch = argument;
    struct bw_deadline next_poll = bw_deadline_in_ms(watch->poll_ms);
    struct pollfd sources[2] = {{.fd = watch->stop, .events = POLLIN}, {.fd = watch->inotify, .events = POLLIN}};
    for (;;) {
        poll(sources, 2, (int)bw_deadline_left_ms(next_poll));
        if (sources[0].revents)
            return NULL;
        bool all = bw_deadline_passed(next_poll);
        struct bw_deadline settled = bw_deadline_in_ms(SETTLE_MAX_MS);
        while (sources[1].revents && !bw_deadline_passed(settled)) { /* a swap is several events: wait for the last */
            events_read(watch);
            sources[1].revents = 0;
            poll(sources, 2, SETTLE_MS);
            if (sources[0].revents)
                return NULL;
        }
        folders_check(watch, all);
        if (all)
            next_poll = bw_deadline_in_ms(watch->poll_ms);
    }
}

static void watch_free(struct bw_watch_dir *watch)
{
    if (watch->inotify >= 0)
        close(watch->inotify);
    if (watch->stop >= 0)
        close(watch->stop);
    for (size_t i = 0; i < watch->n_folders; i++)
        free(watch->folders[i].path);
    free(watch->folders);
    free(watch);
}

int bw_watch_dir_start(struct bw_watch_dir **out, const char *const *folders, size_t n_folders, int poll_ms,
                       bw_watch_changed changed, void *payload, struct bw_error *err)
{
    struct bw_watch_dir *watch = bw_memory_zeroed(1, sizeof(*watch));
    watch->folders = bw_memory_zeroed(n_folders, sizeof(*watch->folders));
    watch->n_folders = n_folders;
    watch->poll_ms = poll_ms;
    watch->changed = changed;
    watch->payload = payload;
    watch->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    watch->stop = eventfd(0, EFD_CLOEXEC);
    for (size_t i = 0; i < n_folders; i++) {
        struct folder *folder = &watch->folders[i];
        folder->path = bw_memory_strndup(folders[i], strlen(folders[i]));
        folder->watch = -1;
        folder_watch(watch, folder); /* before the hash, so that nothing falls between */
        hash_folder(folder->hash, folder->path);
    }
    if (watch->stop < 0 || pthread_create(&watch->thread, NULL, watch_run, watch)) {
        watch_free(watch);
        return bw_error_set(err, BW_EINTERNAL, "no thread or descriptor left to watch folders");
    }
    *out = watch;
    return 0;
}

void bw_watch_dir_stop(struct bw_watch_dir *watch)
{
    if (!watch)
        return;
    uint64_t one = 1;
    while (write(watch->stop, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
    pthread_join(watch->thread, NULL);
    watch_free(watch);
}

/* --- whole files --- */

static int file_error(const char *path, const char *what, struct bw_error *err)
{
    int fault = errno;
    char reason[96];
    const char *text = strerror_r(fault, reason, sizeof(reason));
    enum bw_code code = fault == ENOENT || fault == ENOTDIR ? BW_ENOTFOUND : BW_EUNAVAILABLE;
    return bw_error_set(err, code, "%s: cannot be %s: %s", path, what, text);
}

int bw_file_read(char **out, size_t *len_out, const char *path, size_t max_bytes, struct bw_error *err)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return file_error(path, "opened", err);
    struct stat status;
    size_t capacity = 4096, len = 0;
    if (fstat(file, &status) == 0 && status.st_size > 0 && (uint64_t)status.st_size <= max_bytes)
        capacity = (size_t)status.st_size + 2; /* one more, so that the last read finds the end; and the NUL */
    char *text = bw_memory_resize(NULL, capacity);
    for (;;) {
        if (len + 1 == capacity)
            text = bw_memory_resize(text, capacity *= 2);
        ssize_t n = read(file, text + len, capacity - len - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            break;
        len += n > 0 ? (size_t)n : 0;
        if (n < 0 || len > max_bytes) {
            int result = n < 0 ? file_error(path, "read", err)
                               : bw_error_set(err, BW_ELIMIT, "%s: larger than %zu bytes", path, max_bytes);
            free(text);
            close(file);
            return result;
        }
    }
    close(file);
    text[len] = '\0';
    *out = text;
    if (len_out)
        *len_out = len;
    return 0;
}

static int write_whole(int file, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(file, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

/* The rename itself must survive a power cut too. */
static void folder_sync(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? bw_memory_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : NULL;
    int descriptor = open(folder ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (descriptor < 0)
        return;
    fsync(descriptor);
    close(descriptor);
}

int bw_file_write(const char *path, const void *bytes, size_t len, unsigned mode, struct bw_error *err)
{
    size_t path_len = strlen(path);
    char *beside = bw_memory_zeroed(1, path_len + sizeof(".XXXXXX"));
    memcpy(beside, path, path_len);
    memcpy(beside + path_len, ".XXXXXX", sizeof(".XXXXXX"));
    int file = mkostemp(beside, O_CLOEXEC);
    if (file < 0) {
        free(beside);
        return file_error(path, "written", err);
    }
    bool failed = write_whole(file, bytes, len) || fchmod(file, (mode_t)mode) || fsync(file);
    int fault = errno;
    if (close(file) && !failed) {
        failed = true;
        fault = errno;
    }
    if (!failed && rename(beside, path)) {
        failed = true;
        fault = errno;
    }
    if (failed)
        unlink(beside);
    else
        folder_sync(path);
    free(beside);
    errno = fault;
    return failed ? file_error(path, "written", err) : 0;
}
