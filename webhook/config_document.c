/* The table of keys for people: docs/configuration.md and a complete config.yaml. */
#include "webhook/config_table.h"

#include "base/buf.h"

#include <string.h>

static const char *kind_name(const struct bw_key *key)
{
    switch (key->kind) {
    case BW_KEY_TEXT:
        return "text";
    case BW_KEY_ADDRESS:
        return "[HOST]:PORT";
    case BW_KEY_BOOL:
    case BW_KEY_TRISTATE:
        return "true or false";
    case BW_KEY_CHOICE:
        return "choice";
    case BW_KEY_COUNT:
        return "number";
    case BW_KEY_DURATION:
    case BW_KEY_SECONDS:
        return "duration";
    case BW_KEY_SIZE:
        return "size";
    case BW_KEY_TEXTS:
        return "list of texts";
    case BW_KEY_PLATFORMS:
        return "list of platforms";
    case BW_KEY_REGEX:
        return "regular expression";
    case BW_KEY_LABELS:
        return "map of labels";
    case BW_KEY_EXPRESSIONS:
        return "list of label expressions";
    case BW_KEY_IGNORED:
        return "ignored";
    case BW_KEY_MAP:
        return "map";
    case BW_KEY_LIST:
        return "list";
    }
    return "";
}

static const char *const fault_names[BW_FAULT_COUNT] = {
    [BW_FAULT_IMAGE_NOT_FOUND] = "imageNotFound",
    [BW_FAULT_INVALID_REFERENCE] = "invalidReference",
    [BW_FAULT_UNAUTHORIZED] = "unauthorized",
    [BW_FAULT_REGISTRY_UNAVAILABLE] = "registryUnavailable",
    [BW_FAULT_RATE_LIMITED] = "rateLimited",
    [BW_FAULT_ANALYSIS_FAILED] = "analysisFailed",
    [BW_FAULT_ANALYSIS_INCOMPLETE] = "analysisIncomplete",
    [BW_FAULT_IMAGE_TOO_LARGE] = "imageTooLarge",
    [BW_FAULT_NO_BUNDLE] = "noBundle",
    [BW_FAULT_OVERLOAD] = "overload",
    [BW_FAULT_INTERNAL] = "internal",
};

const char *bw_fault_name(enum bw_fault fault)
{
    return (unsigned)fault < BW_FAULT_COUNT ? fault_names[fault] : "internal";
}

static bool is_plain(const char *text)
{
    return text[0] && !strpbrk(text, "\"'#{}[],&*!|>%@` \\") && text[strlen(text) - 1] != ':' && text[0] != ':' &&
           text[0] != '-' && text[0] != '?';
}

/* A default as YAML would have it. */
static void put_scalar(FILE *out, const char *text)
{
    BW_BUF_SCOPE quoted;
    bw_buf_init(&quoted, 64 * 1024);
    bw_buf_json(&quoted, text, strlen(text));
    fputs(is_plain(text) ? text : quoted.data, out);
}

static void put_choices(FILE *out, const struct bw_key *key, const char *between)
{
    bool first = true;
    for (const char *const *choice = key->choices; *choice; choice++) {
        if (!(*choice)[0])
            continue;
        fprintf(out, "%s%s", first ? "" : between, *choice);
        first = false;
    }
}

static void put_one_of(FILE *out, const struct bw_key *key, const char *lead)
{
    if (key->kind != BW_KEY_CHOICE)
        return;
    fputs(lead, out);
    put_choices(out, key, ", ");
    fputs(".", out);
}

/* ---- Markdown ---- */

static void put_cell(FILE *out, const char *text)
{
    for (; *text; text++)
        fprintf(out, *text == '|' ? "\\|" : "%c", *text);
}

static void put_default(FILE *out, const struct bw_key *key)
{
    if (key->default_list)
        fputs(key->default_list[0] && !key->default_list[1] ? "one entry" : "see below", out);
    else if (key->default_text)
        fprintf(out, "`%s`", key->default_text);
    else
        fputs("none", out);
}

static void put_row(FILE *out, const struct bw_key *key, const char *prefix)
{
    fprintf(out, "| `%s%s` | ", prefix, key->path);
    if (key->kind == BW_KEY_CHOICE)
        put_choices(out, key, ", ");
    else
        fputs(kind_name(key), out);
    fputs(" | ", out);
    put_default(out, key);
    fputs(" | ", out);
    put_cell(out, key->doc);
    for (const char *const *alias = key->aliases; alias && *alias; alias++)
        fprintf(out, "%s`%s`%s", alias == key->aliases ? " Also: " : ", ", *alias, alias[1] ? "" : ".");
    if (key->required)
        fputs(" Has to be there.", out);
    if (key->example && !key->members) {
        fputs(" Example: `", out);
        put_cell(out, key->example);
        fputs("`.", out);
    }
    fputs(" |\n", out);
}

static void put_members(FILE *out, const struct bw_key *key)
{
    char prefix[128];
    (void)snprintf(prefix, sizeof(prefix), key->kind == BW_KEY_MAP ? "%s.%s." : "%s%s.", key->path, key->element);
    for (size_t i = 0; key->members && i < key->members->n_keys; i++)
        put_row(out, &key->members->keys[i], prefix);
}

void bw_config_write_markdown(FILE *out)
{
    fputs(
        "# Configuration\n\n"
        "Generated from the table in `webhook/config_table.c` by `breakwater explain config --output markdown`.\n\n"
        "`breakwater serve --config config.yaml` reads YAML (or JSON). A key that is not listed here is an error, and "
        "every error\nof a file is reported at once with its line; `breakwater check config.yaml` does so without "
        "starting anything.\n\n"
        "Durations are written as in Go (`500ms`, `30s`, `1m30s`, `1h`), sizes with a unit (`24MiB`, `10000`).\n\n"
        "| key | type | default | meaning |\n|---|---|---|---|\n",
        out);
    for (size_t i = 0; i < bw_config_table.n_keys; i++) {
        put_row(out, &bw_config_table.keys[i], "");
        put_members(out, &bw_config_table.keys[i]);
    }
    fputs("\n## Longer defaults\n", out);
    for (size_t i = 0; i < bw_config_table.n_keys; i++) {
        const struct bw_key *key = &bw_config_table.keys[i];
        if (!key->default_list)
            continue;
        fprintf(out, "\n`%s`:\n\n```\n", key->path);
        for (const char *const *text = key->default_list; *text; text++)
            fprintf(out, "%s\n", *text);
        fputs("```\n", out);
    }
}

/* ---- config.yaml ---- */

/* Comment lines of at most 100 columns. */
static void put_comment(FILE *out, const char *text, int indent)
{
    int column = 0;
    for (const char *word = text; *word;) {
        int len = (int)strcspn(word, " ");
        if (column == 0 || column + len + 1 > 100) {
            fprintf(out, "%s%*s#", column ? "\n" : "", indent, "");
            column = indent + 1;
        }
        fprintf(out, " %.*s", len, word);
        column += len + 1;
        word += len;
        word += strspn(word, " ");
    }
    fputs("\n", out);
}

static void put_example(FILE *out, const struct bw_key *key, int indent, const char *mark)
{
    const char *dot = strrchr(key->path, '.'), *name = dot ? dot + 1 : key->path;
    put_comment(out, key->doc, indent);
    if (key->kind == BW_KEY_CHOICE) {
        fprintf(out, "%*s# ", indent, "");
        put_one_of(out, key, "One of ");
        fputs("\n", out);
    }
    fprintf(out, "%*s%s%s:", indent, "", key->default_text || key->default_list ? mark : "# ", name);
    if (key->default_list) {
        for (const char *const *text = key->default_list; *text; text++) {
            fprintf(out, "\n%*s- ", indent + 2, "");
            put_scalar(out, *text);
        }
    } else if (key->default_text && key->kind == BW_KEY_CHOICE && strspn(key->default_text, "0123456789.") > 0) {
        fprintf(out, " \"%s\"", key->default_text); /* a word that YAML would take for a number */
    } else if (key->default_text) {
        fputs(" ", out);
        put_scalar(out, key->default_text);
    } else if (key->example) {
        fprintf(out, " %s", key->example);
    }
    fputs("\n", out);
}

/* Maps and lists of structures are shown as comments: there is none by default. */
static void put_structure(FILE *out, const struct bw_key *key, int indent)
{
    const char *dot = strrchr(key->path, '.'), *mark = key->kind == BW_KEY_LIST ? "- " : "  ", *previous = "";
    put_comment(out, key->doc, indent);
    fprintf(out, "%*s# %s:\n", indent, "", dot ? dot + 1 : key->path);
    if (key->kind == BW_KEY_MAP)
        fprintf(out, "%*s#   registry.example:5000:\n", indent, "");
    for (size_t i = 0; i < key->members->n_keys; i++) {
        const struct bw_key *member = &key->members->keys[i];
        int depth = 0;
        size_t at = 0;
        if (member->kind == BW_KEY_IGNORED)
            continue;
        for (dot = strchr(member->path, '.'); dot; dot = strchr(dot + 1, '.')) {
            size_t len = (size_t)(dot - member->path) + 1;
            if (strncmp(member->path, previous, len) != 0) {
                fprintf(out, "%*s#   %s%*s%.*s:\n", indent, "", mark, depth, "", (int)(len - 1 - at),
                        member->path + at);
                mark = "  ";
            }
            at = len;
            depth += 2;
        }
        fprintf(out, "%*s#   %s%*s%s: %s   # %s", indent, "", mark, depth, "", member->path + at,
                member->default_text ? member->default_text : member->example, member->doc);
        put_one_of(out, member, " One of ");
        fputs("\n", out);
        mark = "  ";
        previous = member->path;
    }
}

/* The groups that `path` opens and `previous` did not. Returns the indentation of its last name. */
static int open_groups(FILE *out, const char *path, const char *previous)
{
    int indent = 0;
    size_t at = 0;
    for (const char *dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.')) {
        size_t len = (size_t)(dot - path) + 1;
        if (strncmp(path, previous, len) != 0)
            fprintf(out, "%s%*s%.*s:\n", indent ? "" : "\n", indent, "", (int)(len - 1 - at), path + at);
        at = len;
        indent += 2;
    }
    if (indent == 0)
        fputs("\n", out);
    return indent;
}

void bw_config_write_example(FILE *out)
{
    const char *previous = "";
    fputs("# breakwater's configuration: every key with its default; what has none is commented out.\n", out);
    for (size_t i = 0; i < bw_config_table.n_keys; i++) {
        const struct bw_key *key = &bw_config_table.keys[i];
        if (key->kind == BW_KEY_IGNORED)
            continue;
        int indent = open_groups(out, key->path, previous);
        if (key->members)
            put_structure(out, key, indent);
        else
            put_example(out, key, indent, "");
        previous = key->path;
    }
}
