/* The distribution: os-release(5), else what older systems left, in the order of Anchore Engine with a few more sources
 * before its last one (busybox, which most small systems carry). Unlike the engine, values may hold "=" and may be
 * quoted in either way. */
#include "image/analyzer/collectors/os_release.h"

#include "image/analyzer/collectors/collect.h"
#include "image/analyzer/collectors/collectors.h"

#include <string.h>

enum { MAX_RELEASE_BYTES = 256 * 1024, MAX_BUSYBOX_BYTES = 4 * 1024 * 1024 };

/* ---- the texts ---- */

/* The value of a shell assignment: quotes off, backslash escapes resolved. */
static int unquote(const char **out, struct bw_str value, struct bw_arena *arena, struct bw_error *err)
{
    char quote = value.len >= 2 && (*value.base == '"' || *value.base == '\'') ? *value.base : '\0';
    if (quote != '\0' && value.base[value.len - 1] == quote)
        value = (struct bw_str){value.base + 1, value.len - 2};
    char *text = bw_arena_alloc(arena, value.len + 1);
    if (text == NULL)
        return bw_arena_spent(err);
    size_t len = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.base[i] == '\\' && quote != '\'' && i + 1 < value.len && strchr("\"$\\`'", value.base[i + 1]) != NULL)
            i++;
        if (value.base[i] != '\0')
            text[len++] = value.base[i];
    }
    *out = text;
    return 0;
}

/* A later line wins, as it would in a shell. */
static int assignment(const char **out, struct bw_str line, const char *name, struct bw_arena *arena,
                      struct bw_error *err)
{
    size_t len = strlen(name);
    if (!bw_str_starts_with(line, name) || line.len <= len || line.base[len] != '=')
        return 0;
    return unquote(out, bw_str_trim((struct bw_str){line.base + len + 1, line.len - len - 1}), arena, err);
}

static const char *joined_words(const char *text, struct bw_arena *arena)
{
    char *words = bw_arena_alloc(arena, strlen(text) + 1);
    struct bw_str rest = bw_str_from(text), word;
    size_t len = 0;
    if (words == NULL)
        return NULL;
    while (bw_str_next_word(&word, &rest)) {
        if (len != 0)
            words[len++] = ',';
        memcpy(words + len, word.base, word.len);
        len += word.len;
    }
    return words;
}

int bw_os_release_parse(struct bw_distro *out, const char *text, size_t len, struct bw_arena *arena,
                        struct bw_error *err)
{
    struct bw_distro found = {0};
    struct bw_str rest = {text, len}, line;
    while (bw_str_next_line(&line, &rest)) {
        line = bw_str_trim(line);
        if (assignment(&found.id, line, "ID", arena, err) ||
            assignment(&found.version, line, "VERSION_ID", arena, err) ||
            assignment(&found.like, line, "ID_LIKE", arena, err))
            return -1;
    }
    if (found.like != NULL && (found.like = joined_words(found.like, arena)) == NULL)
        return bw_arena_spent(err);
    *out = found;
    return 0;
}

int bw_lsb_release_parse(struct bw_distro *out, const char *text, size_t len, struct bw_arena *arena,
                         struct bw_error *err)
{
    struct bw_distro found = {0};
    struct bw_str rest = {text, len}, line;
    while (bw_str_next_line(&line, &rest)) {
        line = bw_str_trim(line);
        if (assignment(&found.id, line, "DISTRIB_ID", arena, err) ||
            assignment(&found.version, line, "DISTRIB_RELEASE", arena, err))
            return -1;
    }
    if (found.id != NULL) { /* "Ubuntu" */
        char *lower = bw_arena_strdup(arena, found.id);
        if (lower == NULL)
            return bw_arena_spent(err);
        for (char *c = lower; *c != '\0'; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c = (char)(*c + 'a' - 'A');
        found.id = lower;
    }
    *out = found;
    return 0;
}

static bool contains(struct bw_str text, const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i + len <= text.len; i++)
        if (strncasecmp(text.base + i, word, len) == 0)
            return true;
    return false;
}

static int keep(const char **out, struct bw_str text, struct bw_arena *arena, struct bw_error *err)
{
    *out = bw_arena_strndup(arena, text.base, text.len);
    return *out == NULL ? bw_arena_spent(err) : 0;
}

int bw_system_cpe_parse(struct bw_distro *out, const char *text, size_t len, struct bw_arena *arena,
                        struct bw_error *err)
{
    struct bw_distro found = {0};
    struct bw_str rest = {text, len}, line, parts[5] = {0};
    while (bw_str_next_line(&line, &rest)) {
        size_t n = 0;
        line = bw_str_trim(line);
        if (!bw_str_starts_with(line, "cpe:/o:"))
            continue;
        while (n < BW_LENGTH(parts) && bw_str_next(&parts[n], &line, ':'))
            n++;
        if (n < 4) /* cpe, /o, vendor, product, version */
            continue;
        found.id = contains(parts[2], "fedora")   ? "fedora"
                   : contains(parts[2], "redhat") ? "rhel"
                   : contains(parts[2], "centos") ? "centos"
                                                  : NULL;
        if ((found.id == NULL && keep(&found.id, parts[3], arena, err)) ||
            (n == 5 && keep(&found.version, parts[4], arena, err)))
            return -1;
        break;
    }
    *out = found;
    return 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The last "digits.digits" of the text, else its last run of digits. */
static struct bw_str last_version(struct bw_str text)
{
    struct bw_str found = {0};
    bool dotted = false;
    for (size_t i = 0; i < text.len;) {
        size_t begin = i;
        while (i < text.len && is_digit(text.base[i]))
            i++;
        if (i == begin) {
            i++;
            continue;
        }
        size_t end = i;
        if (i + 1 < text.len && text.base[i] == '.' && is_digit(text.base[i + 1]))
            for (end = i + 1; end < text.len && is_digit(text.base[end]); end++)
                ;
        if (end > i || !dotted) {
            dotted = dotted || end > i;
            found = (struct bw_str){text.base + begin, end - begin};
        }
        i = end;
    }
    return found;
}

int bw_redhat_release_parse(struct bw_distro *out, const char *text, size_t len, struct bw_arena *arena,
                            struct bw_error *err)
{
    struct bw_str all = {text, len};
    struct bw_distro found = {.id = contains(all, "centos")                               ? "centos"
                                    : contains(all, "redhat") || contains(all, "red hat") ? "rhel"
                                    : contains(all, "fedora")                             ? "fedora"
                                                                                          : NULL};
    struct bw_str version = last_version(all);
    if (found.id != NULL && version.len != 0 && keep(&found.version, version, arena, err))
        return -1;
    *out = found;
    return 0;
}

struct bw_str bw_busybox_version(const char *program, size_t len)
{
    static const char mark[] = "BusyBox v";
    const char *end = program + len, *at = program;
    while ((at = memmem(at, (size_t)(end - at), mark, strlen(mark))) != NULL) {
        at += strlen(mark);
        const char *stop = at;
        while (stop < end && (is_digit(*stop) || *stop == '.'))
            stop++;
        if (stop > at)
            return (struct bw_str){at - 1, (size_t)(stop - at) + 1};
    }
    return (struct bw_str){0};
}

/* ---- the row ---- */

/* The links that /etc/os-release and its like are end in files of these names. */
static uint64_t keeps(const struct bw_collect_options *options, const char *path)
{
    static const char *const more[] = {"/etc/debian_version", "/etc/system-release-cpe", "/etc/apk/repositories"};
    (void)options;
    for (size_t i = 0; i < BW_LENGTH(more); i++)
        if (strcmp(path, more[i]) == 0)
            return MAX_RELEASE_BYTES;
    const char *name = strncmp(path, "/etc/", 5) == 0 ? path + 5 : strncmp(path, "/usr/lib/", 9) == 0 ? path + 9 : NULL;
    return name != NULL && strchr(name, '/') == NULL && strstr(name, "release") != NULL ? MAX_RELEASE_BYTES : 0;
}

/* In images of busybox itself the program is the first of four hundred hard links, whatever its name. */
static uint64_t inspects(const struct bw_collect_options *options, const char *path, uint64_t size)
{
    (void)options;
    bool program = strncmp(path, "/bin/", 5) == 0 || strcmp(path, "/usr/bin/busybox") == 0;
    return program && size != 0 && size <= MAX_BUSYBOX_BYTES ? MAX_BUSYBOX_BYTES : 0;
}

static int inspect(const struct bw_collect_options *options, const char *path, const char *content, size_t len,
                   struct bw_note **notes, struct bw_arena *arena, struct bw_error *err)
{
    (void)options;
    (void)path;
    struct bw_str version = bw_busybox_version(content, len);
    return version.len == 0 ? 0 : bw_note_add(notes, version.base, version.len, arena, err);
}

/* A file that does not say who it is is as good as none. */
static int read_file(struct bw_distro *out, struct bw_collect *at, const char *path,
                     int (*parse)(struct bw_distro *, const char *, size_t, struct bw_arena *, struct bw_error *),
                     struct bw_error *err)
{
    const struct bw_file *file = bw_tree_resolve(at->tree, path);
    struct bw_str content;
    int failed = 0;
    if (file == NULL || (file->type != BW_FILE_REGULAR))
        return 0;
    if (!bw_collect_content(&content, at, file, "distro", &failed, err))
        return failed;
    struct bw_distro found = {0};
    if (parse(&found, content.base, content.len, at->arena, err))
        return -1;
    if (found.id != NULL && *found.id != '\0') {
        *out = found;
        bw_report_builder_head(at->report)->distro_source = path;
    }
    return 0;
}

static int parse_alpine(struct bw_distro *out, const char *text, size_t len, struct bw_arena *arena,
                        struct bw_error *err)
{
    *out = (struct bw_distro){.id = "alpine"};
    return keep(&out->version, bw_str_trim((struct bw_str){text, len}), arena, err);
}

/* ".../alpine/v3.19/main" */
static int parse_repositories(struct bw_distro *out, const char *text, size_t len, struct bw_arena *arena,
                              struct bw_error *err)
{
    static const char mark[] = "/alpine/v";
    const char *at = memmem(text, len, mark, strlen(mark));
    *out = (struct bw_distro){0};
    if (at == NULL)
        return 0;
    at += strlen(mark);
    size_t n = 0;
    while (at + n < text + len && (is_digit(at[n]) || at[n] == '.'))
        n++;
    out->id = "alpine";
    return keep(&out->version, (struct bw_str){at, n}, arena, err);
}

static int read_busybox(struct bw_distro *out, struct bw_collect *at, struct bw_error *err)
{
    const struct bw_file *program = bw_tree_resolve(at->tree, "/bin/busybox");
    if (program == NULL || program->type != BW_FILE_REGULAR)
        return 0;
    *out = (struct bw_distro){.id = "busybox", .version = "0"};
    bw_report_builder_head(at->report)->distro_source = "/bin/busybox";
    const struct bw_note *note = bw_collect_note(program->notes, &bw_collector_os_release);
    return note == NULL ? 0 : keep(&out->version, (struct bw_str){note->bytes, note->len}, at->arena, err);
}

/* "12.5" -> 12, "trixie/sid" -> unstable */
static int read_debian_version(struct bw_distro *distro, struct bw_collect *at, struct bw_error *err)
{
    const struct bw_file *file = bw_tree_resolve(at->tree, "/etc/debian_version");
    struct bw_str content;
    int failed = 0;
    if (file == NULL || file->type != BW_FILE_REGULAR)
        return 0;
    if (!bw_collect_content(&content, at, file, "distro", &failed, err))
        return failed;
    content = bw_str_trim(content);
    size_t digits = 0;
    while (digits < content.len && is_digit(content.base[digits]))
        digits++;
    if (digits != 0)
        return keep(&distro->version, (struct bw_str){content.base, digits}, at->arena, err);
    if (contains(content, "sid"))
        distro->version = "unstable";
    return 0;
}

static int publish(struct bw_collect *at, const struct bw_distro *distro, struct bw_error *err)
{
    struct bw_report *head = bw_report_builder_head(at->report);
    struct bw_arena *arena = bw_report_builder_arena(at->report);
    const char *id = distro->id != NULL ? distro->id : "Unknown";
    head->distro = bw_arena_strdup(arena, id);
    head->distro_version = bw_arena_strdup(arena, distro->version != NULL && *distro->version ? distro->version : "0");
    head->distro_like = bw_arena_strdup(arena, distro->like != NULL && *distro->like ? distro->like : id);
    return head->distro == NULL || head->distro_version == NULL || head->distro_like == NULL ? bw_arena_spent(err) : 0;
}

static int collect(struct bw_collect *at, struct bw_error *err)
{
    static const struct {
        const char *path;
        int (*parse)(struct bw_distro *, const char *, size_t, struct bw_arena *, struct bw_error *);
    } sources[] = {
        {"/etc/os-release", bw_os_release_parse},
        {"/usr/lib/os-release", bw_os_release_parse},
        {"/etc/system-release-cpe", bw_system_cpe_parse},
        {"/etc/redhat-release", bw_redhat_release_parse},
        {"/etc/alpine-release", parse_alpine},
        {"/etc/lsb-release", bw_lsb_release_parse},
        {"/etc/apk/repositories", parse_repositories},
    };
    struct bw_distro distro = {0};
    for (size_t i = 0; i < BW_LENGTH(sources) && distro.id == NULL; i++)
        if (read_file(&distro, at, sources[i].path, sources[i].parse, err))
            return -1;
    if (distro.id == NULL && read_busybox(&distro, at, err))
        return -1;
    bool versionless = distro.version == NULL || *distro.version == '\0';
    if (distro.id != NULL && strcmp(distro.id, "debian") == 0 && versionless && read_debian_version(&distro, at, err))
        return -1;
    return publish(at, &distro, err);
}

const struct bw_collector bw_collector_os_release = {
    .name = "os_release",
    .doc = "the distribution and its version",
    .kind = "distro",
    .keeps = keeps,
    .inspects = inspects,
    .inspect = inspect,
    .collect = collect,
};
