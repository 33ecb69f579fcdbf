/*
 * The registry source against scripted servers. A case is what the server is asked and answers, and what comes of it:
 * authentication, redirects, faults that pass, faults of content.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "image/registry/registry.h"
#include "tests/unit/registry/scripted_server.h"

#define MANIFEST        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\"}"
#define MANIFEST_DIGEST "sha256:b22c7289dd3b4785a3795c90e15d16bd66bd29b444b8974fe29ed0443ce50405"
#define MANIFEST_SHA512                                                                                                \
    "sha512:51856906b4b678c3104f23cab4c2ab0596b4dc2b7f522ff13c0ae6c2334b6248e74227774a03f429154556c51b525062e4e054d19" \
    "f630219e54f6d5ca57cf9dc"
#define BLOB         "a layer of forty bytes, none of them empty"
#define BLOB_DIGEST  "sha256:03d278fafe0e634488474959194aef66b31615bc87e3bc75e700424e6815273b"
#define OTHER_DIGEST "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

#define HEAD_TAG     "HEAD /v2/team/app/manifests/1.0"
#define GET_TAG      "GET /v2/team/app/manifests/1.0"
#define GET_MANIFEST "GET /v2/team/app/manifests/" MANIFEST_DIGEST
#define GET_BLOB     "GET /v2/team/app/blobs/" BLOB_DIGEST

#define OK        "HTTP/1.1 200 OK\r\n"
#define OK_DIGEST OK "Docker-Content-Digest: " MANIFEST_DIGEST "\r\n"
#define BEARER                                                                                                         \
    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"http://127.0.0.1:$A/token\",service=\"reg\"\r\n"
#define BASIC        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"reg\"\r\n"
#define UNAUTHORIZED "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"authentication required\"}]}"
#define ASK_TOKEN    "GET /token?service=reg&scope=repository%3Ateam%2Fapp%3Apull"
#define TOKEN(text)  "{\"token\":\"" text "\",\"expires_in\":300}"
#define HAS(header)  "\r\n" header "\r\n"

/* user alice, password s3cret; user bob, password hunter2 */
#define ALICE       "{\"username\":\"alice\",\"password\":\"s3cret\"}"
#define BOB         "{\"username\":\"bob\",\"password\":\"hunter2\"}"
#define ALICE_BASIC "Authorization: Basic YWxpY2U6czNjcmV0"
#define BOB_BASIC   "Authorization: Basic Ym9iOmh1bnRlcjI="

enum what { RESOLVE, BY_TAG, BY_DIGEST, BY_SHA512, READ_BLOB, READ_FOREIGN };

struct script {
    const char *name;
    enum what what;
    const char *credentials; /* entries as KEY is $A for 127.0.0.1:port */
    struct scripted_step a[8], b[3];
    int deadline_ms;
    unsigned times; /* 0: once */
    enum bw_code code;
    const char *detail, *message_has;
    int retry_after_s;
};

#define ENTRIES(text) "{\"auths\":{" text "}}"
#define HERE          "\"127.0.0.1:$A\":"
#define HERE_TEAM     "\"127.0.0.1:$A/team\":"

static const struct script scripts[] = {
    {.name = "a tag is resolved by HEAD with one Accept header for each type",
     .what = RESOLVE,
     .a = {SCRIPTED(HEAD_TAG,
                    HAS("Accept: application/vnd.oci.image.index.v1+json"
                        "\r\nAccept: application/vnd.docker.distribution.manifest.list.v2+json"),
                    "Authorization", OK_DIGEST, NULL)}},
    {.name = "no digest from HEAD: GET and hash",
     .what = RESOLVE,
     .a = {SCRIPTED(HEAD_TAG, NULL, NULL, OK, NULL), SCRIPTED(GET_TAG, NULL, NULL, OK, MANIFEST)}},
    {.name = "HEAD is not known: GET",
     .what = RESOLVE,
     .a = {SCRIPTED(HEAD_TAG, NULL, NULL, "HTTP/1.1 405 No\r\n", NULL),
           SCRIPTED(GET_TAG, NULL, NULL, OK_DIGEST, MANIFEST)}},
    {.name = "a tag that is not there",
     .what = RESOLVE,
     .a = {SCRIPTED(HEAD_TAG, NULL, NULL, "HTTP/1.1 404 No\r\n", NULL),
           SCRIPTED(GET_TAG, NULL, NULL, "HTTP/1.1 404 No\r\n",
                    "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest unknown\"}]}")},
     .code = BW_ENOTFOUND,
     .detail = "image_not_found",
     .message_has = "tag 1.0 of team/app does not exist (MANIFEST_UNKNOWN: manifest unknown)"},

    {.name = "a manifest by digest",
     .what = BY_DIGEST,
     .a = {SCRIPTED(GET_MANIFEST, NULL, NULL, OK_DIGEST "Content-Type: application/json\r\n", MANIFEST)}},
    {.name = "a manifest by sha512",
     .what = BY_SHA512,
     .a = {SCRIPTED("GET /v2/team/app/manifests/" MANIFEST_SHA512, NULL, NULL, OK_DIGEST, MANIFEST)}},
    {.name = "other bytes than were asked for",
     .what = BY_DIGEST,
     .a = {SCRIPTED(GET_MANIFEST, NULL, NULL, OK_DIGEST, MANIFEST " ")},
     .code = BW_EINPUT,
     .detail = "manifest_digest_mismatch"},
    {.name = "the header tells another digest",
     .what = BY_TAG,
     .a = {SCRIPTED(GET_TAG, NULL, NULL, OK "Docker-Content-Digest: " OTHER_DIGEST "\r\n", MANIFEST)},
     .code = BW_EINPUT,
     .detail = "manifest_digest_mismatch",
     .message_has = "the registry says " OTHER_DIGEST},
    {.name = "the header tells another digest than was asked for, of the right bytes",
     .what = BY_DIGEST,
     .a = {SCRIPTED(GET_MANIFEST, NULL, NULL, OK "Docker-Content-Digest: " OTHER_DIGEST "\r\n", MANIFEST)},
     .code = BW_EINPUT,
     .detail = "manifest_digest_mismatch"},
    {.name = "a manifest without end",
     .what = BY_TAG,
     .a = {{.request = GET_TAG,
            .reply = OK "Transfer-Encoding: chunked\r\n",
            .body = MANIFEST MANIFEST MANIFEST MANIFEST MANIFEST MANIFEST MANIFEST MANIFEST,
            .endless = true}},
     .code = BW_ELIMIT,
     .detail = "manifest_too_large"},
    {.name = "a manifest that is cut is asked for again",
     .what = BY_TAG,
     .a = {{.request = GET_TAG, .reply = OK, .body = MANIFEST, .cut = 10},
           SCRIPTED(GET_TAG, NULL, NULL, OK, MANIFEST)}},

    {.name = "a token is fetched and used, anonymously",
     .what = BY_TAG,
     .a = {SCRIPTED(GET_TAG, NULL, "Authorization", BEARER, UNAUTHORIZED),
           SCRIPTED(ASK_TOKEN, NULL, "Authorization", OK, TOKEN("t1")),
           SCRIPTED(GET_TAG, HAS("Authorization: Bearer t1"), NULL, OK, MANIFEST)}},
    {.name = "a token is kept for the next request",
     .what = BY_TAG,
     .times = 3,
     .credentials = ENTRIES(HERE ALICE),
     .a = {SCRIPTED(GET_TAG, NULL, "Authorization", BEARER, UNAUTHORIZED),
           SCRIPTED(ASK_TOKEN "&account=alice", HAS(ALICE_BASIC), NULL, OK, TOKEN("t1")),
           SCRIPTED(GET_TAG, HAS("Authorization: Bearer t1"), NULL, OK, MANIFEST),
           SCRIPTED(GET_TAG, HAS("Authorization: Bearer t1"), NULL, OK, MANIFEST),
           SCRIPTED(GET_TAG, HAS("Authorization: Bearer t1"), NULL, OK, MANIFEST)}},
    {.name = "a token that lives no time is fetched each time",
     .what = BY_TAG,
     .times = 2,
     .a = {SCRIPTED(GET_TAG, NULL, "Authorization", BEARER, UNAUTHORIZED),
           SCRIPTED(ASK_TOKEN, NULL, NULL, OK, "{\"access_token\":\"t1\",\"expires_in\":0}"),
           SCRIPTED(GET_TAG, HAS("Authorization: Bearer t1"), NULL, OK, MANIFEST),
           SCRIPTED(GET_TAG, NULL, "Authorization", BEARER, UNAUTHORIZED),
           SCRIPTED(ASK_TOKEN, NULL, NULL, OK, "{\"token\":\"t2\",\"expires_in\":0}"),
           SCRIPTED(GET_TAG, HAS("Authorization: Bearer t2"), NULL, OK, MANIFEST)}},
    {.name = "a token that was withdrawn is fetched anew",
     .what = BY_TAG,
     .times = 2,
     .a = {SCRIPTED(GET_TAG, NULL, "Authorization", BEARER, UNAUTHORIZED),
           SCRIPTED(ASK_TOKEN, NULL, NULL, OK, TOKEN("t1")),
           SCRIPTED(GET_TAG, HAS("Authorization: Bearer t1"), NULL, OK, MANIFEST),
           SCRIPTED(GET_TAG, HAS("Authorization: Bearer t1"), NULL, BEARER, UNAUTHORIZED),
           SCRIPTED(ASK_TOKEN, NULL, NULL, OK, TOKEN("t2")),
           SCRIPTED(GET_TAG, HAS("Authorization: Bearer t2"), NULL, OK, MANIFEST)}},
    {.name = "a token that does not help is not asked for again",
     .what = BY_TAG,
     .credentials = ENTRIES(HERE ALICE),
     .a = {SCRIPTED(GET_TAG, NULL, "Authorization", BEARER, UNAUTHORIZED),
           SCRIPTED(ASK_TOKEN "&account=alice", NULL, NULL, OK, TOKEN("t1")),
           SCRIPTED(GET_TAG, HAS("Authorization: Bearer t1"), NULL, BEARER, UNAUTHORIZED)},
     .code = BW_EDENIED,
     .detail = "unauthorized",
     .message_has = "team/app is refused (UNAUTHORIZED: authentication required); tried with the credentials of "
                    "\"127.0.0.1:"},
    {.name = "no credentials where some are needed",
     .what = BY_TAG,
     .a = {SCRIPTED(GET_TAG, NULL, "Authorization", BASIC, UNAUTHORIZED)},
     .code = BW_EDENIED,
     .detail = "unauthorized",
     .message_has = "; no credentials are given for it"},
    {.name = "the token server refuses the password",
     .what = BY_TAG,
     .credentials = ENTRIES(HERE ALICE),
     .a = {SCRIPTED(GET_TAG, NULL, "Authorization", BEARER, UNAUTHORIZED),
           SCRIPTED(ASK_TOKEN "&account=alice", NULL, NULL, "HTTP/1.1 401 No\r\n", "")},
     .code = BW_EDENIED,
     .detail = "unauthorized",
     .message_has = "its token server refuses; tried with"},
    {.name = "the token server is broken",
     .what = BY_TAG,
     .a = {SCRIPTED(GET_TAG, NULL, "Authorization", BEARER, UNAUTHORIZED),
           SCRIPTED(ASK_TOKEN, NULL, NULL, OK, "{\"token\":\"a\\r\\nb\"}")},
     .code = BW_EUNAVAILABLE,
     .detail = "registry_unavailable",
     .message_has = "its answer holds no token"},
    {.name = "an identity token is exchanged",
     .what = BY_TAG,
     .credentials = ENTRIES(HERE "{\"identitytoken\":\"id+/=\"}"),
     .a = {SCRIPTED(GET_TAG, NULL, "Authorization", BEARER, UNAUTHORIZED),
           SCRIPTED("POST /token",
                    "grant_type=refresh_token&client_id=breakwater&service=reg&scope=repository%3Ateam%2Fapp%3Apull"
                    "&refresh_token=id%2B%2F%3D",
                    "Authorization", OK, "{\"access_token\":\"t1\"}"),
           SCRIPTED(GET_TAG, HAS("Authorization: Bearer t1"), NULL, OK, MANIFEST)}},
    {.name = "an identity token where the server knows GET alone",
     .what = BY_TAG,
     .credentials = ENTRIES(HERE "{\"identitytoken\":\"id\"}"),
     .a = {SCRIPTED(GET_TAG, NULL, "Authorization", BEARER, UNAUTHORIZED),
           SCRIPTED("POST /token", NULL, NULL, "HTTP/1.1 405 No\r\n", ""),
           SCRIPTED(ASK_TOKEN, NULL, NULL, OK, TOKEN("t1")),
           SCRIPTED(GET_TAG, HAS("Authorization: Bearer t1"), NULL, OK, MANIFEST)}},
    {.name = "a registry token is used as it is",
     .what = BY_TAG,
     .credentials = ENTRIES(HERE "{\"registrytoken\":\"rt\"}"),
     .a = {SCRIPTED(GET_TAG, HAS("Authorization: Bearer rt"), NULL, OK, MANIFEST)}},
    {.name = "Basic once it was asked for, then at once",
     .what = BY_TAG,
     .times = 2,
     .credentials = ENTRIES(HERE ALICE),
     .a = {SCRIPTED(GET_TAG, NULL, "Authorization", BASIC, UNAUTHORIZED),
           SCRIPTED(GET_TAG, HAS(ALICE_BASIC), NULL, OK, MANIFEST),
           SCRIPTED(GET_TAG, HAS(ALICE_BASIC), NULL, OK, MANIFEST)}},
    {.name = "the second credential is accepted, and first from then on",
     .what = BY_TAG,
     .times = 2,
     .credentials = ENTRIES(HERE ALICE "," HERE_TEAM BOB),
     .a = {SCRIPTED(GET_TAG, NULL, "Authorization", BASIC, UNAUTHORIZED),
           SCRIPTED(GET_TAG, HAS(BOB_BASIC), NULL, BASIC, UNAUTHORIZED),
           SCRIPTED(GET_TAG, NULL, "Authorization", BASIC, UNAUTHORIZED),
           SCRIPTED(GET_TAG, HAS(ALICE_BASIC), NULL, OK, MANIFEST),
           SCRIPTED(GET_TAG, HAS(ALICE_BASIC), NULL, OK, MANIFEST)}},
    {.name = "nothing is sent anonymously where a credential matches but fails",
     .what = BY_TAG,
     .credentials = ENTRIES(HERE ALICE),
     .a = {SCRIPTED(GET_TAG, NULL, "Authorization", BASIC, UNAUTHORIZED),
           SCRIPTED(GET_TAG, HAS(ALICE_BASIC), NULL, "HTTP/1.1 403 No\r\n", "")},
     .code = BW_EDENIED,
     .detail = "unauthorized"},
    {.name = "a challenge that nobody can read",
     .what = BY_TAG,
     .credentials = ENTRIES(HERE ALICE),
     .a = {SCRIPTED(GET_TAG, NULL, "Authorization", "HTTP/1.1 401 No\r\nWWW-Authenticate: \"\r\n", "")},
     .code = BW_EDENIED,
     .detail = "unauthorized"},

    {.name = "a blob", .what = READ_BLOB, .a = {SCRIPTED(GET_BLOB, NULL, "Accept-Encoding", OK, BLOB)}},
    {.name = "a redirect to another origin goes without credentials",
     .what = READ_BLOB,
     .credentials = ENTRIES(HERE ALICE),
     .a = {SCRIPTED(GET_BLOB, NULL, "Authorization", BASIC, UNAUTHORIZED),
           SCRIPTED(GET_BLOB, HAS(ALICE_BASIC), NULL,
                    "HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:$B/store?signature=s\r\n", "")},
     .b = {SCRIPTED("GET /store?signature=s", NULL, "Authorization", OK, BLOB)}},
    {.name = "a redirect within the origin goes with them",
     .what = READ_BLOB,
     .credentials = ENTRIES(HERE ALICE),
     .a = {SCRIPTED(GET_BLOB, NULL, "Authorization", BASIC, UNAUTHORIZED),
           SCRIPTED(GET_BLOB, HAS(ALICE_BASIC), NULL, "HTTP/1.1 307 There\r\nLocation: /store\r\n", ""),
           SCRIPTED("GET /store", HAS(ALICE_BASIC), NULL, OK, BLOB)}},
    {.name = "credentials do not come back after a detour",
     .what = READ_BLOB,
     .credentials = ENTRIES(HERE "{\"registrytoken\":\"rt\"}"),
     .a = {SCRIPTED(GET_BLOB, "Authorization", NULL, "HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:$B/x\r\n", ""),
           SCRIPTED("GET /back", NULL, "Authorization", OK, BLOB)},
     .b = {SCRIPTED("GET /x", NULL, "Authorization", "HTTP/1.1 302 Back\r\nLocation: http://127.0.0.1:$A/back\r\n",
                    "")}},
    {.name = "the storage asks for credentials in vain",
     .what = READ_BLOB,
     .credentials = ENTRIES(HERE ALICE ",\"127.0.0.1:$B\":" ALICE),
     .a = {SCRIPTED(GET_BLOB, NULL, NULL, "HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:$B/s?signature=x\r\n", "")},
     .b = {SCRIPTED("GET /s?signature=x", NULL, "Authorization", BASIC, "")},
     .code = BW_EUNAVAILABLE,
     .detail = "registry_unavailable",
     .message_has = "the storage it redirects to answered with status 401"},
    {.name = "redirects in a circle",
     .what = READ_BLOB,
     .a = {{.request = GET_BLOB,
            .reply = "HTTP/1.1 307 Again\r\nLocation: "
                     "/v2/team/app/blobs/" BLOB_DIGEST "\r\n",
            .body = "",
            .any = true}},
     .code = BW_EUNAVAILABLE,
     .detail = "registry_unavailable",
     .message_has = "more than 5 redirects"},
    {.name = "a redirect to a refused address",
     .what = READ_BLOB,
     .a = {SCRIPTED(GET_BLOB, NULL, NULL, "HTTP/1.1 307 There\r\nLocation: http://169.254.169.254/latest?q=x\r\n", "")},
     .code = BW_EDENIED,
     .detail = "address_refused",
     .message_has = "169.254.169.254"},
    {.name = "a redirect to a file",
     .what = READ_BLOB,
     .a = {SCRIPTED(GET_BLOB, NULL, NULL, "HTTP/1.1 307 There\r\nLocation: file:///etc/passwd\r\n", "")},
     .code = BW_EINPUT},

    {.name = "a blob that is cut is taken up where it broke",
     .what = READ_BLOB,
     .a = {{.request = GET_BLOB, .lacks = "Range", .reply = OK, .body = BLOB, .cut = 10},
           SCRIPTED(GET_BLOB, HAS("Range: bytes=10-"), NULL, "HTTP/1.1 206 Part\r\nContent-Range: bytes 10-41/42\r\n",
                    " forty bytes, none of them empty")}},
    {.name = "the part is another than was asked for",
     .what = READ_BLOB,
     .a = {{.request = GET_BLOB, .lacks = "Range", .reply = OK, .body = BLOB, .cut = 11},
           SCRIPTED(GET_BLOB, HAS("Range: bytes=11-"), NULL, "HTTP/1.1 206 Part\r\nContent-Range: bytes 10-41/42\r\n",
                    "x"),
           SCRIPTED(GET_BLOB, HAS("Range: bytes=11-"), NULL, "HTTP/1.1 206 Part\r\nContent-Range: bytes 11-41/42\r\n",
                    "forty bytes, none of them empty")}},
    {.name = "a server without ranges begins again",
     .what = READ_BLOB,
     .a = {{.request = GET_BLOB, .lacks = "Range", .reply = OK, .body = BLOB, .cut = 10},
           {.request = GET_BLOB, .has = HAS("Range: bytes=10-"), .reply = OK, .body = BLOB, .cut = 30},
           SCRIPTED(GET_BLOB, HAS("Range: bytes=30-"), NULL, OK, BLOB)}},
    {.name = "a cut without a length is taken up as well",
     .what = READ_BLOB,
     .a = {{.request = GET_BLOB, .lacks = "Range", .reply = OK, .body = "a layer of", .open = true},
           SCRIPTED(GET_BLOB, HAS("Range: bytes=10-"), NULL, OK, BLOB)}},
    {.name = "cut again and again without progress",
     .what = READ_BLOB,
     .a = {{.request = GET_BLOB, .reply = OK, .body = BLOB, .cut = 10},
           {.request = GET_BLOB, .reply = OK, .body = BLOB, .cut = 10},
           {.request = GET_BLOB, .reply = OK, .body = BLOB, .cut = 10},
           {.request = GET_BLOB, .reply = OK, .body = BLOB, .cut = 10}},
     .code = BW_EUNAVAILABLE,
     .detail = "registry_unavailable"},
    {.name = "a blob with other bytes",
     .what = READ_BLOB,
     .a = {SCRIPTED(GET_BLOB, NULL, NULL, OK, "a layer of forty bytes, some of them empty")},
     .code = BW_EINPUT,
     .detail = "blob_digest_mismatch"},
    {.name = "a blob that is shorter than the manifest says",
     .what = READ_BLOB,
     .a = {SCRIPTED(GET_BLOB, NULL, NULL, OK, "short")},
     .code = BW_EINPUT,
     .detail = "blob_size_mismatch"},
    {.name = "a blob that is longer",
     .what = READ_BLOB,
     .a = {SCRIPTED(GET_BLOB, NULL, NULL, OK, BLOB "!")},
     .code = BW_EINPUT,
     .detail = "blob_size_mismatch"},
    {.name = "a blob without end",
     .what = READ_BLOB,
     .a = {{.request = GET_BLOB, .reply = OK "Transfer-Encoding: chunked\r\n", .body = BLOB, .endless = true}},
     .code = BW_EINPUT,
     .detail = "blob_size_mismatch"},
    {.name = "a blob that is not there",
     .what = READ_BLOB,
     .a = {SCRIPTED(GET_BLOB, NULL, NULL, "HTTP/1.1 404 No\r\n", "")},
     .code = BW_ENOTFOUND,
     .detail = "image_not_found"},
    {.name = "a foreign layer that the registry has",
     .what = READ_FOREIGN,
     .a = {SCRIPTED(GET_BLOB, NULL, NULL, OK, BLOB)}},
    {.name = "a foreign layer that it has not: plain http is not asked",
     .what = READ_FOREIGN,
     .a = {SCRIPTED(GET_BLOB, NULL, NULL, "HTTP/1.1 404 No\r\n", "")},
     .code = BW_ENOTFOUND,
     .detail = "foreign_layer"},

    {.name = "unavailable, then right",
     .what = BY_TAG,
     .a = {SCRIPTED(GET_TAG, NULL, NULL, "HTTP/1.1 503 Later\r\n", ""),
           SCRIPTED(GET_TAG, NULL, NULL, "HTTP/1.1 500 Later\r\n", ""),
           SCRIPTED(GET_TAG, NULL, NULL, "HTTP/1.1 408 Later\r\n", ""), SCRIPTED(GET_TAG, NULL, NULL, OK, MANIFEST)}},
    {.name = "unavailable for good",
     .what = BY_TAG,
     .a = {SCRIPTED(GET_TAG, NULL, NULL, "HTTP/1.1 502 Later\r\n", ""),
           SCRIPTED(GET_TAG, NULL, NULL, "HTTP/1.1 502 Later\r\n", ""),
           SCRIPTED(GET_TAG, NULL, NULL, "HTTP/1.1 502 Later\r\n", ""),
           SCRIPTED(GET_TAG, NULL, NULL, "HTTP/1.1 502 Later\r\n", "")},
     .code = BW_EUNAVAILABLE,
     .detail = "registry_unavailable",
     .message_has = "status 502"},
    {.name = "501 is not tried again",
     .what = BY_TAG,
     .a = {SCRIPTED(GET_TAG, NULL, NULL, "HTTP/1.1 501 Never\r\n", "")},
     .code = BW_EUNAVAILABLE,
     .detail = "registry_unavailable"},
    {.name = "too many requests, then right",
     .what = BY_TAG,
     .a = {SCRIPTED(GET_TAG, NULL, NULL, "HTTP/1.1 429 Later\r\nRetry-After: 0\r\n", ""),
           SCRIPTED(GET_TAG, NULL, NULL, OK, MANIFEST)}},
    {.name = "too many requests for longer than we wait",
     .what = BY_TAG,
     .a = {SCRIPTED(GET_TAG, NULL, NULL, "HTTP/1.1 429 Later\r\nRetry-After: 61\r\n", "")},
     .code = BW_ERATELIMITED,
     .detail = "rate_limited",
     .retry_after_s = 61},
    {.name = "too many requests for longer than there is time",
     .what = BY_TAG,
     .deadline_ms = 1000,
     .a = {SCRIPTED(GET_TAG, NULL, NULL, "HTTP/1.1 429 Later\r\nRetry-After: 2\r\n", "")},
     .code = BW_ERATELIMITED,
     .detail = "rate_limited",
     .retry_after_s = 2},
    {.name = "no answer before the deadline",
     .what = BY_TAG,
     .deadline_ms = 150,
     .a = {{.request = GET_TAG, .reply = OK, .body = MANIFEST, .wait_ms = 5000}},
     .code = BW_EDEADLINE},
    {.name = "a fault in strange words stays one line",
     .what = BY_TAG,
     .a = {SCRIPTED(GET_TAG, NULL, NULL, "HTTP/1.1 400 No\r\n",
                    "{\"errors\":[{\"code\":\"X\",\"message\":\"two\\nlines\\u001b[31m\"}]}")},
     .code = BW_EUNAVAILABLE,
     .detail = "registry_unavailable",
     .message_has = "status 400 (X: two?lines?[31m)"},
};

/* Puts the ports in. */
static void with_ports(char *out, size_t size, const char *text, unsigned a, unsigned b)
{
    size_t n = 0;
    for (const char *c = text; *c != '\0' && n + 8 < size; c++) {
        if (c[0] == '$' && (c[1] == 'A' || c[1] == 'B')) {
            n += (size_t)snprintf(out + n, size - n, "%u", *++c == 'A' ? a : b);
        } else {
            out[n++] = *c;
        }
    }
    out[n] = '\0';
}

static int read_blob(struct bw_image_source *source, const struct bw_reference *reference, bool foreign,
                     struct bw_deadline deadline, struct bw_error *err)
{
    static const char *const urls[] = {"http://127.0.0.1:1/layer", "ftp://127.0.0.1/layer", NULL};
    struct bw_descriptor blob = {
        .digest = {BLOB_DIGEST}, .size = strlen(BLOB), .foreign = foreign, .urls = foreign ? urls : NULL};
    BW_ARENA_SCOPE arena;
    char *bytes = NULL;
    bw_arena_init(&arena, BW_MIB);
    int status = bw_blob_read_all(&bytes, source, reference, &blob, 1000, &arena, deadline, err);
    if (status == 0) {
        assert_string_equal(bytes, BLOB);
    }
    return status;
}

static int perform(const struct script *script, struct bw_image_source *source, const char *registry,
                   struct bw_error *err)
{
    struct bw_reference reference = {.registry = registry, .repository = "team/app", .tag = "1.0"};
    struct bw_deadline deadline = bw_deadline_in_ms(script->deadline_ms == 0 ? 20000 : script->deadline_ms);
    static const struct bw_digest sha256 = {MANIFEST_DIGEST}, sha512 = {MANIFEST_SHA512};
    struct bw_manifest_bytes manifest = {0};
    struct bw_digest digest = {{0}};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 16 * BW_MIB);
    if (script->what == READ_BLOB || script->what == READ_FOREIGN) {
        return read_blob(source, &reference, script->what == READ_FOREIGN, deadline, err);
    }
    if (script->what == RESOLVE) {
        int status = source->ops->resolve(&digest, source, &reference, deadline, err);
        if (status == 0) {
            assert_string_equal(digest.text, MANIFEST_DIGEST);
        }
        return status;
    }
    const struct bw_digest *wanted = script->what == BY_DIGEST ? &sha256 : script->what == BY_SHA512 ? &sha512 : NULL;
    int status = source->ops->manifest(&manifest, source, &reference, wanted, &arena, deadline, err);
    if (status == 0) {
        assert_string_equal(manifest.bytes, MANIFEST);
        assert_string_equal(manifest.digest.text, wanted == NULL ? MANIFEST_DIGEST : wanted->text);
    }
    return status;
}

static struct bw_credentials *credentials_of(const char *text, unsigned a, unsigned b)
{
    char filled[1024];
    struct bw_error err = {0};
    struct bw_credentials *credentials = bw_credentials_create();
    if (text != NULL) {
        with_ports(filled, sizeof(filled), text, a, b);
        assert_int_equal(bw_credentials_add(credentials, filled, strlen(filled), &err), 0);
    }
    return credentials;
}

struct rig {
    struct scripted_server a, b;
    unsigned port_a, port_b;
    char host[32];
    struct bw_http_client *http;
    struct bw_registry *registry;
};

static void rig_start(struct rig *rig, const struct scripted_step *a, const struct scripted_step *b,
                      const char *const *mirrors)
{
    static const char *const loopback[] = {"127.0.0.0/8"};
    struct bw_error err = {0};
    rig->port_a = scripted_listen(&rig->a);
    rig->port_b = scripted_listen(&rig->b);
    scripted_start(&rig->a, rig->port_a, rig->port_b, a);
    scripted_start(&rig->b, rig->port_a, rig->port_b, b);
    (void)snprintf(rig->host, sizeof(rig->host), "127.0.0.1:%u", rig->port_a);
    struct bw_http_client_options http = {
        .user_agent = "breakwater/test", .allow_addresses = loopback, .n_allow_addresses = 1};
    struct bw_registry_host host = {.host = rig->host, .plain_http = true, .mirrors = mirrors};
    struct bw_registry_options options = {.hosts = &host, .n_hosts = 1, .retry_base_ms = 1};
    char mirror[64];
    const char *filled[2] = {mirror, NULL};
    if (mirrors != NULL) {
        with_ports(mirror, sizeof(mirror), mirrors[0], rig->port_a, rig->port_b);
        host.mirrors = filled;
    }
    assert_int_equal(bw_http_client_create(&rig->http, &http, &err), 0);
    assert_int_equal(bw_registry_create(&rig->registry, rig->http, &options, &err), 0);
}

static void rig_stop(struct rig *rig)
{
    bw_registry_destroy(rig->registry);
    bw_http_client_destroy(rig->http);
    assert_string_equal(scripted_stop(&rig->a), "");
    assert_string_equal(scripted_stop(&rig->b), "");
}

static void play(void **state)
{
    const struct script *script = *state;
    struct rig rig;
    struct bw_error err = {0};
    rig_start(&rig, script->a, script->b, NULL);
    struct bw_credentials *credentials = credentials_of(script->credentials, rig.port_a, rig.port_b);
    struct bw_image_source *source = NULL;
    assert_int_equal(bw_registry_source(&source, rig.registry, credentials, &err), 0);
    bw_credentials_destroy(credentials);
    for (unsigned i = 0; i < (script->times == 0 ? 1 : script->times); i++) {
        if (perform(script, source, rig.host, &err) != (script->code == BW_OK ? 0 : -1)) {
            fail_msg("%s: %s (%s)", err.detail, err.message, rig.a.fault);
        }
    }
    bw_image_source_release(source);
    rig_stop(&rig);
    if (script->code == BW_OK) {
        return;
    }
    assert_int_equal(err.code, script->code);
    assert_int_equal(err.retry_after_s, script->retry_after_s);
    if (script->detail != NULL) {
        assert_string_equal(err.detail, script->detail);
    }
    if (script->message_has != NULL && strstr(err.message, script->message_has) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", script->message_has, err.message);
    }
    static const char *const secrets[] = {"s3cret", "hunter2", "signature", "YWxpY2U"};
    for (size_t i = 0; i < BW_LENGTH(secrets); i++) {
        assert_null(strstr(err.message, secrets[i]));
    }
}

static void a_mirror_answers_for_digests_alone(void **state)
{
    (void)state;
    static const char *const mirrors[] = {"http://127.0.0.1:$B/hub/", NULL};
    const struct scripted_step a[] = {
        SCRIPTED(HEAD_TAG, NULL, NULL, OK_DIGEST, NULL),
        SCRIPTED(GET_BLOB, NULL, NULL, OK, BLOB),
        {0},
    };
    char manifest[256], blob[256];
    const struct scripted_step b[] = {
        SCRIPTED(manifest, NULL, NULL, OK, MANIFEST),
        SCRIPTED(blob, NULL, NULL, "HTTP/1.1 404 No\r\n", ""),
        {0},
    };
    struct rig rig;
    struct bw_error err = {0};
    struct bw_image_source *source = NULL;
    manifest[0] = blob[0] = '\0';
    rig_start(&rig, a, b, mirrors);
    (void)snprintf(manifest, sizeof(manifest), "GET /v2/hub/team/app/manifests/%s?ns=%s", MANIFEST_DIGEST, rig.host);
    (void)snprintf(blob, sizeof(blob), "GET /v2/hub/team/app/blobs/%s?ns=%s", BLOB_DIGEST, rig.host);
    assert_int_equal(bw_registry_source(&source, rig.registry, NULL, &err), 0);
    assert_string_equal(source->identity, "");
    static const enum what steps[] = {RESOLVE, BY_DIGEST, READ_BLOB};
    for (size_t i = 0; i < BW_LENGTH(steps); i++) {
        struct script script = {.what = steps[i]};
        if (perform(&script, source, rig.host, &err) != 0) {
            fail_msg("%s", err.message);
        }
    }
    bw_image_source_release(source);
    rig_stop(&rig);
}

struct reader {
    struct bw_image_source *source;
    const char *host;
    int status;
};

static void *read_one(void *opaque)
{
    struct reader *reader = opaque;
    struct script script = {.what = READ_BLOB};
    struct bw_error err = {0};
    reader->status = perform(&script, reader->source, reader->host, &err);
    return NULL;
}

static void a_host_has_no_more_than_its_connections(void **state)
{
    (void)state;
    static const struct scripted_step a[] = {
        {.request = GET_BLOB, .reply = OK, .body = BLOB, .wait_ms = 20, .any = true}, {0}};
    static const struct scripted_step b[] = {{0}};
    enum { READERS = 24 };
    struct reader readers[READERS];
    pthread_t threads[READERS];
    struct rig rig;
    struct bw_error err = {0};
    struct bw_image_source *source = NULL;
    rig_start(&rig, a, b, NULL);
    assert_int_equal(bw_registry_source(&source, rig.registry, NULL, &err), 0);
    for (size_t i = 0; i < READERS; i++) {
        readers[i] = (struct reader){source, rig.host, -1};
        assert_int_equal(pthread_create(&threads[i], NULL, read_one, &readers[i]), 0);
    }
    for (size_t i = 0; i < READERS; i++) {
        (void)pthread_join(threads[i], NULL);
        assert_int_equal(readers[i].status, 0);
    }
    bw_image_source_release(source);
    /* connections are used again, so those ever made are those at a time */
    assert_true(rig.a.n_connections <= 6);
    rig_stop(&rig);
}

int main(void)
{
    enum { ROWS = BW_LENGTH(scripts) };
    struct CMUnitTest rows[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        rows[i] = (struct CMUnitTest){
            .name = scripts[i].name, .test_func = play, .initial_state = (void *)(uintptr_t)&scripts[i]};
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mirror_answers_for_digests_alone),
        cmocka_unit_test(a_host_has_no_more_than_its_connections),
    };
    int failed = cmocka_run_group_tests_name("scripts", rows, NULL, NULL);
    return failed + cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
