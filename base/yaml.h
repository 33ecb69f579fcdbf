#ifndef BW_BASE_YAML_H
#define BW_BASE_YAML_H

#include "base/arena.h"

#include <jansson.h>

/* YAML 1.2 core schema (as kubectl reads it) into the same tree that JSON gives: libyaml events, nesting and node count
 * bounded, aliases expanded within that bound, duplicate keys refused, JSON accepted because it is YAML.
 * Errors carry line and column. */
int bw_yaml_parse(json_t **out, const char *text, size_t len, size_t max_bytes, struct bw_error *err) BW_MUST_CHECK;

/* All documents of a stream, as a JSON array (for manifests). */
int bw_yaml_parse_stream(json_t **out, const char *text, size_t len, size_t max_bytes,
                         struct bw_error *err) BW_MUST_CHECK;

/* Where the node at a JSON Pointer stands in the text: line and column from 1. -1 if it is not there. Parses anew:
 * meant for messages about a file, JSON or YAML alike. */
int bw_yaml_locate(unsigned *line_out, unsigned *column_out, const char *text, size_t len, const char *pointer);

/* Where a scalar stands, and how its own lines lie in the text: its line n, column m is line n + first_line - 1, column
 * m + indent of the text. first_line 0: they are no lines of the text (folded, quoted, or not written there at all). */
struct bw_yaml_place {
    unsigned line, column, first_line, indent;
};
/* document: of a stream, counted as bw_yaml_parse_stream does. */
int bw_yaml_locate_scalar(struct bw_yaml_place *out, const char *text, size_t len, size_t document,
                          const char *pointer);

#endif
