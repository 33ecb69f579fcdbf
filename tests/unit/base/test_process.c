/* The numbers of this very process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/metrics.h"
#include "base/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double value_of(const char *name)
{
    BW_BUF_SCOPE text;
    char line[96];
    bw_buf_init(&text, 1 << 20);
    bw_process_meter();
    bw_metrics_write(&text);
    (void)snprintf(line, sizeof(line), "\n%s ", name);
    const char *at = strstr(text.data, line);
    if (at == NULL) {
        fail_msg("no %s", name);
    }
    return strtod(at + strlen(line), NULL);
}

static void the_process_is_told_as_it_is(void **state)
{
    (void)state;
    assert_true(value_of("process_resident_memory_bytes") > 500e3);
    assert_true(value_of("process_resident_memory_bytes") < value_of("process_virtual_memory_bytes"));
    assert_true(value_of("process_start_time_seconds") <= (double)time(NULL) + 2);
    assert_true(value_of("process_start_time_seconds") > (double)time(NULL) - 3600);
    double opened = value_of("process_open_fds");
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(value_of("process_open_fds") == opened + 1);
    (void)close(fd);
    assert_true(value_of("process_max_fds") >= opened);
}

static void cpu_time_rises(void **state)
{
    (void)state;
    double before = value_of("process_cpu_seconds_total");
    for (clock_t begun = clock(); clock() - begun < CLOCKS_PER_SEC / 20;) {
    }
    assert_true(value_of("process_cpu_seconds_total") >= before + 0.04);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_process_is_told_as_it_is),
        cmocka_unit_test(cpu_time_rises),
    };
    return cmocka_run_group_tests_name("base/process", tests, NULL, NULL);
}
