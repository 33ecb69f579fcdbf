#ifndef BW_WEBHOOK_CONFIG_TABLE_H
#define BW_WEBHOOK_CONFIG_TABLE_H

#include "webhook/config.h"

/* The rows that the reader, docs/configuration.md and the example are made from; for the config*.c files only. */
enum bw_key_kind {
    BW_KEY_TEXT,
    BW_KEY_ADDRESS, /* HOST:PORT */
    BW_KEY_BOOL,
    BW_KEY_TRISTATE, /* true or false: an enum bw_tristate */
    BW_KEY_CHOICE,   /* index into choices: a bool or an enum */
    BW_KEY_COUNT,    /* unsigned */
    BW_KEY_DURATION, /* int64_t milliseconds */
    BW_KEY_SECONDS,  /* unsigned, from a duration */
    BW_KEY_SIZE,     /* uint64_t bytes */
    BW_KEY_TEXTS,    /* NULL-terminated, and counted where count_offset says so */
    BW_KEY_PLATFORMS,
    BW_KEY_REGEX,       /* struct bw_regex *, for whole texts */
    BW_KEY_LABELS,      /* into a struct bw_label_selector: a map of labels that have to be there */
    BW_KEY_EXPRESSIONS, /* into a struct bw_label_selector: Kubernetes' matchExpressions */
    BW_KEY_MAP,         /* of structures with `members`, the name first */
    BW_KEY_LIST,        /* of structures with `members` */
    BW_KEY_IGNORED      /* has no meaning here; taken with a warning */
};

enum { BW_NO_COUNT = -1, BW_MAX_CONFIG_MEMBERS = 32 };

struct bw_config_reader;
struct bw_key_table;

struct bw_key {
    const char *path;           /* "server.listen"; of a member from its element on */
    const char *const *aliases; /* other paths for it, of Anchore's files, whatever their case; NULL: none */
    enum bw_key_kind kind;
    size_t offset, size; /* of the field in struct bw_config, or in the element */
    long count_offset;
    const char *default_text;          /* as it would be written; NULL: nothing */
    const char *const *default_list;   /* TEXTS */
    const char *const *choices;        /* "" is not offered */
    const char *const *choice_aliases; /* pairs: another word and the choice it stands for */
    bool any_case;                     /* of choices */
    bool required;                     /* of a member */
    bool may_be_empty;                 /* TEXT, ADDRESS: "" is nothing, whatever the default */
    uint64_t min, max; /* COUNT, SIZE in bytes, DURATION and SECONDS in milliseconds; TEXTS, LIST: how many */
    /* TEXTS and TEXT: what each has to be. -1 with what is expected. */
    int (*check)(const char *text, struct bw_error *err);
    const char *example; /* where there is no default */
    const char *doc;
    const struct bw_key_table *members;
    const char *element; /* what stands for the name of an element in the documentation: "HOST" */
};

struct bw_key_table { /* of one structure */
    const struct bw_key *keys;
    size_t n_keys;
    bool any_case;     /* of keys */
    size_t size;       /* of an element */
    const void *blank; /* what an element is before it is read; NULL: zeros */
    /* What single rows cannot see; asked when they are all good. NULL: nothing. */
    void (*check)(struct bw_config_reader *reader, void *element, const char *pointer);
};

#define BW_FIELD(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)

extern const struct bw_key_table bw_config_table;
extern const struct bw_key_table bw_extra_table, bw_selector_table, bw_exemption_table; /* elements of their lists */

/* One file being read. */
struct bw_config_reader {
    struct bw_arena *arena; /* of the configuration */
    struct bw_problems *problems;
    const char *text;
    size_t len;
    const json_t *given[128]; /* by row: what stands in the file, or NULL */
    size_t n_warnings;
    bool foreign; /* a key of the file is in Anchore's spelling */
    bool spent;
};

/* A fault of the value at the JSON Pointer; suggestion may be NULL. */
void bw_config_problem(struct bw_config_reader *reader, const char *kind, const char *pointer, const char *suggestion,
                       const char *message);
void bw_config_warning(struct bw_config_reader *reader, const char *kind, const char *pointer, const char *message);
int bw_config_wrong_type(struct bw_config_reader *reader, const char *pointer, const char *expected,
                         const json_t *node); /* -1 */
/* One value into its place in *base (a struct bw_config or an element). -1: the problem is recorded. */
int bw_config_value(struct bw_config_reader *reader, const struct bw_key *key, const json_t *node, const char *pointer,
                    void *base) BW_MUST_CHECK;
/* A map along its table, into *element. */
int bw_config_element(struct bw_config_reader *reader, const struct bw_key_table *table, const json_t *node,
                      const char *pointer, void *element) BW_MUST_CHECK;
int bw_config_list(struct bw_config_reader *reader, const struct bw_key *key, const json_t *node, const char *pointer,
                   void *base) BW_MUST_CHECK;
int bw_config_labels(struct bw_config_reader *reader, const struct bw_key *key, const json_t *node, const char *pointer,
                     struct bw_label_selector *selector) BW_MUST_CHECK;
/* In place, NULL-terminated; returns how many are left. */
size_t bw_config_sort(const char **texts, size_t n_texts);

#endif
