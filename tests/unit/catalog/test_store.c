#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/catalog/fakes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "breakwater-store-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    (void)closedir(dir);
    return rmdir(folder);
}

static struct bw_store *open_sqlite(uint64_t max_bytes, bool expect_recovered)
{
    struct bw_store *store = NULL;
    struct bw_error err = {0};
    bool recovered = false;
    int status = bw_store_sqlite_create(&store, folder, max_bytes, &recovered, &err);
    assert_string_equal("", err.message);
    assert_int_equal(0, status);
    assert_int_equal(expect_recovered, recovered);
    return store;
}

static struct bw_store *open_memory(size_t max_bytes)
{
    struct bw_store *store = NULL;
    struct bw_error err = {0};
    assert_int_equal(0, bw_store_memory_create(&store, max_bytes, &err));
    return store;
}

static int put(struct bw_store *store, const char *name, size_t weight, struct bw_error *err)
{
    struct bw_digest digest = digest_of(name);
    struct bw_report *report = make_report(&digest, &(struct bw_needs){0}, weight);
    int status = store->ops->put(store, name, report, err);
    bw_report_release(report);
    return status;
}

static bool has(struct bw_store *store, const char *name)
{
    struct bw_report *report = NULL;
    struct bw_error err = {0};
    struct bw_digest digest = digest_of(name);
    if (store->ops->get(&report, store, name, &err) != 0) {
        assert_null(report);
        assert_int_equal(BW_ENOTFOUND, err.code);
        return false;
    }
    assert_string_equal(digest.text, report->digest.text);
    bw_report_release(report);
    return true;
}

static void memory_gives_back_the_very_report(void **state)
{
    (void)state;
    struct bw_store *store = open_memory(1 << 20);
    struct bw_digest digest = digest_of("a");
    struct bw_report *report = make_report(&digest, &(struct bw_needs){0}, 10), *found = NULL;
    struct bw_error err = {0};
    assert_int_equal(0, store->ops->put(store, "a", report, &err));
    assert_int_equal(0, store->ops->get(&found, store, "a", &err));
    assert_ptr_equal(report, found);
    bw_report_release(found);
    bw_report_release(report);
    store->ops->destroy(store);
}

static void memory_drops_what_was_used_longest_ago(void **state)
{
    (void)state;
    struct bw_error err = {0};
    struct bw_store *store = open_memory(350000);
    assert_int_equal(0, put(store, "a", 100000, &err));
    assert_int_equal(0, put(store, "b", 100000, &err));
    assert_int_equal(0, put(store, "c", 100000, &err));
    assert_true(has(store, "a"));
    assert_int_equal(0, put(store, "d", 100000, &err));
    assert_true(has(store, "a"));
    assert_false(has(store, "b"));
    assert_true(has(store, "c"));
    assert_true(has(store, "d"));
    assert_int_equal(0, put(store, "d", 200000, &err)); /* replaced, counted once */
    assert_true(has(store, "d"));
    assert_false(has(store, "a"));
    store->ops->destroy(store);
}

static void memory_refuses_what_is_larger_than_itself(void **state)
{
    (void)state;
    struct bw_error err = {0};
    struct bw_store *store = open_memory(350000);
    assert_int_equal(0, put(store, "a", 100000, &err));
    assert_int_equal(-1, put(store, "b", 400000, &err));
    assert_int_equal(BW_ELIMIT, err.code);
    assert_true(has(store, "a"));
    store->ops->destroy(store);
}

static void sqlite_keeps_reports_across_a_restart(void **state)
{
    (void)state;
    struct bw_error err = {0};
    struct bw_store *store = open_sqlite(1 << 20, false);
    assert_false(has(store, "a"));
    assert_int_equal(0, put(store, "a", 1000, &err));
    assert_true(has(store, "a"));
    store->ops->destroy(store);
    store = open_sqlite(1 << 20, false);
    assert_true(has(store, "a"));
    assert_false(has(store, "b"));
    store->ops->destroy(store);
    struct stat st;
    assert_int_equal(0, stat(folder, &st));
    assert_int_equal(0, st.st_mode & 0077);
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/reports.db", folder);
    assert_int_equal(0, stat(path, &st));
    assert_int_equal(0600, st.st_mode & 0777);
}

static void sqlite_drops_the_oldest_when_it_is_full(void **state)
{
    (void)state;
    struct bw_error err = {0};
    struct bw_store *store = open_sqlite(350000, false);
    const char *const names[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < BW_LENGTH(names); i++) {
        assert_int_equal(0, put(store, names[i], 100000, &err));
    }
    size_t left = 0;
    for (size_t i = 0; i < BW_LENGTH(names); i++) {
        left += has(store, names[i]);
    }
    assert_int_equal(3, left);
    assert_int_equal(-1, put(store, "f", 400000, &err));
    assert_int_equal(BW_ELIMIT, err.code);
    store->ops->destroy(store);
}

static void overwrite(const char *name, off_t at, const char *bytes, size_t len)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal((ssize_t)len, pwrite(fd, bytes, len, at));
    (void)close(fd);
}

static void corrupt_file_is_set_aside_and_begun_anew(void **state)
{
    (void)state;
    struct bw_error err = {0};
    char path[128];
    overwrite("reports.db", 0, "this is no database, it only has its name", 41);
    struct bw_store *store = open_sqlite(1 << 20, true);
    assert_false(has(store, "a"));
    assert_int_equal(0, put(store, "a", 10, &err));
    assert_true(has(store, "a"));
    store->ops->destroy(store);
    (void)snprintf(path, sizeof(path), "%s/reports.db.corrupt", folder);
    assert_int_equal(0, access(path, R_OK));
}

static void file_of_another_version_is_begun_anew(void **state)
{
    (void)state;
    sqlite3 *db = NULL;
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/reports.db", folder);
    assert_int_equal(SQLITE_OK, sqlite3_open(path, &db));
    assert_int_equal(SQLITE_OK,
                     sqlite3_exec(db, "CREATE TABLE reports (key); PRAGMA user_version = 99", NULL, NULL, NULL));
    assert_int_equal(SQLITE_OK, sqlite3_close(db));
    struct bw_store *store = open_sqlite(1 << 20, true);
    struct bw_error err = {0};
    assert_int_equal(0, put(store, "a", 10, &err));
    assert_true(has(store, "a"));
    store->ops->destroy(store);
}

static void file_that_breaks_while_in_use_is_begun_anew(void **state)
{
    (void)state;
    struct bw_error err = {0};
    struct bw_store *store = open_sqlite(1 << 22, false);
    for (int i = 0; i < 20; i++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "n%d", i);
        assert_int_equal(0, put(store, name, 30000, &err));
    }
    store->ops->destroy(store); /* the write-ahead log goes into the file */
    char garbage[16384];
    memset(garbage, 0x5a, sizeof(garbage));
    overwrite("reports.db", 4096, garbage, sizeof(garbage));
    bool recovered = false;
    assert_int_equal(0, bw_store_sqlite_create(&store, folder, 1 << 22, &recovered, &err));
    if (!recovered) { /* noticed at the latest by the first use */
        (void)put(store, "x", 100, &err);
    }
    assert_int_equal(0, put(store, "x", 100, &err));
    assert_true(has(store, "x"));
    store->ops->destroy(store);
}

static void report_with_a_changed_byte_is_a_fault_and_then_gone(void **state)
{
    (void)state;
    struct bw_error err = {0};
    struct bw_report *report = NULL;
    sqlite3 *db = NULL;
    char path[128];
    struct bw_store *store = open_sqlite(1 << 20, false);
    assert_int_equal(0, put(store, "a", 1000, &err));
    (void)snprintf(path, sizeof(path), "%s/reports.db", folder);
    assert_int_equal(SQLITE_OK, sqlite3_open(path, &db));
    assert_int_equal(SQLITE_OK,
                     sqlite3_exec(db, "UPDATE reports SET bytes = replace(bytes, x'78', x'79')", NULL, NULL, NULL));
    assert_int_equal(1, sqlite3_changes(db));
    assert_int_equal(SQLITE_OK, sqlite3_close(db));
    assert_int_equal(-1, store->ops->get(&report, store, "a", &err));
    assert_int_equal(BW_EUNAVAILABLE, err.code);
    assert_null(report);
    assert_false(has(store, "a"));
    store->ops->destroy(store);
}

static void full_disk_is_an_error_that_passes(void **state)
{
    (void)state;
    struct bw_error err = {0};
    struct bw_store *store = open_sqlite(1 << 24, false);
    assert_int_equal(0, put(store, "a", 1000, &err));
    struct rlimit old, small = {200000, 200000};
    assert_int_equal(0, getrlimit(RLIMIT_FSIZE, &old));
    small.rlim_max = old.rlim_max;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &small));
    assert_int_equal(-1, put(store, "b", 1000000, &err));
    assert_int_equal(BW_EUNAVAILABLE, err.code);
    assert_true(has(store, "a"));
    assert_false(has(store, "b"));
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &old));
    assert_int_equal(0, put(store, "b", 1000000, &err));
    assert_true(has(store, "b"));
    store->ops->destroy(store);
}

static void folder_that_cannot_be_made_is_named(void **state)
{
    (void)state;
    struct bw_store *store = NULL;
    struct bw_error err = {0};
    bool recovered = false;
    assert_int_equal(-1, bw_store_sqlite_create(&store, "/proc/none", 1 << 20, &recovered, &err));
    assert_non_null(strstr(err.message, "/proc/none"));
    assert_null(store);
}

static void *hammer(void *store)
{
    struct bw_error err = {0};
    for (int i = 0; i < 50; i++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "k%d", i % 7);
        (void)put(store, name, 20000, &err);
        (void)has(store, name);
    }
    return NULL;
}

static void stores_are_shared_between_threads(void **state)
{
    (void)state;
    struct bw_store *stores[] = {open_memory(100000), open_sqlite(100000, false)};
    for (size_t i = 0; i < BW_LENGTH(stores); i++) {
        pthread_t threads[4];
        for (size_t t = 0; t < BW_LENGTH(threads); t++) {
            assert_int_equal(0, pthread_create(&threads[t], NULL, hammer, stores[i]));
        }
        for (size_t t = 0; t < BW_LENGTH(threads); t++) {
            assert_int_equal(0, pthread_join(threads[t], NULL));
        }
        stores[i]->ops->destroy(stores[i]);
    }
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_gives_back_the_very_report),
        cmocka_unit_test(memory_drops_what_was_used_longest_ago),
        cmocka_unit_test(memory_refuses_what_is_larger_than_itself),
        WITH_FOLDER(sqlite_keeps_reports_across_a_restart),
        WITH_FOLDER(sqlite_drops_the_oldest_when_it_is_full),
        WITH_FOLDER(corrupt_file_is_set_aside_and_begun_anew),
        WITH_FOLDER(file_of_another_version_is_begun_anew),
        WITH_FOLDER(file_that_breaks_while_in_use_is_begun_anew),
        WITH_FOLDER(report_with_a_changed_byte_is_a_fault_and_then_gone),
        WITH_FOLDER(full_disk_is_an_error_that_passes),
        cmocka_unit_test(folder_that_cannot_be_made_is_named),
        WITH_FOLDER(stores_are_shared_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
