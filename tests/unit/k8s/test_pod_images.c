/* Where images stand in every workload kind, what is refused, and what an update adds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/watch_dir.h"
#include "k8s/pod_images.h"

#include <stdlib.h>
#include <string.h>

static struct bw_arena arena;
static struct bw_error error;
static json_t *tree;

static int set_up(void **state)
{
    (void)state;
    bw_arena_init(&arena, BW_ARENA_ADMISSION);
    tree = NULL;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    json_decref(tree);
    bw_arena_clear(&arena);
    return 0;
}

/* `object` with single quotes for double ones. */
static int images_of(struct bw_pod_images *out, const char *group, const char *resource, const char *subresource,
                     const char *object, const struct bw_extra_resource *extra, size_t n_extra)
{
    char *text = bw_arena_strdup(&arena, object);
    for (char *c = text; *c; c++)
        if (*c == '\'')
            *c = '"';
    json_decref(tree);
    tree = NULL;
    json_error_t fault;
    tree = json_loads(text, JSON_ALLOW_NUL, &fault);
    if (!tree)
        fail_msg("%s: %s", fault.text, text);
    struct bw_admission_request request = {.resource_group = group, .resource = resource, .subresource = subresource};
    return bw_pod_images(out, &request, bw_json_root(tree), extra, n_extra, &arena, &error);
}

/* "field=text field=text" */
static const char *listed(const struct bw_pod_images *images)
{
    const char *text = "";
    for (size_t i = 0; i < images->n_images; i++)
        text =
            bw_arena_printf(&arena, "%s%s%s=%s", text, i ? " " : "", images->images[i].field, images->images[i].text);
    return text;
}

static void every_kind_keeps_its_images_at_its_path(void **state)
{
    (void)state;
    static const struct {
        const char *group, *resource, *subresource, *object, *images;
    } rows[] = {
        {"", "pods", "", "{'spec':{'containers':[{'name':'a','image':'x'},{'name':'b','image':'y:1'}]}}",
         "spec.containers[0].image=x spec.containers[1].image=y:1"},
        {"", "pods", "",
         "{'spec':{'initContainers':[{'image':'i'}],'containers':[{'image':'c'}],'ephemeralContainers':[{"
         "'image':'e'}],'volumes':[{'name':'n','emptyDir':{}},{'name':'v','image':{'reference':'r'}}]}}",
         "spec.containers[0].image=c spec.initContainers[0].image=i spec.ephemeralContainers[0].image=e "
         "spec.volumes[1].image.reference=r"},
        {"", "pods", "ephemeralcontainers", "{'spec':{'ephemeralContainers':[{'image':'e'}]}}",
         "spec.ephemeralContainers[0].image=e"},
        {"", "podtemplates", "", "{'template':{'spec':{'containers':[{'image':'x'}]}}}",
         "template.spec.containers[0].image=x"},
        {"", "replicationcontrollers", "", "{'spec':{'template':{'spec':{'containers':[{'image':'x'}]}}}}",
         "spec.template.spec.containers[0].image=x"},
        {"", "replicationcontrollers", "", "{'spec':{'template':null}}", ""},
        {"apps", "deployments", "", "{'spec':{'template':{'spec':{'containers':[{'image':'x'}]}}}}",
         "spec.template.spec.containers[0].image=x"},
        {"apps", "replicasets", "", "{'spec':{'template':{'spec':{'containers':[{'image':'x'}]}}}}",
         "spec.template.spec.containers[0].image=x"},
        {"apps", "statefulsets", "", "{'spec':{'template':{'spec':{'containers':[{'image':'x'}]}}}}",
         "spec.template.spec.containers[0].image=x"},
        {"apps", "daemonsets", "", "{'spec':{'template':{'spec':{'containers':[{'image':'x'}]}}}}",
         "spec.template.spec.containers[0].image=x"},
        {"batch", "jobs", "", "{'spec':{'template':{'spec':{'containers':[{'image':'x'}]}}}}",
         "spec.template.spec.containers[0].image=x"},
        {"batch", "cronjobs", "",
         "{'spec':{'jobTemplate':{'spec':{'template':{'spec':{'containers':[{'image':'x'}]}}}}}}",
         "spec.jobTemplate.spec.template.spec.containers[0].image=x"},
        /* an empty image is left out of a template, and kept in a pod to be denied */
        {"apps", "deployments", "", "{'spec':{'template':{'spec':{'containers':[{'image':''},{},{'image':'x'}]}}}}",
         "spec.template.spec.containers[2].image=x"},
        {"", "pods", "", "{'spec':{'containers':[{'image':''},{'image':null},{}]}}",
         "spec.containers[0].image= spec.containers[1].image= spec.containers[2].image="},
        {"", "pods", "", "{'spec':{'containers':null,'volumes':[{'image':null}]}}", ""},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_pod_images images;
        if (images_of(&images, rows[i].group, rows[i].resource, rows[i].subresource, rows[i].object, NULL, 0))
            fail_msg("%s: %s", rows[i].object, error.message);
        assert_true(images.supported);
        assert_string_equal(listed(&images), rows[i].images);
        assert_int_equal(images.template, strcmp(rows[i].resource, "pods") != 0);
    }
}

static void unknown_resources_are_said_to_be_so(void **state)
{
    (void)state;
    static const char *const rows[][3] = {{"", "configmaps", ""},
                                          {"apps", "pods", ""},
                                          {"", "pods", "status"},
                                          {"apps", "deployments", "scale"},
                                          {"extensions", "deployments", ""},
                                          {"", "pods", "resize"}};
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_pod_images images;
        assert_int_equal(images_of(&images, rows[i][0], rows[i][1], rows[i][2], "{'spec':7}", NULL, 0), 0);
        assert_false(images.supported);
        assert_int_equal(images.n_images, 0);
    }
    assert_true(bw_subresource_imageless("scale"));
    assert_false(bw_subresource_imageless("ephemeralcontainers"));
}

static void objects_of_another_shape_are_refused(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"{}", "spec: expected an object, found nothing"},
        {"{'spec':[]}", "spec.spec: expected an object, found an array"},
        {"{'spec':{'containers':{}}}", "spec.containers: expected an array, found an object"},
        {"{'spec':{'containers':['x']}}", "spec.containers[0]: expected an object, found a string"},
        {"{'spec':{'containers':[{'image':7}]}}", "spec.containers[0].image: expected a string, found an integer"},
        {"{'spec':{'volumes':[{'image':'x'}]}}", "expected an object, found a string"},
        {"{'spec':{'volumes':[{'image':{'reference':[]}}]}}",
         "spec.volumes[0].image.reference: expected a string, found an array"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_pod_images images;
        if (images_of(&images, "", "pods", "", rows[i][0], NULL, 0) == 0)
            fail_msg("taken: %s", rows[i][0]);
        assert_int_equal(error.code, BW_EINPUT);
        if (!strstr(error.message, rows[i][1]))
            fail_msg("%s\ngives: %s", rows[i][0], error.message);
    }
}

static void nul_inside_an_image_is_kept(void **state)
{
    (void)state;
    struct bw_pod_images images;
    assert_int_equal(
        images_of(&images, "", "pods", "", "{'spec':{'containers':[{'image':'good\\u0000evil'}]}}", NULL, 0), 0);
    assert_int_equal(images.images[0].len, 9);
    assert_memory_equal(images.images[0].text, "good\0evil", 10);
}

static void custom_kinds_come_from_the_configuration(void **state)
{
    (void)state;
    static const char *const paths[] = {"spec.steps[*].image", "spec.sidecar.image", NULL};
    static const struct bw_extra_resource extra[] = {
        {"argoproj.io", "rollouts", "spec.template.spec", NULL},
        {"tekton.dev", "tasks", NULL, paths},
    };
    struct bw_pod_images images;
    assert_int_equal(images_of(&images, "argoproj.io", "rollouts", "",
                               "{'spec':{'template':{'spec':{'containers':[{'name':'a','image':'x'}]}}}}", extra, 2),
                     0);
    assert_string_equal(listed(&images), "spec.template.spec.containers[0].image=x");
    assert_int_equal(images_of(&images, "tekton.dev", "tasks", "",
                               "{'spec':{'steps':[{'image':'x'},{'name':'n'},{'image':'y'}],'sidecar':{'image':'z'}}}",
                               extra, 2),
                     0);
    assert_string_equal(listed(&images), "spec.steps[0].image=x spec.steps[2].image=y spec.sidecar.image=z");
    assert_int_equal(images.images[0].kind, BW_CUSTOM_IMAGE);
    assert_int_equal(images_of(&images, "tekton.dev", "tasks", "", "{'spec':{'steps':{}}}", extra, 2), -1);
    assert_int_equal(images_of(&images, "tekton.dev", "tasks", "status", "{'spec':{}}", extra, 2), 0);
    assert_false(images.supported);

    static const char *const bad[] = {"", ".", "a.", "a..b", "[*]", "a[0].b", "a[*", "a b", "a/b"};
    for (size_t i = 0; i < BW_LENGTH(bad); i++)
        assert_false(bw_image_path_valid(bad[i]));
    assert_true(bw_image_path_valid("spec.steps[*].image"));
    assert_true(bw_image_path_valid("image"));
}

static void nodes_are_guessed_from_selector_and_affinity(void **state)
{
    (void)state;
#define TERM(values)                                                                                                   \
    "{'matchExpressions':[{'key':'other','operator':'Exists'},{'key':'kubernetes.io/"                                  \
    "arch','operator':'In','values':[" values "]}]}"
#define AFFINITY(terms)                                                                                                \
    "{'spec':{'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':"      \
    "[" terms "]}}}}}"
    static const struct {
        const char *object, *os, *architecture;
    } rows[] = {
        {"{'spec':{}}", NULL, NULL},
        {"{'spec':{'nodeSelector':{'kubernetes.io/arch':'arm64','kubernetes.io/os':'linux'}}}", "linux", "arm64"},
        {"{'spec':{'nodeSelector':{'kubernetes.io/arch':7}}}", NULL, NULL},
        {AFFINITY(TERM("'arm64'")), NULL, "arm64"},
        {AFFINITY(TERM("'arm64','amd64'")), NULL, NULL},
        {AFFINITY(TERM("'arm64'") "," TERM("'arm64'")), NULL, "arm64"},
        {AFFINITY(TERM("'arm64'") "," TERM("'amd64'")), NULL, NULL},
        {AFFINITY(TERM("'arm64'") ",{}"), NULL, NULL},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_pod_images images;
        assert_int_equal(images_of(&images, "", "pods", "", rows[i].object, NULL, 0), 0);
        assert_int_equal(images.node_os != NULL, rows[i].os != NULL);
        assert_int_equal(images.node_architecture != NULL, rows[i].architecture != NULL);
        if (rows[i].os)
            assert_string_equal(images.node_os, rows[i].os);
        if (rows[i].architecture)
            assert_string_equal(images.node_architecture, rows[i].architecture);
    }
}

static void update_counts_only_what_it_adds(void **state)
{
    (void)state;
    struct {
        const char *before, *now, *added;
    } rows[] = {
        {"x", "x", ""},        {"x y", "y x", ""}, /* a swap */
        {"x", "x x", ""},                          /* another container of the same image */
        {"x", "x y", "y"},     {"x", "X", "X"},    /* strings as written */
        {"", "x", "x"},        {"x@i", "x", "x"},  /* an init container's image is new among the containers */
        {"x", "x x@i", "x@i"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_pod_image lists[2][4];
        size_t counts[2] = {0, 0};
        for (int side = 0; side < 2; side++) {
            char *text = bw_arena_strdup(&arena, side ? rows[i].now : rows[i].before), *save = NULL;
            for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
                char *mark = strchr(word, '@');
                lists[side][counts[side]++] = (struct bw_pod_image){mark ? BW_INIT_CONTAINER : BW_CONTAINER, "", word,
                                                                    word, mark ? (size_t)(mark - word) : strlen(word)};
            }
        }
        size_t kept = bw_pod_images_changed(lists[1], counts[1], lists[0], counts[0]);
        const char *added = "";
        for (size_t k = 0; k < kept; k++)
            added = bw_arena_printf(&arena, "%s%s%s", added, k ? " " : "", lists[1][k].field);
        assert_string_equal(added, rows[i].added);
    }
    /* the long way gives the same */
    struct bw_pod_image now[200], before[100];
    for (size_t i = 0; i < 200; i++) {
        const char *text = bw_arena_printf(&arena, "image-%zu", i);
        now[i] = (struct bw_pod_image){BW_CONTAINER, "", "", text, strlen(text)};
        if (i % 2 == 0)
            before[i / 2] = now[i];
    }
    before[0].kind = BW_INIT_CONTAINER;
    assert_int_equal(bw_pod_images_changed(now, 200, before, 100), 101);
    assert_string_equal(now[0].text, "image-0");
    assert_string_equal(now[1].text, "image-1");
    assert_string_equal(now[100].text, "image-199");
}

static void too_many_images_are_refused(void **state)
{
    (void)state;
    json_t *containers = json_array();
    for (size_t i = 0; i <= BW_MAX_POD_IMAGES; i++)
        json_array_append_new(containers, json_pack("{s:s}", "image", "x"));
    json_t *pod = json_pack("{s:{s:o}}", "spec", "containers", containers);
    struct bw_admission_request request = {.resource_group = "", .resource = "pods", .subresource = ""};
    struct bw_pod_images images;
    assert_int_equal(bw_pod_images(&images, &request, bw_json_root(pod), NULL, 0, &arena, &error), -1);
    assert_int_equal(error.code, BW_ELIMIT);
    json_decref(pod);
}

static void recorded_objects_give_their_images(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"cronjob-create", "spec.jobTemplate.spec.template.spec.containers[0].image=nginx:1.0"},
        {"deployment-create", "spec.template.spec.containers[0].image=nginx:1.0"},
        {"job-create", "spec.template.spec.containers[0].image=nginx:1.0"},
        {"pod-create", "spec.containers[0].image=nginx:1.0"},
        {"pod-create-by-replicaset", "spec.containers[0].image=nginx:1.0"},
        {"pod-create-image-volume",
         "spec.containers[0].image=nginx:1.0 spec.volumes[0].image.reference=registry.test/data:1"},
        {"pod-ephemeralcontainers-kubectl-debug",
         "spec.containers[0].image=nginx:2.0 spec.ephemeralContainers[0].image=busybox:1.36"},
        {"pod-update-image", "spec.containers[0].image=nginx:2.0"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        char path[512], *body = NULL;
        size_t len = 0;
        snprintf(path, sizeof(path), "%s/reviews/%s.json", TEST_DATA, rows[i][0]);
        assert_int_equal(bw_file_read(&body, &len, path, BW_MAX_REVIEW_BYTES, &error), 0);
        struct bw_admission_request request;
        struct bw_review_head head;
        struct bw_pod_images images;
        assert_int_equal(bw_admission_review_decode(&request, &head, body, len, &arena, &error), 0);
        assert_int_equal(bw_pod_images(&images, &request, request.object, NULL, 0, &arena, &error), 0);
        assert_string_equal(listed(&images), rows[i][1]);
        bw_admission_request_clear(&request);
        free(body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_kind_keeps_its_images_at_its_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unknown_resources_are_said_to_be_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(objects_of_another_shape_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nul_inside_an_image_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(custom_kinds_come_from_the_configuration, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nodes_are_guessed_from_selector_and_affinity, set_up, tear_down),
        cmocka_unit_test_setup_teardown(update_counts_only_what_it_adds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_images_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(recorded_objects_give_their_images, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("k8s/pod_images", tests, NULL, NULL);
}
