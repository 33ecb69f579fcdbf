/* The guessed Dockerfile. Records of the classic builder come out exactly as Anchore Engine writes them, since their
 * text enters the ids of findings: "/bin/sh -c #(nop) X" is X, anything else is "RUN " and the record. Records of
 * BuildKit already are instructions and are only freed of their decoration. What the configuration says and the history
 * does not (user, ports) is added at the end: the configuration is what a container runtime obeys. */
#include "image/analyzer/collectors/history.h"

#include "base/buf.h"
#include "base/map.h"
#include "image/analyzer/collectors/collectors.h"

#include <stdlib.h>
#include <string.h>

static const char nop[] = "/bin/sh -c #(nop) ";
static const char shell[] = "/bin/sh -c ";
static const char buildkit[] = "# buildkit";

static const char *const instructions[] = {"ADD",    "ARG",   "CMD",         "COPY",  "ENTRYPOINT", "ENV",
                                           "EXPOSE", "FROM",  "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD",
                                           "RUN",    "SHELL", "STOPSIGNAL",  "USER",  "VOLUME",     "WORKDIR"};

static bool is_instruction(struct bw_str text)
{
    for (size_t i = 0; i < BW_LENGTH(instructions); i++) {
        size_t len = strlen(instructions[i]);
        if (bw_str_starts_with(text, instructions[i]) && text.len > len &&
            (text.base[len] == ' ' || text.base[len] == '['))
            return true;
    }
    return false;
}

static struct bw_str after(struct bw_str text, size_t len)
{
    return (struct bw_str){text.base + len, text.len - len};
}

static struct bw_str skip_blanks(struct bw_str text)
{
    while (text.len != 0 && *text.base == ' ')
        text = after(text, 1);
    return text;
}

/* "|2 A=x B=y /bin/sh -c CMD" -> "/bin/sh -c CMD": build arguments may be secrets. A value with blanks in it hides
 * where it ends; the shell tells. */
static struct bw_str without_arguments(struct bw_str text)
{
    struct bw_str rest = after(text, 1), word;
    uint64_t count = 0;
    if (text.len == 0 || *text.base != '|' || !bw_str_next(&word, &rest, ' ') || bw_str_uint(&count, word, 10, 10000))
        return text;
    for (uint64_t i = 0; i < count; i++)
        if (!bw_str_next(&word, &rest, ' '))
            return text;
    if (rest.base == NULL)
        return text;
    if (rest.len != 0 && *rest.base != '/') {
        const char *found = memmem(rest.base, rest.len, shell, strlen(shell));
        if (found != NULL)
            rest = after(rest, (size_t)(found - rest.base));
    }
    return rest;
}

/* One instruction stays on one line. */
static void append_line(struct bw_buf *out, struct bw_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.base[i];
        bw_buf_append(out, c == '\n' || c == '\r' || c == '\v' || c == '\f' ? " " : &c, 1);
    }
}

/* "map[443/tcp:{} 80/tcp:{}]" or "[443/tcp 80/tcp]" -> "443/tcp 80/tcp" */
static void append_ports(struct bw_buf *out, struct bw_str text)
{
    struct bw_str word, rest = after(text, bw_str_starts_with(text, "map[") ? 4 : 1);
    if (rest.len != 0 && rest.base[rest.len - 1] == ']')
        rest.len--;
    const char *blank = "";
    while (bw_str_next_word(&word, &rest)) {
        if (bw_str_ends_with(word, ":{}"))
            word.len -= 3;
        bw_buf_puts(out, blank);
        append_line(out, word);
        blank = " ";
    }
}

static void append_modern(struct bw_buf *out, struct bw_str text)
{
    if (bw_str_ends_with(text, buildkit)) {
        text.len -= strlen(buildkit);
        text = bw_str_trim(text);
    }
    if (bw_str_starts_with(text, "EXPOSE map[") || bw_str_starts_with(text, "EXPOSE [")) {
        bw_buf_puts(out, "EXPOSE ");
        append_ports(out, after(text, strlen("EXPOSE ")));
        return;
    }
    bool run = bw_str_starts_with(text, "RUN ");
    if (!run && is_instruction(text)) {
        append_line(out, text);
        return;
    }
    struct bw_str command = without_arguments(run ? skip_blanks(after(text, strlen("RUN "))) : text);
    if (bw_str_starts_with(command, shell))
        command = after(command, strlen(shell));
    bw_buf_puts(out, "RUN ");
    append_line(out, command);
}

static void append_record(struct bw_buf *out, const struct bw_history *record)
{
    struct bw_str text = bw_str_from(record->created_by);
    if (text.len == 0)
        return;
    bw_buf_puts(out, "\n");
    if (bw_str_starts_with(text, nop)) {
        struct bw_str instruction = skip_blanks(after(text, strlen(nop)));
        const char *end = memchr(instruction.base, '\n', instruction.len);
        bw_buf_append(out, instruction.base, end ? (size_t)(end - instruction.base) : instruction.len);
    } else if (bw_str_ends_with(text, buildkit) || is_instruction(text) ||
               bw_str_starts_with(bw_str_from(record->comment), "buildkit")) {
        append_modern(out, text);
    } else {
        bw_buf_puts(out, "RUN ");
        bw_buf_append(out, text.base, text.len);
    }
}

/* ---- what the configuration adds ---- */

/* Every place where a reader of the guess might begin a new line: that of the engine knows all of Unicode's. */
static size_t line_break(struct bw_str text)
{
    unsigned char c = (unsigned char)text.base[0];
    if ((c >= '\n' && c <= '\r') || (c >= 0x1c && c <= 0x1e))
        return 1;
    if (c == 0xc2 && text.len >= 2 && (unsigned char)text.base[1] == 0x85)
        return 2;
    if (c == 0xe2 && text.len >= 3 && (unsigned char)text.base[1] == 0x80 &&
        ((unsigned char)text.base[2] & 0xfe) == 0xa8)
        return 3;
    return 0;
}

static bool next_line(struct bw_str *out, struct bw_str *rest)
{
    if (rest->len == 0)
        return false;
    size_t len = 0, skip = 0;
    while (len < rest->len && (skip = line_break(after(*rest, len))) == 0)
        len++;
    *out = bw_str_trim((struct bw_str){rest->base, len});
    *rest = after(*rest, len + skip);
    return true;
}

static struct bw_str operand(struct bw_str line, const char *keyword)
{
    size_t len = strlen(keyword);
    if (line.len <= len || strncasecmp(line.base, keyword, len) != 0 || line.base[len] != ' ')
        return (struct bw_str){0};
    return bw_str_trim(after(line, len));
}

/* The last user named; "USER [x]" of old builders means x. */
static struct bw_str last_user(struct bw_str dockerfile)
{
    struct bw_str line, user = {0};
    while (next_line(&line, &dockerfile)) {
        struct bw_str named = operand(line, "USER");
        if (named.base == NULL)
            continue;
        if (named.len >= 2 && named.base[0] == '[' && named.base[named.len - 1] == ']')
            named = (struct bw_str){named.base + 1, named.len - 2};
        user = named;
    }
    return user;
}

/* All ports of all EXPOSE lines; a set, since both lists are as long as the image's author likes. */
static struct bw_map *ports_of(struct bw_str dockerfile)
{
    static char present;
    struct bw_map *ports = bw_map_create();
    struct bw_str line, word;
    while (next_line(&line, &dockerfile)) {
        struct bw_str named = operand(line, "EXPOSE");
        while (named.base != NULL && bw_str_next_word(&word, &named))
            (void)bw_map_put(ports, word.base, word.len, &present);
    }
    return ports;
}

static void append_missing_ports(struct bw_buf *out, const char *const *exposed)
{
    struct bw_map *ports = ports_of((struct bw_str){out->data, out->len});
    for (const char *const *port = exposed; port != NULL && *port != NULL; port++) {
        struct bw_str text = bw_str_from(*port);
        size_t short_len = bw_str_ends_with(text, "/tcp") ? text.len - 4 : text.len; /* "80" says "80/tcp" */
        if (bw_map_get(ports, text.base, text.len) || bw_map_get(ports, text.base, short_len))
            continue;
        bw_buf_puts(out, "\nEXPOSE ");
        append_line(out, text);
    }
    bw_map_destroy(ports, NULL);
}

/* No user in the configuration is root, whatever the history tells. */
static void append_user(struct bw_buf *out, const char *user)
{
    struct bw_str named = last_user((struct bw_str){out->data, out->len});
    bool set = user != NULL && *user != '\0';
    if (!set && (named.base == NULL || bw_str_is(named, "root")))
        return;
    if (set && bw_str_is(named, user))
        return;
    bw_buf_puts(out, "\nUSER ");
    append_line(out, set ? bw_str_from(user) : BW_STR("root"));
}

int bw_dockerfile_guess(const char **out, const struct bw_image_config *config, struct bw_arena *arena,
                        struct bw_error *err)
{
    struct bw_buf text;
    bw_buf_init(&text, arena->budget);
    bw_buf_puts(&text, "FROM scratch");
    for (size_t i = 0; i < config->n_history; i++)
        append_record(&text, &config->history[i]);
    append_user(&text, config->user);
    append_missing_ports(&text, config->exposed_ports);
    int failed = bw_buf_check(&text, "guessed Dockerfile", err);
    const char *copy = failed ? NULL : bw_arena_strndup(arena, text.data, text.len);
    bw_buf_clear(&text);
    if (copy == NULL)
        return failed ? -1 : bw_arena_spent(err);
    *out = copy;
    return 0;
}

static int collect(struct bw_collect *at, struct bw_error *err)
{
    struct bw_report *head = bw_report_builder_head(at->report);
    head->dockerfile_mode = "Guessed";
    return bw_dockerfile_guess(&head->dockerfile, at->config, bw_report_builder_arena(at->report), err);
}

const struct bw_collector bw_collector_history = {
    .name = "history",
    .doc = "the Dockerfile as far as the image's history tells it",
    .kind = "dockerfile",
    .collect = collect,
};
