/*
 * The fields of an AdmissionReview that an admission reads, in one pass over the bytes (webhook/review.h). Values that
 * are not asked for are skipped by blocks of 64 bytes: masks of quotes, escapes and brackets, and a count of depth.
 * It takes only what it understands beyond doubt: no escapes, no duplicates and no surprises on its way, valid UTF-8 in
 * what it uses. Everything else is "not understood", and jansson decides.
 */
#include "base/limits.h"
#include "base/str.h"
#include "webhook/review.h"

#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

struct cursor {
    const char *at, *end;
    struct bw_arena *arena;
    bool lost; /* not understood: nothing that was read counts */
};

#define IS(key, literal) ((key).len == sizeof(literal) - 1 && memcmp((key).base, (literal), sizeof(literal) - 1) == 0)

static bool lose(struct cursor *cursor)
{
    cursor->lost = true;
    return false;
}

/* ---- skipping ---- */

struct masks {
    uint64_t quotes, backslashes, opening, closing;
};

#if defined(__SSE2__)
static struct masks masks_of(const char *block)
{
    struct masks masks = {0, 0, 0, 0};
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), fold = _mm_set1_epi8(0x20),
                  opening = _mm_set1_epi8('{'), closing = _mm_set1_epi8('}');
    for (unsigned part = 0; part < 64; part += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(block + part));
        __m128i folded = _mm_or_si128(bytes, fold); /* '[' becomes '{', ']' becomes '}', and nothing else does */
        masks.quotes |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, quote)) << part;
        masks.backslashes |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, backslash)) << part;
        masks.opening |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(folded, opening)) << part;
        masks.closing |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(folded, closing)) << part;
    }
    return masks;
}
#else
static struct masks masks_of(const char *block)
{
    struct masks masks = {0, 0, 0, 0};
    for (unsigned i = 0; i < 64; i++) {
        unsigned char c = (unsigned char)block[i];
        masks.quotes |= (uint64_t)(c == '"') << i;
        masks.backslashes |= (uint64_t)(c == '\\') << i;
        masks.opening |= (uint64_t)((c | 0x20) == '{') << i;
        masks.closing |= (uint64_t)((c | 0x20) == '}') << i;
    }
    return masks;
}
#endif

/* Bits that a backslash takes the meaning from; *carry: the first bit of the next block is one. */
static uint64_t escaped_of(uint64_t backslashes, bool *carry)
{
    uint64_t escaped = *carry ? 1 : 0;
    backslashes &= ~escaped;
    *carry = false;
    while (backslashes) {
        unsigned bit = (unsigned)__builtin_ctzll(backslashes);
        backslashes &= backslashes - 1;
        if (bit == 63) {
            *carry = true;
            break;
        }
        escaped |= UINT64_C(2) << bit;
        backslashes &= ~(UINT64_C(2) << bit);
    }
    return escaped;
}

/* Every bit becomes the parity of the bits up to and with it: 1 between an opening quote and its closing one. */
static uint64_t parity_of(uint64_t bits)
{
    for (unsigned shift = 1; shift < 64; shift *= 2)
        bits ^= bits << shift;
    return bits;
}

/* The bit at which the depth comes to zero, or 64. */
static unsigned closing_bit(const struct masks *masks, uint64_t *depth)
{
    uint64_t brackets = masks->opening | masks->closing;
    for (; brackets; brackets &= brackets - 1) {
        unsigned bit = (unsigned)__builtin_ctzll(brackets);
        if (masks->opening >> bit & 1)
            ++*depth;
        else if (--*depth == 0)
            return bit;
    }
    return 64;
}

/* The cursor stands behind an opening bracket; goes behind the one that closes it. */
static bool skip_container(struct cursor *cursor)
{
    uint64_t depth = 1, in_string = 0;
    bool escape = false;
    const char *block = cursor->at;
    while (block < cursor->end) {
        char tail[64];
        size_t left = (size_t)(cursor->end - block);
        const char *bytes = block;
        if (left < sizeof(tail)) {
            memset(tail, ' ', sizeof(tail));
            memcpy(tail, block, left);
            bytes = tail;
        }
        struct masks masks = masks_of(bytes);
        if (masks.backslashes || escape)
            masks.quotes &= ~escaped_of(masks.backslashes, &escape);
        uint64_t strings = parity_of(masks.quotes) ^ in_string;
        in_string = strings >> 63 ? UINT64_MAX : 0;
        masks.opening &= ~strings;
        masks.closing &= ~strings;
        uint64_t closing = (uint64_t)__builtin_popcountll(masks.closing);
        if (closing < depth) {
            depth += (uint64_t)__builtin_popcountll(masks.opening) - closing;
        } else {
            unsigned bit = closing_bit(&masks, &depth);
            if (bit < 64) {
                cursor->at = block + bit + 1;
                return true;
            }
        }
        block += sizeof(tail);
    }
    return lose(cursor);
}

/* The cursor stands behind the opening quote; goes behind the closing one. */
static bool skip_string(struct cursor *cursor)
{
    const char *start = cursor->at, *from = start;
    while (from < cursor->end) {
        const char *quote = memchr(from, '"', (size_t)(cursor->end - from)), *before = quote;
        if (!quote)
            break;
        while (before > start && before[-1] == '\\')
            before--;
        if ((quote - before) % 2 == 0) {
            cursor->at = quote + 1;
            return true;
        }
        from = quote + 1;
    }
    return lose(cursor);
}

static void skip_blanks(struct cursor *cursor)
{
    while (cursor->at < cursor->end &&
           (*cursor->at == ' ' || *cursor->at == '\n' || *cursor->at == '\r' || *cursor->at == '\t'))
        cursor->at++;
}

static char peek(const struct cursor *cursor)
{
    return cursor->at < cursor->end ? *cursor->at : '\0';
}

static bool ends_scalar(char c)
{
    return c == ',' || c == ']' || c == '}' || c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\0';
}

static bool skip_value(struct cursor *cursor)
{
    char first = peek(cursor);
    if (first == '"') {
        cursor->at++;
        return skip_string(cursor);
    }
    if (first == '{' || first == '[') {
        cursor->at++;
        return skip_container(cursor);
    }
    const char *start = cursor->at;
    while (cursor->at < cursor->end && !ends_scalar(*cursor->at))
        cursor->at++;
    return cursor->at > start ? true : lose(cursor);
}

/* ---- plain values ---- */

/* Text between quotes, without escapes. */
static bool read_plain(struct cursor *cursor, struct bw_str *out)
{
    if (peek(cursor) != '"')
        return lose(cursor);
    const char *start = ++cursor->at;
    const char *quote = memchr(start, '"', (size_t)(cursor->end - start));
    if (!quote || memchr(start, '\\', (size_t)(quote - start)))
        return lose(cursor);
    *out = (struct bw_str){start, (size_t)(quote - start)};
    cursor->at = quote + 1;
    return true;
}

static bool read_literal(struct cursor *cursor, const char *literal)
{
    size_t len = strlen(literal);
    if ((size_t)(cursor->end - cursor->at) < len || memcmp(cursor->at, literal, len) != 0)
        return false;
    cursor->at += len;
    if (cursor->at < cursor->end && !ends_scalar(*cursor->at))
        return lose(cursor);
    return true;
}

static bool is_usable(struct bw_str text)
{
    bool ascii = true;
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.base[i] < 0x20)
            return false;
        ascii &= (unsigned char)text.base[i] < 0x80;
    }
    return ascii || bw_utf8_valid(text.base, text.len);
}

/* A copy of a string; null leaves *out alone. */
static bool read_text(struct cursor *cursor, const char **out)
{
    struct bw_str text;
    if (read_literal(cursor, "null"))
        return true;
    if (cursor->lost || !read_plain(cursor, &text) || !is_usable(text))
        return lose(cursor);
    *out = bw_arena_strndup(cursor->arena, text.base, text.len);
    return *out ? true : lose(cursor);
}

/* ---- members and elements ---- */

struct level {          /* an object or a list that is being walked */
    unsigned long seen; /* keys of interest, one bit each */
    bool begun;
};

/* Whether the value is a container of this kind, and then goes into it; null and absence are "no". */
static bool enter(struct cursor *cursor, char bracket)
{
    if (peek(cursor) == bracket) {
        cursor->at++;
        return true;
    }
    if (!read_literal(cursor, "null"))
        lose(cursor);
    return false;
}

/* The next part of the container, if there is one: the cursor stands at its first byte. */
static bool next_part(struct cursor *cursor, struct level *level, char closing)
{
    if (cursor->lost)
        return false;
    skip_blanks(cursor);
    if (peek(cursor) == closing) {
        cursor->at++;
        return false;
    }
    if (level->begun) {
        if (peek(cursor) != ',')
            return lose(cursor);
        cursor->at++;
        skip_blanks(cursor);
    }
    level->begun = true;
    return true;
}

static bool next_element(struct cursor *cursor, struct level *level)
{
    return next_part(cursor, level, ']');
}

/* The cursor stands at the value of the next member; `key` borrows from the body. */
static bool next_member(struct cursor *cursor, struct level *level, struct bw_str *key)
{
    if (!next_part(cursor, level, '}') || !read_plain(cursor, key))
        return false;
    skip_blanks(cursor);
    if (peek(cursor) != ':')
        return lose(cursor);
    cursor->at++;
    skip_blanks(cursor);
    return true;
}

/* A key of interest may come once. */
static bool once(struct cursor *cursor, struct level *level, unsigned bit)
{
    if (level->seen >> bit & 1)
        return lose(cursor);
    level->seen |= 1UL << bit;
    return true;
}

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
    bool has_spec, mirror_pod, deleting;
};

static bool add_image(struct cursor *cursor, struct object *object, size_t list, size_t index, const char *name,
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
        return lose(cursor);
    images->items[images->n_items++] =
        (struct bw_pod_image){bw_image_lists[list].kind, name, field, text, strlen(text)};
    return true;
}

/* {"reference": "..."} of a volume; *found tells that the volume is of this kind. */
static void read_image_volume(struct cursor *cursor, const char **text, bool *found)
{
    struct level level = {0};
    struct bw_str key;
    if (!enter(cursor, '{'))
        return;
    *found = true;
    while (next_member(cursor, &level, &key)) {
        if (IS(key, "reference") && once(cursor, &level, 0))
            (void)read_text(cursor, text);
        else
            (void)(cursor->lost || skip_value(cursor));
    }
}

static void read_container(struct cursor *cursor, struct object *object, size_t list, size_t index)
{
    struct level level = {0};
    struct bw_str key;
    const char *name = "", *text = "";
    bool volume = bw_image_lists[list].kind == BW_IMAGE_VOLUME, found = !volume;
    if (peek(cursor) != '{') {
        lose(cursor);
        return;
    }
    cursor->at++;
    while (next_member(cursor, &level, &key)) {
        if (IS(key, "name") && once(cursor, &level, 0))
            (void)read_text(cursor, &name);
        else if (IS(key, "image") && once(cursor, &level, 1) && volume)
            read_image_volume(cursor, &text, &found);
        else if (IS(key, "image") && !cursor->lost)
            (void)read_text(cursor, &text);
        else
            (void)(cursor->lost || skip_value(cursor));
    }
    if (found && !cursor->lost)
        (void)add_image(cursor, object, list, index, name, text);
}

static void read_containers(struct cursor *cursor, struct object *object, size_t list)
{
    struct level level = {0};
    if (!enter(cursor, '['))
        return;
    for (size_t index = 0; next_element(cursor, &level); index++)
        read_container(cursor, object, list, index);
}

static void read_node_selector(struct cursor *cursor, struct object *object)
{
    struct level level = {0};
    struct bw_str key;
    if (!enter(cursor, '{'))
        return;
    while (next_member(cursor, &level, &key)) {
        if (IS(key, "kubernetes.io/os") && once(cursor, &level, 0))
            (void)read_text(cursor, &object->os);
        else if (IS(key, "kubernetes.io/arch") && once(cursor, &level, 1))
            (void)read_text(cursor, &object->architecture);
        else
            (void)(cursor->lost || skip_value(cursor));
    }
}

/* Only whether it could say anything about the platform; jansson finds out what. */
static void read_affinity(struct cursor *cursor)
{
    const char *start = cursor->at;
    if (!skip_value(cursor))
        return;
    size_t len = (size_t)(cursor->at - start);
    if (memchr(start, '\\', len) || memmem(start, len, "\"kubernetes.io/arch\"", 20) ||
        memmem(start, len, "\"kubernetes.io/os\"", 18))
        lose(cursor);
}

static void read_pod_spec(struct cursor *cursor, struct object *object)
{
    struct level level = {0};
    struct bw_str key;
    if (!enter(cursor, '{'))
        return;
    object->has_spec = true;
    while (next_member(cursor, &level, &key)) {
        size_t list = 0;
        while (list < BW_IMAGE_LISTS && !bw_str_is(key, bw_image_lists[list].key))
            list++;
        if (list < BW_IMAGE_LISTS && once(cursor, &level, (unsigned)list))
            read_containers(cursor, object, list);
        else if (IS(key, "nodeSelector") && once(cursor, &level, BW_IMAGE_LISTS))
            read_node_selector(cursor, object);
        else if (IS(key, "affinity") && once(cursor, &level, BW_IMAGE_LISTS + 1))
            read_affinity(cursor);
        else
            (void)(cursor->lost || skip_value(cursor));
    }
}

/* ---- the object around it ---- */

static void read_annotations(struct cursor *cursor, struct object *object)
{
    struct level level = {0};
    struct bw_str key;
    if (!enter(cursor, '{'))
        return;
    while (next_member(cursor, &level, &key)) {
        if (IS(key, "kubernetes.io/config.mirror") && once(cursor, &level, 0))
            object->mirror_pod = peek(cursor) == '"';
        (void)(cursor->lost || skip_value(cursor));
    }
}

static void read_metadata(struct cursor *cursor, struct object *object)
{
    struct level level = {0};
    struct bw_str key;
    if (!enter(cursor, '{'))
        return;
    while (next_member(cursor, &level, &key)) {
        if (IS(key, "generateName") && once(cursor, &level, 0)) {
            (void)read_text(cursor, &object->generate_name);
        } else if (IS(key, "annotations") && once(cursor, &level, 1)) {
            read_annotations(cursor, object);
        } else if (IS(key, "deletionTimestamp") && once(cursor, &level, 2)) {
            object->deleting = !read_literal(cursor, "null") && !cursor->lost;
            if (object->deleting)
                (void)skip_value(cursor);
        } else {
            (void)(cursor->lost || skip_value(cursor));
        }
    }
}

/* The rest of the path to the pod spec; metadata is looked at on the outermost level only. */
static void read_path(struct cursor *cursor, struct object *object, struct bw_str path, bool outermost)
{
    struct level level = {0};
    struct bw_str name = {0}, key;
    bool last = false;
    if (object->workload) {
        if (!bw_str_next(&name, &path, '.')) {
            read_pod_spec(cursor, object);
            return;
        }
        last = path.base == NULL;
    }
    if (!enter(cursor, '{'))
        return;
    while (next_member(cursor, &level, &key)) {
        if (outermost && IS(key, "metadata") && once(cursor, &level, 0))
            read_metadata(cursor, object);
        else if (name.base && bw_str_equal(key, name) && once(cursor, &level, 1) && last)
            read_pod_spec(cursor, object);
        else if (name.base && bw_str_equal(key, name) && !cursor->lost)
            read_path(cursor, object, path, false);
        else
            (void)(cursor->lost || skip_value(cursor));
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
static void read_names(struct cursor *cursor, const char **group, const char **last, bool resource)
{
    struct level level = {0};
    struct bw_str key;
    const char *version = "";
    if (!enter(cursor, '{'))
        return;
    while (next_member(cursor, &level, &key)) {
        if (IS(key, "group") && once(cursor, &level, 0))
            (void)read_text(cursor, group);
        else if (IS(key, "version") && once(cursor, &level, 1))
            (void)read_text(cursor, &version);
        else if ((resource ? IS(key, "resource") : IS(key, "kind")) && once(cursor, &level, 2))
            (void)read_text(cursor, last);
        else
            (void)(cursor->lost || skip_value(cursor));
    }
}

static void read_groups(struct cursor *cursor, struct bw_review *review)
{
    struct level level = {0};
    const char **groups = NULL;
    size_t n_groups = 0, capacity = 0;
    struct bw_error err;
    if (!enter(cursor, '['))
        return;
    while (next_element(cursor, &level)) {
        if (peek(cursor) != '"' ||
            bw_arena_grow(cursor->arena, (void **)&groups, n_groups + 1, &capacity, sizeof(*groups), &err)) {
            lose(cursor);
            return;
        }
        if (read_text(cursor, &groups[n_groups]))
            groups[++n_groups] = NULL;
    }
    if (groups)
        review->groups = groups;
}

static void read_user(struct cursor *cursor, struct bw_review *review)
{
    struct level level = {0};
    struct bw_str key;
    if (!enter(cursor, '{'))
        return;
    while (next_member(cursor, &level, &key)) {
        if (IS(key, "username") && once(cursor, &level, 0))
            (void)read_text(cursor, &review->username);
        else if (IS(key, "groups") && once(cursor, &level, 1))
            read_groups(cursor, review);
        else
            (void)(cursor->lost || skip_value(cursor));
    }
}

static void read_operation(struct cursor *cursor, struct request *request)
{
    static const char *const operations[] = {"CREATE", "UPDATE", "DELETE", "CONNECT"};
    struct bw_str word;
    if (!read_plain(cursor, &word))
        return;
    for (size_t i = 0; i < BW_LENGTH(operations); i++)
        if (bw_str_is(word, operations[i]))
            request->review->operation = operations[i];
    request->create = IS(word, "CREATE");
    request->update = IS(word, "UPDATE");
    if (!request->review->operation)
        lose(cursor);
}

/* What the object is must be known before it comes, as the API server writes it. */
static void read_object(struct cursor *cursor, struct request *request, struct object *object, bool old,
                        unsigned long seen)
{
    struct bw_review *review = request->review;
    if ((seen & (BIT(RESOURCE) | BIT(OPERATION))) != (BIT(RESOURCE) | BIT(OPERATION))) {
        lose(cursor);
        return;
    }
    bool wanted = request->update || (request->create && !old);
    if (wanted)
        object->workload = bw_workload_find(review->group, review->resource, review->subresource);
    if (!old)
        request->has_object = peek(cursor) == '{';
    bool present = peek(cursor) == '{';
    read_path(cursor, object, bw_str_from(object->workload ? object->workload->path : ""), true);
    if (present && object->workload && !object->workload->template && !object->has_spec)
        lose(cursor);
}

static void read_field(struct cursor *cursor, struct request *request, unsigned field, unsigned long seen)
{
    struct bw_review *review = request->review;
    const char *unused = "";
    switch (field) {
    case UID:
        (void)read_text(cursor, &review->uid);
        return;
    case KIND:
        read_names(cursor, &unused, &review->kind, false);
        return;
    case RESOURCE:
        read_names(cursor, &review->group, &review->resource, true);
        return;
    case SUBRESOURCE:
        (void)read_text(cursor, &review->subresource);
        return;
    case NAME:
        (void)read_text(cursor, &review->name);
        return;
    case NAMESPACE:
        (void)read_text(cursor, &review->namespace);
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
        review->dry_run = read_literal(cursor, "true");
        if (!review->dry_run && !cursor->lost && !read_literal(cursor, "false") && !read_literal(cursor, "null"))
            lose(cursor);
    }
}

static void read_request(struct cursor *cursor, struct request *request)
{
    struct level level = {0};
    struct bw_str key;
    if (peek(cursor) != '{') {
        lose(cursor);
        return;
    }
    cursor->at++;
    while (next_member(cursor, &level, &key)) {
        unsigned field = 0;
        while (field < N_FIELDS && !bw_str_equal(key, request_keys[field]))
            field++;
        bool late = (BIT(field) & (BIT(RESOURCE) | BIT(SUBRESOURCE) | BIT(OPERATION))) &&
                    (level.seen & (BIT(OBJECT) | BIT(OLD_OBJECT)));
        if (late)
            lose(cursor);
        else if (field == N_FIELDS)
            (void)skip_value(cursor);
        else if (once(cursor, &level, field))
            read_field(cursor, request, field, level.seen);
    }
}

static void read_root(struct cursor *cursor, struct request *request)
{
    struct level level = {0};
    struct bw_str key;
    const char *kind = "";
    skip_blanks(cursor);
    if (peek(cursor) != '{') {
        lose(cursor);
        return;
    }
    cursor->at++;
    while (next_member(cursor, &level, &key)) {
        if (IS(key, "kind") && once(cursor, &level, 0))
            (void)read_text(cursor, &kind);
        else if (IS(key, "apiVersion") && once(cursor, &level, 1))
            (void)read_text(cursor, &request->review->api_version);
        else if (IS(key, "request") && once(cursor, &level, 2))
            read_request(cursor, request);
        else
            (void)(cursor->lost || skip_value(cursor));
    }
    skip_blanks(cursor);
    if (cursor->at != cursor->end || strcmp(kind, "AdmissionReview") != 0 ||
        !bw_admission_version_known(request->review->api_version))
        lose(cursor);
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
    struct cursor cursor = {.at = body, .end = body + len, .arena = arena};
    struct request request = {.review = &review};
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
    review.mirror_pod = request.now.mirror_pod;
    review.old_deleting = request.before.deleting;
    if (!join(&review.now, &request.now, arena) || !join(&review.before, &request.before, arena))
        return false;
    *out = review;
    return true;
}
