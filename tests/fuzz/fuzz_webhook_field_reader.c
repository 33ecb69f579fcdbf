/* The quick reader of reviews and jansson held to the same result: what the one understands, the other says too. A body
 * that is no JSON, or exceeds what jansson is given, may be understood or not. */
#include "base/limits.h"
#include "webhook/review.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void differ(const char *what)
{
    (void)fprintf(stderr, "the readers differ: %s\n", what);
    abort();
}

static void same_text(const char *a, const char *b, const char *what)
{
    if ((a == NULL) != (b == NULL) || (a != NULL && strcmp(a, b) != 0)) {
        differ(what);
    }
}

static void same_images(const struct bw_pod_images *a, const struct bw_pod_images *b)
{
    if (a->supported != b->supported || a->template != b->template || a->n_images != b->n_images) {
        differ("images");
    }
    same_text(a->node_os, b->node_os, "node os");
    same_text(a->node_architecture, b->node_architecture, "node architecture");
    for (size_t i = 0; i < a->n_images; i++) {
        const struct bw_pod_image *one = &a->images[i], *other = &b->images[i];
        if (one->kind != other->kind || one->len != other->len || memcmp(one->text, other->text, one->len) != 0) {
            differ("an image");
        }
        same_text(one->container, other->container, "container");
        same_text(one->field, other->field, "field");
    }
}

static void same_pairs(const struct bw_pairs *a, const struct bw_pairs *b, const char *what)
{
    if (a->n_items != b->n_items) {
        differ(what);
    }
    for (size_t i = 0; i < a->n_items; i++) {
        const struct bw_pair *one = &a->items[i], *other = &b->items[i];
        same_text(one->key, other->key, what);
        if (one->value_len != other->value_len || memcmp(one->value, other->value, one->value_len) != 0) {
            differ(what);
        }
    }
}

static void same_metadata(const struct bw_metadata *a, const struct bw_metadata *b, const char *what)
{
    same_text(a->name, b->name, what);
    same_pairs(&a->labels, &b->labels, what);
    same_pairs(&a->annotations, &b->annotations, what);
}

static void same_pod(const struct bw_review *a, const struct bw_review *b)
{
    same_metadata(&a->object, &b->object, "metadata");
    same_metadata(&a->pod, &b->pod, "metadata of the template");
    same_text(a->service_account, b->service_account, "serviceAccountName");
    if (a->n_owners != b->n_owners || (a->pull_secrets == NULL) != (b->pull_secrets == NULL)) {
        differ("owners or pull secrets");
    }
    for (size_t i = 0; i < a->n_owners; i++) {
        same_text(a->owners[i].api_version, b->owners[i].api_version, "apiVersion of an owner");
        same_text(a->owners[i].kind, b->owners[i].kind, "kind of an owner");
        same_text(a->owners[i].name, b->owners[i].name, "name of an owner");
        same_text(a->owners[i].uid, b->owners[i].uid, "uid of an owner");
        if (a->owners[i].controller != b->owners[i].controller) {
            differ("controller of an owner");
        }
    }
    for (size_t i = 0; a->pull_secrets != NULL && (i == 0 || a->pull_secrets[i - 1] != NULL); i++) {
        same_text(a->pull_secrets[i], b->pull_secrets[i], "a pull secret");
    }
}

static void same(const struct bw_review *a, const struct bw_review *b)
{
    same_text(a->api_version, b->api_version, "apiVersion");
    same_text(a->uid, b->uid, "uid");
    same_text(a->kind, b->kind, "kind");
    same_text(a->group, b->group, "group");
    same_text(a->resource, b->resource, "resource");
    same_text(a->subresource, b->subresource, "subResource");
    same_text(a->namespace, b->namespace, "namespace");
    same_text(a->name, b->name, "name");
    same_text(a->operation, b->operation, "operation");
    same_text(a->username, b->username, "username");
    size_t group = 0;
    do {
        same_text(a->groups[group], b->groups[group], "groups");
    } while (a->groups[group++] != NULL);
    if (a->dry_run != b->dry_run || a->mirror_pod != b->mirror_pod || a->old_deleting != b->old_deleting) {
        differ("a flag");
    }
    same_pod(a, b);
    same_images(&a->now, &b->now);
    same_images(&a->before, &b->before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    BW_ARENA_SCOPE arena;
    struct bw_review quick, slow;
    struct bw_review_head head;
    struct bw_error err = {0};
    json_error_t fault;
    bw_arena_init(&arena, BW_ARENA_ADMISSION);
    bool understood = bw_review_read(&quick, (const char *)data, size, &arena);
    int status = bw_review_decode(&slow, &head, (const char *)data, size, NULL, 0, &arena, &err);
    if (!understood) {
        return 0;
    }
    if (status == 0) {
        same(&quick, &slow);
    } else if (err.code != BW_ELIMIT) {
        json_t *tree = json_loadb((const char *)data, size, JSON_ALLOW_NUL, &fault);
        if (tree != NULL) {
            json_decref(tree);
            differ(err.message);
        }
    }
    return 0;
}
