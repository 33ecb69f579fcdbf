/* Secret and content search: each line of a small file against each configured expression, matched at the line's start
 * (Anchore Engine's semantics: lines end after LF, numbers count from 0, larger files are skipped whole; a link to a
 * searched file is reported too). A file is searched for the expressions' literals first, and only the lines with one
 * are matched. */
#include "image/analyzer/collectors/secrets.h"

#include "base/limits.h"
#include "image/analyzer/collectors/collect.h"
#include "image/analyzer/collectors/collectors.h"

#include <string.h>

/* ---- patterns ---- */

const char *bw_pattern_regex(const char *text)
{
    const char *equals = strchr(text, '=');
    return equals ? equals + 1 : text;
}

int bw_patterns_compile(const struct bw_pattern **out, const char *const *texts, size_t n_texts, struct bw_arena *arena,
                        struct bw_error *err)
{
    struct bw_pattern *patterns = bw_arena_array(arena, n_texts, sizeof(*patterns));
    if (patterns == NULL)
        return bw_arena_spent(err);
    for (size_t i = 0; i < n_texts; i++) {
        const char *source = bw_pattern_regex(texts[i]);
        struct bw_regex *regex = NULL;
        patterns[i].text = texts[i];
        if (bw_pattern_literals(&patterns[i].literal, &patterns[i].alternative, source, arena, err) ||
            bw_regex_compile(&regex, source, strlen(source), BW_REGEX_ANCHORED | BW_REGEX_BYTES, err)) {
            bw_patterns_free(patterns, i);
            return bw_error_wrap(err, "expression \"%.100s\"", texts[i]);
        }
        patterns[i].regex = regex;
    }
    *out = patterns;
    return 0;
}

void bw_patterns_free(const struct bw_pattern *patterns, size_t n_patterns)
{
    for (size_t i = 0; i < n_patterns; i++)
        bw_regex_free((struct bw_regex *)patterns[i].regex);
}

/* ---- literals in bytes ---- */

typedef unsigned char block __attribute__((vector_size(16)));

static bool same_nocase(const char *bytes, const char *literal, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = bytes[i];
        if ((c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c) != literal[i])
            return false;
    }
    return true;
}

/* How telling a byte is: rare ones are looked for. */
static unsigned rarity(char c)
{
    static const char common[] = " etaoinsrlhdcumfpgwybvkxjqz";
    const char *at = c == '\0' ? NULL : strchr(common, c);
    return at ? (unsigned)(at - common) : 20;
}

static size_t telling_pair(const char *literal, size_t len)
{
    size_t best = 0;
    for (size_t i = 1; i + 1 < len; i++)
        if (rarity(literal[i]) + rarity(literal[i + 1]) > rarity(literal[best]) + rarity(literal[best + 1]))
            best = i;
    return best;
}

/* Sixteen places at a time are tested for the literal's most telling pair of bytes; setting 0x20 makes capitals small
 * and lets a few other bytes through, which the comparison of the whole turns away. */
const char *bw_find_nocase(const char *bytes, size_t len, const char *literal)
{
    size_t literal_len = strlen(literal);
    if (literal_len < 2 || len < literal_len)
        return NULL;
    size_t pair = telling_pair(literal, literal_len), last = len - literal_len, i = 0;
    const block small = {32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32};
    const block first = (block){0} + (unsigned char)(literal[pair] | 32);
    const block second = (block){0} + (unsigned char)(literal[pair + 1] | 32);
    while (i + sizeof(block) <= last) { /* reads up to bytes[i + pair + 16], which is before bytes[len] */
        block a, b;
        uint64_t any[2];
        memcpy(&a, bytes + i + pair, sizeof(a));
        memcpy(&b, bytes + i + pair + 1, sizeof(b));
        block equal = (block)((a | small) == first) & (block)((b | small) == second);
        memcpy(any, &equal, sizeof(any));
        if ((any[0] | any[1]) != 0)
            for (size_t k = 0; k < sizeof(block); k++)
                if (equal[k] && same_nocase(bytes + i + k, literal, literal_len))
                    return bytes + i + k;
        i += sizeof(block);
    }
    for (; i <= last; i++)
        if (same_nocase(bytes + i, literal, literal_len))
            return bytes + i;
    return NULL;
}

/* ---- lines ---- */

/* Goes through the lines that have a literal of one pattern, or all lines, in order. */
struct cursor {
    const char *bytes;
    size_t len;
    const struct bw_pattern *pattern;
    const char *next[2]; /* the next place of either literal; bytes + len: none is left */
    size_t line_begin, line_end;
    int64_t number;
    bool begun;
};

static const char *find_from(const struct cursor *cursor, size_t from, const char *literal)
{
    const char *found = literal == NULL ? NULL : bw_find_nocase(cursor->bytes + from, cursor->len - from, literal);
    return found ? found : cursor->bytes + cursor->len;
}

static size_t end_of_line(const struct cursor *cursor, size_t from)
{
    const char *end = memchr(cursor->bytes + from, '\n', cursor->len - from);
    return end ? (size_t)(end - cursor->bytes) + 1 : cursor->len;
}

static void advance_line(struct cursor *cursor)
{
    if (cursor->begun) {
        cursor->line_begin = cursor->line_end;
        cursor->number++;
    }
    cursor->begun = true;
    cursor->line_end = cursor->line_begin < cursor->len ? end_of_line(cursor, cursor->line_begin) : cursor->len;
}

static bool next_candidate(struct cursor *cursor)
{
    const char *literals[2] = {cursor->pattern->literal, cursor->pattern->alternative};
    size_t from = cursor->begun ? cursor->line_end : 0;
    size_t target = from;
    if (literals[0] != NULL) {
        for (size_t i = 0; i < 2; i++)
            if (cursor->next[i] == NULL || cursor->next[i] < cursor->bytes + from)
                cursor->next[i] = find_from(cursor, from, literals[i]);
        const char *nearest = cursor->next[0] < cursor->next[1] ? cursor->next[0] : cursor->next[1];
        target = (size_t)(nearest - cursor->bytes);
    }
    if (target >= cursor->len)
        return false;
    do
        advance_line(cursor);
    while (cursor->line_end <= target);
    return true;
}

int bw_patterns_scan(const struct bw_pattern *patterns, size_t n_patterns, const char *bytes, size_t len,
                     int (*hit)(void *payload, const struct bw_pattern_lines *found, struct bw_error *err),
                     void *payload, struct bw_error *err)
{
    int64_t lines[BW_MAX_HIT_LINES];
    for (size_t i = 0; i < n_patterns; i++) {
        struct cursor cursor = {.bytes = bytes, .len = len, .pattern = &patterns[i]};
        struct bw_pattern_lines found = {.pattern = i, .lines = lines};
        while (found.n_lines < BW_MAX_HIT_LINES && next_candidate(&cursor)) {
            struct bw_error limit = {0};
            size_t line_len = cursor.line_end - cursor.line_begin;
            if (line_len > BW_MAX_LINE_BYTES) {
                line_len = BW_MAX_LINE_BYTES;
                found.limited = true;
            }
            int matched = bw_regex_match(patterns[i].regex, bytes + cursor.line_begin, line_len, &limit);
            if (matched > 0)
                lines[found.n_lines++] = cursor.number;
            found.limited = found.limited || matched < 0;
        }
        if ((found.n_lines != 0 || found.limited) && hit(payload, &found, err))
            return -1;
    }
    return 0;
}

/* ---- the row ---- */

/* A note: which list, which pattern, and its lines. */
struct note {
    uint32_t content; /* 0: a secret pattern, 1: a content pattern */
    uint32_t pattern;
    uint32_t n_lines;
    uint32_t limited;
};

struct noting {
    uint32_t content;
    struct bw_note **notes;
    struct bw_arena *arena;
};

static int note_lines(void *payload, const struct bw_pattern_lines *found, struct bw_error *err)
{
    const struct noting *to = payload;
    struct note head = {to->content, (uint32_t)found->pattern, (uint32_t)found->n_lines, found->limited};
    size_t lines_len = found->n_lines * sizeof(*found->lines);
    char bytes[sizeof(head) + BW_MAX_HIT_LINES * sizeof(int64_t)];
    memcpy(bytes, &head, sizeof(head));
    memcpy(bytes + sizeof(head), found->lines, lines_len);
    return bw_note_add(to->notes, bytes, sizeof(head) + lines_len, to->arena, err);
}

static uint64_t inspects(const struct bw_collect_options *options, const char *path, uint64_t size)
{
    (void)path;
    bool any = options->needs.n_secret_patterns != 0 || options->needs.n_content_patterns != 0;
    return any && size != 0 && size <= options->secret_max_bytes ? options->secret_max_bytes : 0;
}

static int inspect(const struct bw_collect_options *options, const char *path, const char *content, size_t len,
                   struct bw_note **notes, struct bw_arena *arena, struct bw_error *err)
{
    struct noting secrets = {0, notes, arena}, contents = {1, notes, arena};
    (void)path;
    return bw_patterns_scan(options->secret_patterns, options->needs.n_secret_patterns, content, len, note_lines,
                            &secrets, err) ||
                   bw_patterns_scan(options->content_patterns, options->needs.n_content_patterns, content, len,
                                    note_lines, &contents, err)
               ? -1
               : 0;
}

static int report_note(struct bw_collect *at, const char *path, const struct bw_note *note, struct bw_error *err)
{
    static const char *const kinds[] = {"secrets", "content_search"};
    struct note head;
    memcpy(&head, note->bytes, sizeof(head));
    const struct bw_pattern *pattern =
        head.content ? &at->options->content_patterns[head.pattern] : &at->options->secret_patterns[head.pattern];
    if (head.limited) {
        const char *reason = bw_arena_printf(at->arena, "%s: a limit was met while matching %s", path, pattern->text);
        if (reason == NULL)
            return bw_arena_spent(err);
        if (bw_report_add_incomplete(at->report, kinds[head.content], reason, err))
            return -1;
    }
    if (head.n_lines == 0)
        return 0;
    int64_t *lines = bw_arena_array(at->arena, head.n_lines, sizeof(*lines));
    if (lines == NULL)
        return bw_arena_spent(err);
    memcpy(lines, (const char *)note->bytes + sizeof(head), head.n_lines * sizeof(*lines));
    const struct bw_report *report = bw_report_builder_head(at->report);
    if ((head.content ? report->n_contents : report->n_secrets) >= BW_MAX_SECRET_HITS)
        return bw_report_add_incomplete(at->report, kinds[head.content], "more hits than are kept of one image", err);
    struct bw_pattern_hit hit = {path, pattern->text, lines, head.n_lines};
    return head.content ? bw_report_add_content(at->report, &hit, err) : bw_report_add_secret(at->report, &hit, err);
}

static bool is_hit(const struct bw_note *note)
{
    return bw_collectors[note->collector] == &bw_collector_secrets;
}

static int collect(struct bw_collect *at, struct bw_error *err)
{
    bool any = false;
    for (size_t i = 0; !any && i < bw_tree_count(at->tree); i++)
        any = bw_collect_note(bw_tree_at(at->tree, i)->notes, &bw_collector_secrets) != NULL;
    for (size_t i = 0; any && i < bw_tree_count(at->tree); i++) {
        const struct bw_file *file = bw_tree_at(at->tree, i);
        const struct bw_file *target = file->type == BW_FILE_SYMLINK ? bw_tree_resolve(at->tree, file->path) : file;
        if (target == NULL || target->type != BW_FILE_REGULAR)
            continue;
        for (const struct bw_note *note = target->notes; note != NULL; note = note->next)
            if (is_hit(note) && report_note(at, file->path, note, err))
                return -1;
    }
    return 0;
}

const struct bw_collector bw_collector_secrets = {
    .name = "secrets",
    .doc = "lines of small files that match a configured expression",
    .kind = "secrets",
    .inspects = inspects,
    .inspect = inspect,
    .collect = collect,
};
