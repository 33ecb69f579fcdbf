/* Gate `passwd_file`: the entries of /etc/passwd (passwd(5)), compared as text. */
#include "evaluator/gate.h"

#include "base/map.h"
#include "evaluator/unicode.h"

#include <string.h>

enum { NAME_FIELD = 0, UID_FIELD = 2, GID_FIELD = 3, SHELL_FIELD = 6, FIELDS = 7 };

struct entry {
    const char *whole;          /* the stripped line */
    const char *fields[FIELDS]; /* NULL where the line has none */
    bool hidden;                /* a later line has the same name: the engine does not see this one */
};

struct passwd {
    bool stored;
    const char *fault;
    const struct entry *entries;
    size_t n_entries;
};

static int cut_fields(struct entry *entry, struct bw_scope *scope, struct bw_error *err)
{
    struct bw_str rest = bw_str_from(entry->whole);
    struct bw_str field;
    for (size_t i = 0; i < FIELDS && bw_str_next(&field, &rest, ':'); i++) {
        entry->fields[i] = bw_scope_text(scope, field);
        if (entry->fields[i] == NULL) {
            return bw_arena_spent(err);
        }
    }
    return 0;
}

/* Marks every line but the last one of a name. Names that come before are looked up through one map. */
static void hide_duplicates(struct entry *entries, size_t n_entries)
{
    struct bw_map *seen = bw_map_create();
    for (size_t i = n_entries; i-- > 0;) {
        const char *name = entries[i].fields[NAME_FIELD] != NULL ? entries[i].fields[NAME_FIELD] : "";
        entries[i].hidden = bw_map_put(seen, name, strlen(name), &entries[i]) != NULL;
    }
    bw_map_destroy(seen, NULL);
}

static int read_entries(struct passwd *passwd, struct bw_scope *scope, struct bw_str content, struct bw_error *err)
{
    struct entry *entries = NULL;
    size_t capacity = 0;
    struct bw_str line;
    while (bw_unicode_next_line(&line, &content)) {
        void *array = entries;
        if (bw_arena_grow(scope->arena, &array, passwd->n_entries, &capacity, sizeof(*entries), err) != 0) {
            return -1;
        }
        entries = array;
        struct entry *entry = &entries[passwd->n_entries++];
        memset(entry, 0, sizeof(*entry));
        entry->whole = bw_scope_text(scope, bw_unicode_trim(line));
        if (entry->whole == NULL || cut_fields(entry, scope, err) != 0) {
            return bw_arena_spent(err);
        }
    }
    hide_duplicates(entries, passwd->n_entries);
    passwd->entries = entries;
    return 0;
}

static int prepare(void **out, struct bw_scope *scope, struct bw_error *err)
{
    struct passwd *passwd = bw_arena_alloc(scope->arena, sizeof(*passwd));
    if (passwd == NULL) {
        return bw_arena_spent(err);
    }
    *out = passwd;
    for (size_t i = 0; i < scope->report->n_retrieved; i++) {
        const struct bw_retrieved_file *file = &scope->report->retrieved[i];
        if (strcmp(file->path, "/etc/passwd") != 0) {
            continue;
        }
        passwd->stored = file->len > 0;
        if (!bw_utf8_valid(file->content, file->len) || memchr(file->content, '\0', file->len) != NULL) {
            passwd->fault = "/etc/passwd is not UTF-8 text";
            return 0;
        }
        return read_entries(passwd, scope, (struct bw_str){file->content, file->len}, err);
    }
    return 0;
}

static int check_passwd(const struct passwd *passwd, struct bw_error *err)
{
    return passwd->fault == NULL ? 0 : bw_error_set(err, BW_EINPUT, "%s", passwd->fault);
}

static int content_not_available(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    (void)values;
    const struct passwd *passwd = scope->prepared;
    if (check_passwd(passwd, err) != 0) {
        return -1;
    }
    return passwd->stored ? 0
                          : bw_fire(scope, BW_ID_PASSWD_NONE, "the image has no /etc/passwd, or an empty one", err, "");
}

/* One field of every entry against a list. `what` is the word of the id texts. */
static int judge_field(struct bw_scope *scope, const struct bw_value *list, unsigned field, const char *what,
                       struct bw_error *err)
{
    const struct passwd *passwd = scope->prepared;
    if (check_passwd(passwd, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < passwd->n_entries; i++) {
        const struct entry *entry = &passwd->entries[i];
        if (entry->fields[field] == NULL) {
            if (field != NAME_FIELD && !entry->hidden) {
                bw_rows_set(scope->deviations, BW_ROW_PASSWD_SHORT);
            }
            continue;
        }
        if (!bw_value_lists(list, entry->fields[field])) {
            continue;
        }
        if (entry->hidden) {
            bw_rows_set(scope->deviations, BW_ROW_PASSWD_DUPLICATE);
        }
        if (bw_fire(scope, BW_ID_PASSWD_ENTRY, "/etc/passwd has the refused {0} {1}: {2}", err, what,
                    entry->fields[field], entry->whole) != 0) {
            return -1;
        }
    }
    return 0;
}

enum { LIST };
static const struct bw_param username_params[] = {
    [LIST] = {.name = "user_names",
              .alias = "usernameblacklist",
              .kind = BW_PARAM_STRING_LIST,
              .required = true,
              .example = "daemon,ftp",
              .doc = "User names that /etc/passwd must not have."},
};
static int blacklist_usernames(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    return judge_field(scope, &values[LIST], NAME_FIELD, "user", err);
}

static const struct bw_param userid_params[] = {
    [LIST] = {.name = "user_ids",
              .alias = "useridblacklist",
              .kind = BW_PARAM_INT_LIST,
              .required = true,
              .example = "0,1",
              .doc = "User ids that /etc/passwd must not have."},
};
static int blacklist_userids(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    return judge_field(scope, &values[LIST], UID_FIELD, "uid", err);
}

static const struct bw_param groupid_params[] = {
    [LIST] = {.name = "group_ids",
              .kind = BW_PARAM_INT_LIST,
              .required = true,
              .example = "999,20",
              .doc = "Group ids that /etc/passwd must not have."},
};
static int blacklist_groupids(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    return judge_field(scope, &values[LIST], GID_FIELD, "gid", err);
}

static const struct bw_param shell_params[] = {
    [LIST] = {.name = "shells",
              .kind = BW_PARAM_STRING_LIST,
              .required = true,
              .example = "/bin/bash,/bin/zsh",
              .doc = "Login shells that /etc/passwd must not have."},
};
static int blacklist_shells(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    return judge_field(scope, &values[LIST], SHELL_FIELD, "shell", err);
}

static const struct bw_param entry_params[] = {
    [LIST] = {.name = "entry",
              .kind = BW_PARAM_STRING,
              .required = true,
              .example = "root:x:0:0:root:/root:/bin/bash",
              .doc = "A whole entry that /etc/passwd must not have."},
};
static int blacklist_full_entry(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    const struct passwd *passwd = scope->prepared;
    if (check_passwd(passwd, err) != 0) {
        return -1;
    }
    struct bw_str wanted = bw_unicode_trim(bw_str_from(values[LIST].text));
    for (size_t i = 0; i < passwd->n_entries; i++) {
        const struct entry *entry = &passwd->entries[i];
        if (!bw_str_is(wanted, entry->whole)) {
            continue;
        }
        if (entry->hidden) {
            bw_rows_set(scope->deviations, BW_ROW_PASSWD_DUPLICATE);
        }
        if (bw_fire(scope, BW_ID_PASSWD_ENTRY, "/etc/passwd has the refused entry {2}", err, "pentry", entry->whole,
                    entry->whole) != 0) {
            return -1;
        }
    }
    return 0;
}

#define READS .reads = {"retrieved_files"}
static const struct bw_trigger triggers[] = {
    {.name = "content_not_available",
     .doc = "Fires if the image has no /etc/passwd, or an empty one.",
     READS,
     .evaluate = content_not_available},
    {.name = "blacklist_usernames",
     .params = username_params,
     .n_params = BW_LENGTH(username_params),
     .doc = "Fires for each entry with a listed user name.",
     READS,
     .evaluate = blacklist_usernames},
    {.name = "blacklist_userids",
     .params = userid_params,
     .n_params = BW_LENGTH(userid_params),
     .doc = "Fires for each entry with a listed user id.",
     READS,
     .evaluate = blacklist_userids},
    {.name = "blacklist_groupids",
     .params = groupid_params,
     .n_params = BW_LENGTH(groupid_params),
     .doc = "Fires for each entry with a listed group id.",
     READS,
     .evaluate = blacklist_groupids},
    {.name = "blacklist_shells",
     .params = shell_params,
     .n_params = BW_LENGTH(shell_params),
     .doc = "Fires for each entry with a listed login shell.",
     READS,
     .evaluate = blacklist_shells},
    {.name = "blacklist_full_entry",
     .params = entry_params,
     .n_params = BW_LENGTH(entry_params),
     .doc = "Fires for each entry that equals the given one.",
     READS,
     .evaluate = blacklist_full_entry},
};

const struct bw_gate bw_gate_passwd_file = {
    .name = "passwd_file",
    .doc = "Entries of /etc/passwd.",
    .prepare = prepare,
    .triggers = triggers,
    .n_triggers = BW_LENGTH(triggers),
};
