/* Where in a YAML or JSON text the node at a JSON Pointer (RFC 6901) stands: a walk over libyaml's events, for
 * messages. */
#include "base/yaml.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct locator {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    bool held;
};

static int advance(struct locator *locator)
{
    if (locator->held)
        yaml_event_delete(&locator->event);
    locator->held = yaml_parser_parse(&locator->parser, &locator->event) != 0;
    return locator->held && locator->event.type != YAML_STREAM_END_EVENT ? 0 : -1;
}

static bool opens(yaml_event_type_t type)
{
    return type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT;
}

static bool closes(yaml_event_type_t type)
{
    return type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT;
}

/* From the first event of a node to its last. */
static int pass_over(struct locator *locator)
{
    size_t depth = 0;
    for (;;) {
        if (opens(locator->event.type))
            depth++;
        else if (closes(locator->event.type))
            depth--;
        if (depth == 0)
            return 0;
        if (advance(locator))
            return -1;
    }
}

/* Whether the event is the key that the token (escaped as in a pointer) means. */
static bool key_is(const yaml_event_t *event, struct bw_str token)
{
    if (event->type != YAML_SCALAR_EVENT)
        return false;
    const char *key = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length, at = 0;
    for (size_t i = 0; i < token.len; i++, at++) {
        char c = token.base[i];
        if (c == '~' && i + 1 < token.len)
            c = token.base[++i] == '0' ? '~' : '/';
        if (at >= len || key[at] != c)
            return false;
    }
    return at == len;
}

/* From the collection's start to the child that the token names. */
static int descend(struct locator *locator, struct bw_str token)
{
    bool mapping = locator->event.type == YAML_MAPPING_START_EVENT;
    uint64_t index = 0;
    if (!opens(locator->event.type) || (!mapping && bw_str_uint(&index, token, 10, SIZE_MAX - 1)))
        return -1;
    for (uint64_t i = 0;; i++) {
        if (advance(locator) || closes(locator->event.type))
            return -1;
        if (!mapping && i == index)
            return 0;
        bool found = mapping && key_is(&locator->event, token);
        if (pass_over(locator))
            return -1;
        if (mapping && advance(locator))
            return -1;
        if (found)
            return 0;
        if (mapping && pass_over(locator))
            return -1;
    }
}

static bool is_null(const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    return event->type == YAML_SCALAR_EVENT && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text[0] == '\0' || strcmp(text, "~") == 0 || bw_str_is_nocase(bw_str_from(text), "null"));
}

/* The root of the first document, or of one of those that are not empty. */
static int to_document(struct locator *locator, const size_t *document)
{
    for (size_t n = 0;;) {
        do {
            if (advance(locator))
                return -1;
        } while (locator->event.type != YAML_DOCUMENT_START_EVENT);
        if (advance(locator))
            return -1;
        if (!document || (!is_null(&locator->event) && n++ == *document))
            return 0;
        if (pass_over(locator))
            return -1;
    }
}

static int locate(struct locator *locator, const size_t *document, const char *pointer)
{
    struct bw_str rest = bw_str_from(pointer), token;
    if ((rest.len && rest.base[0] != '/') || to_document(locator, document))
        return -1;
    if (rest.len == 0)
        return 0;
    rest = (struct bw_str){rest.base + 1, rest.len - 1};
    while (bw_str_next(&token, &rest, '/'))
        if (descend(locator, token))
            return -1;
    return 0;
}

static void begin(struct locator *locator, const char *text, size_t len)
{
    *locator = (struct locator){.held = false};
    if (!yaml_parser_initialize(&locator->parser))
        abort();
    yaml_parser_set_input_string(&locator->parser, (const unsigned char *)(len ? text : ""), len);
    yaml_parser_set_encoding(&locator->parser, YAML_UTF8_ENCODING);
}

static void end(struct locator *locator)
{
    if (locator->held)
        yaml_event_delete(&locator->event);
    yaml_parser_delete(&locator->parser);
}

int bw_yaml_locate(unsigned *line_out, unsigned *column_out, const char *text, size_t len, const char *pointer)
{
    struct locator locator;
    begin(&locator, text, len);
    int result = locate(&locator, NULL, pointer);
    if (result == 0) {
        *line_out = (unsigned)locator.event.start_mark.line + 1;
        *column_out = (unsigned)locator.event.start_mark.column + 1;
    }
    end(&locator);
    return result;
}

/* Line by line: a line of the scalar is one of the text without the same number of blanks before it. */
static void find_lines(struct bw_yaml_place *out, const yaml_event_t *scalar, struct bw_str text)
{
    struct bw_str value = {(const char *)scalar->data.scalar.value, scalar->data.scalar.length}, line, content;
    size_t indent = 0;
    for (size_t i = 0; i <= scalar->start_mark.line; i++)
        if (!bw_str_next_line(&line, &text))
            return;
    while (bw_str_next_line(&content, &value)) {
        if (!bw_str_next_line(&line, &text))
            return;
        size_t before = 0;
        while (before < line.len && line.base[before] == ' ')
            before++;
        if (content.len == 0 && before >= line.len)
            continue;
        indent = indent ? indent : line.len - content.len;
        if (content.len == 0 || line.len != indent + content.len || before < indent ||
            memcmp(line.base + indent, content.base, content.len) != 0)
            return;
    }
    out->first_line = (unsigned)scalar->start_mark.line + 2;
    out->indent = (unsigned)indent;
}

int bw_yaml_locate_scalar(struct bw_yaml_place *out, const char *text, size_t len, size_t document, const char *pointer)
{
    struct locator locator;
    begin(&locator, text, len);
    int result = locate(&locator, &document, pointer);
    if (result == 0) {
        const yaml_event_t *event = &locator.event;
        *out = (struct bw_yaml_place){.line = (unsigned)event->start_mark.line + 1,
                                      .column = (unsigned)event->start_mark.column + 1};
        if (event->type == YAML_SCALAR_EVENT && event->data.scalar.style == YAML_LITERAL_SCALAR_STYLE)
            find_lines(out, event, (struct bw_str){text, len});
    }
    end(&locator);
    return result;
}
