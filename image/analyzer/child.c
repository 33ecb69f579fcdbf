/*
 * The child of an analysis: reads the request, shuts itself in, unpacks the layers that come through shared memory,
 * merges and catalogs them, sends the report. It ends at the first fault, which it reports in place of a report.
 */
#include "image/analyzer/analyzer.h"

#include "base/json.h"
#include "base/limits.h"
#include "image/analyzer/collectors/secrets.h"
#include "image/analyzer/layer.h"
#include "image/analyzer/sandbox.h"
#include "image/analyzer/unpack.h"
#include "image/analyzer/wire.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EMPTY_DIFF_ID "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

struct child {
    struct bw_wire_request request;
    struct bw_arena arena;
    struct bw_manifest manifest;
    struct bw_image_config config;
    struct bw_collect_options options;
    struct bw_layer *layers; /* one per layer of the manifest */
    bool *done;
    struct bw_layer_bounds bounds;
    char *shared;
    uint64_t cores;
    uint64_t left; /* compressed bytes of layers that are not done; atomic */
    pthread_mutex_t failing;
    struct bw_report_builder *report;
};

struct lane {
    struct child *child;
    uint32_t number;
    pthread_t thread;
};

/* The first fault is the result; nothing else of this process matters any more. */
static _Noreturn void fail(struct child *child, uint32_t layer, const struct bw_error *err)
{
    const struct bw_wire_result result = {.failed = 1, .layer = layer, .len = sizeof(*err)};
    pthread_mutex_lock(&child->failing);
    bool told = bw_wire_write(BW_FD_CONTROL, &result, sizeof(result)) == 0 &&
                bw_wire_write(BW_FD_CONTROL, err, sizeof(*err)) == 0;
    _exit(told ? 0 : 1);
}

/* ---- the request ---- */

static int read_list(const char *const **out, size_t *n_out, uint32_t n, const char **at, size_t *left,
                     struct bw_arena *arena, struct bw_error *err)
{
    const char **list = bw_arena_array(arena, (size_t)n + 1, sizeof(*list));
    if (list == NULL) {
        return bw_arena_spent(err);
    }
    for (uint32_t i = 0; i < n; i++) {
        size_t len = strnlen(*at, *left);
        if (len == *left) {
            return bw_error_set(err, BW_EINTERNAL, "analysis child: the request is cut short");
        }
        list[i] = *at;
        *at += len + 1;
        *left -= len + 1;
    }
    *out = list;
    *n_out = n;
    return 0;
}

static int read_request(struct child *child, struct bw_error *err)
{
    struct bw_wire_request *request = &child->request;
    struct bw_needs *needs = &child->options.needs;
    if (bw_wire_read(BW_FD_CONTROL, request, sizeof(*request)) != 0 || request->manifest_len > BW_MAX_MANIFEST_BYTES ||
        request->config_len > BW_MAX_CONFIG_BLOB_BYTES || request->lanes == 0 || request->lanes > BW_MAX_LANES) {
        return bw_error_set(err, BW_EINTERNAL, "analysis child: no request came");
    }
    char *manifest = bw_arena_alloc(&child->arena, request->manifest_len + 1);
    char *config = bw_arena_alloc(&child->arena, request->config_len + 1);
    char *texts = bw_arena_alloc(&child->arena, (size_t)request->needs_len + 1);
    if (manifest == NULL || config == NULL || texts == NULL) {
        return bw_arena_spent(err);
    }
    if (bw_wire_read(BW_FD_CONTROL, manifest, request->manifest_len) != 0 ||
        bw_wire_read(BW_FD_CONTROL, config, request->config_len) != 0 ||
        bw_wire_read(BW_FD_CONTROL, texts, request->needs_len) != 0) {
        return bw_error_set(err, BW_EINTERNAL, "analysis child: the request is cut short");
    }
    const char *at = texts;
    size_t left = request->needs_len;
    needs->file_digests = request->file_digests != 0;
    child->options.secret_max_bytes = request->secret_max_bytes;
    child->options.retrieved_max_bytes = request->retrieved_max_bytes;
    if (read_list(&needs->secret_patterns, &needs->n_secret_patterns, request->n_secret_patterns, &at, &left,
                  &child->arena, err) != 0 ||
        read_list(&needs->content_patterns, &needs->n_content_patterns, request->n_content_patterns, &at, &left,
                  &child->arena, err) != 0 ||
        read_list(&needs->retrieved_paths, &needs->n_retrieved_paths, request->n_retrieved_paths, &at, &left,
                  &child->arena, err) != 0 ||
        bw_patterns_compile(&child->options.secret_patterns, needs->secret_patterns, needs->n_secret_patterns,
                            &child->arena, err) != 0 ||
        bw_patterns_compile(&child->options.content_patterns, needs->content_patterns, needs->n_content_patterns,
                            &child->arena, err) != 0) {
        return -1;
    }
    /* The manifest was parsed by the parent before; the configuration is first read in here. */
    child->manifest = (struct bw_manifest){0};
    if (bw_sandbox_enter(request->cpu_s, err) != 0 ||
        bw_manifest_parse(&child->manifest, manifest, request->manifest_len, NULL, &child->arena, err) != 0 ||
        bw_image_config_parse(&child->config, config, request->config_len, &child->arena, err) != 0) {
        return -1;
    }
    if (child->config.n_diff_ids != child->manifest.n_layers) {
        return bw_error_detail(err, BW_EINPUT, "config_layer_mismatch",
                               "the manifest has %zu layers, the image configuration %zu diffIDs",
                               child->manifest.n_layers, child->config.n_diff_ids);
    }
    return 0;
}

/* ---- layers ---- */

struct open_layer {
    struct bw_layer_walk *walk;
    struct bw_unpack *unpack;
    uint32_t index;
    bool empty;
};

static void close_layer(struct open_layer *open)
{
    bw_unpack_destroy(open->unpack);
    bw_layer_walk_destroy(open->walk);
    *open = (struct open_layer){0};
}

/* More than one thread for a layer that would otherwise be worked on when all others are done. */
static bool wants_threads(const struct child *child, uint32_t index)
{
    uint64_t left = __atomic_load_n(&child->left, __ATOMIC_RELAXED);
    return child->manifest.layers[index].size > left / child->cores;
}

static void begin_layer(struct child *child, struct open_layer *open, uint32_t index)
{
    close_layer(open);
    open->index = index;
    open->empty = strcmp(child->config.diff_ids[index].text, EMPTY_DIFF_ID) == 0;
    open->walk =
        bw_layer_walk_create(&child->layers[index], (int32_t)index, bw_collectors, &child->options, &child->bounds);
    open->unpack = bw_unpack_create(open->walk, wants_threads(child, index));
}

static int end_layer(struct child *child, struct open_layer *open, struct bw_error *err)
{
    const char *warning = NULL;
    if (!open->empty && bw_unpack_finish(open->unpack, &child->config.diff_ids[open->index], &warning, err) != 0) {
        return -1;
    }
    if (warning != NULL) {
        bw_layer_warn(&child->layers[open->index], warning);
    }
    child->done[open->index] = true;
    (void)__atomic_sub_fetch(&child->left, child->manifest.layers[open->index].size, __ATOMIC_RELAXED);
    close_layer(open);
    return 0;
}

static void *run_lane(void *payload)
{
    struct lane *lane = payload;
    struct child *child = lane->child;
    struct open_layer open = {0};
    struct bw_lane_message message;
    struct bw_error err = {0};
    int fd = BW_FD_CONTROL + 1 + (int)lane->number;
    const char *ring = child->shared + (size_t)lane->number * BW_LANE_SLOTS * BW_SLOT_BYTES;
    size_t slot = 0;
    while (bw_wire_read(fd, &message, sizeof(message)) == 0) {
        int status = 0;
        if (message.kind == BW_LANE_LAYER && message.value < child->manifest.n_layers) {
            begin_layer(child, &open, message.value);
        } else if (message.kind == BW_LANE_DATA && open.walk != NULL && message.value <= BW_SLOT_BYTES) {
            if (!open.empty) {
                status = bw_unpack_feed(open.unpack, ring + slot * BW_SLOT_BYTES, message.value, &err);
            }
            slot = (slot + 1) % BW_LANE_SLOTS;
            if (status == 0 && bw_wire_write(fd, "", 1) != 0) {
                break;
            }
        } else if (message.kind == BW_LANE_END && open.walk != NULL) {
            status = end_layer(child, &open, &err);
        } else {
            break;
        }
        if (status != 0) {
            (void)bw_error_wrap(&err, "layer %u of %zu %.19s", open.index + 1, child->manifest.n_layers,
                                child->manifest.layers[open.index].digest.text);
            fail(child, open.index + 1, &err);
        }
    }
    close_layer(&open);
    return NULL;
}

static int read_layers(struct child *child, struct bw_error *err)
{
    struct lane lanes[BW_MAX_LANES];
    for (uint32_t i = 0; i < child->request.lanes; i++) {
        lanes[i] = (struct lane){.child = child, .number = i};
        if (pthread_create(&lanes[i].thread, NULL, run_lane, &lanes[i]) != 0) {
            return bw_error_set(err, BW_EINTERNAL, "analysis child: no thread could be started");
        }
    }
    for (uint32_t i = 0; i < child->request.lanes; i++) {
        (void)pthread_join(lanes[i].thread, NULL);
    }
    for (size_t i = 0; i < child->manifest.n_layers; i++) {
        if (!child->done[i]) {
            return bw_error_set(err, BW_EINTERNAL, "analysis child: layer %zu did not come", i + 1);
        }
    }
    return 0;
}

/* ---- the report ---- */

static void on_warning(void *payload, const char *text)
{
    struct child *child = payload;
    (void)!bw_report_add_warning(child->report, NULL, "%s", text);
}

static int fill_head(struct child *child, struct bw_report_builder *builder, int64_t size, struct bw_error *err)
{
    struct bw_report *head = bw_report_builder_head(builder);
    struct bw_arena *arena = bw_report_builder_arena(builder);
    struct bw_report_layer *layers = bw_arena_array(arena, child->manifest.n_layers + 1, sizeof(*layers));
    if (layers == NULL) {
        return bw_arena_spent(err);
    }
    head->compressed_size = 0;
    for (size_t i = 0; i < child->manifest.n_layers; i++) {
        const struct bw_descriptor *layer = &child->manifest.layers[i];
        layers[i] = (struct bw_report_layer){.digest = layer->digest,
                                             .diff_id = child->config.diff_ids[i],
                                             .media_type = bw_arena_strdup(arena, layer->media_type),
                                             .size = layer->size};
        head->compressed_size += (int64_t)layer->size;
    }
    head->digest = child->manifest.digest;
    head->id = bw_arena_strdup(arena, bw_digest_hex(&child->manifest.config.digest));
    head->media_type = bw_arena_strdup(arena, child->manifest.media_type);
    head->os = bw_arena_strdup(arena, child->config.platform.os);
    head->architecture = bw_arena_strdup(arena, child->config.platform.architecture);
    head->variant = bw_arena_strdup(arena, child->config.platform.variant);
    head->created = child->config.created == NULL ? NULL : bw_arena_strdup(arena, child->config.created);
    head->config = strlen(child->config.text) == child->config.len ? bw_arena_strdup(arena, child->config.text) : NULL;
    head->size = size;
    head->layer_count = (int64_t)child->manifest.n_layers;
    head->layers = layers;
    head->n_layers = child->manifest.n_layers;
    head->source = "layers";
    head->analyzer = BREAKWATER_VERSION;
    head->completed_s = child->request.completed_s;
    head->revision = BW_REPORT_REVISION;
    return bw_needs_copy(&head->covers, &child->options.needs, arena, err);
}

static int add_layer_remarks(struct child *child, struct bw_error *err)
{
    for (size_t i = 0; i < child->manifest.n_layers; i++) {
        const struct bw_layer *layer = &child->layers[i];
        for (size_t j = 0; j < layer->n_warnings; j++) {
            if (bw_report_add_warning(child->report, err, "layer %zu: %s", i + 1, layer->warnings[j]) != 0) {
                return -1;
            }
        }
        for (size_t j = 0; j < layer->n_incomplete; j++) {
            if (bw_report_add_incomplete(child->report, layer->incomplete[j].kind, layer->incomplete[j].reason, err) !=
                0) {
                return -1;
            }
        }
    }
    return 0;
}

/* A row that fails makes its kind incomplete, not the image unknown. */
static int run_collectors(struct child *child, const struct bw_tree *tree, struct bw_error *err)
{
    struct bw_collect at = {
        .options = &child->options,
        .tree = tree,
        .manifest = &child->manifest,
        .config = &child->config,
        .report = child->report,
        .arena = &child->arena,
    };
    for (size_t i = 0; bw_collectors[i] != NULL; i++) {
        struct bw_error own = {0};
        if (bw_collectors[i]->collect != NULL && bw_collectors[i]->collect(&at, &own) != 0 &&
            bw_report_add_incomplete(child->report, bw_collectors[i]->kind, own.message, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int make_report(struct child *child, struct bw_report **out, struct bw_error *err)
{
    struct bw_layer **layers = bw_arena_array(&child->arena, child->manifest.n_layers + 1, sizeof(*layers));
    struct bw_tree *tree = NULL;
    int64_t size = 0;
    if (layers == NULL) {
        return bw_arena_spent(err);
    }
    for (size_t i = 0; i < child->manifest.n_layers; i++) {
        layers[i] = &child->layers[i];
    }
    child->report = bw_report_builder_create(BW_ARENA_REPORT);
    if (bw_tree_build(&tree, &size, layers, child->manifest.n_layers, on_warning, child, err) != 0 ||
        fill_head(child, child->report, size, err) != 0 || add_layer_remarks(child, err) != 0 ||
        run_collectors(child, tree, err) != 0) {
        return -1;
    }
    bw_tree_destroy(tree); /* what is not needed any more makes room for the report's bytes */
    for (size_t i = 0; i < child->manifest.n_layers; i++) {
        bw_layer_clear(&child->layers[i]);
    }
    int status = bw_report_builder_finish(out, child->report, err);
    bw_report_builder_destroy(child->report);
    return status;
}

static int analyze(struct child *child, struct bw_error *err)
{
    struct bw_report *report = NULL;
    void *bytes = NULL;
    size_t len = 0;
    if (read_request(child, err) != 0) {
        return -1;
    }
    child->layers = calloc(child->manifest.n_layers + 1, sizeof(*child->layers));
    child->done = calloc(child->manifest.n_layers + 1, sizeof(*child->done));
    if (child->layers == NULL || child->done == NULL) {
        abort();
    }
    for (size_t i = 0; i < child->manifest.n_layers; i++) {
        bw_layer_init(&child->layers[i]);
        child->left += child->manifest.layers[i].size;
    }
    if (read_layers(child, err) != 0 || make_report(child, &report, err) != 0 ||
        bw_report_encode(&bytes, &len, report, err) != 0) {
        return -1;
    }
    const struct bw_wire_result result = {.failed = 0, .len = len};
    if (bw_wire_write(BW_FD_CONTROL, &result, sizeof(result)) != 0 || bw_wire_write(BW_FD_CONTROL, bytes, len) != 0) {
        return bw_error_set(err, BW_EINTERNAL, "analysis child: nobody takes the report");
    }
    return 0;
}

/* What libraries load on first use has to be loaded before files are out of reach. One heap for all threads: others
 * shrink, and the C library opens a file of /proc to learn whether they may. */
static void warm_up(void)
{
    static const enum bw_hash_kind kinds[] = {BW_SHA256, BW_SHA512, BW_SHA1, BW_MD5};
    char hex[2 * BW_HASH_MAX + 1];
    for (size_t i = 0; i < BW_LENGTH(kinds); i++) {
        bw_hash_hex(hex, kinds[i], "", 0);
    }
    json_object_seed(0);
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_MMAP_THRESHOLD, 128 * 1024); /* set, it does not grow: large pieces go back when they are freed */
}

int bw_analyzer_child_main(int argc, char **argv)
{
    static struct child child;
    struct bw_error err = {0};
    uint64_t lanes =
        argc == 2 && argv[1][0] >= '1' && argv[1][0] <= '0' + BW_MAX_LANES ? (uint64_t)(argv[1][0] - '0') : 0;
    size_t shared = (size_t)lanes * BW_LANE_SLOTS * BW_SLOT_BYTES;
    if (lanes == 0) {
        (void)fprintf(stderr, "breakwater " BW_ANALYZER_CHILD_COMMAND " is started by breakwater itself\n");
        return 2;
    }
    warm_up();
    bw_arena_init(&child.arena, BW_ARENA_REPORT);
    (void)pthread_mutex_init(&child.failing, NULL);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    child.cores = cores < 1 ? 1 : (uint64_t)cores;
    child.shared = mmap(NULL, shared, PROT_READ, MAP_SHARED, BW_FD_CONTROL + 1 + (int)lanes, 0);
    if (child.shared == MAP_FAILED) {
        (void)bw_error_set(&err, BW_EINTERNAL, "analysis child: no shared memory");
        fail(&child, 0, &err);
    }
    if (analyze(&child, &err) != 0) {
        fail(&child, 0, &err);
    }
    _exit(0);
}
