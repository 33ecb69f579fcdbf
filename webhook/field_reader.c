/*
 * The fields of an AdmissionReview that an admission reads, in one pass over the bytes (webhook/review.h). It takes
 * only what it understands beyond doubt: no escapes, no duplicates and no surprises on its way. Everything else is "not
 * understood", and jansson decides.
 */
#include "base/limits.h"
#include "webhook/field_cursor.h"
#include "webhook/review.h"

#include <string.h>

/* ---- the pod spec ---- */

struct images {
    struct bw_pod_image *items;
    size_t n_items, capacity;
};

struct object { /* of request.object or oldObject */
    const struct bw_workload *workload;
    struct images lists[BW_IMAGE_LISTS];
    const char *os, *architecture;
    const char *generate_name;
    struct bw_metadata own, pod;
    struct bw_owner *owners;
    size_t n_owners;
    const char *service_account;
    const char **pull_secrets;
    bool old, has_spec, deleting; /* old: only its images and its deletion count */
};

static bool add_image(struct bw_cursor *cursor, struct object *object, size_t list, size_t index, const char *name,
                      const char *text)
{
    struct images *images = &object->lists[list];
    struct bw_error err;
    if (text[0] == '\0' && object->workload->template)
        return true;
    const char *field = bw_image_field(object->workload->path, &bw_image_lists[list], index, cursor->arena);
    if (!field || images->n_items == BW_MAX_POD_IMAGES ||
        bw_arena_grow(cursor->arena, (void **)&images->items, images->n_items, &images->capacity,
                      sizeof(*images->items), &err))
        return bw_cursor_lose(cursor);
    images->items[images->n_items++] =
        (struct bw_pod_image){bw_image_lists[list].kind, name, field, text, strlen(text)};
    return true;
}

/* {"reference": "..."} of a volume; *found tells that the volume is of this kind. */
static void read_image_volume(struct bw_cursor *cursor, const char **text, bool *found)
{
    struct bw_cursor_level level = {0};
    struct bw_str key;
    if (!bw_cursor_enter(cursor, '{'))
        return;
    *found = true;
    while (bw_cursor_member(cursor, &level, &key)) {
        if (BW_IS(key, "reference") && bw_cursor_once(cursor, &level, 0))
            (void)bw_cursor_text(cursor, text);
        else
            (void)(cursor->lost || bw_cursor_skip(cursor));
    }
}

static void read_container(struct bw_cursor *cursor, struct object *object, size_t list, size_t index)
{
    struct bw_cursor_level level = {0};
    struct bw_str key;
    const char *name = "", *text = "";
    bool volume = bw_image_lists[list].kind == BW_IMAGE_VOLUME, found = !volume;
    if (bw_cursor_peek(cursor) != '{') {
        bw_cursor_lose(cursor);
        return;
    }
    cursor->at++;
    while (bw_cursor_member(cursor, &level, &key)) {
        if (BW_IS(key, "name") && bw_cursor_once(cursor, &level, 0))
            (void)bw_cursor_text(cursor, &name);
        else if (BW_IS(key, "image") && bw_cursor_once(cursor, &level, 1) && volume)
            read_image_volume(cursor, &text, &found);
        else if (BW_IS(key, "image") && !cursor->lost)
            (void)bw_cursor_text(cursor, &text);
        else
            (void)(cursor->lost || bw_cursor_skip(cursor));
    }
    if (found && !cursor->lost)
        (void)add_image(cursor, object, list, index, name, text);
}

static void read_containers(struct bw_cursor *cursor, struct object *object, size_t list)
{
    struct bw_cursor_level level = {0};
    if (!bw_cursor_enter(cursor, '['))
        return;
    for (size_t index = 0; bw_cursor_element(cursor, &level); index++)
        read_container(cursor, object, list, index);
}

static void read_node_selector(struct bw_cursor *cursor, struct object *object)
{
    struct bw_cursor_level level = {0};
    struct bw_str key;
    if (!bw_cursor_enter(cursor, '{'))
        return;
    while (bw_cursor_member(cursor, &level, &key)) {
        if (BW_IS(key, "kubernetes.io/os") && bw_cursor_once(cursor, &level, 0))
            (void)bw_cursor_text(cursor, &object->os);
        else if (BW_IS(key, "kubernetes.io/arch") && bw_cursor_once(cursor, &level, 1))
            (void)bw_cursor_text(cursor, &object->architecture);
        else
            (void)(cursor->lost || bw_cursor_skip(cursor));
    }
}

/* Only whether it could say anything about the platform; jansson finds out what. */
static void read_affinity(struct bw_cursor *cursor)
{
    const char *start = cursor->at;
    if (!bw_cursor_skip(cursor))
        return;
    size_t len = (size_t)(cursor->at - start);
    if (memchr(start, '\\', len) || memmem(start, len, "\"kubernetes.io/arch\"", 20) ||
        memmem(start, len, "\"kubernetes.io/os\"", 18))
        bw_cursor_lose(cursor);
}

static void read_pull_secrets(struct bw_cursor *cursor, struct object *object)
{
    struct bw_cursor_level level = {0};
    struct bw_str key;
    size_t n_names = 0, capacity = 0;
    struct bw_error err;
    if (!bw_cursor_enter(cursor, '['))
        return;
    while (bw_cursor_element(cursor, &level)) {
        struct bw_cursor_level inner = {0};
        const char *name = "";
        if (bw_cursor_peek(cursor) != '{') {
            bw_cursor_lose(cursor);
            return;
        }
        cursor->at++;
        while (bw_cursor_member(cursor, &inner, &key)) {
            if (BW_IS(key, "name") && bw_cursor_once(cursor, &inner, 0))
                (void)bw_cursor_text(cursor, &name);
            else
                (void)(cursor->lost || bw_cursor_skip(cursor));
        }
        if (cursor->lost || !name[0])
            continue;
        if (bw_arena_grow(cursor->arena, (void **)&object->pull_secrets, n_names + 1, &capacity,
                          sizeof(*object->pull_secrets), &err)) {
            bw_cursor_lose(cursor);
            return;
        }
        object->pull_secrets[n_names++] = name;
        object->pull_secrets[n_names] = NULL;
    }
}

static void read_pod_spec(struct bw_cursor *cursor, struct object *object)
{
    struct bw_cursor_level level = {0};
    struct bw_str key;
    if (!bw_cursor_enter(cursor, '{'))
        return;
    object->has_spec = true;
    while (bw_cursor_member(cursor, &level, &key)) {
        size_t list = 0;
        while (list < BW_IMAGE_LISTS && !bw_str_is(key, bw_image_lists[list].key))
            list++;
        if (list < BW_IMAGE_LISTS && bw_cursor_once(cursor, &level, (unsigned)list))
            read_containers(cursor, object, list);
        else if (BW_IS(key, "nodeSelector") && bw_cursor_once(cursor, &level, BW_IMAGE_LISTS))
            read_node_selector(cursor, object);
        else if (BW_IS(key, "affinity") && bw_cursor_once(cursor, &level, BW_IMAGE_LISTS + 1))
            read_affinity(cursor);
        else if (!object->old && BW_IS(key, "serviceAccountName") && bw_cursor_once(cursor, &level, BW_IMAGE_LISTS + 2))
            (void)bw_cursor_text(cursor, &object->service_account);
        else if (!object->old && BW_IS(key, "imagePullSecrets") && bw_cursor_once(cursor, &level, BW_IMAGE_LISTS + 3))
            read_pull_secrets(cursor, object);
        else
            (void)(cursor->lost || bw_cursor_skip(cursor));
    }
}

/* ---- the object around it ---- */

static void read_pairs(struct bw_cursor *cursor, struct bw_pairs *out)
{
    struct bw_cursor_level level = {0};
    struct bw_str key;
    struct bw_pair *pairs = NULL;
    size_t n_pairs = 0, capacity = 0;
    struct bw_error err;
    if (!bw_cursor_enter(cursor, '{'))
        return;
    while (bw_cursor_member(cursor, &level, &key)) {
        struct bw_pair pair = {0};
        if (!bw_cursor_usable(key) || !bw_cursor_escaped(cursor, &pair.value, &pair.value_len) ||
            bw_arena_grow(cursor->arena, (void **)&pairs, n_pairs, &capacity, sizeof(*pairs), &err)) {
            bw_cursor_lose(cursor);
            return;
        }
        pair.key = bw_arena_strndup(cursor->arena, key.base, key.len);
        if (!pair.key) {
            bw_cursor_lose(cursor);
            return;
        }
        pairs[n_pairs++] = pair;
    }
    if (!cursor->lost && !bw_pairs_sort(pairs, n_pairs))
        bw_cursor_lose(cursor);
    *out = (struct bw_pairs){pairs, n_pairs};
}

static void read_owner(struct bw_cursor *cursor, struct bw_owner *owner)
{
    static const struct bw_str names[] = {{"apiVersion", 10}, {"kind", 4}, {"name", 4}, {"uid", 3}};
    const char **const texts[] = {&owner->api_version, &owner->kind, &owner->name, &owner->uid};
    struct bw_cursor_level level = {0};
    struct bw_str key;
    if (bw_cursor_peek(cursor) != '{') {
        bw_cursor_lose(cursor);
        return;
    }
    cursor->at++;
    while (bw_cursor_member(cursor, &level, &key)) {
        unsigned i = 0;
        while (i < BW_LENGTH(names) && !bw_str_equal(key, names[i]))
            i++;
        if (i < BW_LENGTH(names) && bw_cursor_once(cursor, &level, i)) {
            (void)bw_cursor_text(cursor, texts[i]);
        } else if (BW_IS(key, "controller") && bw_cursor_once(cursor, &level, BW_LENGTH(names))) {
            owner->controller = bw_cursor_literal(cursor, "true");
            if (!owner->controller && !cursor->lost && !bw_cursor_literal(cursor, "false") &&
                !bw_cursor_literal(cursor, "null"))
                bw_cursor_lose(cursor);
        } else {
            (void)(cursor->lost || bw_cursor_skip(cursor));
        }
    }
}

static void read_owners(struct bw_cursor *cursor, struct object *object)
{
    struct bw_cursor_level level = {0};
    size_t capacity = 0;
    struct bw_error err;
    if (!bw_cursor_enter(cursor, '['))
        return;
    while (bw_cursor_element(cursor, &level)) {
        if (bw_arena_grow(cursor->arena, (void **)&object->owners, object->n_owners, &capacity, sizeof(*object->owners),
                          &err)) {
            bw_cursor_lose(cursor);
            return;
        }
        struct bw_owner *owner = &object->owners[object->n_owners++];
        *owner = (struct bw_owner){"", "", "", "", false};
        read_owner(cursor, owner);
    }
}

static void read_metadata(struct bw_cursor *cursor, struct object *object)
{
    struct bw_cursor_level level = {0};
    struct bw_str key;
    if (!bw_cursor_enter(cursor, '{'))
        return;
    while (bw_cursor_member(cursor, &level, &key)) {
        if (BW_IS(key, "generateName") && bw_cursor_once(cursor, &level, 0)) {
            (void)bw_cursor_text(cursor, &object->generate_name);
        } else if (BW_IS(key, "deletionTimestamp") && bw_cursor_once(cursor, &level, 1)) {
            object->deleting = !bw_cursor_literal(cursor, "null") && !cursor->lost;
            if (object->deleting)
                (void)bw_cursor_skip(cursor);
        } else if (!object->old && BW_IS(key, "name") && bw_cursor_once(cursor, &level, 2)) {
            (void)bw_cursor_text(cursor, &object->own.name);
        } else if (!object->old && BW_IS(key, "labels") && bw_cursor_once(cursor, &level, 3)) {
            read_pairs(cursor, &object->own.labels);
        } else if (!object->old && BW_IS(key, "annotations") && bw_cursor_once(cursor, &level, 4)) {
            read_pairs(cursor, &object->own.annotations);
        } else if (!object->old && BW_IS(key, "ownerReferences") && bw_cursor_once(cursor, &level, 5)) {
            read_owners(cursor, object);
        } else {
            (void)(cursor->lost || bw_cursor_skip(cursor));
        }
    }
}

static void read_template_metadata(struct bw_cursor *cursor, struct object *object)
{
    struct bw_cursor_level level = {0};
    struct bw_str key;
    if (!bw_cursor_enter(cursor, '{'))
        return;
    while (bw_cursor_member(cursor, &level, &key)) {
        if (BW_IS(key, "name") && bw_cursor_once(cursor, &level, 0))
            (void)bw_cursor_text(cursor, &object->pod.name);
        else if (BW_IS(key, "labels") && bw_cursor_once(cursor, &level, 1))
            read_pairs(cursor, &object->pod.labels);
        else if (BW_IS(key, "annotations") && bw_cursor_once(cursor, &level, 2))
            read_pairs(cursor, &object->pod.annotations);
        else
            (void)(cursor->lost || bw_cursor_skip(cursor));
    }
}

/* The rest of the path to the pod spec; metadata is looked at on the outermost level and beside the pod spec. */
static void read_path(struct bw_cursor *cursor, struct object *object, struct bw_str path, bool outermost)
{
    struct bw_cursor_level level = {0};
    struct bw_str name = {0}, key;
    bool last = false;
    if (object->workload) {
        if (!bw_str_next(&name, &path, '.')) {
            read_pod_spec(cursor, object);
            return;
        }
        last = path.base == NULL;
    }
    if (!bw_cursor_enter(cursor, '{'))
        return;
    while (bw_cursor_member(cursor, &level, &key)) {
        if (outermost && BW_IS(key, "metadata") && bw_cursor_once(cursor, &level, 0))
            read_metadata(cursor, object);
        else if (!outermost && last && !object->old && BW_IS(key, "metadata") && bw_cursor_once(cursor, &level, 0))
            read_template_metadata(cursor, object);
        else if (name.base && bw_str_equal(key, name) && bw_cursor_once(cursor, &level, 1) && last)
            read_pod_spec(cursor, object);
        else if (name.base && bw_str_equal(key, name) && !cursor->lost)
            read_path(cursor, object, path, false);
        else
            (void)(cursor->lost || bw_cursor_skip(cursor));
    }
}

/* ---- the request ---- */

enum { UID, KIND, RESOURCE, SUBRESOURCE, NAME, NAMESPACE, OPERATION, USER, OBJECT, OLD_OBJECT, DRY_RUN, N_FIELDS };
#define BIT(field) (1UL << (field))

static const struct bw_str request_keys[N_FIELDS] = {
    [UID] = {"uid", 3},
    [KIND] = {"kind", 4},
    [RESOURCE] = {"resource", 8},
    [SUBRESOURCE] = {"subResource", 11},
    [NAME] = {"name", 4},
    [NAMESPACE] = {"namespace", 9},
    [OPERATION] = {"operation", 9},
    [USER] = {"userInfo", 8},
    [OBJECT] = {"object", 6},
    [OLD_OBJECT] = {"oldObject", 9},
    [DRY_RUN] = {"dryRun", 6},
};

struct request {
    struct bw_review *review;
    struct object now, before;
    bool has_object, update, create;
};

/* {"group": ..., "version": ..., "kind" or "resource": ...}; version is read to be as strict as jansson. */
static void read_names(struct bw_cursor *cursor, const char **group, const char **last, bool resource)
{
    struct bw_cursor_level level = {0};
    struct bw_str key;
    const char *version = "";
    if (!bw_cursor_enter(cursor, '{'))
        return;
    while (bw_cursor_member(cursor, &level, &key)) {
        if (BW_IS(key, "group") && bw_cursor_once(cursor, &level, 0))
            (void)bw_cursor_text(cursor, group);
        else if (BW_IS(key, "version") && bw_cursor_once(cursor, &level, 1))
            (void)bw_cursor_text(cursor, &version);
        else if ((resource ? BW_IS(key, "resource") : BW_IS(key, "kind")) && bw_cursor_once(cursor, &level, 2))
            (void)bw_cursor_text(cursor, last);
        else
            (void)(cursor->lost || bw_cursor_skip(cursor));
    }
}

static void read_groups(struct bw_cursor *cursor, struct bw_review *review)
{
    struct bw_cursor_level level = {0};
    const char **groups = NULL;
    size_t n_groups = 0, capacity = 0;
    struct bw_error err;
    if (!bw_cursor_enter(cursor, '['))
        return;
    while (bw_cursor_element(cursor, &level)) {
        if (bw_cursor_peek(cursor) != '"' ||
            bw_arena_grow(cursor->arena, (void **)&groups, n_groups + 1, &capacity, sizeof(*groups), &err)) {
            bw_cursor_lose(cursor);
            return;
        }
        if (bw_cursor_text(cursor, &groups[n_groups]))
            groups[++n_groups] = NULL;
    }
    if (groups)
        review->groups = groups;
}

static void read_user(struct bw_cursor *cursor, struct bw_review *review)
{
    struct bw_cursor_level level = {0};
    struct bw_str key;
    if (!bw_cursor_enter(cursor, '{'))
        return;
    while (bw_cursor_member(cursor, &level, &key)) {
        if (BW_IS(key, "username") && bw_cursor_once(cursor, &level, 0))
            (void)bw_cursor_text(cursor, &review->username);
        else if (BW_IS(key, "groups") && bw_cursor_once(cursor, &level, 1))
            read_groups(cursor, review);
        else
            (void)(cursor->lost || bw_cursor_skip(cursor));
    }
}

static void read_operation(struct bw_cursor *cursor, struct request *request)
{
    static const char *const operations[] = {"CREATE", "UPDATE", "DELETE", "CONNECT"};
    struct bw_str word;
    if (!bw_cursor_plain(cursor, &word))
        return;
    for (size_t i = 0; i < BW_LENGTH(operations); i++)
        if (bw_str_is(word, operations[i]))
            request->review->operation = operations[i];
    request->create = BW_IS(word, "CREATE");
    request->update = BW_IS(word, "UPDATE");
    if (!request->review->operation)
        bw_cursor_lose(cursor);
}

/* What the object is must be known before it comes, as the API server writes it. */
static void read_object(struct bw_cursor *cursor, struct request *request, struct object *object, bool old,
                        unsigned long seen)
{
    struct bw_review *review = request->review;
    if ((seen & (BIT(RESOURCE) | BIT(OPERATION))) != (BIT(RESOURCE) | BIT(OPERATION))) {
        bw_cursor_lose(cursor);
        return;
    }
    bool wanted = request->update || (request->create && !old);
    if (wanted)
        object->workload = bw_workload_find(review->group, review->resource, review->subresource);
    if (!old)
        request->has_object = bw_cursor_peek(cursor) == '{';
    bool present = bw_cursor_peek(cursor) == '{';
    read_path(cursor, object, bw_str_from(object->workload ? object->workload->path : ""), true);
    if (present && object->workload && !object->workload->template && !object->has_spec)
        bw_cursor_lose(cursor);
}

static void read_field(struct bw_cursor *cursor, struct request *request, unsigned field, unsigned long seen)
{
    struct bw_review *review = request->review;
    const char *unused = "";
    switch (field) {
    case UID:
        (void)bw_cursor_text(cursor, &review->uid);
        return;
    case KIND:
        read_names(cursor, &unused, &review->kind, false);
        return;
    case RESOURCE:
        read_names(cursor, &review->group, &review->resource, true);
        return;
    case SUBRESOURCE:
        (void)bw_cursor_text(cursor, &review->subresource);
        return;
    case NAME:
        (void)bw_cursor_text(cursor, &review->name);
        return;
    case NAMESPACE:
        (void)bw_cursor_text(cursor, &review->namespace);
        return;
    case OPERATION:
        read_operation(cursor, request);
        return;
    case USER:
        read_user(cursor, review);
        return;
    case OBJECT:
        read_object(cursor, request, &request->now, false, seen);
        return;
    case OLD_OBJECT:
        read_object(cursor, request, &request->before, true, seen);
        return;
    default:
        review->dry_run = bw_cursor_literal(cursor, "true");
        if (!review->dry_run && !cursor->lost && !bw_cursor_literal(cursor, "false") &&
            !bw_cursor_literal(cursor, "null"))
            bw_cursor_lose(cursor);
    }
}

static void read_request(struct bw_cursor *cursor, struct request *request)
{
    struct bw_cursor_level level = {0};
    struct bw_str key;
    if (bw_cursor_peek(cursor) != '{') {
        bw_cursor_lose(cursor);
        return;
    }
    cursor->at++;
    while (bw_cursor_member(cursor, &level, &key)) {
        unsigned field = 0;
        while (field < N_FIELDS && !bw_str_equal(key, request_keys[field]))
            field++;
        bool late = (BIT(field) & (BIT(RESOURCE) | BIT(SUBRESOURCE) | BIT(OPERATION))) &&
                    (level.seen & (BIT(OBJECT) | BIT(OLD_OBJECT)));
        if (late)
            bw_cursor_lose(cursor);
        else if (field == N_FIELDS)
            (void)bw_cursor_skip(cursor);
        else if (bw_cursor_once(cursor, &level, field))
            read_field(cursor, request, field, level.seen);
    }
}

static void read_root(struct bw_cursor *cursor, struct request *request)
{
    struct bw_cursor_level level = {0};
    struct bw_str key;
    const char *kind = "";
    bw_cursor_blanks(cursor);
    if (bw_cursor_peek(cursor) != '{') {
        bw_cursor_lose(cursor);
        return;
    }
    cursor->at++;
    while (bw_cursor_member(cursor, &level, &key)) {
        if (BW_IS(key, "kind") && bw_cursor_once(cursor, &level, 0))
            (void)bw_cursor_text(cursor, &kind);
        else if (BW_IS(key, "apiVersion") && bw_cursor_once(cursor, &level, 1))
            (void)bw_cursor_text(cursor, &request->review->api_version);
        else if (BW_IS(key, "request") && bw_cursor_once(cursor, &level, 2))
            read_request(cursor, request);
        else
            (void)(cursor->lost || bw_cursor_skip(cursor));
    }
    bw_cursor_blanks(cursor);
    if (cursor->at != cursor->end || strcmp(kind, "AdmissionReview") != 0 ||
        !bw_admission_version_known(request->review->api_version))
        bw_cursor_lose(cursor);
}

/* The lists one after the other, in the order of the table. */
static bool join(struct bw_pod_images *out, const struct object *object, struct bw_arena *arena)
{
    size_t n_images = 0;
    for (size_t i = 0; i < BW_IMAGE_LISTS; i++)
        n_images += object->lists[i].n_items;
    if (!object->workload)
        return true;
    struct bw_pod_image *images = bw_arena_array(arena, n_images, sizeof(*images));
    if (!images || n_images > BW_MAX_POD_IMAGES)
        return false;
    *out = (struct bw_pod_images){.supported = true,
                                  .template = object->workload->template,
                                  .images = images,
                                  .n_images = n_images,
                                  .node_os = object->os && object->os[0] ? object->os : NULL,
                                  .node_architecture =
                                      object->architecture && object->architecture[0] ? object->architecture : NULL};
    for (size_t i = 0; i < BW_IMAGE_LISTS; i++) {
        if (object->lists[i].n_items)
            memcpy(images, object->lists[i].items, object->lists[i].n_items * sizeof(*images));
        images += object->lists[i].n_items;
    }
    return true;
}

bool bw_review_read(struct bw_review *out, const char *body, size_t len, struct bw_arena *arena)
{
    static const char *const no_groups[] = {NULL};
    struct bw_review review = {.api_version = "",
                               .uid = "",
                               .kind = "",
                               .group = "",
                               .resource = "",
                               .subresource = "",
                               .namespace = "",
                               .name = "",
                               .username = "",
                               .groups = no_groups};
    struct bw_cursor cursor = {.at = body, .end = body + len, .arena = arena};
    static const struct object blank = {.own = {.name = ""}, .pod = {.name = ""}, .service_account = ""};
    struct request request = {.review = &review, .now = blank, .before = blank};
    request.before.old = true;
    read_root(&cursor, &request);
    bool judged = request.create || request.update;
    if (cursor.lost || !review.uid[0] || !review.operation || !review.resource[0] || (judged && !request.has_object))
        return false;
    /* a resource of the configuration, or an unknown one, is jansson's */
    if (judged && !request.now.workload)
        return false;
    if (!review.name[0] && request.now.generate_name && request.now.generate_name[0]) {
        review.name = bw_arena_printf(arena, "%s*", request.now.generate_name);
        if (!review.name)
            return false;
    }
    const struct object *now = &request.now;
    review.mirror_pod = bw_pairs_find(&now->own.annotations, "kubernetes.io/config.mirror") != NULL;
    review.object = now->own;
    review.pod = now->workload && !strchr(now->workload->path, '.') ? now->own : now->pod;
    review.owners = now->owners;
    review.n_owners = now->n_owners;
    review.service_account = now->service_account;
    review.pull_secrets = now->pull_secrets;
    review.old_deleting = request.before.deleting;
    if (!join(&review.now, &request.now, arena) || !join(&review.before, &request.before, arena))
        return false;
    *out = review;
    return true;
}
