#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "image/analyzer/collectors/history.h"

#include <string.h>

struct guess {
    const char *record, *comment;
    const char *line; /* NULL: none */
};

static const struct guess records[] = {
    /* the classic builder, as the engine writes it */
    {"/bin/sh -c #(nop) ADD file:abc in / ", NULL, "ADD file:abc in / "},
    {"/bin/sh -c #(nop)  CMD [\"bash\"]", NULL, "CMD [\"bash\"]"},
    {"/bin/sh -c #(nop) LABEL a=b\nUSER x", NULL, "LABEL a=b"},
    {"/bin/sh -c #(nop)NOBLANK", NULL, "RUN /bin/sh -c #(nop)NOBLANK"},
    {"/bin/sh -c apt-get update", NULL, "RUN /bin/sh -c apt-get update"},
    {"|1 A=b /bin/sh -c echo", NULL, "RUN |1 A=b /bin/sh -c echo"},
    {"/bin/sh -c #(nop) EXPOSE map[80/tcp:{}]", NULL, "EXPOSE map[80/tcp:{}]"},
    {"bazel build ...", NULL, "RUN bazel build ..."},
    {"USERADD x", NULL, "RUN USERADD x"},
    {"", NULL, NULL},
    {NULL, NULL, NULL},
    /* BuildKit */
    {"RUN /bin/sh -c apt-get update # buildkit", "buildkit.dockerfile.v0", "RUN apt-get update"},
    {"RUN |1 SECRET=x /bin/sh -c make # buildkit", NULL, "RUN make"},
    {"RUN |2 A=x B=two words /bin/sh -c make # buildkit", NULL, "RUN make"},
    {"RUN |1 A=b /bin/bash -o pipefail -c make # buildkit", NULL, "RUN /bin/bash -o pipefail -c make"},
    {"RUN |9 A=b # buildkit", NULL, "RUN |9 A=b"},
    {"RUN cmd arg # buildkit", NULL, "RUN cmd arg"},
    {"RUN /bin/sh -c cat <<E\nUSER x\nE # buildkit", NULL, "RUN cat <<E USER x E"},
    {"COPY . /app # buildkit", NULL, "COPY . /app"},
    {"EXPOSE map[443/tcp:{} 80/udp:{}]", "buildkit.dockerfile.v0", "EXPOSE 443/tcp 80/udp"},
    {"EXPOSE [80/tcp]", NULL, "EXPOSE 80/tcp"},
    {"ENV A=b", "buildkit.dockerfile.v0", "ENV A=b"},
    {"CMD [\"x\"]", NULL, "CMD [\"x\"]"},
    {"/bin/sh -c make # buildkit", NULL, "RUN make"},
};

static const char *guess(const struct bw_image_config *config, struct bw_arena *arena)
{
    struct bw_error err = {0};
    const char *text = NULL;
    assert_int_equal(0, bw_dockerfile_guess(&text, config, arena, &err));
    return text;
}

static void each_record_becomes_its_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(records); i++) {
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, BW_MIB);
        struct bw_history history = {.created_by = records[i].record, .comment = records[i].comment};
        struct bw_image_config config = {.history = &history, .n_history = 1};
        const char *text = guess(&config, &arena);
        const char *expected =
            records[i].line == NULL ? "FROM scratch" : bw_arena_printf(&arena, "FROM scratch\n%s", records[i].line);
        assert_string_equal(expected, text);
    }
}

static void the_configuration_has_the_last_word_on_user_and_ports(void **state)
{
    (void)state;
    static const struct {
        const char *record, *user, *port;
        const char *text; /* after FROM scratch */
    } cases[] = {
        {"USER app", "app", NULL, "USER app"},
        {"USER app", "root", NULL, "USER app\nUSER root"},
        {"USER app", "", NULL, "USER app\nUSER root"},
        {"USER root", NULL, NULL, "USER root"},
        {"/bin/sh -c #(nop)  USER [app]", "app", NULL, "USER [app]"},
        {"/bin/sh -c x", "1000:1000", NULL, "RUN /bin/sh -c x\nUSER 1000:1000"},
        {"/bin/sh -c x", NULL, NULL, "RUN /bin/sh -c x"},
        {"/bin/sh -c cat\nUSER nobody", NULL, NULL, "RUN /bin/sh -c cat\nUSER nobody\nUSER root"},
        {"/bin/sh -c #(nop) LABEL \xe2\x80\xa8USER x", NULL, NULL, "LABEL \xe2\x80\xa8USER x\nUSER root"},
        {"COPY a b", "a\nUSER b", NULL, "COPY a b\nUSER a USER b"},
        {"EXPOSE map[80/tcp:{}]", NULL, "80/tcp", "EXPOSE 80/tcp"},
        {"EXPOSE 80", NULL, "80/tcp", "EXPOSE 80"},
        {"EXPOSE 80", NULL, "80/udp", "EXPOSE 80\nEXPOSE 80/udp"},
        {"/bin/sh -c #(nop) EXPOSE map[22/tcp:{}]", NULL, "22/tcp", "EXPOSE map[22/tcp:{}]\nEXPOSE 22/tcp"},
        {"COPY a b", NULL, "22/tcp", "COPY a b\nEXPOSE 22/tcp"},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, BW_MIB);
        const char *ports[] = {cases[i].port, NULL};
        struct bw_history history = {.created_by = cases[i].record};
        struct bw_image_config config = {
            .history = &history, .n_history = 1, .user = cases[i].user, .exposed_ports = cases[i].port ? ports : NULL};
        assert_string_equal(bw_arena_printf(&arena, "FROM scratch\n%s", cases[i].text), guess(&config, &arena));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_record_becomes_its_line),
        cmocka_unit_test(the_configuration_has_the_last_word_on_user_and_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
