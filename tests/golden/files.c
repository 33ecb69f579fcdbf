/* Files of a recorded set, plain or compressed. */
#include "golden/golden.h"

#include "base/decompress.h"
#include "base/memory.h"
#include "base/watch_dir.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const packings[] = {"", ".gz", ".zst"};

static char *unpack(const char *packed, size_t packed_len, size_t *len_out, struct bw_error *err)
{
    enum bw_compression kind = bw_compression_guess(packed, packed_len);
    struct bw_decompress *stream = bw_decompress_create(kind, BW_GIB, 100000);
    struct bw_buf text;
    bw_buf_init(&text, BW_GIB);
    static char chunk[1 << 16];
    long got = 1;
    while (packed_len > 0 || got > 0) {
        size_t used = packed_len;
        got = bw_decompress_step(stream, chunk, sizeof(chunk), packed, &used, err);
        if (got < 0 || (got == 0 && used == 0 && packed_len > 0)) {
            got = -1;
            break;
        }
        bw_buf_append(&text, chunk, (size_t)got);
        packed += used;
        packed_len -= used;
    }
    if (got < 0 || bw_decompress_finish(stream, err) != 0) {
        bw_buf_clear(&text);
        bw_decompress_destroy(stream);
        return NULL;
    }
    bw_decompress_destroy(stream);
    return bw_buf_take(&text, len_out);
}

char *golden_read(const char *folder, const char *name, size_t *len_out)
{
    struct bw_error err = {0};
    for (size_t i = 0; i < BW_LENGTH(packings); i++) {
        char path[4096];
        (void)snprintf(path, sizeof(path), "%s/%s%s", folder, name, packings[i]);
        char *content = NULL;
        if (bw_file_read(&content, len_out, path, BW_GIB, &err) != 0) {
            if (err.code != BW_ENOTFOUND) {
                break;
            }
            continue;
        }
        if (i == 0) {
            return content;
        }
        char *text = unpack(content, *len_out, len_out, &err);
        free(content);
        if (text == NULL) {
            break;
        }
        return text;
    }
    fprintf(stderr, "golden: %s/%s: %s\n", folder, name, err.message);
    return NULL;
}

json_t *golden_read_json(const char *folder, const char *name)
{
    size_t len = 0;
    char *text = golden_read(folder, name, &len);
    struct bw_error err = {0};
    json_t *root = NULL;
    if (text != NULL && bw_json_parse(&root, text, len, BW_GIB, &err) != 0) {
        fprintf(stderr, "golden: %s/%s: %s\n", folder, name, err.message);
    }
    free(text);
    return root;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

size_t golden_list(char ***out, const char *folder, const char *suffix)
{
    DIR *directory = opendir(folder);
    char **names = NULL;
    size_t n_names = 0;
    for (struct dirent *entry = directory == NULL ? NULL : readdir(directory); entry != NULL;
         entry = readdir(directory)) {
        for (size_t i = 0; i < BW_LENGTH(packings); i++) {
            char ending[64];
            (void)snprintf(ending, sizeof(ending), "%s%s", suffix, packings[i]);
            struct bw_str name = bw_str_from(entry->d_name);
            if (bw_str_ends_with(name, ending)) {
                names = bw_memory_resize(names, (n_names + 1) * sizeof(*names));
                names[n_names++] = bw_memory_strndup(name.base, name.len - strlen(ending));
            }
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    if (n_names > 0) {
        qsort(names, n_names, sizeof(*names), by_name);
    }
    *out = names;
    return n_names;
}
