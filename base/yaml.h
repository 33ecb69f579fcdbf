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

#endif
