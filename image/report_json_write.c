/* Writing our own analysis document (image/report_json.h), member by member into the buffer: no tree is built, a
 * million files pass through. Absent members are left out; text that is not UTF-8 is shown as U+FFFD with the bytes
 * beside it. */
#include "base/deadline.h"
#include "base/json.h"
#include "image/report_json.h"

#include <inttypes.h>
#include <string.h>

struct writer {
    struct bw_buf *out;
    struct bw_arena scratch; /* base64 of one member at a time */
    bool comma;              /* something stands before, on this level */
    bool spent;
};

static void separate(struct writer *to)
{
    if (to->comma)
        bw_buf_append(to->out, ",", 1);
    to->comma = true;
}

static void key(struct writer *to, const char *name)
{
    separate(to);
    bw_buf_append(to->out, "\"", 1);
    bw_buf_puts(to->out, name);
    bw_buf_append(to->out, "\":", 2);
}

static void begin(struct writer *to, const char *name, char bracket)
{
    if (name != NULL)
        key(to, name);
    else
        separate(to);
    bw_buf_append(to->out, &bracket, 1);
    to->comma = false;
}

static void end(struct writer *to, char bracket)
{
    bw_buf_append(to->out, &bracket, 1);
    to->comma = true;
}

static void put_base64(struct writer *to, const char *name, const char *bytes, size_t len)
{
    char *text = bw_base64_encode(bytes, len, &to->scratch);
    if (text == NULL) {
        to->spent = true;
        return;
    }
    key(to, name);
    bw_buf_printf(to->out, "\"%s\"", text);
    bw_arena_clear(&to->scratch);
}

static void put_text(struct writer *to, const char *name, const char *text)
{
    if (text == NULL)
        return;
    size_t len = strlen(text);
    key(to, name);
    bw_buf_json(to->out, text, len);
    if (!bw_utf8_valid(text, len)) {
        char beside[64];
        (void)snprintf(beside, sizeof(beside), "%s_base64", name);
        put_base64(to, beside, text, len);
    }
}

static void put_number(struct writer *to, const char *name, int64_t number)
{
    key(to, name);
    bw_buf_printf(to->out, "%" PRId64, number);
}

/* -1 is "not known". */
static void put_known(struct writer *to, const char *name, int64_t number)
{
    if (number != -1)
        put_number(to, name, number);
}

static void put_mode(struct writer *to, int64_t mode)
{
    if (mode == -1)
        return;
    key(to, "mode");
    bw_buf_printf(to->out, "\"%" PRIo64 "\"", mode);
}

static void put_flag(struct writer *to, const char *name, bool flag)
{
    key(to, name);
    bw_buf_puts(to->out, flag ? "true" : "false");
}

static void put_texts(struct writer *to, const char *name, const char *const *texts, size_t count)
{
    begin(to, name, '[');
    for (size_t i = 0; i < count; i++) {
        separate(to);
        bw_buf_json(to->out, texts[i], strlen(texts[i]));
    }
    end(to, ']');
}

static void write_image(struct writer *to, const struct bw_report *report)
{
    begin(to, "image", '{');
    put_text(to, "digest", report->digest.text[0] ? report->digest.text : NULL);
    put_text(to, "id", report->id);
    put_text(to, "parent_digest", report->parent_digest);
    put_text(to, "media_type", report->media_type);
    put_text(to, "os", report->os);
    put_text(to, "architecture", report->architecture);
    put_text(to, "variant", report->variant);
    put_text(to, "created", report->created);
    put_known(to, "size", report->size);
    put_known(to, "compressed_size", report->compressed_size);
    put_known(to, "layer_count", report->layer_count);
    begin(to, "layers", '[');
    for (size_t i = 0; i < report->n_layers; i++) {
        const struct bw_report_layer *layer = &report->layers[i];
        begin(to, NULL, '{');
        put_text(to, "digest", layer->digest.text[0] ? layer->digest.text : NULL);
        put_text(to, "diff_id", layer->diff_id.text[0] ? layer->diff_id.text : NULL);
        put_text(to, "media_type", layer->media_type);
        put_number(to, "size", (int64_t)layer->size);
        end(to, '}');
    }
    end(to, ']');
    end(to, '}');
}

/* As JSON where it is JSON, so that people can look into it. */
static void write_config(struct writer *to, const char *config)
{
    json_t *tree = NULL;
    struct bw_error ignored = {0};
    if (config == NULL)
        return;
    if (bw_json_parse(&tree, config, strlen(config), SIZE_MAX, &ignored) == 0 && json_is_object(tree)) {
        key(to, "config");
        bw_buf_puts(to->out, config);
    } else {
        put_text(to, "config", config);
    }
    json_decref(tree);
}

static void write_context(struct writer *to, const struct bw_report *report)
{
    begin(to, "distro", '{');
    put_text(to, "id", report->distro);
    put_text(to, "version", report->distro_version);
    put_text(to, "like", report->distro_like);
    put_text(to, "source", report->distro_source);
    end(to, '}');
    begin(to, "dockerfile", '{');
    put_text(to, "mode", report->dockerfile_mode);
    put_text(to, "contents", report->dockerfile);
    end(to, '}');
    write_config(to, report->config);
}

static void write_package(struct writer *to, const struct bw_package *package)
{
    begin(to, NULL, '{');
    put_text(to, "type", package->type);
    put_text(to, "name", package->name);
    put_text(to, "version", package->version);
    put_text(to, "release", package->release);
    put_text(to, "full_version", package->full_version);
    put_text(to, "arch", package->arch);
    put_text(to, "source", package->source_name);
    put_text(to, "source_version", package->source_version);
    put_text(to, "origin", package->origin);
    put_text(to, "license", package->license);
    put_texts(to, "licenses", package->licenses, package->n_licenses);
    put_text(to, "location", package->location);
    put_text(to, "owned_by", package->owned_by);
    put_text(to, "distro", package->distro);
    put_known(to, "size", package->size);
    end(to, '}');
}

static void write_file(struct writer *to, const struct bw_report_file *file)
{
    static const char *const types[] = {
        [BW_FILE_REGULAR] = "file", [BW_FILE_DIRECTORY] = "dir", [BW_FILE_SYMLINK] = "slink",
        [BW_FILE_DEVICE] = "dev",   [BW_FILE_OTHER] = "other",
    };
    begin(to, NULL, '{');
    put_text(to, "path", file->path);
    put_text(to, "type", types[file->type]);
    put_mode(to, file->mode);
    put_known(to, "size", file->size);
    put_known(to, "uid", file->uid);
    put_known(to, "gid", file->gid);
    put_text(to, "sha256", file->sha256);
    put_text(to, "sha1", file->sha1);
    put_text(to, "md5", file->md5);
    put_text(to, "link", file->link);
    put_known(to, "layer", file->layer);
    if (file->capability)
        put_flag(to, "capability", true);
    end(to, '}');
}

static void write_verification(struct writer *to, const struct bw_verification *record)
{
    begin(to, NULL, '{');
    put_text(to, "path", record->path);
    put_text(to, "package", record->package);
    put_text(to, "package_type", record->package_type);
    put_text(to, "algorithm", record->algorithm);
    put_text(to, "digest", record->digest);
    put_mode(to, record->mode);
    put_known(to, "size", record->size);
    put_flag(to, "config", record->config_file);
    end(to, '}');
}

static void write_hits(struct writer *to, const char *name, const struct bw_pattern_hit *hits, size_t count)
{
    begin(to, name, '[');
    for (size_t i = 0; i < count; i++) {
        const char *regex = strchr(hits[i].pattern, '=');
        begin(to, NULL, '{');
        put_text(to, "path", hits[i].path);
        if (regex != NULL) {
            key(to, "name");
            bw_buf_json(to->out, hits[i].pattern, (size_t)(regex - hits[i].pattern));
        }
        put_text(to, "regex", regex != NULL ? regex + 1 : hits[i].pattern);
        begin(to, "lines", '[');
        for (size_t k = 0; k < hits[i].n_lines; k++) {
            separate(to);
            bw_buf_printf(to->out, "%" PRId64, hits[i].lines[k]);
        }
        end(to, ']');
        end(to, '}');
    }
    end(to, ']');
}

static void write_retrieved(struct writer *to, const struct bw_report *report)
{
    begin(to, "retrieved_files", '[');
    for (size_t i = 0; i < report->n_retrieved; i++) {
        begin(to, NULL, '{');
        put_text(to, "path", report->retrieved[i].path);
        put_text(to, "encoding", "base64");
        put_base64(to, "content", report->retrieved[i].content, report->retrieved[i].len);
        end(to, '}');
    }
    end(to, ']');
}

/* Findings of one scanner stand together; a clean scan has none. */
static void write_malware(struct writer *to, const struct bw_report *report)
{
    begin(to, "malware", '[');
    for (size_t i = 0; i < report->n_malware;) {
        const char *scanner = report->malware[i].scanner;
        begin(to, NULL, '{');
        put_text(to, "scanner", scanner);
        begin(to, "findings", '[');
        for (; i < report->n_malware && strcmp(report->malware[i].scanner, scanner) == 0; i++) {
            const struct bw_malware_finding *finding = &report->malware[i];
            if (finding->path == NULL && finding->signature == NULL)
                continue;
            begin(to, NULL, '{');
            put_text(to, "path", finding->path);
            put_text(to, "signature", finding->signature);
            end(to, '}');
        }
        end(to, ']');
        end(to, '}');
    }
    end(to, ']');
}

static void write_origin(struct writer *to, const struct bw_report *report)
{
    begin(to, "incomplete", '[');
    for (size_t i = 0; i < report->n_incomplete; i++) {
        begin(to, NULL, '{');
        put_text(to, "kind", report->incomplete[i].kind);
        put_text(to, "reason", report->incomplete[i].reason);
        end(to, '}');
    }
    end(to, ']');
    put_texts(to, "warnings", report->warnings, report->n_warnings);
    begin(to, "covers", '{');
    put_texts(to, "secret_patterns", report->covers.secret_patterns, report->covers.n_secret_patterns);
    put_texts(to, "content_patterns", report->covers.content_patterns, report->covers.n_content_patterns);
    put_texts(to, "retrieved_paths", report->covers.retrieved_paths, report->covers.n_retrieved_paths);
    put_flag(to, "file_digests", report->covers.file_digests);
    end(to, '}');
    put_text(to, "source", report->source);
    begin(to, "analyzer", '{');
    put_text(to, "version", report->analyzer);
    put_number(to, "revision", report->revision);
    if (report->completed_s != -1) {
        char completed[32];
        bw_time_format(completed, report->completed_s);
        put_text(to, "completed", completed);
    }
    end(to, '}');
}

int bw_report_write_json(struct bw_buf *out, const struct bw_report *report, struct bw_error *err)
{
    struct writer to = {.out = out};
    bw_arena_init(&to.scratch, out->ceiling);
    begin(&to, NULL, '{');
    put_text(&to, "schema", BW_REPORT_SCHEMA);
    write_image(&to, report);
    write_context(&to, report);
    begin(&to, "packages", '[');
    for (size_t i = 0; i < report->n_packages; i++)
        write_package(&to, &report->packages[i]);
    end(&to, ']');
    begin(&to, "files", '[');
    for (size_t i = 0; i < report->n_files; i++)
        write_file(&to, &report->files[i]);
    end(&to, ']');
    begin(&to, "verification", '[');
    for (size_t i = 0; i < report->n_verifications; i++)
        write_verification(&to, &report->verifications[i]);
    end(&to, ']');
    write_retrieved(&to, report);
    write_hits(&to, "secrets", report->secrets, report->n_secrets);
    write_hits(&to, "content_search", report->contents, report->n_contents);
    write_malware(&to, report);
    write_origin(&to, report);
    end(&to, '}');
    bw_arena_clear(&to.scratch);
    if (to.spent)
        return bw_arena_spent(err);
    return bw_buf_check(out, "analysis document", err);
}
