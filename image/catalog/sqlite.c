/* Reports in one SQLite file (image/catalog/store.h): a local cache, so nothing in it is worth a failed admission. WAL
 * without a sync per transaction: a power cut may lose the last reports, never the file. Each row carries a SHA-256 of
 * its bytes, since a report with one changed byte may still be well formed. A corrupt file is set aside and begun anew.
 */
#include "image/catalog/store.h"

#include "base/deadline.h"
#include "base/limits.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* used_at is written at most once a minute for a report: reading need not write. */
enum { SCHEMA_VERSION = 1, BUSY_MS = 2000, USED_STEP_S = 60 };

struct sqlite_store {
    struct bw_store base;
    pthread_mutex_t lock; /* one connection, one user at a time */
    sqlite3 *db;          /* NULL: could not be opened again after it was corrupt */
    sqlite3_stmt *get, *put, *touch, *total, *evict, *remove, *get_tag, *put_tag, *evict_tags;
    uint64_t max_bytes;
    char path[PATH_MAX];
};

static const char schema[] = "CREATE TABLE IF NOT EXISTS reports ("
                             " key TEXT NOT NULL UNIQUE,"
                             " bytes BLOB NOT NULL,"
                             " hash BLOB NOT NULL,"
                             " used_at INTEGER NOT NULL,"
                             " size INTEGER NOT NULL);"
                             "CREATE INDEX IF NOT EXISTS reports_by_use ON reports (used_at, size);"
                             "CREATE TABLE IF NOT EXISTS tags ("
                             " key TEXT NOT NULL UNIQUE,"
                             " now TEXT NOT NULL,"
                             " before TEXT NOT NULL,"
                             " earlier TEXT NOT NULL,"
                             " used_at INTEGER NOT NULL);"
                             "CREATE INDEX IF NOT EXISTS tags_by_use ON tags (used_at);";
_Static_assert(BW_TAG_HISTORY == 3, "tags has a column for each");

static int failure(struct sqlite_store *store, const char *doing, struct bw_error *err)
{
    return bw_error_detail(err, BW_EUNAVAILABLE, "store_failed", "%s: %s: %s", store->path, doing,
                           store->db == NULL ? "not open" : sqlite3_errmsg(store->db));
}

static void close_file(struct sqlite_store *store)
{
    sqlite3_stmt **const statements[] = {&store->get,     &store->put,     &store->touch,
                                         &store->total,   &store->evict,   &store->remove,
                                         &store->get_tag, &store->put_tag, &store->evict_tags};
    for (size_t i = 0; i < BW_LENGTH(statements); i++) {
        (void)sqlite3_finalize(*statements[i]);
        *statements[i] = NULL;
    }
    (void)sqlite3_close(store->db);
    store->db = NULL;
}

static int prepare(struct sqlite_store *store)
{
    const struct {
        sqlite3_stmt **statement;
        const char *text;
    } rows[] = {
        {&store->get, "SELECT bytes, hash, used_at FROM reports WHERE key = ?1"},
        {&store->put, "INSERT OR REPLACE INTO reports (key, bytes, hash, used_at, size) VALUES (?1, ?2, ?3, ?4, ?5)"},
        {&store->touch, "UPDATE reports SET used_at = ?2 WHERE key = ?1"},
        {&store->total, "SELECT coalesce(sum(size), 0) FROM reports"},
        {&store->evict, "DELETE FROM reports WHERE rowid = (SELECT rowid FROM reports ORDER BY used_at LIMIT 1)"},
        {&store->remove, "DELETE FROM reports WHERE key = ?1"},
        {&store->get_tag, "SELECT now, before, earlier FROM tags WHERE key = ?1"},
        {&store->put_tag,
         "INSERT OR REPLACE INTO tags (key, now, before, earlier, used_at) VALUES (?1, ?2, ?3, ?4, ?5)"},
        {&store->evict_tags, "DELETE FROM tags WHERE rowid IN"
                             " (SELECT rowid FROM tags ORDER BY used_at DESC, rowid DESC LIMIT -1 OFFSET ?1)"},
    };
    int status = SQLITE_OK;
    for (size_t i = 0; i < BW_LENGTH(rows) && status == SQLITE_OK; i++) {
        status = sqlite3_prepare_v3(store->db, rows[i].text, -1, SQLITE_PREPARE_PERSISTENT, rows[i].statement, NULL);
    }
    return status;
}

static int read_version(sqlite3 *db, int *version_out)
{
    sqlite3_stmt *statement = NULL;
    int status = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL);
    if (status == SQLITE_OK && (status = sqlite3_step(statement)) == SQLITE_ROW) {
        *version_out = sqlite3_column_int(statement, 0);
        status = SQLITE_OK;
    }
    (void)sqlite3_finalize(statement);
    return status;
}

/* A status of SQLite; NOTADB also for a file of another version of ours. */
static int open_file(struct sqlite_store *store)
{
    int version = 0;
    char pragma[64];
    /* Made here, because it holds contents of private images: SQLite would let everyone read it. */
    int fd = open(store->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return SQLITE_CANTOPEN;
    }
    (void)close(fd);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    int status = sqlite3_open_v2(store->path, &store->db, flags, NULL);
    if (status != SQLITE_OK) {
        return status;
    }
    (void)sqlite3_extended_result_codes(store->db, 0);
    (void)sqlite3_busy_timeout(store->db, BUSY_MS);
    (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", SCHEMA_VERSION);
    status = read_version(store->db, &version);
    if (status == SQLITE_OK && version != 0 && version != SCHEMA_VERSION) {
        return SQLITE_NOTADB;
    }
    if (status == SQLITE_OK) {
        status = sqlite3_exec(store->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;", NULL, NULL, NULL);
    }
    if (status == SQLITE_OK) {
        status = sqlite3_exec(store->db, schema, NULL, NULL, NULL);
    }
    if (status == SQLITE_OK && version == 0) {
        status = sqlite3_exec(store->db, pragma, NULL, NULL, NULL);
    }
    if (status == SQLITE_OK) {
        status = prepare(store);
    }
    if (status == SQLITE_OK) {
        status = sqlite3_step(store->total); /* reads every page of an index */
        status = status == SQLITE_ROW ? SQLITE_OK : status;
        (void)sqlite3_reset(store->total);
    }
    return status;
}

static bool is_corrupt(int status)
{
    return status == SQLITE_CORRUPT || status == SQLITE_NOTADB;
}

/* The file goes to "...corrupt" (the one before is lost), its journals with it. */
static int begin_anew(struct sqlite_store *store)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    close_file(store);
    for (size_t i = 0; i < BW_LENGTH(suffixes); i++) {
        char from[PATH_MAX + 16], to[PATH_MAX + 32];
        (void)snprintf(from, sizeof(from), "%s%s", store->path, suffixes[i]);
        (void)snprintf(to, sizeof(to), "%s.corrupt%s", store->path, suffixes[i]);
        if (rename(from, to) != 0 && errno != ENOENT) {
            (void)unlink(from);
        }
    }
    return open_file(store);
}

static int64_t bind_and_step(sqlite3_stmt *statement, const char *key)
{
    (void)sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    return sqlite3_step(statement);
}

static void release_statement(sqlite3_stmt *statement)
{
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
}

/* Copies the row's bytes, so that decoding happens without the lock. */
static int read_row(void **bytes_out, size_t *len_out, struct sqlite_store *store, const char *key)
{
    int status = (int)bind_and_step(store->get, key);
    if (status == SQLITE_ROW) {
        int len = sqlite3_column_bytes(store->get, 0), hash_len = sqlite3_column_bytes(store->get, 1);
        const void *bytes = sqlite3_column_blob(store->get, 0), *hash = sqlite3_column_blob(store->get, 1);
        int64_t used_at = sqlite3_column_int64(store->get, 2), now_s = bw_wall_s();
        char hex[2 * BW_HASH_MAX + 1], stored[2 * BW_HASH_MAX + 1] = "";
        bw_hash_hex(hex, BW_SHA256, bytes == NULL ? "" : bytes, (size_t)len);
        if (hash_len == BW_SHA256_BYTES && hash != NULL) {
            bw_hex_encode(stored, hash, (size_t)hash_len);
        }
        if (strcmp(hex, stored) != 0) {
            status = SQLITE_MISMATCH;
        } else {
            *bytes_out = bw_memory_strndup(bytes, (size_t)len);
            *len_out = (size_t)len;
        }
        if (status == SQLITE_ROW && now_s - used_at >= USED_STEP_S) {
            (void)sqlite3_bind_int64(store->touch, 2, now_s);
            (void)bind_and_step(store->touch, key); /* if it fails, the report goes sooner */
            release_statement(store->touch);
        }
    }
    release_statement(store->get);
    if (status == SQLITE_MISMATCH) {
        (void)bind_and_step(store->remove, key);
        release_statement(store->remove);
    }
    return status;
}

static int sqlite_get(struct bw_report **out, struct bw_store *base, const char *key, struct bw_error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    void *bytes = NULL;
    size_t len = 0;
    int result = 0;
    pthread_mutex_lock(&store->lock);
    int status = store->db == NULL ? SQLITE_CANTOPEN : read_row(&bytes, &len, store, key);
    if (status == SQLITE_DONE) {
        result = bw_error_set(err, BW_ENOTFOUND, "no report of %.100s in %s", key, store->path);
    } else if (status == SQLITE_MISMATCH) {
        result = bw_error_detail(err, BW_EUNAVAILABLE, "store_failed", "%s: the report of %.100s was damaged",
                                 store->path, key);
    } else if (status != SQLITE_ROW) {
        result = failure(store, "reading", err);
    }
    if (is_corrupt(status)) {
        (void)begin_anew(store);
    }
    pthread_mutex_unlock(&store->lock);
    if (result == 0) {
        result = bw_report_decode(out, bytes, len, err);
    }
    free(bytes);
    return result;
}

/* Oldest use first, until the rest is small enough. The one just written stays. */
static int make_room(struct sqlite_store *store)
{
    for (;;) {
        int status = sqlite3_step(store->total);
        uint64_t total = status == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(store->total, 0) : 0;
        (void)sqlite3_reset(store->total);
        if (status != SQLITE_ROW || total <= store->max_bytes) {
            return status == SQLITE_ROW ? SQLITE_DONE : status;
        }
        status = sqlite3_step(store->evict);
        (void)sqlite3_reset(store->evict);
        if (status != SQLITE_DONE) {
            return status;
        }
    }
}

static int write_row(struct sqlite_store *store, const char *key, const void *bytes, size_t len)
{
    char hex[2 * BW_HASH_MAX + 1];
    uint8_t hash[BW_SHA256_BYTES];
    bw_hash_hex(hex, BW_SHA256, bytes, len);
    if (bw_hex_decode(hash, hex, 2 * sizeof(hash)) != 0) {
        abort();
    }
    (void)sqlite3_bind_blob64(store->put, 2, bytes, len, SQLITE_STATIC);
    (void)sqlite3_bind_blob(store->put, 3, hash, sizeof(hash), SQLITE_STATIC);
    (void)sqlite3_bind_int64(store->put, 4, bw_wall_s());
    (void)sqlite3_bind_int64(store->put, 5, (int64_t)len);
    int status = (int)bind_and_step(store->put, key);
    release_statement(store->put);
    return status == SQLITE_DONE ? make_room(store) : status;
}

static int sqlite_put(struct bw_store *base, const char *key, struct bw_report *report, struct bw_error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    void *bytes = NULL;
    size_t len = 0;
    if (bw_report_encode(&bytes, &len, report, err) != 0) {
        return -1;
    }
    if (len > store->max_bytes) {
        free(bytes);
        return bw_error_set(err, BW_ELIMIT, "the report of %.100s has %zu bytes, %s may hold %llu", key, len,
                            store->path, (unsigned long long)store->max_bytes);
    }
    int result = 0;
    pthread_mutex_lock(&store->lock);
    int status = store->db == NULL ? SQLITE_CANTOPEN : write_row(store, key, bytes, len);
    if (status != SQLITE_DONE) {
        result = failure(store, "writing", err);
    }
    if (is_corrupt(status)) {
        (void)begin_anew(store);
    }
    pthread_mutex_unlock(&store->lock);
    free(bytes);
    return result;
}

/* ---- tags ---- */

/* A row with something else than digests in it is one that nobody wrote. */
static int read_tag(struct bw_tag_history *out, struct sqlite_store *store, const char *key)
{
    struct bw_tag_history history = {0};
    int status = (int)bind_and_step(store->get_tag, key);
    for (int i = 0; status == SQLITE_ROW && i < BW_TAG_HISTORY; i++) {
        const char *text = (const char *)sqlite3_column_text(store->get_tag, i);
        int len = sqlite3_column_bytes(store->get_tag, i);
        if (text == NULL || len == 0) {
            break;
        }
        status =
            bw_digest_parse(&history.digests[history.n_digests], text, (size_t)len, NULL) == 0 ? status : SQLITE_DONE;
        history.n_digests++;
    }
    release_statement(store->get_tag);
    if (status == SQLITE_ROW) {
        *out = history;
    }
    return status;
}

static int sqlite_get_tag(struct bw_tag_history *out, struct bw_store *base, const char *key, struct bw_error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    int result = 0;
    pthread_mutex_lock(&store->lock);
    int status = store->db == NULL ? SQLITE_CANTOPEN : read_tag(out, store, key);
    if (status == SQLITE_DONE) {
        result = bw_error_set(err, BW_ENOTFOUND, "nothing of %.100s in %s", key, store->path);
    } else if (status != SQLITE_ROW) {
        result = failure(store, "reading", err);
    }
    if (is_corrupt(status)) {
        (void)begin_anew(store);
    }
    pthread_mutex_unlock(&store->lock);
    return result;
}

static int write_tag(struct sqlite_store *store, const char *key, const struct bw_tag_history *history)
{
    for (int i = 0; i < BW_TAG_HISTORY; i++) {
        const char *text = (size_t)i < history->n_digests ? history->digests[i].text : "";
        (void)sqlite3_bind_text(store->put_tag, i + 2, text, -1, SQLITE_STATIC);
    }
    (void)sqlite3_bind_int64(store->put_tag, BW_TAG_HISTORY + 2, bw_wall_s());
    int status = (int)bind_and_step(store->put_tag, key);
    release_statement(store->put_tag);
    if (status == SQLITE_DONE) {
        (void)sqlite3_bind_int64(store->evict_tags, 1, BW_MAX_TAGS);
        status = sqlite3_step(store->evict_tags);
        release_statement(store->evict_tags);
    }
    return status;
}

static int sqlite_put_tag(struct bw_store *base, const char *key, const struct bw_tag_history *history,
                          struct bw_error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    pthread_mutex_lock(&store->lock);
    int status = store->db == NULL ? SQLITE_CANTOPEN : write_tag(store, key, history);
    int result = status == SQLITE_DONE ? 0 : failure(store, "writing", err);
    if (is_corrupt(status)) {
        (void)begin_anew(store);
    }
    pthread_mutex_unlock(&store->lock);
    return result;
}

static void sqlite_destroy(struct bw_store *base)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    close_file(store);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

static const struct bw_store_ops sqlite_ops = {
    .name = "sqlite",
    .get = sqlite_get,
    .put = sqlite_put,
    .get_tag = sqlite_get_tag,
    .put_tag = sqlite_put_tag,
    .destroy = sqlite_destroy,
};

int bw_store_sqlite_create(struct bw_store **out, const char *folder, uint64_t max_bytes, bool *recovered,
                           struct bw_error *err)
{
    struct sqlite_store *store = bw_memory_zeroed(1, sizeof(*store));
    store->base.ops = &sqlite_ops;
    store->max_bytes = max_bytes;
    pthread_mutex_init(&store->lock, NULL);
    int len = snprintf(store->path, sizeof(store->path), "%s/reports.db", folder);
    bool made = len < (int)sizeof(store->path) && (mkdir(folder, 0700) == 0 || errno == EEXIST);
    int why = errno;
    int status = made ? open_file(store) : SQLITE_CANTOPEN;
    bool anew = is_corrupt(status);
    if (anew) {
        status = begin_anew(store);
    }
    if (status != SQLITE_OK) {
        if (made && store->db != NULL) {
            (void)failure(store, "opening the cache", err);
        } else if (made) {
            (void)bw_error_set(err, BW_EUNAVAILABLE, "%s: %s", store->path, strerror(errno));
        } else {
            (void)bw_error_set(err, BW_EUNAVAILABLE, "the cache folder %s cannot be made: %s", folder, strerror(why));
        }
        sqlite_destroy(&store->base);
        return -1;
    }
    *recovered = anew;
    *out = &store->base;
    return 0;
}
