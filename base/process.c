/* The process as /proc tells of it (proc(5)), for /metrics. */
#include "base/process.h"

#include "base/metrics.h"
#include "base/str.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Fields of /proc/self/stat, counted from 1. */
enum { FIELD_STATE = 3, FIELD_START = 22, FIELD_VSIZE = 23, FIELD_RSS = 24 };

static struct bw_metric cpu_seconds = {
    .name = "process_cpu_seconds_total",
    .help = "User and system CPU time of the process and of the analyses it has ended, in seconds.",
    .kind = BW_METRIC_COUNTER,
};
static struct bw_metric resident = {
    .name = "process_resident_memory_bytes", .help = "Resident memory, in bytes.", .kind = BW_METRIC_GAUGE};
static struct bw_metric virtual = {
    .name = "process_virtual_memory_bytes", .help = "Virtual memory, in bytes.", .kind = BW_METRIC_GAUGE};
static struct bw_metric start_time = {.name = "process_start_time_seconds",
                                      .help = "When the process began, as seconds since 1970.",
                                      .kind = BW_METRIC_GAUGE};
static struct bw_metric open_fds = {
    .name = "process_open_fds", .help = "Open file descriptors.", .kind = BW_METRIC_GAUGE};
static struct bw_metric max_fds = {
    .name = "process_max_fds", .help = "How many file descriptors may be open.", .kind = BW_METRIC_GAUGE};

static double seconds_on(clockid_t clock)
{
    struct timespec now = {0};
    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void meter_stat(void)
{
    static double booted; /* seconds since 1970; one answer for the life of the process */
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    size_t len = file == NULL ? 0 : fread(text, 1, sizeof(text) - 1, file);
    if (file != NULL) {
        (void)fclose(file);
    }
    text[len] = '\0';
    const char *after = strrchr(text, ')'); /* the name in brackets may hold anything */
    if (after == NULL) {
        return;
    }
    struct bw_str rest = {after + 1, len - (size_t)(after + 1 - text)}, word;
    for (unsigned field = FIELD_STATE; bw_str_next_word(&word, &rest) && field <= FIELD_RSS; field++) {
        uint64_t value = 0;
        if (field < FIELD_START || bw_str_uint(&value, word, 10, UINT64_MAX) != 0) {
            continue;
        }
        if (field == FIELD_START) {
            booted = booted == 0 ? seconds_on(CLOCK_REALTIME) - seconds_on(CLOCK_BOOTTIME) : booted;
            bw_metric_set(&start_time, booted + (double)value / (double)sysconf(_SC_CLK_TCK), NULL);
        } else if (field == FIELD_VSIZE) {
            bw_metric_set(&virtual, (double)value, NULL);
        } else if (field == FIELD_RSS) {
            bw_metric_set(&resident, (double)value * (double)sysconf(_SC_PAGESIZE), NULL);
        }
    }
}

static double seconds_of(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static void meter_cpu(void)
{
    static const int whose[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
    double total = 0;
    for (size_t i = 0; i < BW_LENGTH(whose); i++) {
        struct rusage usage;
        if (getrusage(whose[i], &usage) == 0) {
            total += seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime);
        }
    }
    bw_metric_set(&cpu_seconds, total, NULL);
}

static void meter_descriptors(void)
{
    struct rlimit limit;
    DIR *folder = opendir("/proc/self/fd");
    unsigned n = 0;
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        n += entry->d_name[0] != '.';
    }
    if (folder != NULL) {
        (void)closedir(folder);
        bw_metric_set(&open_fds, n - 1, NULL); /* without the folder itself */
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        bw_metric_set(&max_fds, (double)limit.rlim_cur, NULL);
    }
}

void bw_process_meter(void)
{
    meter_stat();
    meter_cpu();
    meter_descriptors();
}
