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

static int locate(struct locator *locator, const char *pointer)
{
    struct bw_str rest = bw_str_from(pointer), token;
    if (rest.len && rest.base[0] != '/')
        return -1;
    do {
        if (advance(locator))
            return -1;
    } while (locator->event.type == YAML_STREAM_START_EVENT || locator->event.type == YAML_DOCUMENT_START_EVENT);
    if (rest.len == 0)
        return 0;
    rest = (struct bw_str){rest.base + 1, rest.len - 1};
    while (bw_str_next(&token, &rest, '/'))
        if (descend(locator, token))
            return -1;
    return 0;
}

int bw_yaml_locate(unsigned *line_out, unsigned *column_out, const char *text, size_t len, const char *pointer)
{
    struct locator locator = {.held = false};
    if (!yaml_parser_initialize(&locator.parser))
        abort();
    yaml_parser_set_input_string(&locator.parser, (const unsigned char *)(len ? text : ""), len);
    yaml_parser_set_encoding(&locator.parser, YAML_UTF8_ENCODING);
    int result = locate(&locator, pointer);
    if (result == 0) {
        *line_out = (unsigned)locator.event.start_mark.line + 1;
        *column_out = (unsigned)locator.event.start_mark.column + 1;
    }
    if (locator.held)
        yaml_event_delete(&locator.event);
    yaml_parser_delete(&locator.parser);
    return result;
}
