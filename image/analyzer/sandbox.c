/* The analysis child's confinement: rlimits, no_new_privs, Landlock, a seccomp allow list. */
#include "image/analyzer/sandbox.h"

#include "base/limits.h"

#include <errno.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static int limit(int resource, uint64_t soft, uint64_t hard, struct bw_error *err)
{
    const struct rlimit wanted = {soft, hard};
    if (setrlimit((__rlimit_resource_t)resource, &wanted) != 0) {
        return bw_error_set(err, BW_EINTERNAL, "analysis child: rlimit %d: %s", resource, strerror(errno));
    }
    return 0;
}

static int set_limits(unsigned cpu_s, struct bw_error *err)
{
    /* The report of a million files, its bytes, kept contents, rings: below 4 GiB. Sanitizers map terabytes. */
    if ((!SANITIZED && limit(RLIMIT_DATA, 4 * BW_GIB, 4 * BW_GIB, err) != 0) ||
        limit(RLIMIT_CPU, cpu_s, cpu_s + 1, err) != 0 || limit(RLIMIT_FSIZE, 0, 0, err) != 0 ||
        limit(RLIMIT_CORE, 0, 0, err) != 0 || limit(RLIMIT_NOFILE, 64, 64, err) != 0) {
        return -1;
    }
    return 0;
}

/* Landlock (kernel 5.13): all rights over files that this kernel knows are taken, none is given. */
static int deny_files(struct bw_error *err)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) {
        return 0; /* the kernel has none; seccomp stands alone */
    }
    uint64_t rights = (1ULL << 13) - 1;
    rights |= abi >= 2 ? 1ULL << 13 : 0; /* REFER */
    rights |= abi >= 3 ? 1ULL << 14 : 0; /* TRUNCATE */
    const struct landlock_ruleset_attr attributes = {.handled_access_fs = rights};
    long ruleset = syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes.handled_access_fs), 0);
    if (ruleset < 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
        return bw_error_set(err, BW_EINTERNAL, "analysis child: Landlock: %s", strerror(errno));
    }
    (void)close((int)ruleset);
    return 0;
}

static const int allowed[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(sendto),
    SCMP_SYS(recvfrom),
    SCMP_SYS(close),
    SCMP_SYS(futex),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(brk),
    SCMP_SYS(madvise),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(sched_yield),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getrandom),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(gettid),
    SCMP_SYS(getpid),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(membarrier),
    SCMP_SYS(sysinfo), /* qsort asks how much memory there is */
};

static int add_rules(scmp_filter_ctx filter)
{
    int status = 0;
    for (size_t i = 0; i < BW_LENGTH(allowed); i++) {
        status |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    }
    /* memory, but none that can be executed */
    status |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    status |=
        seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    /* threads, but no processes: clone3 hides its flags behind a pointer, so the C library is sent back to clone */
    status |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    status |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                               SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    /* abort() */
    status |=
        seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
    /* harmless questions that the C library asks and can do without */
    status |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 0);
    return status;
}

int bw_sandbox_enter(unsigned cpu_s, struct bw_error *err)
{
    if (set_limits(cpu_s, err) != 0) {
        return -1;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || (!SANITIZED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)) {
        return bw_error_set(err, BW_EINTERNAL, "analysis child: prctl: %s", strerror(errno));
    }
    if (deny_files(err) != 0) {
        return -1;
    }
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int status = filter == NULL ? -1 : add_rules(filter);
    if (status == 0) {
        status = seccomp_load(filter);
    }
    if (filter != NULL) {
        seccomp_release(filter);
    }
    if (status != 0) {
        return bw_error_set(err, BW_EINTERNAL, "analysis child: seccomp: %s", strerror(status < -1 ? -status : EINVAL));
    }
    return 0;
}
