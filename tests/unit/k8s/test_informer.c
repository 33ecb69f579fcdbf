/* k8s/informer against a TLS server that plays a script: one request a connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "k8s/informer_internal.h"
#include "tests/unit/k8s/api_server.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { STEPS = 12, WAIT_S = 60 };

struct step {
    const char *has[2]; /* in the request */
    const char *reply;  /* status line and headers; NULL ends the steps */
    const char *body;
    enum { END, HOLD, CUT } then; /* the body ends, never ends, or the connection does before it */
};

static struct {
    struct api_server server;
    const struct step *steps;
    char fault[512];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct bw_buf told; /* what the informer told, in words */
    int64_t retries[STEPS];
    size_t n_retries;
} rig = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---- the server */

static void serve_one(SSL *ssl, const struct step *step)
{
    char text[8192];
    BW_BUF_SCOPE answer;
    api_server_read(text, sizeof(text), ssl);
    for (size_t i = 0; i < BW_LENGTH(step->has); i++) {
        if (step->has[i] != NULL && strstr(text, step->has[i]) == NULL && rig.fault[0] == '\0') {
            (void)snprintf(rig.fault, sizeof(rig.fault), "no %.100s in %.300s", step->has[i], text);
        }
    }
    bw_buf_init(&answer, 32 * BW_MIB);
    bw_buf_printf(&answer, "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", step->reply,
                  strlen(step->body) + (step->then == END ? 0 : 1));
    bw_buf_puts(&answer, step->body);
    (void)SSL_write(ssl, answer.data, (int)answer.len);
    while (step->then == HOLD && SSL_read(ssl, text, sizeof(text)) > 0) {
    }
    if (step->then != CUT) {
        (void)SSL_shutdown(ssl);
    }
}

static void *serve(void *unused)
{
    (void)unused;
    for (const struct step *step = rig.steps; step->reply != NULL; step++) {
        SSL *ssl = api_server_accept(&rig.server);
        if (ssl != NULL) {
            serve_one(ssl, step);
            api_server_close(ssl);
        }
    }
    return NULL;
}

static int set_up(void **state)
{
    (void)state;
    api_server_begin(&rig.server);
    api_server_put(&rig.server, "token", "secret");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    api_server_end(&rig.server);
    bw_buf_clear(&rig.told);
    return 0;
}

/* ---- the informer's owner: "+name@version" put, "-name" dropped, "." settled, "!what" trouble, "~why" restarted */

static void say(const char *mark, const char *text, const char *more)
{
    (void)pthread_mutex_lock(&rig.lock);
    bw_buf_printf(&rig.told, "%s%s%s ", mark, text, more);
    (void)pthread_cond_broadcast(&rig.changed);
    (void)pthread_mutex_unlock(&rig.lock);
}

static void on_put(void *payload, struct bw_json object)
{
    const json_t *metadata = json_object_get(object.node, "metadata");
    char version[32];
    (void)payload;
    (void)snprintf(version, sizeof(version), "@%s", json_string_value(json_object_get(metadata, "resourceVersion")));
    say("+", json_string_value(json_object_get(metadata, "name")), version);
}

static void on_drop(void *payload, const char *namespace, const char *name)
{
    (void)payload;
    say("-", namespace[0] == '\0' ? "" : namespace, name);
}

static void on_settled(void *payload)
{
    (void)payload;
    say(".", "", "");
}

static void on_trouble(void *payload, const struct bw_error *err, int64_t retry_ms)
{
    const char **message = payload;
    if (rig.n_retries < STEPS) {
        rig.retries[rig.n_retries++] = retry_ms;
    }
    *message = bw_arena_strdup(&rig.server.arena, err->message);
    say("!", err->detail[0] != '\0' ? err->detail : bw_code_name(err->code), "");
}

static void on_restarted(void *payload, const char *reason)
{
    (void)payload;
    say("~", reason, "");
}

static bool wait_for_words(const char *words)
{
    struct timespec until;
    int status = 0;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    (void)pthread_mutex_lock(&rig.lock);
    while (status == 0 && (rig.told.data == NULL || strstr(rig.told.data, words) == NULL)) {
        status = pthread_cond_timedwait(&rig.changed, &rig.lock, &until);
    }
    (void)pthread_mutex_unlock(&rig.lock);
    return status == 0;
}

#define LIST(version, more, items)                                                                                     \
    "{\"kind\":\"List\",\"metadata\":{\"resourceVersion\":\"" version "\"" more "},\"items\":[" items "]}\n"
#define ITEM(name, version)                                                                                            \
    "{\"metadata\":{\"name\":\"" name "\",\"uid\":\"u-" name "\",\"resourceVersion\":\"" version "\"}}"
#define EVENT(type, name, version) "{\"type\":\"" type "\",\"object\":" ITEM(name, version) "}\n"
#define BOOKMARK(version)          "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"" version "\"}}}\n"
#define FAULT(code)                "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"message\":\"too old\",\"code\":" code "}}\n"
#define FIRST                      "GET /api/v1/namespaces?limit=500 HTTP"
#define FROM(rv)                   "&resourceVersion=" rv " HTTP"
#define ONE                        LIST("10", "", ITEM("a", "1"))
#define HELD(rv)                                                                                                       \
    {                                                                                                                  \
        {"watch=1", FROM(rv)}, "200 OK", BOOKMARK("99"), HOLD                                                          \
    }
#define LISTED(xs)                                                                                                     \
    {                                                                                                                  \
        {FIRST}, "200 OK", xs, END                                                                                     \
    }

static const struct {
    const char *name;
    struct step steps[STEPS];
    const char *told;    /* all of it, in this order */
    const char *message; /* of the last trouble */
    bool in_time;        /* a watch that ends ends in time */
} rows[] = {
    {"a list of two pages, then events",
     {{{FIRST}, "200 OK", LIST("9", ",\"continue\":\"t=1\"", ITEM("a", "1") "," ITEM("b", "2")), END},
      {{"?limit=500&continue=t%3D1 HTTP"}, "200 OK", LIST("10", "", ITEM("c", "3")), END},
      {{"?watch=1&allowWatchBookmarks=true&timeoutSeconds=", FROM("10")},
       "200 OK",
       EVENT("ADDED", "d", "11") EVENT("MODIFIED", "a", "12") EVENT("DELETED", "b", "13"),
       HOLD}},
     .told = "+a@1 +b@2 +c@3 . +d@11 +a@12 -b . "},
    {"a bookmark is a position, and an end in time no trouble",
     {LISTED(ONE), {{"watch=1", FROM("10")}, "200 OK", BOOKMARK("50"), END}, HELD("50")},
     .told = "+a@1 . . ~timeout . ",
     .in_time = true},
    {"a position is the server's own word", {LISTED(LIST("r/v 1", "", "")), HELD("r%2Fv%201")}, .told = ". . "},
    {"an end before its time",
     {LISTED(ONE), {{"watch=1"}, "200 OK", BOOKMARK("50"), END}, HELD("50")},
     .told = "+a@1 . . ~cut . "},
    {"cut in mid-object",
     {LISTED(ONE),
      {{"watch=1"}, "200 OK", EVENT("ADDED", "b", "11") "{\"type\":\"ADDED\",\"object\":{\"meta", CUT},
      {{"watch=1", FROM("11")}, "200 OK", EVENT("ADDED", "c", "12"), HOLD}},
     .told = "+a@1 . +b@11 . ~cut +c@12 . "},
    {"ended in mid-object",
     {LISTED(ONE), {{"watch=1"}, "200 OK", "{\"type\":\"ADDED\",\"object\":{\"meta", END}, HELD("10")},
     .told = "+a@1 . ~cut . ",
     .in_time = true},
    {"gone in the stream: what vanished meanwhile is dropped, what stayed is not told again",
     {LISTED(LIST("10", "", ITEM("a", "1") "," ITEM("b", "2"))),
      {{"watch=1"}, "200 OK", FAULT("410"), HOLD},
      LISTED(LIST("20", "", ITEM("a", "1") "," ITEM("c", "15"))),
      HELD("20")},
     .told = "+a@1 +b@2 . +c@15 -b . ~gone . "},
    {"gone on opening",
     {LISTED(ONE), {{"watch=1"}, "410 Gone", "{}", END}, LISTED(LIST("20", "", ITEM("a", "19"))), HELD("20")},
     .told = "+a@1 . +a@19 . ~gone . "},
    {"gone twice is a trouble",
     {LISTED(ONE),
      {{"watch=1"}, "410 Gone", "{}", END},
      LISTED(ONE),
      {{"watch=1"}, "410 Gone", "{\"message\":\"too old\"}", END},
      LISTED(ONE),
      HELD("10")},
     .told = "+a@1 . . !gone . ~gone . ",
     .message = "watch of namespaces: GET /api/v1/namespaces: 410: too old"},
    {"gone while paging: from the first page again",
     {{{FIRST}, "200 OK", LIST("9", ",\"continue\":\"t1\"", ITEM("a", "1") "," ITEM("b", "2")), END},
      {{"continue=t1"}, "410 Gone", "{}", END},
      {{FIRST}, "200 OK", LIST("12", ",\"continue\":\"t2\"", ITEM("b", "2")), END},
      {{"continue=t2"}, "200 OK", LIST("12", "", ITEM("c", "3")), END},
      HELD("12")},
     .told = "+a@1 +b@2 +c@3 -a . ~gone . "},
    {"a list that is cut drops nothing",
     {LISTED(LIST("10", "", ITEM("a", "1") "," ITEM("b", "2"))),
      {{"watch=1"}, "200 OK", FAULT("410"), HOLD},
      {{FIRST}, "200 OK", "{\"metadata\":{\"resourceVersion\":\"11\"},\"items\":[" ITEM("c", "3"), CUT},
      {{FIRST}, "200 OK", "{\"metadata\":{\"resourceVersion\":\"11\"},\"items\":[" ITEM("c", "3"), END},
      LISTED(LIST("12", "", ITEM("b", "2") "," ITEM("c", "3"))),
      HELD("12")},
     .told = "+a@1 +b@2 . +c@3 !short_body !short_body -a . ~gone . "},
    {"another error of the stream: a list after a pause",
     {LISTED(ONE), {{"watch=1"}, "200 OK", FAULT("500"), HOLD}, LISTED(ONE), HELD("10")},
     .told = "+a@1 . !error_event . ~error . ",
     .message = "watch of namespaces: 500: too old"},
    {"a name that is given anew is another object",
     {LISTED(ONE),
      {{"watch=1"},
       "200 OK",
       EVENT("DELETED", "a", "11") EVENT("DELETED", "a", "12") EVENT("ADDED", "a", "13") EVENT("ADDED", "a", "13"),
       HOLD}},
     .told = "+a@1 . -a +a@13 . "},
    {"a server that is busy",
     {{{FIRST}, "429 Busy\r\nRetry-After: 1", "{}", END}, LISTED(ONE), HELD("10")},
     .told = "!rate_limited +a@1 . ~error . ",
     .message = "list of namespaces: GET /api/v1/namespaces: 429"},
    {"a server that is away: after some tries a list",
     {LISTED(ONE),
      {{"watch=1"}, "500 Fault", "{}", END},
      {{"watch=1"}, "503 Away", "{}", END},
      {{"watch=1"}, "503 Away", "{}", END},
      LISTED(LIST("20", "", "")),
      HELD("20")},
     .told = "+a@1 . !unavailable !unavailable !unavailable -a . ~error . "},
    {"forbidden, said in plain words",
     {{{FIRST}, "403 Forbidden", "{\"message\":\"namespaces is forbidden: User\"}", END},
      LISTED(ONE),
      {{"watch=1"}, "403 Forbidden", "{\"message\":\"no watch\"}", END},
      HELD("10")},
     .told = "!forbidden +a@1 . !forbidden ~error . ",
     .message =
         "the ServiceAccount may not watch namespaces (a role has to grant it): GET /api/v1/namespaces: 403: no watch"},
    {"unauthorized, with a token that was read again",
     {{{FIRST}, "401 Unauthorized", "{}", END},
      {{FIRST}, "401 Unauthorized", "{}", END},
      {{FIRST}, "401 Unauthorized", "{}", END},
      LISTED(ONE),
      HELD("10")},
     .told = "!denied +a@1 . ~error . "},
    {"garbage in the stream",
     {LISTED(ONE),
      {{"watch=1"}, "200 OK", EVENT("ADDED", "b", "11") "hello\n" EVENT("ADDED", "c", "12"), HOLD},
      LISTED(LIST("13", "", ITEM("a", "1") "," ITEM("b", "11") "," ITEM("c", "12"))),
      HELD("13")},
     .told = "+a@1 . +b@11 . !input +c@12 . ~error . "},
    {"brackets that are no JSON",
     {LISTED(ONE), {{"watch=1"}, "200 OK", "{nonsense}\n", HOLD}, LISTED(ONE), HELD("10")},
     .told = "+a@1 . !input . ~error . "},
    {"objects without a name, lists without a version",
     {LISTED(LIST("10", "", "{\"metadata\":{}}")),
      LISTED("{\"items\":[" ITEM("a", "1") "]}"),
      LISTED("[]"),
      LISTED("{}"),
      LISTED(ONE),
      {{"watch=1"}, "200 OK", "{\"type\":\"ADDED\",\"object\":{}}\n", HOLD},
      LISTED(ONE),
      HELD("10")},
     .told = "!input +a@1 !input !input !input . ~error !input . ~error . "},
};

static const struct bw_informer_pace fast = {
    .watch_s = 300,
    .grace_ms = 60000,
    .page_ms = 60000,
    .pause_ms = 10,
    .longest_ms = 40,
    .health_ms = 600000,
    .tries = 3,
};

static struct bw_informer_options options_of(const char **message)
{
    *message = "";
    return (struct bw_informer_options){
        .path = "/api/v1/namespaces",
        .put = on_put,
        .drop = on_drop,
        .settled = on_settled,
        .trouble = on_trouble,
        .restarted = on_restarted,
        .payload = message,
    };
}

/* Runs the steps until `told` was said; the informer is stopped while the last step holds. */
static void play(const char *name, const struct step *steps, const struct bw_informer_options *options,
                 const struct bw_informer_pace *pace, const char *told)
{
    const struct bw_kube_options account = {.account_folder = rig.server.folder};
    struct bw_kube_client *client = NULL;
    struct bw_informer *informer = NULL;
    struct bw_error err = {0};
    pthread_t server;
    bw_buf_init(&rig.told, BW_MIB);
    rig.steps = steps;
    rig.fault[0] = '\0';
    rig.n_retries = 0;
    assert_int_equal(pthread_create(&server, NULL, serve, NULL), 0);
    if (bw_kube_client_create(&client, &account, &err) != 0 ||
        bw_informer_start_paced(&informer, client, options, pace, &err) != 0) {
        fail_msg("%s: %s", name, err.message);
    }
    bool said = wait_for_words(told);
    int64_t began_ms = bw_monotonic_ms();
    assert_true(!said || bw_informer_synced(informer));
    bw_informer_stop(informer);
    int64_t took_ms = bw_monotonic_ms() - began_ms;
    bw_kube_client_destroy(client);
    if (!said || strcmp(rig.told.data, told) != 0 || rig.fault[0] != '\0') {
        fail_msg("%s: said %s, expected %s; %s", name, rig.told.data, told, rig.fault);
    }
    (void)pthread_join(server, NULL);
    assert_true(took_ms < 1000 * WAIT_S / 4);
    bw_buf_clear(&rig.told);
}

static void the_owner_is_told_all_and_nothing_twice(void **state)
{
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        const char *message = NULL;
        struct bw_informer_options options = options_of(&message);
        struct bw_informer_pace pace = fast;
        pace.watch_s = rows[i].in_time ? 1 : fast.watch_s;
        play(rows[i].name, rows[i].steps, &options, &pace, rows[i].told);
        if (rows[i].message != NULL && strncmp(message, rows[i].message, strlen(rows[i].message)) != 0) {
            fail_msg("%s: %s", rows[i].name, message);
        }
    }
}

static void selectors_and_metadata_alone_are_asked_for(void **state)
{
    static const struct step steps[] = {
        {{"?limit=500&labelSelector=breakwater.io%2Fbundle&fieldSelector=metadata.name%3Da%2Cb HTTP",
          "Accept: application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json\r\n"},
         "200 OK",
         LIST("10", "", "{\"metadata\":{\"name\":\"a\",\"namespace\":\"n/\",\"resourceVersion\":\"1\"}}"),
         END},
        {{"&labelSelector=breakwater.io%2Fbundle&fieldSelector=metadata.name%3Da%2Cb&resourceVersion=10 HTTP",
          "Accept: application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json\r\n"},
         "200 OK",
         "{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"name\":\"a\",\"namespace\":\"n/\","
         "\"resourceVersion\":\"2\"}}}\n",
         HOLD},
        {{NULL}, NULL, NULL, END},
    };
    const char *message = NULL;
    struct bw_informer_options options = options_of(&message);
    (void)state;
    options.label_selector = "breakwater.io/bundle";
    options.field_selector = "metadata.name=a,b";
    options.metadata_only = true;
    play("selectors", steps, &options, &fast, "+a@1 . -n/a . "); /* the label was taken off */
}

static void a_connection_that_is_dead_is_left(void **state)
{
    static const struct step steps[] = {
        LISTED(ONE), {{"watch=1"}, "200 OK", "", HOLD}, HELD("10"), {{NULL}, NULL, NULL, END}};
    const char *message = NULL;
    struct bw_informer_options options = options_of(&message);
    struct bw_informer_pace pace = fast;
    (void)state;
    pace.watch_s = 2;
    pace.grace_ms = -1500; /* a server that does not end it in time */
    play("dead", steps, &options, &pace, "+a@1 . ~cut . ");
}

static void pauses_grow_with_a_jitter_and_are_as_long_as_asked(void **state)
{
    static const struct step steps[] = {{{FIRST}, "500 Fault", "{}", END},
                                        {{FIRST}, "500 Fault", "{}", END},
                                        {{FIRST}, "500 Fault", "{}", END},
                                        {{FIRST}, "500 Fault", "{}", END},
                                        {{FIRST}, "503 Away\r\nRetry-After: 1", "{}", END},
                                        LISTED(ONE),
                                        HELD("10"),
                                        {{NULL}, NULL, NULL, END}};
    static const int64_t expected[] = {10, 20, 40, 40};
    const char *message = NULL;
    struct bw_informer_options options = options_of(&message);
    (void)state;
    play("pauses", steps, &options, &fast,
         "!unavailable !unavailable !unavailable !unavailable !unavailable +a@1 . ~error . ");
    assert_int_equal(rig.n_retries, BW_LENGTH(expected) + 1);
    for (size_t i = 0; i < BW_LENGTH(expected); i++) {
        assert_in_range(rig.retries[i], expected[i] * 8 / 10, expected[i] * 12 / 10);
    }
    assert_int_equal(rig.retries[BW_LENGTH(expected)], 1000);
}

static void a_watch_that_stood_long_makes_pauses_short_again(void **state)
{
    static const struct step steps[] = {{{FIRST}, "500 Fault", "{}", END},
                                        {{FIRST}, "500 Fault", "{}", END},
                                        LISTED(ONE),
                                        {{"watch=1"}, "200 OK", BOOKMARK("20"), CUT},
                                        {{"watch=1"}, "500 Fault", "{}", END},
                                        HELD("20"),
                                        {{NULL}, NULL, NULL, END}};
    const char *message = NULL;
    struct bw_informer_options options = options_of(&message);
    struct bw_informer_pace pace = fast;
    (void)state;
    pace.health_ms = 0; /* any watch stood long enough */
    play("health", steps, &options, &pace, "!unavailable !unavailable +a@1 . ~error . !unavailable ~cut . ");
    assert_in_range(rig.retries[2], 16, 24); /* the second failure after the cut, not the fourth */
}

static void an_event_of_three_mebibytes_passes(void **state)
{
    struct step steps[] = {LISTED(ONE), {{"watch=1"}, "200 OK", NULL, HOLD}, {{NULL}, NULL, NULL, END}};
    const char *message = NULL;
    struct bw_informer_options options = options_of(&message);
    BW_BUF_SCOPE body;
    (void)state;
    bw_buf_init(&body, 16 * BW_MIB);
    bw_buf_puts(&body, "{\"type\":\"ADDED\",\"object\":{\"data\":{\"x\":\"");
    for (size_t i = 0; i < 3 * BW_MIB / 8; i++) {
        bw_buf_puts(&body, "12345678");
    }
    bw_buf_puts(&body, "\"},\"metadata\":{\"name\":\"large\",\"resourceVersion\":\"11\"}}}\n");
    steps[1].body = body.data;
    play("large", steps, &options, &fast, "+a@1 . +large@11 . ");
}

static void it_stops_while_it_pauses_or_nobody_answers(void **state)
{
    static const struct step steps[] = {{{FIRST}, "429 Busy\r\nRetry-After: 250", "{}", END},
                                        {{NULL}, NULL, NULL, END}};
    const char *message = NULL;
    struct bw_informer_options options = options_of(&message);
    const struct bw_kube_options account = {.account_folder = rig.server.folder};
    struct bw_kube_client *client = NULL;
    struct bw_informer *informer = NULL;
    pthread_t server;
    (void)state;
    for (int answered = 1; answered >= 0; answered--) {
        bw_buf_init(&rig.told, BW_MIB);
        rig.steps = answered ? steps : steps + 1;
        assert_int_equal(pthread_create(&server, NULL, serve, NULL), 0);
        assert_int_equal(bw_kube_client_create(&client, &account, NULL), 0);
        assert_int_equal(bw_informer_start_paced(&informer, client, &options, &fast, NULL), 0);
        assert_true(!answered || wait_for_words("!rate_limited "));
        assert_false(bw_informer_synced(informer));
        int64_t began_ms = bw_monotonic_ms();
        bw_informer_stop(informer);
        assert_true(bw_monotonic_ms() - began_ms < 1000 * WAIT_S / 4);
        (void)pthread_join(server, NULL);
        bw_kube_client_destroy(client);
        bw_buf_clear(&rig.told);
    }
    bw_informer_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_owner_is_told_all_and_nothing_twice),
        cmocka_unit_test(selectors_and_metadata_alone_are_asked_for),
        cmocka_unit_test(a_connection_that_is_dead_is_left),
        cmocka_unit_test(pauses_grow_with_a_jitter_and_are_as_long_as_asked),
        cmocka_unit_test(a_watch_that_stood_long_makes_pauses_short_again),
        cmocka_unit_test(an_event_of_three_mebibytes_passes),
        cmocka_unit_test(it_stops_while_it_pauses_or_nobody_answers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
