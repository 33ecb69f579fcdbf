/* The two readers of an AdmissionReview: what the quick one takes, what it leaves to jansson, and that both agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/watch_dir.h"
#include "webhook/review.h"

#include <stdlib.h>
#include <string.h>

static struct bw_arena arena;
static struct bw_review quick, slow;
static struct bw_review_head head;
static struct bw_error error;

static int set_up(void **state)
{
    (void)state;
    bw_arena_init(&arena, BW_ARENA_ADMISSION);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    bw_arena_clear(&arena);
    return 0;
}

static const char *listed(const struct bw_pod_images *images)
{
    const char *text = images->supported ? "" : "(unsupported) ";
    for (size_t i = 0; i < images->n_images; i++) {
        const struct bw_pod_image *image = &images->images[i];
        text = bw_arena_printf(&arena, "%s%s%d %s %s=%s", text, i ? ", " : "", (int)image->kind, image->container,
                               image->field, image->text);
    }
    return text;
}

static const char *groups_of(const struct bw_review *review)
{
    const char *text = "";
    for (size_t i = 0; review->groups[i] != NULL; i++) {
        text = bw_arena_printf(&arena, "%s %s", text, review->groups[i]);
    }
    return text;
}

static const char *pairs_of(const struct bw_pairs *pairs)
{
    const char *text = "";
    for (size_t i = 0; i < pairs->n_items; i++) {
        const struct bw_pair *pair = &pairs->items[i];
        text = bw_arena_printf(&arena, "%s %s=%s(%zu)", text, pair->key, pair->value, pair->value_len);
    }
    return text;
}

/* Everything that is known of the object around its images. */
static const char *around(const struct bw_review *review)
{
    const char *text =
        bw_arena_printf(&arena, "object %s,%s,%s; pod %s,%s,%s; account %s; secrets", review->object.name,
                        pairs_of(&review->object.labels), pairs_of(&review->object.annotations), review->pod.name,
                        pairs_of(&review->pod.labels), pairs_of(&review->pod.annotations), review->service_account);
    for (size_t i = 0; review->pull_secrets != NULL && review->pull_secrets[i] != NULL; i++) {
        text = bw_arena_printf(&arena, "%s %s", text, review->pull_secrets[i]);
    }
    for (size_t i = 0; i < review->n_owners; i++) {
        const struct bw_owner *owner = &review->owners[i];
        text = bw_arena_printf(&arena, "%s; owner %s %s %s %s%s", text, owner->api_version, owner->kind, owner->name,
                               owner->uid, owner->controller ? " controller" : "");
    }
    return text;
}

static void expect_same(void)
{
    assert_string_equal(around(&quick), around(&slow));
    assert_string_equal(quick.api_version, slow.api_version);
    assert_string_equal(quick.uid, slow.uid);
    assert_string_equal(quick.kind, slow.kind);
    assert_string_equal(quick.group, slow.group);
    assert_string_equal(quick.resource, slow.resource);
    assert_string_equal(quick.subresource, slow.subresource);
    assert_string_equal(quick.namespace, slow.namespace);
    assert_string_equal(quick.name, slow.name);
    assert_string_equal(quick.operation, slow.operation);
    assert_string_equal(quick.username, slow.username);
    assert_string_equal(groups_of(&quick), groups_of(&slow));
    assert_int_equal(quick.dry_run, slow.dry_run);
    assert_int_equal(quick.mirror_pod, slow.mirror_pod);
    assert_int_equal(quick.old_deleting, slow.old_deleting);
    assert_string_equal(listed(&quick.now), listed(&slow.now));
    assert_string_equal(listed(&quick.before), listed(&slow.before));
    assert_int_equal(quick.now.template, slow.now.template);
    const char *const hints[][2] = {{quick.now.node_os, slow.now.node_os},
                                    {quick.now.node_architecture, slow.now.node_architecture}};
    for (size_t i = 0; i < BW_LENGTH(hints); i++) {
        assert_int_equal(hints[i][0] == NULL, hints[i][1] == NULL);
        if (hints[i][0] != NULL) {
            assert_string_equal(hints[i][0], hints[i][1]);
        }
    }
}

static bool read_both(const char *body, size_t len)
{
    bool understood = bw_review_read(&quick, body, len, &arena);
    if (bw_review_decode(&slow, &head, body, len, NULL, 0, &arena, &error) != 0) {
        fail_msg("%s: %s", error.message, body);
    }
    if (understood) {
        expect_same();
    }
    return understood;
}

static void recorded_bodies_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        bool understood;
    } rows[] = {
        {"cronjob-create", true},
        {"deployment-create", true},
        {"deployment-scale-update", false}, /* of no kind in the table */
        {"job-create", true},
        {"pod-create", true},
        {"pod-create-by-replicaset", true},
        {"pod-create-dryrun-server", true},
        {"pod-create-generatename", true},
        {"pod-create-image-volume", true},
        {"pod-create-sidecar-init", true},
        {"pod-delete", true},
        {"pod-ephemeralcontainers-kubectl-debug", true},
        {"pod-update-image", true},
        {"pod-update-label", true},
        {"replicaset-create", true},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        char path[512], *body = NULL;
        size_t len = 0;
        snprintf(path, sizeof(path), "%s/reviews/%s.json", TEST_DATA, rows[i].file);
        assert_int_equal(bw_file_read(&body, &len, path, BW_MAX_REVIEW_BYTES, &error), 0);
        if (read_both(body, len) != rows[i].understood) {
            fail_msg("%s", rows[i].file);
        }
        free(body);
    }
}

#define HEAD                                                                                                           \
    "{'kind':'AdmissionReview','apiVersion':'admission.k8s.io/v1','request':{'uid':'u','kind':{'group':'','version':"  \
    "'v1','kind':'Pod'},'resource':{'group':'','version':'v1','resource':'pods'},"
#define TAIL "'dryRun':false}}"

enum frame { IN_SPEC, IN_OBJECT, IN_BODY };
static const char *const frames[][2] = {
    [IN_SPEC] = {HEAD "'operation':'CREATE','object':{'spec':{", "}}," TAIL},
    [IN_OBJECT] = {HEAD "'operation':'CREATE','object':{", "}," TAIL},
    [IN_BODY] = {HEAD, TAIL},
};

/* A review whose part is given; single quotes for double ones, which JSON does not need elsewhere. */
static const char *body_of(enum frame frame, const char *part)
{
    char *body = bw_arena_printf(&arena, "%s%s%s", frames[frame][0], part, frames[frame][1]);
    for (char *c = body; *c; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    return body;
}

static void parts_are_understood_or_left_to_jansson(void **state)
{
    (void)state;
    static const struct {
        enum frame frame;
        const char *part;
        bool understood;
    } rows[] = {
        {IN_SPEC, "'containers':[{'name':'a','image':'x'}]", true},
        {IN_SPEC, " 'containers' : [ { 'image' : 'x' } , { } ] ", true},
        {IN_SPEC, "'containers':null,'initContainers':[],'volumes':[{'image':{'reference':'r'}},{'emptyDir':{}}]",
         true},
        {IN_SPEC, "'containers':[{'args':['\\\\',']}\\\"{[',{'deep':[[[{}]]]}],'image':'x','name':'\xc3\xa4'}]", true},
        {IN_SPEC, "'containers':[{'image':'x','env':[1,-2.5e3,true,null]}],'n':7", true},
        {IN_SPEC, "'nodeSelector':{'kubernetes.io/arch':'arm64','kubernetes.io/os':'linux','a':'b'}", true},
        {IN_SPEC, "'affinity':{'podAffinity':{'x':[1]}},'containers':[{'image':'x'}]", true},
        {IN_SPEC,
         "'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':[{"
         "'matchFields':[{'key':'metadata.name','operator':'In','values':['n1']}]}]}}}",
         true},
        {IN_OBJECT,
         "'metadata':{'annotations':{'kubernetes.io/config.mirror':'m'},'generateName':'g-','labels':{'a':'b'}},"
         "'spec':{'containers':[]}",
         true},
        {IN_BODY,
         "'operation':'UPDATE','userInfo':{'username':'j','groups':['a','b'],'extra':{'x':['y']}},'object':{'spec':{"
         "'containers':[{'image':'x'}]}},'oldObject':{'metadata':{'deletionTimestamp':'t'},'spec':{'containers':[{"
         "'image':'y'}]}},",
         true},
        {IN_BODY, "'operation':'DELETE','object':null,'oldObject':{'spec':7,'metadata':{'deletionTimestamp':null}},",
         true},
        {IN_BODY, "'operation':'CREATE','later':{'a':[{}]},'object':{'spec':{}},", true},
        /* escapes, where they would be used */
        {IN_SPEC, "'containers':[{'image':'x\\u0041'}]", false},
        {IN_SPEC, "'containers':[{'image':'x\\u0000y'}]", false},
        {IN_SPEC, "'containers':[{'im\\u0061ge':'x'}]", false},
        {IN_SPEC, "'c\\u006fntainers':[{'image':'x'}]", false},
        /* duplicates, of which jansson takes the last */
        {IN_SPEC, "'containers':[{'image':'x','image':'y'}]", false},
        {IN_SPEC, "'containers':[{'image':'x'}],'containers':[{'image':'y'}]", false},
        {IN_OBJECT, "'spec':{'containers':[{'image':'x'}]},'spec':{}", false},
        {IN_BODY, "'operation':'CREATE','operation':'DELETE','object':{'spec':{}},", false},
        {IN_BODY, "'uid':'other','operation':'CREATE','object':{'spec':{}},", false},
        /* shapes that are not plain */
        {IN_SPEC, "'containers':[{'name':7,'image':'x'}]", false},
        {IN_SPEC,
         "'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':[{"
         "'matchExpressions':[{'key':'kubernetes.io/arch','operator':'In','values':['arm64']}]}]}}}",
         false},
        {IN_BODY, "'object':{'spec':{}},'operation':'CREATE',", false}, /* the object before what it is */
        {IN_BODY, "'operation':'CREATE','object':{'spec':{}},'subResource':'status',", false},
        {IN_BODY, "'operation':'CREATE','subResource':'status','object':{'spec':{}},", false},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        const char *body = body_of(rows[i].frame, rows[i].part);
        if (read_both(body, strlen(body)) != rows[i].understood) {
            fail_msg("%s: %s", rows[i].understood ? "not understood" : "understood", body);
        }
    }
}

static void what_jansson_refuses_inside_a_used_part_is_not_understood(void **state)
{
    (void)state;
    static const struct {
        enum frame frame;
        const char *part;
    } rows[] = {
        {IN_SPEC, "'containers':[{'image':7}]"},
        {IN_SPEC, "'containers':{}"},
        {IN_SPEC, "'containers':['x']"},
        {IN_SPEC, "'containers':[{'image':'x'}"},
        {IN_SPEC, "'containers':[{'image':'x'},]"},
        {IN_SPEC, "'containers':[{'image':'\xff'}]"},
        {IN_SPEC, "'containers':[{'image':'a\nb'}]"},
        {IN_SPEC, "'containers':[{'image' 'x'}]"},
        {IN_OBJECT, "'spec':[]"},
        {IN_OBJECT, "'metadata':{}"},
        {IN_BODY, "'operation':'PATCH','object':{'spec':{}},"},
        {IN_BODY, "'operation':'CREATE','object':null,"},
        {IN_BODY, "'operation':'CREATE','object':{'spec':{}},'userInfo':{'groups':[7]},"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        const char *body = body_of(rows[i].frame, rows[i].part);
        assert_int_not_equal(bw_review_decode(&slow, &head, body, strlen(body), NULL, 0, &arena, &error), 0);
        if (bw_review_read(&quick, body, strlen(body), &arena)) {
            fail_msg("understood: %s", body);
        }
    }
    const char *body = body_of(IN_SPEC, "");
    for (size_t len = 0; len < strlen(body); len++) { /* cut anywhere */
        assert_false(bw_review_read(&quick, body, len, &arena));
    }
    body = bw_arena_printf(&arena, "%s x", body);
    assert_false(bw_review_read(&quick, body, strlen(body), &arena));
}

/* Strings and brackets across the 64-byte blocks that are skipped: every distance, with and without escapes. */
static void skipping_is_exact_at_every_offset(void **state)
{
    (void)state;
    static const char *const tricky[] = {"'\\\\'", "'\\\"'", "'\\\\\\\"]'", "']'", "'{'", "[{'a':']'}]", "'\\\\\\\\'"};
    for (size_t pad = 0; pad < 140; pad++) {
        for (size_t i = 0; i < BW_LENGTH(tricky); i++) {
            const char *part =
                bw_arena_printf(&arena, "'skip':{'p':'%0*d','t':[%s,%s],'u':{}},'containers':[{'image':'x'}]", (int)pad,
                                0, tricky[i], tricky[(i + 1) % BW_LENGTH(tricky)]);
            const char *body = body_of(IN_SPEC, part);
            if (!read_both(body, strlen(body)) || quick.now.n_images != 1) {
                fail_msg("not understood: %s", body);
            }
        }
        bw_arena_clear(&arena);
    }
}

static void metadata_is_read_by_both(void **state)
{
    (void)state;
    static const struct {
        enum frame frame;
        const char *part, *expected;
        bool understood;
    } rows[] = {
        {IN_OBJECT,
         "'metadata':{'name':'n','labels':{'b':'2','a':'1'},'annotations':{'x':'a\\'b\\u00e4\\ud83d\\ude00\\n'}},"
         "'spec':{'serviceAccountName':'sa','imagePullSecrets':[{'name':'s1'},{},{'name':'s2'}]}",
         "object n, a=1(1) b=2(1), x=a\"b\xc3\xa4\xf0\x9f\x98\x80\n(10); pod n, a=1(1) b=2(1), "
         "x=a\"b\xc3\xa4\xf0\x9f\x98\x80\n(10); account sa; secrets s1 s2",
         true},
        {IN_OBJECT,
         "'metadata':{'ownerReferences':[{'apiVersion':'apps/v1','kind':'ReplicaSet','name':'r','uid':'u',"
         "'controller':true,'blockOwnerDeletion':true},{'controller':null}]},'spec':{}",
         "object ,,; pod ,,; account ; secrets; owner apps/v1 ReplicaSet r u controller; owner    ", true},
        {IN_OBJECT, "'metadata':{'labels':null,'annotations':{}},'spec':{'imagePullSecrets':null}",
         "object ,,; pod ,,; account ; secrets", true},
        {IN_OBJECT, "'metadata':{'annotations':{'a':'x\\u0000y'}},'spec':{}",
         "object ,, a=x(3); pod ,, a=x(3); account ; secrets", false},
        {IN_OBJECT, "'metadata':{'labels':{'a':'1','b':'2','a':'3'}},'spec':{}",
         "object , a=3(1) b=2(1),; pod , a=3(1) b=2(1),; account ; secrets", false},
        {IN_OBJECT, "'metadata':{'labels':{'a':7,'b':'2'}},'spec':{}",
         "object , b=2(1),; pod , b=2(1),; account ; secrets", false},
        {IN_OBJECT, "'metadata':{'labels':{'a':'\\ud83d'}},'spec':{}", NULL, false},
        {IN_OBJECT, "'metadata':{'labels':{'a':'\\x'}},'spec':{}", NULL, false},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        const char *body = body_of(rows[i].frame, rows[i].part);
        if (rows[i].expected == NULL) {
            assert_false(bw_review_read(&quick, body, strlen(body), &arena));
            assert_int_not_equal(bw_review_decode(&slow, &head, body, strlen(body), NULL, 0, &arena, &error), 0);
            continue;
        }
        if (read_both(body, strlen(body)) != rows[i].understood) {
            fail_msg("%s: %s", rows[i].understood ? "not understood" : "understood", body);
        }
        assert_string_equal(around(&slow), rows[i].expected);
    }
}

/* The template of every kind, wherever it stands, is told from the object's own metadata. */
static void templates_have_metadata_of_their_own(void **state)
{
    (void)state;
    static const struct {
        const char *group, *resource, *before, *after;
    } rows[] = {
        {"", "podtemplates", "'template':", ""},
        {"", "replicationcontrollers", "'spec':{'template':", "}"},
        {"apps", "deployments", "'spec':{'metadata':{'labels':{'no':'no'}},'template':", "}"},
        {"batch", "jobs", "'spec':{'template':", "}"},
        {"batch", "cronjobs", "'spec':{'jobTemplate':{'metadata':{'labels':{'no':'no'}},'spec':{'template':", "}}}"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        char *body = bw_arena_printf(
            &arena,
            "{'kind':'AdmissionReview','apiVersion':'admission.k8s.io/"
            "v1','request':{'uid':'u','resource':{'group':'%s',"
            "'version':'v1','resource':'%s'},'operation':'CREATE','object':{'metadata':{'name':'o','labels':{'a':'1'}},"
            "%s{'metadata':{'labels':{'t':'2'},'annotations':{'r':'3'}},'spec':{'serviceAccountName':'s'}}%s}}}",
            rows[i].group, rows[i].resource, rows[i].before, rows[i].after);
        for (char *c = body; *c; c++) {
            *c = *c == '\'' ? '"' : *c;
        }
        assert_true(read_both(body, strlen(body)));
        assert_string_equal(around(&quick), "object o, a=1(1),; pod , t=2(1), r=3(1); account s; secrets");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(recorded_bodies_are_understood, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parts_are_understood_or_left_to_jansson, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_jansson_refuses_inside_a_used_part_is_not_understood, set_up, tear_down),
        cmocka_unit_test_setup_teardown(skipping_is_exact_at_every_offset, set_up, tear_down),
        cmocka_unit_test_setup_teardown(metadata_is_read_by_both, set_up, tear_down),
        cmocka_unit_test_setup_teardown(templates_have_metadata_of_their_own, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("webhook/review", tests, NULL, NULL);
}
