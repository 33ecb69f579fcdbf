/* What the analysis child may do once it has shut itself in, and what ends it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/regex.h"
#include "base/sha256.h"
#include "image/analyzer/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct bw_regex *regex;

/* ---- what ends the child ---- */

static void opens(void)
{
    (void)open("/etc/passwd", O_RDONLY);
}

static void stats(void)
{
    struct stat st;
    (void)stat("/etc/passwd", &st);
}

static void makes_a_socket(void)
{
    (void)socket(AF_INET, SOCK_STREAM, 0);
}

static void executes(void)
{
    char *argv[] = {NULL};
    (void)execv("/bin/true", argv);
}

static void forks(void)
{
    (void)fork();
}

static void kills(void)
{
    (void)kill(getppid(), 0);
}

static void signals_another_thread(void)
{
    (void)syscall(SYS_tgkill, 1, 1, 0);
}

static void traces(void)
{
    (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void maps_code(void)
{
    (void)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void makes_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static void lifts_a_limit(void)
{
    const struct rlimit more = {RLIM_INFINITY, RLIM_INFINITY};
    (void)setrlimit(RLIMIT_CPU, &more);
}

static void changes_owner(void)
{
    (void)setuid(1);
}

/* ---- what it needs ---- */

static void *one_thread(void *payload)
{
    uint8_t raw[BW_HASH_MAX];
    struct bw_hash *hash = bw_hash_create(BW_SHA256);
    /* pieces of all sizes, freed out of order, so that heaps grow and shrink */
    for (size_t round = 0; round < 20; round++) {
        void *pieces[64];
        for (size_t i = 0; i < 64; i++) {
            pieces[i] = malloc(1000 * (i + 1) * (round + 1));
            memset(pieces[i], 1, 1000);
        }
        for (size_t i = 64; i-- > 0;) {
            bw_hash_update(hash, pieces[i], 1000);
            free(pieces[i]);
        }
    }
    (void)bw_hash_finish(hash, raw);
    bw_hash_destroy(hash);
    if (bw_regex_match(regex, "key = value", 11, NULL) != 1) {
        _exit(8);
    }
    return payload;
}

static int by_value(const void *a, const void *b)
{
    return *(const int *)a < *(const int *)b ? -1 : 1;
}

static void works(void)
{
    pthread_t threads[4];
    static int numbers[1 << 20];
    for (size_t i = 0; i < 4; i++) {
        if (pthread_create(&threads[i], NULL, one_thread, NULL) != 0) {
            _exit(7);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    for (size_t i = 0; i < BW_LENGTH(numbers); i++) {
        numbers[i] = (int)(i * 2654435761u);
    }
    qsort(numbers, BW_LENGTH(numbers), sizeof(*numbers), by_value);
}

static int status_of(void (*what)(void), unsigned cpu_s)
{
    pid_t pid = fork();
    if (pid == 0) {
        char hex[2 * BW_HASH_MAX + 1];
        bw_hash_hex(hex, BW_SHA256, "", 0);
        (void)mallopt(M_ARENA_MAX, 1);
        if (bw_sandbox_enter(cpu_s, NULL) != 0) {
            _exit(9);
        }
        what();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void what_an_image_must_not_do_ends_the_child(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*what)(void);
    } rows[] = {
        {"open", opens},
        {"stat", stats},
        {"socket", makes_a_socket},
        {"execve", executes},
        {"fork", forks},
        {"kill", kills},
        {"tgkill", signals_another_thread},
        {"ptrace", traces},
        {"mmap of code", maps_code},
        {"mprotect to code", makes_code},
        {"setrlimit", lifts_a_limit},
        {"setuid", changes_owner},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        int status = status_of(rows[i].what, 10);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS) {
            fail_msg("%s: status %x", rows[i].name, (unsigned)status);
        }
    }
}

static void threads_memory_digests_and_compiled_patterns_work(void **state)
{
    (void)state;
    assert_int_equal(bw_regex_compile(&regex, "(?i)k.y *= *v", 13, BW_REGEX_ANCHORED | BW_REGEX_BYTES, NULL), 0);
    int status = status_of(works, 60);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("status %x", (unsigned)status);
    }
    bw_regex_free(regex);
}

static void aborts(void)
{
    abort();
}

static void spins(void)
{
    for (volatile unsigned long n = 0;; n++) {
    }
}

static void time_is_bounded_and_abort_is_told_as_such(void **state)
{
    (void)state;
    int status = status_of(spins, 1);
    assert_true(WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL));
    status = status_of(aborts, 10);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_image_must_not_do_ends_the_child),
        cmocka_unit_test(threads_memory_digests_and_compiled_patterns_work),
        cmocka_unit_test(time_is_bounded_and_abort_is_told_as_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
