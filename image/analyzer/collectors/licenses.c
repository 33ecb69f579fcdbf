/* Licences of Debian packages, from /usr/share/doc/PACKAGE/copyright: the "License:" lines of the machine-readable
 * format (copyright-format 1.0; read without its header too, as Anchore Engine does), the files of
 * /usr/share/common-licenses that the text points to, and, where both yield nothing, phrases by which free texts are
 * told apart. */
#include "image/analyzer/collectors/licenses.h"

#include "base/limits.h"
#include "image/analyzer/collectors/collect.h"
#include "image/analyzer/collectors/collectors.h"

#include <stdlib.h>
#include <string.h>

/* Boost's copyright file has 2 MB. A "License:" line with more words than a name has is a sentence. */
enum { MAX_COPYRIGHT_BYTES = 4 * 1024 * 1024, MAX_NAME_BYTES = 200, MAX_NAME_WORDS = 3 };

/* A text with one of these phrases (lower case, one blank between words) is under that licence, unless a phrase in
 * `without` says that it is another of the family. More specific rows stand first only for the reader's sake. */
static const struct {
    const char *name;
    const char *phrase;
    const char *without;
} phrases[] = {
    {"Apache-2.0", "apache license, version 2.0", NULL},
    {"Apache-2.0", "apache license version 2.0", NULL},
    {"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy", NULL},
    {"MIT", "mit license", NULL},
    {"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose with or without fee",
     NULL},
    {"ISC", "permission to use, copy, modify, and distribute this software for any purpose with or without fee", NULL},
    {"BSD-3-Clause", "may be used to endorse or promote products derived from this software",
     "all advertising materials"},
    {"BSD-4-Clause", "all advertising materials mentioning features or use of this software", NULL},
    {"BSD-2-Clause", "redistributions in binary form must reproduce the above copyright",
     "may be used to endorse or promote"},
    {"Zlib", "this software is provided 'as-is', without any express or implied warranty", NULL},
    {"GPL-3+", "gnu general public license as published by the free software foundation; either version 3", NULL},
    {"GPL-3+", "gnu general public license as published by the free software foundation, either version 3", NULL},
    {"GPL-2+", "gnu general public license as published by the free software foundation; either version 2", NULL},
    {"GPL-2+", "gnu general public license as published by the free software foundation, either version 2", NULL},
    {"GPL-1+", "gnu general public license as published by the free software foundation; either version 1", NULL},
    {"GPL-2", "gnu general public license version 2", "either version 2"},
    {"GPL-2", "gnu general public license, version 2", "either version 2"},
    {"GPL-3", "gnu general public license version 3", "either version 3"},
    {"GPL-3", "gnu general public license, version 3", "either version 3"},
    {"LGPL-3+", "gnu lesser general public license as published by the free software foundation; either version 3",
     NULL},
    {"LGPL-2.1+", "gnu lesser general public license as published by the free software foundation; either version 2.1",
     NULL},
    {"LGPL-2+", "gnu library general public license as published by the free software foundation; either version 2",
     NULL},
    {"AGPL-3+", "gnu affero general public license as published by the free software foundation", NULL},
    {"MPL-2.0", "mozilla public license, v. 2.0", NULL},
    {"MPL-2.0", "mozilla public license version 2.0", NULL},
    {"MPL-1.1", "mozilla public license version 1.1", NULL},
    {"Artistic", "the artistic license", "artistic license 2.0"},
    {"Artistic-2.0", "artistic license 2.0", NULL},
    {"LGPL-2.1+", "gnu lesser general public license, version 2.1 (or, at your option, any later version)", NULL},
    {"HPND-sell-variant",
     "permission to use, copy, modify, distribute, and sell this software and its documentation for any purpose is "
     "hereby "
     "granted without fee",
     NULL},
    {"TCL",
     "permission to use, copy, modify, distribute, and license this software and its documentation for any purpose",
     NULL},
    {"BSL-1.0", "boost software license", NULL},
    {"Info-ZIP", "of the info-zip license", NULL},
    {"OpenSSL", "this product includes software developed by the openssl project", NULL},
    {"PSF-2", "python software foundation license version 2", NULL},
    {"CC0-1.0", "cc0 1.0 universal", NULL},
    {"public-domain", "in the public domain", NULL},
};

static int add(struct bw_licenses *to, struct bw_str name, struct bw_arena *arena, struct bw_error *err)
{
    name = bw_str_trim(name);
    if (name.len == 0 || name.len > MAX_NAME_BYTES || to->count >= BW_MAX_LICENSES ||
        memchr(name.base, '\0', name.len) != NULL)
        return 0;
    for (size_t i = 0; i < to->count; i++)
        if (bw_str_is(name, to->names[i]))
            return 0;
    if (bw_arena_grow(arena, (void **)&to->names, to->count, &to->capacity, sizeof(*to->names), err))
        return -1;
    to->names[to->count] = bw_arena_strndup(arena, name.base, name.len);
    return to->names[to->count++] == NULL ? bw_arena_spent(err) : 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* ---- "License: GPL-2+ or Artistic, and MIT with Foo exception" ---- */

/* The first separator word or comma; its length in *skip. */
static size_t find_separator(struct bw_str text, size_t *skip)
{
    static const char *const separators[] = {" or ", " and ", " and/or ", ",", "|"};
    for (size_t i = 0; i < text.len; i++)
        for (size_t k = 0; k < BW_LENGTH(separators); k++) {
            size_t len = strlen(separators[k]);
            if (text.len - i >= len && strncasecmp(text.base + i, separators[k], len) == 0) {
                *skip = len;
                return i;
            }
        }
    *skip = 0;
    return text.len;
}

/* "or" and "and" may follow a comma. */
static struct bw_str without_leading_word(struct bw_str text)
{
    static const char *const words[] = {"or ", "and ", "and/or "};
    text = bw_str_trim(text);
    for (size_t k = 0; k < BW_LENGTH(words); k++) {
        size_t len = strlen(words[k]);
        if (text.len > len && strncasecmp(text.base, words[k], len) == 0)
            return bw_str_trim((struct bw_str){text.base + len, text.len - len});
    }
    return text;
}

static struct bw_str without_exception(struct bw_str text)
{
    for (size_t i = 0; i + 6 <= text.len; i++)
        if (strncasecmp(text.base + i, " with ", 6) == 0)
            return bw_str_trim((struct bw_str){text.base, i});
    return text;
}

/* The next name of the list, which shrinks. */
static struct bw_str cut_name(struct bw_str *text)
{
    size_t skip = 0, len = find_separator(*text, &skip);
    struct bw_str name = without_exception(without_leading_word((struct bw_str){text->base, len}));
    *text = (struct bw_str){text->base + len + skip, text->len - len - skip};
    return name;
}

static bool has_capital_or_digit(struct bw_str word)
{
    for (size_t i = 0; i < word.len; i++)
        if ((word.base[i] >= 'A' && word.base[i] <= 'Z') || (word.base[i] >= '0' && word.base[i] <= '9'))
            return true;
    return false;
}

/* "Permission to use, copy, ..." is no list of names; "MIT/X Consortium License" is one. */
static bool is_sentence(struct bw_str text)
{
    if (bw_str_starts_with(text, "*"))
        return true;
    while (text.len != 0) {
        struct bw_str name = cut_name(&text), word = {0};
        size_t words = 0;
        while (bw_str_next_word(&word, &name))
            words++;
        if (words > MAX_NAME_WORDS || (words == MAX_NAME_WORDS && !has_capital_or_digit(word)))
            return true;
    }
    return false;
}

static int add_synopsis(struct bw_licenses *to, struct bw_str text, struct bw_arena *arena, struct bw_error *err)
{
    if (is_sentence(text))
        return 0;
    while (text.len != 0) {
        struct bw_str name = cut_name(&text);
        if (!bw_str_is_nocase(name, "none") && add(to, name, arena, err))
            return -1;
    }
    return 0;
}

/* ---- pointers to /usr/share/common-licenses ---- */

static bool in_license_name(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("_.+-", c));
}

static int add_common(struct bw_licenses *to, struct bw_str text, struct bw_arena *arena, struct bw_error *err)
{
    static const char folder[] = "/usr/share/common-licenses/";
    const char *end = text.base + text.len, *at = text.base;
    while ((at = memmem(at, (size_t)(end - at), folder, strlen(folder))) != NULL) {
        at += strlen(folder);
        struct bw_str name = {at, 0};
        while (at < end && in_license_name(*at))
            at++;
        name.len = (size_t)(at - name.base);
        while (name.len != 0 && name.base[name.len - 1] == '.')
            name.len--;
        if (add(to, name, arena, err))
            return -1;
    }
    return 0;
}

/* ---- free texts ---- */

/* Lower case, every run of blanks and comment marks one blank. */
static char *collapse(struct bw_str text, size_t *len_out, struct bw_arena *arena)
{
    char *flat = bw_arena_alloc(arena, text.len + 1);
    size_t len = 0;
    if (flat == NULL)
        return NULL;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.base[i];
        bool blank = c == ' ' || (c >= '\t' && c <= '\r') || c == '*' || c == '#';
        if (!blank)
            flat[len++] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
        else if (len != 0 && flat[len - 1] != ' ')
            flat[len++] = ' ';
    }
    *len_out = len;
    return flat;
}

static int add_phrases(struct bw_licenses *to, struct bw_str text, struct bw_arena *arena, struct bw_error *err)
{
    size_t len = 0;
    const char *flat = collapse(text, &len, arena);
    if (flat == NULL)
        return bw_arena_spent(err);
    for (size_t i = 0; i < BW_LENGTH(phrases); i++) {
        if (memmem(flat, len, phrases[i].phrase, strlen(phrases[i].phrase)) == NULL)
            continue;
        if (phrases[i].without != NULL && memmem(flat, len, phrases[i].without, strlen(phrases[i].without)) != NULL)
            continue;
        if (add(to, bw_str_from(phrases[i].name), arena, err))
            return -1;
    }
    return 0;
}

int bw_licenses_of_copyright(struct bw_licenses *out, const char *text, size_t len, struct bw_arena *arena,
                             struct bw_error *err)
{
    static const char key[] = "License:";
    struct bw_licenses found = {0};
    struct bw_str all = {text, len}, rest = all, line;
    while (bw_str_next_line(&line, &rest))
        if (line.len >= strlen(key) && strncasecmp(line.base, key, strlen(key)) == 0 &&
            add_synopsis(&found, bw_str_trim((struct bw_str){line.base + strlen(key), line.len - strlen(key)}), arena,
                         err))
            return -1;
    if (add_common(&found, all, arena, err) || (found.count == 0 && add_phrases(&found, all, arena, err)))
        return -1;
    if (found.count > 1)
        qsort(found.names, found.count, sizeof(*found.names), compare_names);
    *out = found;
    return 0;
}

/* ---- expressions ---- */

static bool is_operator(struct bw_str word, const char *operator)
{
    return bw_str_is_nocase(word, operator);
}

int bw_licenses_of_expression(struct bw_licenses *out, const char *text, size_t len, struct bw_arena *arena,
                              struct bw_error *err)
{
    struct bw_licenses found = {0};
    struct bw_str rest = {text, len}, word;
    bool exception = false;
    while (bw_str_next_word(&word, &rest)) {
        while (word.len != 0 && (*word.base == '(' || *word.base == ','))
            word = (struct bw_str){word.base + 1, word.len - 1};
        while (word.len != 0 && (word.base[word.len - 1] == ')' || word.base[word.len - 1] == ','))
            word.len--;
        if (is_operator(word, "AND") || is_operator(word, "OR"))
            continue;
        if (!exception && is_operator(word, "WITH")) {
            exception = true; /* what follows is no licence */
            continue;
        }
        if (!exception && add(&found, word, arena, err))
            return -1;
        exception = false;
    }
    *out = found;
    return 0;
}

/* ---- the row ---- */

static uint64_t keeps(const struct bw_collect_options *options, const char *path)
{
    (void)options;
    return bw_path_ends_with(path, "/copyright") && strstr(path, "/usr/share/doc/") != NULL ? MAX_COPYRIGHT_BYTES : 0;
}

int bw_licenses_of_package(struct bw_licenses *out, struct bw_collect *at, const char *root, struct bw_str package,
                           struct bw_error *err)
{
    const char *path =
        bw_arena_printf(at->arena, "%s/usr/share/doc/%.*s/copyright", root, (int)package.len, package.base);
    if (path == NULL)
        return bw_arena_spent(err);
    const struct bw_file *file = bw_tree_resolve(at->tree, path);
    struct bw_str content;
    int failed = 0;
    *out = (struct bw_licenses){0};
    if (file == NULL || file->type != BW_FILE_REGULAR)
        return 0;
    if (!bw_collect_content(&content, at, file, "licenses", &failed, err))
        return failed;
    return bw_licenses_of_copyright(out, content.base, content.len, at->arena, err);
}

/* The rows of the package databases read the files kept here. */
static int collect(struct bw_collect *at, struct bw_error *err)
{
    (void)at;
    (void)err;
    return 0;
}

const struct bw_collector bw_collector_licenses = {
    .name = "licenses",
    .doc = "copyright files, read with the packages they belong to",
    .kind = "licenses",
    .keeps = keeps,
    .collect = collect,
};
