/* Selectors one by one: what each kind looks at, how conditions combine, and what is left undecided. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "webhook/exemption.h"

#include <string.h>

static struct bw_arena arena;
static struct bw_error error;

static int set_up(void **state)
{
    (void)state;
    bw_arena_init(&arena, BW_ARENA_ADMISSION);
    memset(&error, 0, sizeof(error));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    bw_arena_clear(&arena);
    return 0;
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define LABELS(...)                                                                                                    \
    {                                                                                                                  \
        (const struct bw_requirement[]){__VA_ARGS__},                                                                  \
            sizeof((struct bw_requirement[]){__VA_ARGS__}) / sizeof(struct bw_requirement)                             \
    }
#define A_KILOBYTE                                                                                                     \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "!"

/* A Deployment of team-a, its template, and its namespace. */
static const struct bw_pair object_labels[] = {{"tier", "gold", 4}};
static const struct bw_pair object_notes[] = {{"long", A_KILOBYTE, sizeof(A_KILOBYTE) - 1}, {"note", "kept", 4}};
static const struct bw_pair pod_labels[] = {{"breakglass", "true", 4}};
static const struct bw_pair namespace_labels[] = {{"env", "prod", 4}, {"kubernetes.io/metadata.name", "team-a", 6}};
static const struct bw_metadata team_a = {.name = "team-a", .labels = {namespace_labels, 2}};
static const struct bw_review review = {
    .kind = "Deployment",
    .namespace = "team-a",
    .name = "web",
    .operation = "CREATE",
    .username = "alice",
    .groups = LIST("dev", "system:authenticated"),
    .object = {.name = "web", .labels = {object_labels, 1}, .annotations = {object_notes, 2}},
    .pod = {.name = "", .labels = {pod_labels, 1}},
    .service_account = "",
};
static const struct bw_named_image nginx = {.written = "nginx:1.25", .normalized = "docker.io/library/nginx:1.25"};

enum outcome { NO, YES, UNDECIDED };

static struct bw_regex *compiled(const char *text)
{
    struct bw_regex *regex = NULL;
    struct bw_error err = {0};
    if (text != NULL && bw_regex_compile(&regex, text, strlen(text), 0, &err) != 0) {
        fail_msg("%s", err.message);
    }
    return regex;
}

static enum outcome ask(struct bw_selector selector, const char *key, const char *value,
                        const struct bw_metadata *namespace)
{
    const struct bw_selector *chosen = NULL;
    const struct bw_selector_question question = {.review = &review, .image = &nginx, .namespace = namespace};
    struct bw_error err = {0};
    selector.id = "";
    selector.key = compiled(key);
    selector.value = compiled(value);
    int status = bw_selector_choose(&chosen, &selector, 1, &question, &err);
    bw_regex_free(selector.key);
    bw_regex_free(selector.value);
    if (status != 0) {
        assert_non_null(strstr(err.message, "policySelectors[0] cannot be decided: "));
        assert_int_not_equal(err.code, BW_OK);
        return UNDECIDED;
    }
    return chosen == NULL ? NO : YES;
}

static void expressions_look_at_what_the_type_says(void **state)
{
    (void)state;
    static const struct {
        struct bw_selector selector;
        const char *key, *value;
        enum outcome known, unknown; /* with, and without, the namespace's metadata */
    } rows[] = {
        {{.resource_type = BW_TYPE_RESOURCE}, "^tier$", "gold", YES, YES},
        {{.resource_type = BW_TYPE_RESOURCE}, "ie", "^g", YES, YES}, /* unanchored unless it says so */
        {{.resource_type = BW_TYPE_RESOURCE}, "^tier$", "^GOLD$", NO, NO},
        {{.resource_type = BW_TYPE_RESOURCE}, "^note$", "^kept$", YES, YES}, /* annotations as well */
        {{.resource_type = BW_TYPE_RESOURCE}, "^tier$", "kept", NO, NO},
        {{.resource_type = BW_TYPE_RESOURCE, .by_name = true}, "name", "^web$", YES, YES},
        {{.resource_type = BW_TYPE_RESOURCE}, "name", "^web$", NO, NO},
        {{.resource_type = BW_TYPE_RESOURCE}, "^breakglass$", "true", NO, NO}, /* the template's */
        {{.resource_type = BW_TYPE_RESOURCE, .mode = BW_MODE_BREAK_GLASS}, "^breakglass$", "true", YES, YES},
        {{.resource_type = BW_TYPE_TEMPLATE}, "^breakglass$", "true", YES, YES},
        {{.resource_type = BW_TYPE_TEMPLATE}, "^tier$", "gold", NO, NO},
        {{.resource_type = BW_TYPE_NAMESPACE}, "^env$", "prod", YES, UNDECIDED},
        {{.resource_type = BW_TYPE_NAMESPACE}, "^env$", "test", NO, UNDECIDED},
        {{.resource_type = BW_TYPE_NAMESPACE}, "^tier$", "gold", NO, UNDECIDED}, /* the object's */
        {{.resource_type = BW_TYPE_NAMESPACE, .by_name = true}, "^name$", "^team-", YES, YES},
        {{.resource_type = BW_TYPE_NAMESPACE, .by_name = true}, "^name$", "^prod-", NO, UNDECIDED},
        {{.resource_type = BW_TYPE_NAMESPACE}, "metadata.name", "^team-a$", YES, YES},
        {{.resource_type = BW_TYPE_NAMESPACE}, ".*", "nginx", NO, UNDECIDED}, /* never tried on the image instead */
        {{.resource_type = BW_TYPE_IMAGE}, NULL, "^nginx", YES, YES},
        {{.resource_type = BW_TYPE_IMAGE}, NULL, "^docker.io/library/", YES, YES},
        {{.resource_type = BW_TYPE_IMAGE, .image_match = BW_MATCH_NORMALIZED}, NULL, "^nginx", NO, NO},
        {{.resource_type = BW_TYPE_IMAGE, .image_match = BW_MATCH_WRITTEN}, NULL, "^docker.io/", NO, NO},
        {{.resource_type = BW_TYPE_SERVICE_ACCOUNT}, NULL, "^default$", YES, YES},
        {{.resource_type = BW_TYPE_USER}, NULL, "^alice$", YES, YES},
        {{.resource_type = BW_TYPE_USER}, NULL, "^dev$", NO, NO},
        {{.resource_type = BW_TYPE_RESOURCE}, "^long$", "(a|aa)+$", UNDECIDED, UNDECIDED}, /* exhausts itself */
        {{.resource_type = BW_TYPE_RESOURCE}, "^long$", "b", NO, NO},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        if (ask(rows[i].selector, rows[i].key, rows[i].value, &team_a) != rows[i].known ||
            ask(rows[i].selector, rows[i].key, rows[i].value, NULL) != rows[i].unknown) {
            fail_msg("row %zu: %s", i, rows[i].value);
        }
    }
}

static void conditions_have_to_hold_together(void **state)
{
    (void)state;
    const struct {
        struct bw_selector selector;
        enum outcome known, unknown;
        const char *user; /* an expression beside the conditions */
    } rows[] = {
        {{.namespaces = LIST("x", "team-*")}, YES, YES, NULL},
        {{.namespaces = LIST("team")}, NO, NO, NULL},
        {{.kinds = LIST("Pod", "Deployment")}, YES, YES, NULL},
        {{.kinds = LIST("Pod")}, NO, NO, NULL},
        {{.operations = LIST("UPDATE")}, NO, NO, NULL},
        {{.images = LIST("docker.io/*")}, YES, YES, NULL},
        {{.images = LIST("docker.io/*"), .image_match = BW_MATCH_WRITTEN}, NO, NO, NULL},
        {{.images = LIST("nginx:*"), .image_match = BW_MATCH_NORMALIZED}, NO, NO, NULL},
        {{.people = {.users = LIST("bob")}}, NO, NO, NULL},
        {{.people = {.users = LIST("bob"), .groups = LIST("dev")}}, YES, YES, NULL},
        {{.people = {.users = LIST("dev")}}, NO, NO, NULL},
        {{.people = {.groups = LIST("alice")}}, NO, NO, NULL},
        {{.object_labels = LABELS({"tier", BW_LABEL_IN, LIST("silver", "gold")})}, YES, YES, NULL},
        {{.object_labels = LABELS({"tier", BW_LABEL_NOT_IN, LIST("gold")})}, NO, NO, NULL},
        {{.object_labels = LABELS({"other", BW_LABEL_NOT_IN, LIST("gold")})}, YES, YES, NULL},
        {{.object_labels = LABELS({"tier", BW_LABEL_EXISTS, NULL}, {"other", BW_LABEL_ABSENT, NULL})}, YES, YES, NULL},
        {{.object_labels = LABELS({"tier", BW_LABEL_EXISTS, NULL}, {"other", BW_LABEL_EXISTS, NULL})}, NO, NO, NULL},
        {{.object_labels = LABELS({"breakglass", BW_LABEL_EXISTS, NULL})}, NO, NO, NULL},
        {{.object_labels = LABELS({"breakglass", BW_LABEL_EXISTS, NULL}), .mode = BW_MODE_BREAK_GLASS}, YES, YES, NULL},
        {{.namespace_labels = LABELS({"env", BW_LABEL_IN, LIST("prod")})}, YES, UNDECIDED, NULL},
        {{.namespace_labels = LABELS({"env", BW_LABEL_ABSENT, NULL})}, NO, UNDECIDED, NULL},
        {{.namespace_labels = LABELS({"kubernetes.io/metadata.name", BW_LABEL_IN, LIST("team-a")})}, YES, YES, NULL},
        /* a no decides, whatever is not known beside it */
        {{.namespace_labels = LABELS({"env", BW_LABEL_EXISTS, NULL}), .kinds = LIST("Pod")}, NO, NO, NULL},
        {{.namespace_labels =
              LABELS({"env", BW_LABEL_EXISTS, NULL}, {"kubernetes.io/metadata.name", BW_LABEL_IN, LIST("b")})},
         NO,
         NO,
         NULL},
        {{.namespace_labels = LABELS({"env", BW_LABEL_EXISTS, NULL})}, NO, NO, "^bob$"},
        {{.namespace_labels = LABELS({"env", BW_LABEL_EXISTS, NULL})}, YES, UNDECIDED, "^alice$"},
        {{.namespaces = LIST("team-*"), .kinds = LIST("Deployment"), .operations = LIST("CREATE")}, YES, YES, NULL},
        {{.namespaces = LIST("team-*"), .kinds = LIST("Deployment"), .operations = LIST("UPDATE")}, NO, NO, NULL},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_selector selector = rows[i].selector;
        selector.resource_type = rows[i].user == NULL ? BW_TYPE_NONE : BW_TYPE_USER;
        if (ask(selector, NULL, rows[i].user, &team_a) != rows[i].known ||
            ask(selector, NULL, rows[i].user, NULL) != rows[i].unknown) {
            fail_msg("row %zu", i);
        }
    }
}

static void first_that_matches_counts_and_nothing_below_the_undecided(void **state)
{
    (void)state;
    const struct bw_selector *chosen = NULL;
    const struct bw_selector_question question = {.review = &review, .image = &nginx};
    const struct bw_selector selectors[] = {
        {.id = "", .resource_type = BW_TYPE_NONE, .kinds = LIST("Pod")},
        {.id = "", .resource_type = BW_TYPE_NONE, .kinds = LIST("Deployment")},
        {.id = "wide", .resource_type = BW_TYPE_NONE},
    };
    assert_int_equal(bw_selector_choose(&chosen, selectors, 3, &question, &error), 0);
    assert_ptr_equal(chosen, &selectors[1]);
    assert_int_equal(bw_selector_choose(&chosen, selectors, 1, &question, &error), 0);
    assert_null(chosen);
    const struct bw_selector undecided[] = {
        {.id = "", .resource_type = BW_TYPE_NONE, .kinds = LIST("Pod")},
        {.id = "ours", .resource_type = BW_TYPE_NONE, .namespace_labels = LABELS({"env", BW_LABEL_EXISTS, NULL})},
        {.id = "wide", .resource_type = BW_TYPE_NONE},
    };
    assert_int_equal(bw_selector_choose(&chosen, undecided, 3, &question, &error), -1);
    assert_string_equal(error.message,
                        "policySelectors[1] ours cannot be decided: the labels of namespace team-a are not known");
    assert_true(bw_selectors_need_namespace(undecided, 3));
    assert_false(bw_selectors_need_namespace(selectors, 3));
}

static void only_the_name_of_a_namespace_need_not_be_known(void **state)
{
    (void)state;
    const struct bw_selector by_label = {
        .resource_type = BW_TYPE_NONE,
        .namespace_labels = LABELS({"kubernetes.io/metadata.name", BW_LABEL_IN, LIST("a")}),
    };
    const struct bw_selector by_regex = {.resource_type = BW_TYPE_NAMESPACE};
    assert_false(bw_selectors_need_namespace(&by_label, 1));
    assert_true(bw_selectors_need_namespace(&by_regex, 1));
}

#define DIGEST "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void a_tag_beside_a_digest_is_not_shown(void **state)
{
    (void)state;
    static const struct {
        const char *text, *written, *normalized;
    } rows[] = {
        {"nginx", "nginx", "docker.io/library/nginx:latest"},
        {"nginx:1", "nginx:1", "docker.io/library/nginx:1"},
        {"nginx@" DIGEST, "nginx@" DIGEST, "docker.io/library/nginx@" DIGEST},
        {"nginx:ok@" DIGEST, "nginx@" DIGEST, "docker.io/library/nginx@" DIGEST},
        {"r.example:5000/a@" DIGEST, "r.example:5000/a@" DIGEST, "r.example:5000/a@" DIGEST},
        {"r.example:5000/a:ok@" DIGEST, "r.example:5000/a@" DIGEST, "r.example:5000/a@" DIGEST},
    };
    struct bw_named_image image;
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_reference reference;
        assert_int_equal(bw_reference_parse(&reference, rows[i].text, strlen(rows[i].text), &arena, &error), 0);
        assert_int_equal(bw_named_image_make(&image, rows[i].text, &reference, &arena, &error), 0);
        assert_string_equal(image.written, rows[i].written);
        assert_string_equal(image.normalized, rows[i].normalized);
    }
    assert_int_equal(bw_named_image_make(&image, "no reference", NULL, &arena, &error), 0);
    assert_string_equal(image.written, "no reference");
    assert_null(image.normalized);
    assert_false(bw_image_globs_match(LIST("docker.io/*"), &image, BW_MATCH_BOTH));
}

static void exemptions_hold_in_their_place_until_their_end(void **state)
{
    (void)state;
    static const struct bw_digest empty = {DIGEST};
    const struct bw_exemption exemptions[] = {
        {.id = "over", .images = LIST("*"), .expires_s = 100},
        {.id = "here", .images = LIST("x", "docker.io/library/*"), .namespaces = LIST("team-*"), .expires_s = 1000},
        {.id = "digest", .images = LIST(DIGEST), .expires_s = 2000},
    };
    const struct {
        const char *namespace;
        const struct bw_digest *digest;
        int64_t now_s;
        const char *id;
    } rows[] = {
        {"team-a", NULL, 99, "over"},  {"team-a", NULL, 100, "here"}, {"team-a", NULL, 999, "here"},
        {"team-a", NULL, 1000, NULL},  {"other", NULL, 500, NULL},    {"other", &empty, 500, "digest"},
        {"other", &empty, 2000, NULL},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        const struct bw_exemption *found =
            bw_exemption_find(exemptions, 3, rows[i].namespace, &nginx, rows[i].digest, rows[i].now_s);
        if ((found == NULL) != (rows[i].id == NULL) || (found != NULL && strcmp(found->id, rows[i].id) != 0)) {
            fail_msg("row %zu: %s", i, found == NULL ? "none" : found->id);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(expressions_look_at_what_the_type_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(conditions_have_to_hold_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(first_that_matches_counts_and_nothing_below_the_undecided, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_the_name_of_a_namespace_need_not_be_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_tag_beside_a_digest_is_not_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(exemptions_hold_in_their_place_until_their_end, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
