#ifndef BW_WEBHOOK_CONFIG_TABLE_H
#define BW_WEBHOOK_CONFIG_TABLE_H

#include "webhook/config.h"

/* The rows that the reader, docs/configuration.md and the example are made from; for the config*.c files only. */
enum bw_key_kind {
    BW_KEY_TEXT,
    BW_KEY_ADDRESS, /* HOST:PORT */
    BW_KEY_BOOL,
    BW_KEY_CHOICE,   /* index into choices: a bool or an enum */
    BW_KEY_COUNT,    /* unsigned */
    BW_KEY_DURATION, /* int64_t milliseconds */
    BW_KEY_SECONDS,  /* unsigned, from a duration */
    BW_KEY_SIZE,     /* uint64_t bytes */
    BW_KEY_TEXTS,    /* NULL-terminated, and counted where count_offset says so */
    BW_KEY_PLATFORMS,
    BW_KEY_MAP, /* of structures with `members`, the name first */
    BW_KEY_LIST /* of structures with `members` */
};

enum { BW_NO_COUNT = -1 };

struct bw_key {
    const char *path; /* "server.listen"; of a member only its name */
    enum bw_key_kind kind;
    size_t offset, size; /* of the field in struct bw_config, or in the element */
    long count_offset;
    const char *default_text;        /* as it would be written; NULL: nothing */
    const char *const *default_list; /* TEXTS */
    const char *const *choices;
    uint64_t min, max; /* COUNT, SIZE in bytes, DURATION and SECONDS in milliseconds */
    /* TEXTS and TEXT: what each has to be. -1 with what is expected. */
    int (*check)(const char *text, struct bw_error *err);
    const char *example; /* where there is no default */
    const char *doc;
    const struct bw_key *members;
    size_t n_members;
    const char *element; /* what stands for the name of an element in the documentation: "HOST" */
};

extern const struct bw_key bw_config_keys[];
extern const size_t bw_config_n_keys;

/* One file being read. */
struct bw_config_reader {
    struct bw_arena *arena; /* of the configuration */
    struct bw_problems *problems;
    const char *text;
    size_t len;
    const json_t *given[128]; /* by row: what stands in the file, or NULL */
    bool spent;
};

/* A fault of the value at the JSON Pointer; suggestion may be NULL. */
void bw_config_problem(struct bw_config_reader *reader, const char *kind, const char *pointer, const char *suggestion,
                       const char *message);
int bw_config_wrong_type(struct bw_config_reader *reader, const char *pointer, const char *expected,
                         const json_t *node); /* -1 */
/* One value into its place in *base (a struct bw_config or an element). -1: the problem is recorded. */
int bw_config_value(struct bw_config_reader *reader, const struct bw_key *key, const json_t *node, const char *pointer,
                    void *base) BW_MUST_CHECK;
/* In place, NULL-terminated; returns how many are left. */
size_t bw_config_sort(const char **texts, size_t n_texts);

const char *bw_key_kind_name(const struct bw_key *key);

#endif
