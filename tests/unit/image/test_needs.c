/* What is asked of an analysis: merged, sorted, unique; covered or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "image/needs.h"

#include <stdio.h>
#include <string.h>

static const char *const few[] = {"b=1", "a=1"};
static const char *const more[] = {"c=1", "b=1", "c=1"};

static const char *joined(const char *const *list, size_t n)
{
    static char text[256];
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s,", list[i]);
    }
    return text;
}

static void merging_sorts_and_keeps_each_once(void **state)
{
    (void)state;
    struct bw_needs a = {
        .secret_patterns = few, .n_secret_patterns = 2, .retrieved_paths = few, .n_retrieved_paths = 1};
    struct bw_needs b = {.secret_patterns = more, .n_secret_patterns = 3, .file_digests = true};
    struct bw_needs merged;
    struct bw_error err = {0};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    assert_int_equal(bw_needs_merge(&merged, &a, &b, &arena, &err), 0);
    assert_string_equal(joined(merged.secret_patterns, merged.n_secret_patterns), "a=1,b=1,c=1,");
    assert_string_equal(joined(merged.retrieved_paths, merged.n_retrieved_paths), "b=1,");
    assert_int_equal(merged.n_content_patterns, 0);
    assert_true(merged.file_digests);
}

static void covering_is_having_everything(void **state)
{
    (void)state;
    struct bw_needs a = {.secret_patterns = few, .n_secret_patterns = 2},
                    b = {.content_patterns = few, .n_content_patterns = 1};
    struct bw_needs none = {0}, digests = {.file_digests = true}, both, one;
    struct bw_error err = {0};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    assert_int_equal(bw_needs_merge(&both, &a, &b, &arena, &err), 0);
    assert_int_equal(bw_needs_copy(&one, &a, &arena, &err), 0);
    assert_true(bw_needs_cover(&both, &one));
    assert_true(bw_needs_cover(&both, &b));
    assert_true(bw_needs_cover(&both, &none));
    assert_true(bw_needs_cover(&none, &none));
    assert_false(bw_needs_cover(&one, &both));
    assert_false(bw_needs_cover(&none, &one));
    assert_false(bw_needs_cover(&both, &digests));
    assert_true(bw_needs_cover(&digests, &none));
}

static void too_many_are_a_limit(void **state)
{
    (void)state;
    static char texts[BW_MAX_NEEDS + 1][8];
    static const char *list[BW_MAX_NEEDS + 1];
    struct bw_needs all = {.secret_patterns = list, .n_secret_patterns = BW_MAX_NEEDS + 1}, copy;
    struct bw_error err = {0};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 16 * BW_MIB);
    for (size_t i = 0; i < BW_LENGTH(list); i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "%zu", i);
        list[i] = texts[i];
    }
    assert_int_equal(bw_needs_copy(&copy, &all, &arena, &err), -1);
    assert_int_equal(err.code, BW_ELIMIT);
    all.n_secret_patterns--;
    assert_int_equal(bw_needs_copy(&copy, &all, &arena, &err), 0);
}

static void the_defaults_are_the_engine_s_five_and_the_password_file(void **state)
{
    (void)state;
    static const char *const names[] = {"AWS_ACCESS_KEY=", "AWS_SECRET_KEY=", "PRIV_KEY=", "DOCKER_AUTH=", "API_KEY="};
    for (size_t i = 0; i < BW_LENGTH(names); i++) {
        assert_memory_equal(bw_default_secret_patterns[i], names[i], strlen(names[i]));
    }
    assert_null(bw_default_secret_patterns[BW_LENGTH(names)]);
    assert_string_equal(bw_default_retrieved_paths[0], "/etc/passwd");
    assert_null(bw_default_retrieved_paths[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merging_sorts_and_keeps_each_once),
        cmocka_unit_test(covering_is_having_everything),
        cmocka_unit_test(too_many_are_a_limit),
        cmocka_unit_test(the_defaults_are_the_engine_s_five_and_the_password_file),
    };
    return cmocka_run_group_tests_name("needs", tests, NULL, NULL);
}
