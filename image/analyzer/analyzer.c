/*
 * The parent of an analysis: reads the blobs, checks their digests, hands the bytes to the child through shared memory,
 * and reads its report. One thread per lane fetches layers, the biggest first; the caller's thread waits for the
 * result.
 */
#include "image/analyzer/analyzer.h"

#include "base/buf.h"
#include "base/limits.h"
#include "image/analyzer/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define EMPTY_GZIP_LAYER "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4"

enum { POLL_MS = 100, HIGH_FD = 64 };

struct analysis {
    struct bw_image_source *source;
    const struct bw_reference *reference;
    const struct bw_analyzer_options *options;
    struct bw_deadline deadline;
    bool own_deadline; /* the limit of an analysis ends before the caller's patience */
    struct bw_arena arena;
    struct bw_manifest manifest;
    const struct bw_descriptor **order; /* layers, the biggest first */
    const char *manifest_bytes, *config_bytes;
    size_t manifest_len;
    uint32_t n_lanes;
    pid_t pid;
    int control;
    char *shared;
    size_t shared_len;
    /* between lanes and the waiting thread */
    pthread_mutex_t lock;
    size_t next, layers_done;
    uint64_t bytes_done, n_bytes;
    bool failed;
    struct bw_error error;
    /* After a fault in the content of a layer: its blob is read to the end all the same, since bytes that are not those
     * of the digest say nothing about the image. */
    pthread_cond_t decided;
    bool gone;      /* the child ended and what it said is known */
    size_t suspect; /* that layer, from 1 */
};

struct lane {
    struct analysis *at;
    uint32_t number;
    int fd;
    size_t slot, credits;
    pthread_t thread;
    bool started;
    size_t layer;          /* the one under way, from 1 */
    struct bw_error error; /* why its blob could not be read; to be looked at when the thread has ended */
};

/* ---- one lane: layers from the source into its ring ---- */

static void lane_failed(struct analysis *at, const struct bw_error *err)
{
    pthread_mutex_lock(&at->lock);
    if (!at->failed) {
        at->failed = true;
        at->error = *err;
    }
    pthread_mutex_unlock(&at->lock);
}

static bool is_failed(struct analysis *at)
{
    pthread_mutex_lock(&at->lock);
    bool failed = at->failed;
    pthread_mutex_unlock(&at->lock);
    return failed;
}

static int timed_out(const struct analysis *at, struct bw_error *err)
{
    return at->own_deadline
               ? bw_error_detail(err, BW_ELIMIT, "analyzer_timeout", "the image takes longer than an analysis may")
               : bw_error_detail(err, BW_EDEADLINE, "analyzer_timeout", "the time for the analysis is over");
}

static int tell(struct lane *lane, uint32_t kind, uint32_t value)
{
    const struct bw_lane_message message = {kind, value};
    return bw_wire_write(lane->fd, &message, sizeof(message));
}

/* Waits until the child is done with a slot. -1 when it has gone: its own result says why. */
static int take_slot(struct lane *lane)
{
    char done[BW_LANE_SLOTS];
    if (lane->credits > 0) {
        lane->credits--;
        return 0;
    }
    ssize_t got = 0;
    do {
        got = read(lane->fd, done, sizeof(done));
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        return -1;
    }
    lane->credits = (size_t)got - 1;
    return 0;
}

/* Fills one slot; *len 0 at the end of the blob. */
static int fill_slot(struct lane *lane, struct bw_blob_reader *reader, size_t *len, struct bw_error *err)
{
    char *into = lane->at->shared + ((size_t)lane->number * BW_LANE_SLOTS + lane->slot) * BW_SLOT_BYTES;
    ssize_t got = 1;
    *len = 0;
    while (*len < BW_SLOT_BYTES && got > 0) {
        got = bw_blob_read(reader, into + *len, BW_SLOT_BYTES - *len, err);
        *len += got > 0 ? (size_t)got : 0;
    }
    return got < 0 ? -1 : 0;
}

/* The child has gone: was it about this layer, its blob has to be what its digest says. */
static int verify_rest(struct lane *lane, struct bw_blob_reader *reader, struct bw_error *err)
{
    struct analysis *at = lane->at;
    size_t len = 1;
    int status = 0;
    pthread_mutex_lock(&at->lock);
    while (!at->gone) {
        pthread_cond_wait(&at->decided, &at->lock);
    }
    bool suspect = at->suspect == lane->layer;
    pthread_mutex_unlock(&at->lock);
    while (suspect && status == 0 && len > 0 && !bw_deadline_passed(at->deadline)) {
        status = fill_slot(lane, reader, &len, err);
    }
    return status == 0 ? 1 : -1;
}

/* 0; -1 with err; 1 when the child has gone or the analysis has failed. */
static int send_layer(struct lane *lane, const struct bw_descriptor *layer, struct bw_error *err)
{
    struct analysis *at = lane->at;
    struct bw_blob_reader *reader = NULL;
    struct bw_descriptor wanted = *layer;
    size_t len = 1;
    int status = tell(lane, BW_LANE_LAYER, (uint32_t)(layer - at->manifest.layers)) == 0 ? 0 : 1;
    if (status == 0 && strcmp(layer->digest.text, EMPTY_GZIP_LAYER) != 0) {
        wanted.urls = at->options->fetch_foreign_layers ? wanted.urls : NULL;
        status = at->source->ops->open_blob(&reader, at->source, at->reference, &wanted, at->deadline, err);
    }
    while (status == 0 && reader != NULL && len > 0) {
        if (take_slot(lane) != 0 || is_failed(at)) {
            status = 1;
        } else if (bw_deadline_passed(at->deadline)) {
            status = timed_out(at, err);
        } else if ((status = fill_slot(lane, reader, &len, err)) == 0 && len > 0) {
            status = tell(lane, BW_LANE_DATA, (uint32_t)len) == 0 ? 0 : 1;
            lane->slot = (lane->slot + 1) % BW_LANE_SLOTS;
            pthread_mutex_lock(&at->lock);
            at->bytes_done += len;
            pthread_mutex_unlock(&at->lock);
        } else if (status == 0) {
            lane->credits++; /* the slot was not used */
        }
    }
    if (status == 1 && reader != NULL && len > 0) {
        status = verify_rest(lane, reader, err);
    }
    bw_blob_close(reader);
    if (status == 0 && tell(lane, BW_LANE_END, 0) != 0) {
        status = 1;
    }
    return status;
}

static void *run_lane(void *payload)
{
    struct lane *lane = payload;
    struct analysis *at = lane->at;
    struct bw_error err = {0};
    int status = 0;
    while (status == 0) {
        pthread_mutex_lock(&at->lock);
        const struct bw_descriptor *layer =
            at->failed || at->next == at->manifest.n_layers ? NULL : at->order[at->next++];
        pthread_mutex_unlock(&at->lock);
        if (layer == NULL) {
            break;
        }
        lane->layer = (size_t)(layer - at->manifest.layers) + 1;
        status = send_layer(lane, layer, &err);
        if (status < 0) {
            (void)bw_error_wrap(&err, "layer %zu of %zu %.19s", lane->layer, at->manifest.n_layers, layer->digest.text);
            lane->error = err;
            lane_failed(at, &err);
        } else if (status == 0) {
            pthread_mutex_lock(&at->lock);
            at->layers_done++;
            pthread_mutex_unlock(&at->lock);
        }
    }
    (void)shutdown(lane->fd, SHUT_WR);
    return NULL;
}

/* ---- the child ---- */

static int high(int fd) /* out of the way of the numbers that the child gets; closes the low one */
{
    int moved = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
    if (fd >= 0) {
        (void)close(fd);
    }
    return moved;
}

static int pair(int *ours, int *theirs)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        return -1;
    }
    *ours = fds[0];
    *theirs = high(fds[1]);
    return *theirs < 0 ? -1 : 0;
}

static int spawn(struct analysis *at, const int *theirs, uint32_t n, int memory)
{
    const char *program = at->options->program == NULL ? "/proc/self/exe" : at->options->program;
    char lanes[2] = {(char)('0' + at->n_lanes), '\0'};
    char name[] = "breakwater", command[] = BW_ANALYZER_CHILD_COMMAND;
    char *argv[] = {name, command, lanes, NULL}, *envp[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    (void)sigemptyset(&none);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    int status = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    status |= posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    status |= posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0); /* the log is not its to write */
    for (uint32_t i = 0; i < n; i++) {
        status |= posix_spawn_file_actions_adddup2(&actions, theirs[i], BW_FD_CONTROL + (int)i);
    }
    status |= posix_spawn_file_actions_adddup2(&actions, memory, BW_FD_CONTROL + (int)n);
    status |= posix_spawn_file_actions_addclosefrom_np(&actions, BW_FD_CONTROL + (int)n + 1);
    if (status == 0) {
        status = posix_spawn(&at->pid, program, &actions, &attributes, argv, envp);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    return status;
}

static int start_child(struct analysis *at, struct lane *lanes, struct bw_error *err)
{
    int theirs[BW_MAX_LANES + 1];
    uint32_t n = 0;
    int why = 0;
    at->shared_len = (size_t)at->n_lanes * BW_LANE_SLOTS * BW_SLOT_BYTES;
    int memory = high(memfd_create("breakwater-layers", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (memory < 0 || ftruncate(memory, (off_t)at->shared_len) != 0 ||
        fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0 ||
        (at->shared = mmap(NULL, at->shared_len, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0)) == MAP_FAILED) {
        why = errno;
        at->shared = NULL;
    }
    (void)fcntl(memory, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL); /* where the kernel has it: the child reads */
    if (why == 0 && pair(&at->control, &theirs[n++]) != 0) {
        why = errno;
    }
    for (uint32_t i = 0; why == 0 && i < at->n_lanes; i++) {
        lanes[i] = (struct lane){.at = at, .number = i, .fd = -1, .credits = BW_LANE_SLOTS};
        if (pair(&lanes[i].fd, &theirs[n++]) != 0) {
            why = errno;
        }
    }
    if (why == 0) {
        why = spawn(at, theirs, n, memory);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (theirs[i] >= 0) {
            (void)close(theirs[i]);
        }
    }
    if (memory >= 0) {
        (void)close(memory);
    }
    return why == 0 ? 0 : bw_error_set(err, BW_EINTERNAL, "the analysis child could not be started: %s", strerror(why));
}

static void put_list(struct bw_buf *buf, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bw_buf_append(buf, list[i], strlen(list[i]) + 1);
    }
}

static int send_request(struct analysis *at, struct bw_error *err)
{
    const struct bw_needs *needs = &at->options->needs;
    BW_BUF_SCOPE texts;
    bw_buf_init(&texts, BW_MAX_BUNDLE_BYTES);
    put_list(&texts, needs->secret_patterns, needs->n_secret_patterns);
    put_list(&texts, needs->content_patterns, needs->n_content_patterns);
    put_list(&texts, needs->retrieved_paths, needs->n_retrieved_paths);
    if (bw_buf_check(&texts, "the patterns and paths of an analysis", err) != 0) {
        return -1;
    }
    const struct bw_wire_request request = {
        .manifest_len = at->manifest_len,
        .config_len = at->manifest.config.size,
        .secret_max_bytes = at->options->secret_max_bytes,
        .retrieved_max_bytes = at->options->retrieved_max_bytes,
        .completed_s = bw_wall_s(),
        .n_secret_patterns = (uint32_t)needs->n_secret_patterns,
        .n_content_patterns = (uint32_t)needs->n_content_patterns,
        .n_retrieved_paths = (uint32_t)needs->n_retrieved_paths,
        .needs_len = (uint32_t)texts.len,
        .lanes = at->n_lanes,
        .cpu_s = at->options->cpu_s == 0 ? BW_ANALYSIS_CPU_S : at->options->cpu_s,
        .file_digests = needs->file_digests,
    };
    if (bw_wire_write(at->control, &request, sizeof(request)) != 0 ||
        bw_wire_write(at->control, at->manifest_bytes, at->manifest_len) != 0 ||
        bw_wire_write(at->control, at->config_bytes, (size_t)at->manifest.config.size) != 0 ||
        bw_wire_write(at->control, texts.len == 0 ? "" : texts.data, texts.len) != 0) {
        return 1; /* the child has gone; its status says why */
    }
    return 0;
}

/* ---- the result ---- */

static void report_progress(struct analysis *at)
{
    if (at->options->progress != NULL) {
        pthread_mutex_lock(&at->lock);
        size_t layers = at->layers_done;
        uint64_t bytes = at->bytes_done;
        pthread_mutex_unlock(&at->lock);
        at->options->progress(at->options->payload, layers, at->manifest.n_layers, bytes, at->n_bytes);
    }
}

/* Reads from the child while lanes work. 0; 1 when it has gone; -1 with err when time is over or a lane failed. */
static int receive(struct analysis *at, void *into, size_t len, struct bw_error *err)
{
    char *to = into;
    while (len > 0) {
        struct pollfd wait = {.fd = at->control, .events = POLLIN};
        int ready = poll(&wait, 1, POLL_MS);
        if (is_failed(at)) {
            *err = at->error;
            return -1;
        }
        if (bw_deadline_passed(at->deadline)) {
            return timed_out(at, err);
        }
        if (ready <= 0) {
            report_progress(at);
            continue;
        }
        ssize_t got = read(at->control, to, len);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return 1;
        }
        to += got;
        len -= (size_t)got;
    }
    return 0;
}

/* The child hung up without a result. Its end is a matter of milliseconds; a child that goes on is ended. */
static int crashed(struct analysis *at, struct bw_error *err)
{
    int how = 0;
    bool ended = false;
    for (int i = 0; i < 100 && !ended; i++) {
        ended = waitpid(at->pid, &how, WNOHANG) != 0;
        if (!ended) {
            (void)poll(NULL, 0, POLL_MS / 10);
        }
    }
    if (!ended) {
        (void)kill(at->pid, SIGKILL);
        (void)waitpid(at->pid, NULL, 0);
    }
    at->pid = 0;
    if (WIFSIGNALED(how) && (WTERMSIG(how) == SIGXCPU || WTERMSIG(how) == SIGKILL)) {
        return bw_error_detail(err, BW_ELIMIT, "analyzer_timeout", "the analysis used up its CPU time or memory");
    }
    if (WIFSIGNALED(how)) {
        return bw_error_detail(err, BW_EINPUT, "analyzer_crashed", "the analysis child was ended by signal %d (%s)",
                               WTERMSIG(how), strsignal(WTERMSIG(how)));
    }
    return bw_error_detail(err, BW_EINPUT, "analyzer_crashed", "the analysis child ended with status %d and no result",
                           WIFEXITED(how) ? WEXITSTATUS(how) : -1);
}

/* An error that the child wrote: every field is made safe before it is used. */
static int take_error(struct bw_error *err, struct bw_error *sent)
{
    sent->message[sizeof(sent->message) - 1] = '\0';
    sent->detail[sizeof(sent->detail) - 1] = '\0';
    bw_text_clean(sent->message, false);
    bw_text_clean(sent->detail, false);
    enum bw_code code = sent->code == BW_ELIMIT || sent->code == BW_EINTERNAL ? sent->code : BW_EINPUT;
    return bw_error_detail(err, code, sent->detail, "%s", sent->message);
}

/* What the parent knows itself has to be in it. */
static bool is_ours(const struct analysis *at, const struct bw_report *report)
{
    const struct bw_needs *needs = &at->options->needs;
    return bw_digest_equal(&report->digest, &at->manifest.digest) && report->id != NULL &&
           strcmp(report->id, bw_digest_hex(&at->manifest.config.digest)) == 0 &&
           report->revision == BW_REPORT_REVISION && report->n_layers == at->manifest.n_layers &&
           report->covers.n_secret_patterns == needs->n_secret_patterns &&
           report->covers.n_content_patterns == needs->n_content_patterns &&
           report->covers.n_retrieved_paths == needs->n_retrieved_paths &&
           report->covers.file_digests == needs->file_digests;
}

static int read_result(struct bw_report **out, struct analysis *at, struct bw_error *err)
{
    struct bw_wire_result result = {0};
    struct bw_error sent = {0};
    int status = receive(at, &result, sizeof(result), err);
    if (status == 0 && result.failed != 0) {
        status = result.len == sizeof(sent) ? receive(at, &sent, sizeof(sent), err) : 1;
        at->suspect = status == 0 && result.layer <= at->manifest.n_layers ? result.layer : 0;
        return status == 0 ? take_error(err, &sent) : status < 0 ? -1 : crashed(at, err);
    }
    if (status == 0 && result.len > BW_MAX_ANALYSIS_BYTES) {
        return bw_error_detail(err, BW_ELIMIT, "image_too_large", "the analysis is larger than %llu MiB",
                               (unsigned long long)(BW_MAX_ANALYSIS_BYTES / BW_MIB));
    }
    char *bytes = status == 0 ? malloc((size_t)result.len + 1) : NULL;
    if (status == 0 && bytes == NULL) {
        abort();
    }
    if (status == 0) {
        status = receive(at, bytes, (size_t)result.len, err);
    }
    if (status != 0) {
        free(bytes);
        return status < 0 ? -1 : crashed(at, err);
    }
    struct bw_report *report = NULL;
    status = bw_report_decode(&report, bytes, (size_t)result.len, err);
    free(bytes);
    if (status != 0) {
        return bw_error_wrap(err, "the report of the analysis child");
    }
    if (!is_ours(at, report)) {
        bw_report_release(report);
        return bw_error_detail(err, BW_EINPUT, "analyzer_crashed", "the analysis child reported another image");
    }
    *out = report;
    return 0;
}

/* ---- the whole ---- */

static int by_size(const void *a, const void *b)
{
    uint64_t left = (*(const struct bw_descriptor *const *)a)->size,
             right = (*(const struct bw_descriptor *const *)b)->size;
    return left < right ? 1 : left > right ? -1 : 0;
}

static int fetch_documents(struct analysis *at, const struct bw_digest *digest, struct bw_error *err)
{
    struct bw_manifest_bytes manifest = {0};
    char *config = NULL;
    if (at->source->ops->manifest(&manifest, at->source, at->reference, digest, &at->arena, at->deadline, err) != 0 ||
        bw_manifest_parse(&at->manifest, manifest.bytes, manifest.len, manifest.content_type, &at->arena, err) != 0) {
        return -1;
    }
    if (at->manifest.kind != BW_MANIFEST_IMAGE) {
        return bw_error_detail(err, BW_EINPUT, "not_an_image", "%.19s... is an index where an image is expected",
                               digest->text);
    }
    if (bw_blob_read_all(&config, at->source, at->reference, &at->manifest.config, BW_MAX_CONFIG_BLOB_BYTES, &at->arena,
                         at->deadline, err) != 0) {
        return bw_error_wrap(err, "image configuration");
    }
    at->manifest_bytes = manifest.bytes;
    at->manifest_len = manifest.len;
    at->config_bytes = config;
    at->order = bw_arena_array(&at->arena, at->manifest.n_layers + 1, sizeof(*at->order));
    if (at->order == NULL) {
        return bw_arena_spent(err);
    }
    for (size_t i = 0; i < at->manifest.n_layers; i++) {
        at->order[i] = &at->manifest.layers[i];
        at->n_bytes += at->manifest.layers[i].size;
    }
    if (at->manifest.n_layers > 1) {
        qsort(at->order, at->manifest.n_layers, sizeof(*at->order), by_size);
    }
    return 0;
}

static uint32_t choose_lanes(const struct analysis *at)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = at->options->layers_in_flight != 0 ? at->options->layers_in_flight
               : cores > 4                        ? 4
               : cores < 1                        ? 1
                                                  : (size_t)cores;
    n = n > at->manifest.n_layers ? at->manifest.n_layers : n;
    return n > BW_MAX_LANES ? BW_MAX_LANES : n == 0 ? 1 : (uint32_t)n;
}

/* Whatever it is doing: what was wanted of it is there, or will not come. */
static void end_child(struct analysis *at, struct lane *lanes)
{
    if (at->pid > 0) {
        (void)kill(at->pid, SIGKILL);
        (void)waitpid(at->pid, NULL, 0);
    }
    pthread_mutex_lock(&at->lock);
    at->gone = true;
    pthread_cond_broadcast(&at->decided);
    pthread_mutex_unlock(&at->lock);
    for (uint32_t i = 0; i < at->n_lanes; i++) {
        if (lanes[i].fd >= 0) {
            (void)shutdown(lanes[i].fd, SHUT_RDWR);
        }
        if (lanes[i].started) {
            (void)pthread_join(lanes[i].thread, NULL);
        }
        if (lanes[i].fd >= 0) {
            (void)close(lanes[i].fd);
        }
    }
}

static int run_child(struct bw_report **out, struct analysis *at, struct bw_error *err)
{
    struct lane lanes[BW_MAX_LANES];
    struct bw_report *report = NULL;
    memset(lanes, 0, sizeof(lanes));
    for (size_t i = 0; i < BW_MAX_LANES; i++) {
        lanes[i].fd = -1;
    }
    at->n_lanes = choose_lanes(at);
    int status = start_child(at, lanes, err);
    if (status == 0 && (status = send_request(at, err)) == 1) {
        status = crashed(at, err);
    }
    for (uint32_t i = 0; status == 0 && i < at->n_lanes; i++) {
        lanes[i].started = pthread_create(&lanes[i].thread, NULL, run_lane, &lanes[i]) == 0;
        if (!lanes[i].started) {
            status = bw_error_set(err, BW_EINTERNAL, "no thread could be started");
        }
    }
    if (status == 0) {
        status = read_result(&report, at, err);
    }
    if (status != 0) {
        lane_failed(at, err); /* ends lanes that still fetch */
    }
    end_child(at, lanes);
    for (uint32_t i = 0; status != 0 && at->suspect != 0 && i < at->n_lanes; i++) {
        if (lanes[i].layer == at->suspect && lanes[i].error.code != BW_OK) {
            *err = lanes[i].error;
        }
    }
    if (status == 0 && at->layers_done != at->manifest.n_layers) {
        bw_report_release(report);
        return bw_error_detail(err, BW_EINPUT, "analyzer_crashed", "the analysis child reported before it was done");
    }
    if (status == 0) {
        report_progress(at);
        *out = report;
    }
    return status;
}

int bw_analyze(struct bw_report **out, struct bw_image_source *source, const struct bw_reference *reference,
               const struct bw_digest *digest, const struct bw_analyzer_options *options, struct bw_deadline deadline,
               struct bw_error *err)
{
    struct bw_error own = {0};
    unsigned wall_s = options->wall_s == 0 ? BW_ANALYSIS_WALL_S : options->wall_s;
    struct analysis at = {
        .source = source,
        .reference = reference,
        .options = options,
        .control = -1,
    };
    struct bw_deadline wall = bw_deadline_in_ms((int64_t)wall_s * 1000);
    at.deadline = bw_deadline_min(deadline, wall);
    at.own_deadline = wall.monotonic_ms < deadline.monotonic_ms;
    err = err == NULL ? &own : err;
    bw_arena_init(&at.arena, 64 * BW_MIB);
    (void)pthread_mutex_init(&at.lock, NULL);
    (void)pthread_cond_init(&at.decided, NULL);
    int status = fetch_documents(&at, digest, err);
    if (status == 0) {
        status = run_child(out, &at, err);
    }
    if (at.control >= 0) {
        (void)close(at.control);
    }
    if (at.shared != NULL) {
        (void)munmap(at.shared, at.shared_len);
    }
    (void)pthread_mutex_destroy(&at.lock);
    (void)pthread_cond_destroy(&at.decided);
    bw_arena_clear(&at.arena);
    return status;
}
