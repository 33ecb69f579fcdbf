/* Finding rows by name, and what all triggers do: leave findings with the ids that whitelists know. */
#include "evaluator/gate.h"

#include <string.h>

const struct bw_gate *bw_gate_find(const char *name)
{
    for (size_t i = 0; bw_gates[i] != NULL; i++) {
        if (bw_str_is_nocase(bw_str_from(name), bw_gates[i]->name)) {
            return bw_gates[i];
        }
    }
    return NULL;
}

const struct bw_trigger *bw_trigger_find(const struct bw_gate *gate, const char *name)
{
    for (unsigned i = 0; i < gate->n_triggers; i++) {
        if (bw_str_is_nocase(bw_str_from(name), gate->triggers[i].name)) {
            return &gate->triggers[i];
        }
    }
    return NULL;
}

enum { MAX_NAMES = 64 };

const char *bw_gate_suggest(const char *name)
{
    const char *names[MAX_NAMES];
    size_t n_names = 0;
    for (size_t i = 0; bw_gates[i] != NULL && n_names < MAX_NAMES; i++) {
        if (bw_gates[i]->state == BW_GATE_ACTIVE) {
            names[n_names++] = bw_gates[i]->name;
        }
    }
    return bw_suggest(name, names, n_names);
}

const char *bw_trigger_suggest(const struct bw_gate *gate, const char *name)
{
    const char *names[MAX_NAMES];
    size_t n_names = 0;
    for (unsigned i = 0; i < gate->n_triggers && n_names < MAX_NAMES; i++) {
        names[n_names++] = gate->triggers[i].name;
    }
    return bw_suggest(name, names, n_names);
}

static struct bw_finding *add_finding(struct bw_scope *scope, struct bw_error *err)
{
    void *array = scope->findings;
    if (bw_arena_grow(scope->arena, &array, scope->n_findings, &scope->capacity, sizeof(*scope->findings), err) != 0) {
        return NULL;
    }
    scope->findings = array;
    struct bw_finding *finding = &scope->findings[scope->n_findings++];
    memset(finding, 0, sizeof(*finding));
    finding->gate = scope->gate->name;
    finding->trigger = scope->trigger->name;
    return finding;
}

const char *bw_scope_fill(struct bw_scope *scope, const char *message, const char *const *arguments)
{
    bw_buf_reset(&scope->text);
    bw_template_fill(&scope->text, message, arguments);
    return scope->text.full ? NULL : bw_arena_strndup(scope->arena, scope->text.data, scope->text.len);
}

int bw_fire_as(struct bw_scope *scope, const char *trigger_id, const char *message, const char *const *arguments,
               struct bw_error *err)
{
    struct bw_finding *finding = add_finding(scope, err);
    if (finding == NULL) {
        return -1;
    }
    finding->trigger_id = trigger_id;
    finding->message = bw_scope_fill(scope, message, arguments);
    return trigger_id == NULL || finding->message == NULL ? bw_arena_spent(err) : 0;
}

int bw_fire_subject(struct bw_scope *scope, const struct bw_wording *wording, const void *subject, struct bw_error *err)
{
    struct bw_finding *finding = add_finding(scope, err);
    if (finding == NULL) {
        return -1;
    }
    finding->wording = wording;
    finding->subject = subject;
    return 0;
}

/* ---- words that are written later ---- */

struct texts { /* what bw_fire was given */
    enum bw_id_text id;
    const char *message;
    const char *arguments[];
};

static const char *write_id(struct bw_scope *scope, const struct bw_finding *finding)
{
    const struct texts *texts = finding->subject;
    bw_buf_reset(&scope->text);
    bw_buf_puts(&scope->text, finding->gate);
    bw_buf_puts(&scope->text, finding->trigger);
    bw_template_fill(&scope->text, bw_id_text(texts->id), texts->arguments);
    char *hex = bw_arena_alloc(scope->arena, 2 * BW_MD5_BYTES + 1);
    if (hex == NULL || scope->text.full) {
        return NULL;
    }
    uint8_t digest[BW_HASH_MAX];
    if (scope->md5 == NULL) {
        scope->md5 = bw_hash_create(BW_MD5);
    }
    bw_hash_begin(scope->md5);
    bw_hash_update(scope->md5, scope->text.data, scope->text.len);
    bw_hex_encode(hex, digest, bw_hash_finish(scope->md5, digest));
    return hex;
}

static const char *write_message(struct bw_scope *scope, const struct bw_finding *finding)
{
    const struct texts *texts = finding->subject;
    return bw_scope_fill(scope, texts->message, texts->arguments);
}

static const struct bw_wording texts_wording = {write_id, write_message};

int bw_fire_texts(struct bw_scope *scope, enum bw_id_text id, const char *message, const char *const *arguments,
                  struct bw_error *err)
{
    size_t n_arguments = 0;
    while (arguments[n_arguments] != NULL) {
        n_arguments++;
    }
    struct texts *texts = bw_arena_alloc(scope->arena, sizeof(*texts) + n_arguments * sizeof(*arguments));
    if (texts == NULL) {
        return bw_arena_spent(err);
    }
    texts->id = id;
    texts->message = message;
    memcpy(texts->arguments, arguments, n_arguments * sizeof(*arguments));
    return bw_fire_subject(scope, &texts_wording, texts, err);
}

int bw_scope_write_id(struct bw_scope *scope, struct bw_finding *finding, struct bw_error *err)
{
    if (finding->trigger_id == NULL) {
        finding->trigger_id = finding->wording->trigger_id(scope, finding);
    }
    return finding->trigger_id == NULL ? bw_arena_spent(err) : 0;
}

int bw_scope_write_message(struct bw_scope *scope, struct bw_finding *finding, struct bw_error *err)
{
    if (finding->message == NULL) {
        finding->message = finding->wording->message(scope, finding);
    }
    return finding->message == NULL ? bw_arena_spent(err) : 0;
}

int bw_finding_write_message(struct bw_finding *finding, struct bw_arena *arena, struct bw_error *err)
{
    struct bw_scope scope = {.arena = arena};
    bw_buf_init(&scope.text, arena->budget);
    int result = bw_scope_write_message(&scope, finding, err);
    bw_buf_clear(&scope.text);
    return result;
}

void bw_scope_valid_until(struct bw_scope *scope, int64_t instant_s)
{
    if (instant_s > scope->facts->now_s && instant_s < scope->valid_until_s) {
        scope->valid_until_s = instant_s;
    }
}

/* Whether `whole` is the part of `kind` before its colon. */
static bool is_part_of(const char *kind, const char *whole)
{
    size_t len = strlen(whole);
    return strncmp(kind, whole, len) == 0 && (kind[len] == '\0' || kind[len] == ':');
}

const char *bw_scope_incomplete(const struct bw_scope *scope, const char *kind)
{
    for (size_t i = 0; i < scope->report->n_incomplete; i++) {
        const struct bw_incomplete *incomplete = &scope->report->incomplete[i];
        if (is_part_of(incomplete->kind, kind) || is_part_of(kind, incomplete->kind)) {
            return incomplete->reason;
        }
    }
    return NULL;
}

const char *bw_scope_text(struct bw_scope *scope, struct bw_str text)
{
    return bw_arena_strndup(scope->arena, text.base, text.len);
}

const char *bw_scope_join(struct bw_scope *scope, const char *a, const char *b, const char *c)
{
    size_t lengths[] = {strlen(a), strlen(b), strlen(c)};
    char *text = bw_arena_alloc(scope->arena, lengths[0] + lengths[1] + lengths[2] + 1);
    if (text != NULL) {
        memcpy(text, a, lengths[0]);
        memcpy(text + lengths[0], b, lengths[1]);
        memcpy(text + lengths[0] + lengths[1], c, lengths[2]);
    }
    return text;
}

const char *bw_scope_number(struct bw_scope *scope, int64_t number)
{
    return bw_arena_printf(scope->arena, "%lld", (long long)number);
}

int bw_value_check(const struct bw_value *value, struct bw_error *err)
{
    return value->fault == NULL ? 0 : bw_error_set(err, BW_EINPUT, "%s", value->fault);
}

bool bw_value_lists(const struct bw_value *value, const char *text)
{
    for (size_t i = 0; i < value->as.list.n_items; i++) {
        if (strcmp(value->as.list.items[i], text) == 0) {
            return true;
        }
    }
    return false;
}
