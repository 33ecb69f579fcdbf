/* YAML from anybody: the parser, the stream, and the locators at every key of what was parsed; what was accepted prints
 * as JSON that reads back the same. */
#include "base/json.h"
#include "base/yaml.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct bw_error err = {0};
    json_t *root = NULL, *again = NULL;
    if (bw_yaml_parse(&root, text, size, 1 << 20, &err) == 0) {
        char *dump = json_dumps(root, JSON_COMPACT | JSON_ENCODE_ANY);
        if (!dump || bw_json_parse(&again, dump, strlen(dump), SIZE_MAX, &err) || !json_equal(root, again))
            abort();
        json_decref(again);
        free(dump);
        unsigned line, column;
        const char *key;
        json_t *value;
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, 1 << 20);
        json_object_foreach(root, key, value)
        {
            const char *pointer = bw_json_pointer("", key, &arena);
            if (pointer && bw_yaml_locate(&line, &column, text, size, pointer) == 0 && (!line || !column))
                abort();
            struct bw_yaml_place place;
            if (pointer && bw_yaml_locate_scalar(&place, text, size, 0, pointer) == 0 &&
                (!place.line || (place.first_line && place.first_line <= place.line)))
                abort();
            if (arena.used > 4096)
                break;
        }
        json_decref(root);
    }
    if (bw_yaml_parse_stream(&root, text, size, 1 << 20, &err) == 0)
        json_decref(root);
    return 0;
}
