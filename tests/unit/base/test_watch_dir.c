/* base/watch_dir: changes of folders are noticed, also a swapped `..data`; files are read and replaced whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "base/watch_dir.h"

#include <dirent.h>
#include <ftw.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static atomic_int calls;

static int remove_entry(const char *path, const struct stat *status, int flag, struct FTW *where)
{
    (void)status;
    (void)flag;
    (void)where;
    return remove(path);
}

static int setup(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof(folder), "%.40s/bw-watch-XXXXXX", base && strlen(base) < 40 ? base : "/tmp");
    atomic_store(&calls, 0);
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}

static const char *in_folder(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static void write_text(const char *name, const char *text)
{
    struct bw_error err = {0};
    if (bw_file_write(in_folder(name), text, strlen(text), 0640, &err))
        fail_msg("%s", err.message);
}

static void count_call(void *payload, const char *path)
{
    assert_string_equal(path, payload);
    atomic_fetch_add(&calls, 1);
}

static void await_calls(int wanted)
{
    struct bw_deadline deadline = bw_deadline_in_ms(10000);
    while (atomic_load(&calls) < wanted && !bw_deadline_passed(deadline))
        usleep(5000);
    usleep(150000); /* and no more than that */
    assert_int_equal(atomic_load(&calls), wanted);
}

static void a_change_is_one_call(void **state)
{
    (void)state;
    struct bw_watch_dir *watch;
    struct bw_error err = {0};
    const char *folders[] = {folder};
    write_text("a", "1");
    assert_int_equal(bw_watch_dir_start(&watch, folders, 1, 60000, count_call, folder, &err), 0);
    write_text("a", "2");
    write_text("b", "3");
    await_calls(1);
    write_text("a", "2"); /* the same content: no change */
    await_calls(1);
    assert_int_equal(unlink(in_folder("b")), 0);
    await_calls(2);
    bw_watch_dir_stop(watch);
    bw_watch_dir_stop(NULL);
}

/* As the kubelet does it: a new folder, a symlink beside, renamed over `..data`. */
static void a_swapped_volume_is_noticed(void **state)
{
    (void)state;
    struct bw_watch_dir *watch;
    struct bw_error err = {0};
    const char *folders[] = {folder};
    assert_int_equal(mkdir(in_folder("..1"), 0755), 0);
    assert_int_equal(mkdir(in_folder("..2"), 0755), 0);
    write_text("..1/bundle", "one");
    write_text("..2/bundle", "two");
    assert_int_equal(symlink("..1", in_folder("..data")), 0);
    assert_int_equal(symlink("..data/bundle", in_folder("bundle")), 0);
    assert_int_equal(bw_watch_dir_start(&watch, folders, 1, 60000, count_call, folder, &err), 0);
    assert_int_equal(symlink("..2", in_folder("..data_tmp")), 0);
    assert_int_equal(rename(in_folder("..data_tmp"), in_folder("..data")), 0);
    await_calls(1);
    bw_watch_dir_stop(watch);
}

/* A write into a subfolder raises no event in the folder itself; only the poll sees it through the link. */
static void the_poll_sees_what_events_do_not(void **state)
{
    (void)state;
    struct bw_watch_dir *watch;
    struct bw_error err = {0};
    const char *folders[] = {folder};
    assert_int_equal(mkdir(in_folder("sub"), 0755), 0);
    write_text("sub/file", "one");
    assert_int_equal(symlink("sub/file", in_folder("link")), 0);
    assert_int_equal(bw_watch_dir_start(&watch, folders, 1, 100, count_call, folder, &err), 0);
    write_text("sub/file", "two");
    await_calls(1);
    bw_watch_dir_stop(watch);
}

static void a_folder_may_come_later(void **state)
{
    (void)state;
    struct bw_watch_dir *watch;
    struct bw_error err = {0};
    char later[128];
    snprintf(later, sizeof(later), "%s", in_folder("later"));
    const char *folders[] = {later};
    assert_int_equal(bw_watch_dir_start(&watch, folders, 1, 50, count_call, later, &err), 0);
    assert_int_equal(mkdir(later, 0755), 0);
    write_text("later/x", "1");
    await_calls(1);
    bw_watch_dir_stop(watch);
}

static void files_are_read_whole_and_bounded(void **state)
{
    (void)state;
    struct bw_error err = {0};
    char *text = NULL;
    size_t len = 0;
    write_text("file", "content");
    assert_int_equal(bw_file_read(&text, &len, in_folder("file"), 7, &err), 0);
    assert_string_equal(text, "content");
    assert_int_equal(len, 7);
    free(text);
    assert_int_equal(bw_file_read(&text, &len, in_folder("file"), 6, &err), -1);
    assert_int_equal(err.code, BW_ELIMIT);
    assert_int_equal(bw_file_read(&text, &len, in_folder("none"), 7, &err), -1);
    assert_int_equal(err.code, BW_ENOTFOUND);
    assert_int_equal(bw_file_read(&text, NULL, folder, 7, &err), -1);
    assert_int_equal(err.code, BW_EUNAVAILABLE);
    assert_int_equal(bw_file_read(&text, &len, "/proc/self/status", 1000000, &err), 0); /* its size is said to be 0 */
    assert_true(len > 100);
    free(text);
    write_text("empty", "");
    assert_int_equal(bw_file_read(&text, &len, in_folder("empty"), 0, &err), 0);
    assert_string_equal(text, "");
    free(text);
}

static void a_failed_write_leaves_the_old_file(void **state)
{
    (void)state;
    struct bw_error err = {0};
    struct stat status;
    write_text("file", "old");
    assert_int_equal(stat(in_folder("file"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    assert_int_equal(mkdir(in_folder("busy"), 0755), 0);
    write_text("busy/file", "x");
    assert_int_equal(bw_file_write(in_folder("busy"), "new", 3, 0600, &err), -1); /* a folder cannot be renamed over */
    assert_int_equal(bw_file_write(in_folder("none/file"), "new", 3, 0600, &err), -1);
    assert_int_equal(err.code, BW_ENOTFOUND);
    size_t left = 0;
    DIR *entries = opendir(folder);
    for (const struct dirent *entry; (entry = readdir(entries));)
        left += entry->d_name[0] != '.';
    closedir(entries);
    assert_int_equal(left, 2); /* nothing beside file and busy */
    char *text;
    assert_int_equal(bw_file_read(&text, &left, in_folder("file"), 10, &err), 0);
    assert_string_equal(text, "old");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_change_is_one_call, setup, teardown),
        cmocka_unit_test_setup_teardown(a_swapped_volume_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(the_poll_sees_what_events_do_not, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_may_come_later, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_read_whole_and_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_write_leaves_the_old_file, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
