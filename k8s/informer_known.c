/* What an informer remembers of the objects it told (K-503): 10,000 of them take 2.5 MB. */
#include "base/limits.h"
#include "base/map.h"
#include "base/memory.h"
#include "k8s/informer_internal.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_NAME = 256, MAX_VERSION = 256 }; /* the API server allows 253; a uid has 36, a version 20 */

struct told {
    unsigned round; /* the list that had it last */
    char text[];    /* uid NUL version NUL */
};

struct bw_known {
    struct bw_map *objects; /* "namespace/name" */
    unsigned round;
};

struct key {
    char text[2 * MAX_NAME + 2];
    size_t len;
};

struct bw_known *bw_known_create(void)
{
    struct bw_known *known = bw_memory_zeroed(1, sizeof(*known));
    known->objects = bw_map_create();
    return known;
}

void bw_known_destroy(struct bw_known *known)
{
    bw_map_destroy(known->objects, free);
    free(known);
}

static const char *text_of(const json_t *metadata, const char *key)
{
    const char *text = json_string_value(json_object_get(metadata, key));
    return text == NULL ? "" : text;
}

int bw_object_name_read(struct bw_object_name *out, const json_t *object, struct bw_error *err)
{
    const json_t *metadata = json_object_get(object, "metadata");
    struct bw_object_name read = {text_of(metadata, "namespace"), text_of(metadata, "name"), text_of(metadata, "uid"),
                                  text_of(metadata, "resourceVersion")};
    if (read.name[0] == '\0' || strlen(read.name) > MAX_NAME || strlen(read.namespace) > MAX_NAME ||
        read.version[0] == '\0' || strlen(read.version) > MAX_VERSION || strlen(read.uid) > MAX_VERSION) {
        return bw_error_set(err, BW_EINPUT, "an object has no name or no resourceVersion, or too long ones");
    }
    *out = read;
    return 0;
}

static struct key key_of(const struct bw_object_name *object)
{
    struct key key;
    size_t len = strlen(object->namespace), name_len = strlen(object->name);
    memcpy(key.text, object->namespace, len);
    key.text[len] = '/';
    memcpy(key.text + len + 1, object->name, name_len);
    key.len = len + 1 + name_len;
    return key;
}

void bw_known_begin_list(struct bw_known *known)
{
    known->round++;
}

int bw_known_note(bool *news, struct bw_known *known, const struct bw_object_name *object, struct bw_error *err)
{
    struct key key = key_of(object);
    size_t uid = strlen(object->uid) + 1, version = strlen(object->version) + 1;
    struct told *told = bw_map_get(known->objects, key.text, key.len);
    if (told != NULL && strcmp(told->text, object->uid) == 0 && strcmp(told->text + uid, object->version) == 0) {
        told->round = known->round;
        *news = false;
        return 0;
    }
    if (told == NULL && bw_map_count(known->objects) == BW_MAX_WATCHED_OBJECTS) {
        return bw_error_set(err, BW_ELIMIT, "more than the %d objects that are followed", BW_MAX_WATCHED_OBJECTS);
    }
    told = bw_memory_zeroed(1, sizeof(*told) + uid + version);
    told->round = known->round;
    memcpy(told->text, object->uid, uid);
    memcpy(told->text + uid, object->version, version);
    free(bw_map_put(known->objects, key.text, key.len, told));
    *news = true;
    return 0;
}

bool bw_known_forget(struct bw_known *known, const struct bw_object_name *object)
{
    struct key key = key_of(object);
    struct told *told = bw_map_remove(known->objects, key.text, key.len);
    free(told);
    return told != NULL;
}

static void tell(const char *key, void (*drop)(void *payload, const char *namespace, const char *name), void *payload)
{
    const char *slash = strchr(key, '/');
    char *namespace = bw_memory_strndup(key, (size_t)(slash - key));
    drop(payload, namespace, slash + 1);
    free(namespace);
}

void bw_known_end_list(struct bw_known *known, void (*drop)(void *payload, const char *namespace, const char *name),
                       void *payload)
{
    const char **gone = bw_memory_zeroed(bw_map_count(known->objects) + 1, sizeof(*gone));
    size_t n_gone = 0, cursor = 0;
    const char *key = NULL;
    for (void *told = NULL; bw_map_next(known->objects, &cursor, &key, &told);) {
        if (((struct told *)told)->round != known->round) {
            gone[n_gone++] = key;
        }
    }
    for (size_t i = 0; i < n_gone; i++) {
        tell(gone[i], drop, payload);
        free(bw_map_remove(known->objects, gone[i], strlen(gone[i])));
    }
    free(gone);
}
