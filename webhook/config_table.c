/* Every key of config.yaml, one row each. Paths are the specification's words; defaults are written as a user would. */
#include "webhook/config_table.h"

#include "base/limits.h"
#include "base/regex.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <string.h>

/* ---- what texts have to be ---- */

static int check_pattern(const char *text, struct bw_error *err)
{
    const char *regex = strchr(text, '=');
    struct bw_regex *compiled = NULL;
    if (!regex || regex == text)
        return bw_error_set(err, BW_EINPUT, "expected NAME=REGEX, found \"%.80s\"", text);
    if (bw_regex_compile(&compiled, regex + 1, strlen(regex + 1), BW_REGEX_BYTES, err))
        return -1;
    bw_regex_free(compiled);
    return 0;
}

/* The name may be left out, as Anchore Engine has it: then the whole is the pattern. */
static int check_content_pattern(const char *text, struct bw_error *err)
{
    struct bw_regex *compiled = NULL;
    const char *equals = strchr(text, '='), *regex = equals && equals != text ? equals + 1 : text;
    if (bw_regex_compile(&compiled, regex, strlen(regex), BW_REGEX_BYTES, err))
        return -1;
    bw_regex_free(compiled);
    return 0;
}

int bw_log_share_parse(unsigned *every_out, const char *text)
{
    uint64_t every = strcmp(text, "none") == 0 ? 0 : 1;
    if (every == 1 && strcmp(text, "all") != 0 &&
        (strncmp(text, "1/", 2) != 0 || bw_str_uint(&every, bw_str_from(text + 2), 10, 1000000) != 0 || every == 0))
        return -1;
    *every_out = (unsigned)every;
    return 0;
}

static int check_share(const char *text, struct bw_error *err)
{
    unsigned every = 0;
    return bw_log_share_parse(&every, text) == 0
               ? 0
               : bw_error_set(err, BW_EINPUT, "expected all, none or 1/N, found \"%.80s\"", text);
}

static int check_path(const char *text, struct bw_error *err)
{
    return text[0] == '/' ? 0 : bw_error_set(err, BW_EINPUT, "expected an absolute path, found \"%.80s\"", text);
}

static int check_loopback(const char *text, struct bw_error *err)
{
    char host[INET_ADDRSTRLEN] = "";
    struct in_addr address;
    size_t len = strcspn(text, ":");
    memcpy(host, text, len < sizeof(host) ? len : 0);
    return strncmp(text, "[::1]:", 6) == 0 || (strncmp(host, "127.", 4) == 0 && inet_pton(AF_INET, host, &address) == 1)
               ? 0
               : bw_error_set(err, BW_EINPUT,
                              "expected a loopback address like 127.0.0.1:8082 or [::1]:8082, found \"%.80s\"", text);
}

static int check_network(const char *text, struct bw_error *err)
{
    char address[64];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    unsigned char bytes[16];
    uint64_t bits = 0;
    if (len > 0 && len < sizeof(address)) {
        memcpy(address, text, len);
        address[len] = '\0';
        int family = strchr(address, ':') ? AF_INET6 : AF_INET;
        if (inet_pton(family, address, bytes) == 1 &&
            (!slash || bw_str_uint(&bits, bw_str_from(slash + 1), 10, family == AF_INET ? 32 : 128) == 0))
            return 0;
    }
    return bw_error_set(err, BW_EINPUT, "expected an address or a network like 10.0.0.0/8 or fd00::/8, found \"%.80s\"",
                        text);
}

static int check_object_name(const char *text, struct bw_error *err)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-.");
    if (len > 0 && len <= 253 && !text[len])
        return 0;
    return bw_error_set(err, BW_EINPUT, "expected small letters, digits, \"-\" and \".\", found \"%.80s\"", text);
}

static int check_mirror(const char *text, struct bw_error *err)
{
    struct bw_str url = bw_str_from(text);
    bool web = bw_str_starts_with(url, "https://") || bw_str_starts_with(url, "http://");
    if (web && !strpbrk(text, " ?#@"))
        return 0;
    return bw_error_set(err, BW_EINPUT, "expected a base URL like https://mirror.example/hub, found \"%.80s\"", text);
}

static int check_namespace(const char *text, struct bw_error *err)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
    if (strcmp(text, "*") == 0 || (len > 0 && len <= 63 && !text[len]))
        return 0;
    return bw_error_set(err, BW_EINPUT, "expected the name of a namespace, or \"*\", found \"%.80s\"", text);
}

/* ---- choices, in the order of the enums ---- */

static const char *const actions[] = {"deny", "allow", "warn", NULL};
static const char *const deny_or_warn[] = {"deny", "", "warn", NULL}; /* "" is not offered */
static const char *const pending_responses[] = {"auto", "retryAfter", "plain", NULL};
static const char *const updates[] = {"changed", "all", NULL};
static const char *const resource_modes[] = {"all", "podsOnly", "podsEnforceWorkloadsWarn", NULL};
static const char *const unsupported[] = {"allow", "deny", NULL};
static const char *const kubernetes[] = {"auto", "always", "never", NULL};
static const char *const tls_versions[] = {"1.2", "1.3", NULL};
static const char *const certs_modes[] = {"off", "selfSigned", NULL};
static const char *const mirror_pods[] = {"audit", "deny", "ignore", NULL};
static const char *const image_volumes[] = {"deny", "allowArtifacts", NULL};
static const char *const no_mapping[] = {"warn", "deny", "allow", NULL};
static const char *const foreign_layers[] = {"refuse", "fetch", NULL};
static const char *const unselected[] = {"policy", "allow", "deny", NULL};
static const char *const levels[] = {"debug", "info", "warn", "error", NULL};

/* ---- rows ---- */

#define OF_CONFIG(member)  BW_FIELD(struct bw_config, member)
#define OF_HOST(member)    BW_FIELD(struct bw_registry_host, member)
#define OF_EXTRA(member)   BW_FIELD(struct bw_extra_resource, member)
#define COUNTED_BY(member) .count_offset = offsetof(struct bw_config, member)
#define SECONDS_MS(n)      ((n)*1000ULL)
#define HOURS_MS(n)        ((n)*3600000ULL)
#define ON_ERROR(fault, key, text)                                                                                     \
    {                                                                                                                  \
        .path = "onError." key, .kind = BW_KEY_CHOICE, OF_CONFIG(on_error[fault]), .choices = actions,                 \
        .default_text = "deny", .doc = text                                                                            \
    }

static const struct bw_key host_keys[] = {
    {.path = "caFile",
     .kind = BW_KEY_TEXT,
     OF_HOST(ca_file),
     .check = check_path,
     .example = "/etc/breakwater/ca/registry.pem",
     .doc = "CA certificates (PEM) that this registry's certificate may come from, besides the system's."},
    {.path = "plainHTTP",
     .kind = BW_KEY_BOOL,
     OF_HOST(plain_http),
     .default_text = "false",
     .doc = "Speak HTTP without TLS to this registry."},
    {.path = "insecureSkipVerify",
     .kind = BW_KEY_BOOL,
     OF_HOST(insecure_skip_verify),
     .default_text = "false",
     .doc =
         "Do not verify this registry's certificate. Digests are verified all the same, but tags and credentials are "
         "then anyone's."},
    {.path = "mirrors",
     .kind = BW_KEY_TEXTS,
     OF_HOST(mirrors),
     .count_offset = BW_NO_COUNT,
     .check = check_mirror,
     .example = "[https://mirror.example/hub]",
     .doc = "Base URLs asked first for everything that is named by digest."},
};

static const struct bw_key_table host_table = {
    .keys = host_keys, .n_keys = BW_LENGTH(host_keys), .size = sizeof(struct bw_registry_host)};

static const char *const anchore_selectors[] = {"PolicySelectors", "selectors", NULL};
static const char *const anchore_request_analysis[] = {"Validator.RequestAnalysis", NULL};

static const struct bw_key keys[] = {
    {.path = "server.listen",
     .kind = BW_KEY_ADDRESS,
     OF_CONFIG(listen),
     .default_text = ":8443",
     .doc = "Where the API server finds the webhook (HTTPS). Without a host: every address, IPv6 and IPv4."},
    {.path = "server.healthListen",
     .kind = BW_KEY_ADDRESS,
     OF_CONFIG(health_listen),
     .default_text = ":8081",
     .doc = "Plain HTTP: /livez, /readyz, /healthz (?verbose lists the checks), /version."},
    {.path = "server.metricsListen",
     .kind = BW_KEY_ADDRESS,
     OF_CONFIG(metrics_listen),
     .default_text = ":8080",
     .doc = "Plain HTTP: /metrics for Prometheus."},
    {.path = "server.debugListen",
     .kind = BW_KEY_ADDRESS,
     OF_CONFIG(debug_listen),
     .default_text = "127.0.0.1:8082",
     .may_be_empty = true,
     .check = check_loopback,
     .doc = "Plain HTTP: /debug/explain?uid=UID tells how an admission was decided. A loopback address, for kubectl "
            "port-forward; empty: none."},
    {.path = "server.maxRequestBytes",
     .kind = BW_KEY_SIZE,
     OF_CONFIG(max_request_bytes),
     .default_text = "24MiB",
     .min = 64 * BW_KIB,
     .max = BW_MAX_REVIEW_BYTES,
     .doc = "A longer request body is answered 413. A Pod full of characters that JSON has to escape reaches 18 MB."},
    {.path = "server.maxInFlight",
     .kind = BW_KEY_COUNT,
     OF_CONFIG(max_in_flight),
     .default_text = "256",
     .min = 1,
     .max = 100000,
     .doc = "Admissions that may wait for an analysis at a time; more are answered by onError.overload."},
    {.path = "server.eventLoops",
     .kind = BW_KEY_COUNT,
     OF_CONFIG(event_loops),
     .default_text = "0",
     .max = 8,
     .doc = "Threads that serve connections; 0: two, or one on a single core."},
    {.path = "server.maxConnections",
     .kind = BW_KEY_COUNT,
     OF_CONFIG(max_connections),
     .default_text = "1000",
     .min = 1,
     .max = 100000,
     .doc = "Open connections to the webhook port; more are closed at once."},
    {.path = "shutdown.delay",
     .kind = BW_KEY_DURATION,
     OF_CONFIG(shutdown_delay_ms),
     .default_text = "8s",
     .max = HOURS_MS(1),
     .doc = "After SIGTERM, how long connections are still accepted while /readyz already says no: endpoints need that "
            "long to follow."},
    {.path = "shutdown.timeout",
     .kind = BW_KEY_DURATION,
     OF_CONFIG(shutdown_timeout_ms),
     .default_text = "30s",
     .max = HOURS_MS(1),
     .doc = "How long admissions in flight may take after that."},

    {.path = "tls.certFile",
     .kind = BW_KEY_TEXT,
     OF_CONFIG(cert_file),
     .default_text = "/etc/breakwater/tls/tls.crt",
     .doc = "Serving certificate with its chain (PEM). Its folder is watched and a new pair is taken at once."},
    {.path = "tls.keyFile",
     .kind = BW_KEY_TEXT,
     OF_CONFIG(key_file),
     .default_text = "/etc/breakwater/tls/tls.key",
     .doc = "Its private key (PEM); ECDSA P-256 is the cheapest."},
    {.path = "tls.minVersion",
     .kind = BW_KEY_CHOICE,
     OF_CONFIG(tls_1_3_only),
     .choices = tls_versions,
     .default_text = "1.2",
     .doc = "The lowest version of TLS. API servers speak 1.3 since Kubernetes 1.19."},
    {.path = "tls.clientCA",
     .kind = BW_KEY_TEXT,
     OF_CONFIG(client_ca_file),
     .check = check_path,
     .example = "/etc/breakwater/client-ca.pem",
     .doc =
         "CA certificates (PEM) for clients: who calls the webhook has to show a certificate of theirs. API servers "
         "show one only if their --admission-control-config-file says so; breakwater cannot see then whether its own "
         "Service answers, so failurePolicy has to be rendered as it shall be."},
    {.path = "tls.clientNames",
     .kind = BW_KEY_TEXTS,
     OF_CONFIG(client_names),
     .count_offset = BW_NO_COUNT,
     .example = "[kube-apiserver]",
     .doc = "Names of which a client's certificate has to have one, as common name or DNS name; without any, every "
            "certificate of tls.clientCA will do."},

    {.path = "webhook.timeoutSeconds",
     .kind = BW_KEY_COUNT,
     OF_CONFIG(timeout_s),
     .default_text = "10",
     .min = 1,
     .max = 30,
     .doc = "timeoutSeconds of the webhook configuration. A request whose ?timeout= says the same is answered half a "
            "second (or a tenth) before it ends; another value may have been rounded up, so 1.2 s before."},
    {.path = "webhook.maxDeadline",
     .kind = BW_KEY_DURATION,
     OF_CONFIG(max_deadline_ms),
     .default_text = "25s",
     .min = 500,
     .max = SECONDS_MS(30),
     .doc = "The longest that an admission waits, whatever ?timeout= says."},

    {.path = "onPending",
     .kind = BW_KEY_CHOICE,
     OF_CONFIG(on_pending),
     .choices = actions,
     .default_text = "deny",
     .doc =
         "What happens to an image whose analysis is not ready when the answer has to leave. The analysis goes on; a "
         "verdict of STOP after allow or warn is logged, counted (breakwater_admitted_then_failed_total) and told as "
         "an "
         "Event."},
    {.path = "pendingResponse",
     .kind = BW_KEY_CHOICE,
     OF_CONFIG(pending_response),
     .choices = pending_responses,
     .default_text = "auto",
     .doc =
         "How onPending: deny looks. retryAfter: 429 with retryAfterSeconds, which kubectl and helm repeat silently; "
         "plain: 403; auto: 403 for controllers (they come back by themselves), 429 for everyone else."},
    ON_ERROR(BW_FAULT_IMAGE_NOT_FOUND, "imageNotFound", "The registry does not know the image."),
    ON_ERROR(BW_FAULT_INVALID_REFERENCE, "invalidReference",
             "What the object names is no image reference, or leads to an address that is not allowed."),
    ON_ERROR(BW_FAULT_UNAUTHORIZED, "unauthorized", "The registry refuses the credentials, or wants some."),
    ON_ERROR(BW_FAULT_REGISTRY_UNAVAILABLE, "registryUnavailable",
             "The registry does not answer, and the tag is not known from the last registry.tagStaleMax."),
    ON_ERROR(BW_FAULT_RATE_LIMITED, "rateLimited", "The registry asks to come back later."),
    ON_ERROR(BW_FAULT_ANALYSIS_FAILED, "analysisFailed",
             "The image cannot be analysed: damaged layers, digests that do not agree, no image for the platform."),
    {.path = "onError.analysisIncomplete",
     .kind = BW_KEY_CHOICE,
     OF_CONFIG(on_error[BW_FAULT_ANALYSIS_INCOMPLETE]),
     .choices = deny_or_warn,
     .default_text = "deny",
     .doc = "A rule reads data that the analysis had to skip or cut. deny: the rule counts as STOP; warn: as WARN."},
    ON_ERROR(BW_FAULT_IMAGE_TOO_LARGE, "imageTooLarge", "The image exceeds a limit of the analysis."),
    ON_ERROR(BW_FAULT_NO_BUNDLE, "noBundle", "No good bundle is loaded."),
    ON_ERROR(BW_FAULT_OVERLOAD, "overload", "Too much is waiting already, here or in the queue of analyses."),
    ON_ERROR(BW_FAULT_INTERNAL, "internal", "A fault of breakwater itself."),
    {.path = "updates",
     .kind = BW_KEY_CHOICE,
     OF_CONFIG(updates_all),
     .choices = updates,
     .default_text = "changed",
     .doc = "changed: an UPDATE is judged by the images it adds; all: by every image it has."},
    {.path = "resourceMode",
     .kind = BW_KEY_CHOICE,
     OF_CONFIG(resource_mode),
     .choices = resource_modes,
     .default_text = "all",
     .doc =
         "all: pods and the workloads that make them; podsOnly: workloads are let through; podsEnforceWorkloadsWarn: "
         "workloads get warnings where their pods will be denied."},
    {.path = "onUnsupportedResource",
     .kind = BW_KEY_CHOICE,
     OF_CONFIG(unsupported_deny),
     .choices = unsupported,
     .default_text = "allow",
     .doc = "Requests for a resource of which it is not known where its images stand."},
    {.path = "mirrorPods",
     .kind = BW_KEY_CHOICE,
     OF_CONFIG(mirror_pods),
     .choices = mirror_pods,
     .default_text = "audit",
     .doc =
         "Mirror pods of a kubelet, which run already. audit: evaluated, never denied; deny: as any pod; ignore: not "
         "looked at."},
    {.path = "imageVolumes",
     .kind = BW_KEY_CHOICE,
     OF_CONFIG(allow_artifact_volumes),
     .choices = image_volumes,
     .default_text = "deny",
     .doc = "Image volumes whose reference is an artifact and no image."},
    {.path = "extraResources",
     .kind = BW_KEY_LIST,
     OF_CONFIG(extra_resources),
     COUNTED_BY(n_extra_resources),
     .members = &bw_extra_table,
     .element = "[]",
     .doc = "Custom resources that hold images."},
    {.path = "messageHint",
     .kind = BW_KEY_TEXT,
     OF_CONFIG(message_hint),
     .example = "\"Questions: #platform, https://wiki.example/images\"",
     .doc = "A sentence at the end of every denial: whom to ask, where to read."},

    {.path = "policySelectors",
     .aliases = anchore_selectors,
     .kind = BW_KEY_LIST,
     OF_CONFIG(selectors),
     COUNTED_BY(n_selectors),
     .max = BW_MAX_SELECTORS,
     .members = &bw_selector_table,
     .element = "[]",
     .doc = "Who is judged how: for every image the first selector counts whose conditions all hold. Keys below it are "
            "read whatever their case."},
    {.path = "onNoSelectorMatch",
     .kind = BW_KEY_CHOICE,
     OF_CONFIG(on_no_selector_match),
     .choices = unselected,
     .default_text = "policy",
     .doc = "An image that no selector matches. policy: the default bundle decides."},
    {.path = "requestAnalysis",
     .aliases = anchore_request_analysis,
     .kind = BW_KEY_BOOL,
     OF_CONFIG(request_analysis),
     .default_text = "true",
     .doc =
         "Whether an image that is not known yet is analysed. false: it is denied as not analysed (policy, analysis), "
         "or admitted and not looked at (breakglass)."},
    {.path = "breakGlass.requireReason",
     .kind = BW_KEY_BOOL,
     OF_CONFIG(break_glass.require_reason),
     .default_text = "false",
     .doc = "Break-glass only with the annotation breakwater.io/break-glass-reason."},
    {.path = "breakGlass.users",
     .kind = BW_KEY_TEXTS,
     OF_CONFIG(break_glass.people.users),
     .count_offset = BW_NO_COUNT,
     .min = 1,
     .example = "[admin@example.com]",
     .doc = "Users who may break the glass; without users and groups: everybody."},
    {.path = "breakGlass.groups",
     .kind = BW_KEY_TEXTS,
     OF_CONFIG(break_glass.people.groups),
     .count_offset = BW_NO_COUNT,
     .min = 1,
     .example = "[sre-oncall]",
     .doc = "Groups whose members may."},
    {.path = "exemptions",
     .kind = BW_KEY_LIST,
     OF_CONFIG(exemptions),
     COUNTED_BY(n_exemptions),
     .max = BW_MAX_EXEMPTIONS,
     .members = &bw_exemption_table,
     .element = "[]",
     .doc = "Images that are admitted for a time, whatever the bundle says of them."},
    {.path = "exemptNamespaces",
     .kind = BW_KEY_TEXTS,
     OF_CONFIG(exempt_namespaces),
     .count_offset = BW_NO_COUNT,
     .min = 1,
     .example = "[\"build-*\"]",
     .doc = "Namespaces that may be exempted: anybody may set the label breakwater.io/admission there. Globs."},
    {.path = "exemptionAdmins.users",
     .kind = BW_KEY_TEXTS,
     OF_CONFIG(exemption_admins.users),
     .count_offset = BW_NO_COUNT,
     .min = 1,
     .example = "[admin@example.com]",
     .doc = "Users who may set the label breakwater.io/admission on any namespace."},
    {.path = "exemptionAdmins.groups",
     .kind = BW_KEY_TEXTS,
     OF_CONFIG(exemption_admins.groups),
     .count_offset = BW_NO_COUNT,
     .min = 1,
     .example = "[\"system:masters\"]",
     .doc = "Groups whose members may."},
    {.path = "AnchoreEndpoint",
     .kind = BW_KEY_IGNORED,
     .doc = "Of Anchore's controller, without effect: images are analysed here, no service is asked."},
    {.path = "Validator.Enabled",
     .kind = BW_KEY_IGNORED,
     .doc = "Of Anchore's controller, without effect there as well."},

    {.path = "kubernetes.pullSecrets",
     .kind = BW_KEY_CHOICE,
     OF_CONFIG(kubernetes),
     .choices = kubernetes,
     .default_text = "auto",
     .doc = "Whether pull secrets of pods are read from the API server (ServiceAccounts and Secrets, verb get). auto: "
            "when "
            "breakwater runs in a pod."},
    {.path = "kubernetes.nodes",
     .kind = BW_KEY_CHOICE,
     OF_CONFIG(nodes),
     .choices = kubernetes,
     .default_text = "auto",
     .doc = "Whether the labels of the cluster's nodes say for which platforms images are judged (verbs list and "
            "watch), "
            "before defaultPlatforms. auto: when breakwater runs in a pod."},
    {.path = "kubernetes.events",
     .kind = BW_KEY_CHOICE,
     OF_CONFIG(events),
     .choices = kubernetes,
     .default_text = "auto",
     .doc =
         "Whether Events are written (events.k8s.io, verbs create and patch): about denials to a pod's controller or "
         "its namespace, about bundles to their ConfigMaps. auto: when breakwater runs in a pod."},
    {.path = "kubernetes.serviceAccountDir",
     .kind = BW_KEY_TEXT,
     OF_CONFIG(service_account_dir),
     .default_text = "/var/run/secrets/kubernetes.io/serviceaccount",
     .doc = "Folder with token and ca.crt of breakwater's own ServiceAccount, as the kubelet mounts it."},
    {.path = "kubernetes.lease",
     .kind = BW_KEY_TEXT,
     OF_CONFIG(lease),
     .default_text = "breakwater",
     .check = check_object_name,
     .doc =
         "The Lease, in breakwater's own namespace, by which the replicas choose the one that leads. It is asked for "
         "only when there is something to lead: certs.mode: selfSigned."},

    {.path = "certs.mode",
     .kind = BW_KEY_CHOICE,
     OF_CONFIG(certs.self_signed),
     .choices = certs_modes,
     .default_text = "off",
     .doc = "Who looks after the serving certificate. off: somebody else; selfSigned: breakwater keeps a CA and a "
            "certificate in a Secret, renews both in time, and keeps the CA in the webhook configuration. See "
            "docs/certificates.md. All of certs.* is taken at the start."},
    {.path = "certs.secret",
     .kind = BW_KEY_TEXT,
     OF_CONFIG(certs.secret),
     .default_text = "breakwater-tls",
     .check = check_object_name,
     .doc = "The Secret, in breakwater's own namespace. Its tls.crt and tls.key are mounted as tls.certFile and "
            "tls.keyFile."},
    {.path = "certs.service",
     .kind = BW_KEY_TEXT,
     OF_CONFIG(certs.service),
     .default_text = "breakwater",
     .check = check_object_name,
     .doc = "The Service that the webhook configuration names, in the same namespace: the certificate is for it."},
    {.path = "certs.clusterDomain",
     .kind = BW_KEY_TEXT,
     OF_CONFIG(certs.cluster_domain),
     .default_text = "cluster.local",
     .check = check_object_name,
     .doc = "The cluster's DNS domain, for the longest of the Service's names."},
    {.path = "certs.webhookConfiguration",
     .kind = BW_KEY_TEXT,
     OF_CONFIG(certs.webhook_configuration),
     .default_text = "breakwater",
     .check = check_object_name,
     .doc = "The ValidatingWebhookConfiguration whose entries trust the CA."},
    {.path = "certs.leafLifetime",
     .kind = BW_KEY_SECONDS,
     OF_CONFIG(certs.leaf_lifetime_s),
     .default_text = "2160h",
     .min = SECONDS_MS(10),
     .max = HOURS_MS(24 * 365),
     .doc = "How long a serving certificate is valid."},
    {.path = "certs.caLifetime",
     .kind = BW_KEY_SECONDS,
     OF_CONFIG(certs.ca_lifetime_s),
     .default_text = "43800h",
     .min = SECONDS_MS(10),
     .max = HOURS_MS(24 * 365 * 20),
     .doc = "How long a CA is valid."},
    {.path = "certs.renewAt",
     .kind = BW_KEY_COUNT,
     OF_CONFIG(certs.renew_at),
     .default_text = "67",
     .min = 10,
     .max = 95,
     .doc = "After how many percent of its life each of them is renewed."},
    {.path = "certs.caWait",
     .kind = BW_KEY_SECONDS,
     OF_CONFIG(certs.ca_wait_s),
     .default_text = "2m",
     .min = SECONDS_MS(1),
     .max = HOURS_MS(24),
     .doc = "From a new CA standing in the webhook configuration to the first certificate under it: every API server "
            "knows it by then."},
    {.path = "certs.caOverlap",
     .kind = BW_KEY_SECONDS,
     OF_CONFIG(certs.ca_overlap_s),
     .default_text = "24h",
     .min = SECONDS_MS(1),
     .max = HOURS_MS(24 * 30),
     .doc = "From that certificate to the old CA being dropped: every replica serves it by then."},
    {.path = "certs.checkInterval",
     .kind = BW_KEY_SECONDS,
     OF_CONFIG(certs.check_s),
     .default_text = "5m",
     .min = SECONDS_MS(1),
     .max = HOURS_MS(1),
     .doc = "How often the leader compares Secret and webhook configuration with what they should be; it heals what "
            "others overwrote. What is due is done when it is."},

    {.path = "bundles.dir",
     .kind = BW_KEY_TEXT,
     OF_CONFIG(bundles_dir),
     .default_text = "/etc/breakwater/bundles",
     .doc = "Folder of policy bundles (*.json, *.yaml, *.yml); watched. It may be missing where bundles come from "
            "ConfigMaps."},
    {.path = "bundles.configMaps",
     .kind = BW_KEY_CHOICE,
     OF_CONFIG(bundle_maps),
     .choices = kubernetes,
     .default_text = "auto",
     .doc =
         "Whether bundles are taken from ConfigMaps with the label breakwater.io/bundle as well (verbs get, list and "
         "watch). auto: when breakwater runs in a pod."},
    {.path = "bundles.namespaces",
     .kind = BW_KEY_TEXTS,
     OF_CONFIG(bundle_namespaces),
     COUNTED_BY(n_bundle_namespaces),
     .check = check_namespace,
     .example = "[team-a, team-b]",
     .doc = "Namespaces, besides breakwater's own, whose ConfigMaps hold bundles; \"*\": all. Whoever may write "
            "ConfigMaps there decides what these bundles say."},
    {.path = "bundles.default",
     .kind = BW_KEY_TEXT,
     OF_CONFIG(default_bundle),
     .example = "production",
     .doc = "Id of the bundle that applies; without it, that of the ConfigMap labelled breakwater.io/bundle=active, "
            "else the only one of the folder and breakwater's own namespace."},
    {.path = "noMappingMatch",
     .kind = BW_KEY_CHOICE,
     OF_CONFIG(no_mapping_match),
     .choices = no_mapping,
     .default_text = "warn",
     .doc = "An image that no mapping of the bundle matches."},

    {.path = "registry.hosts",
     .kind = BW_KEY_MAP,
     OF_CONFIG(registry.hosts),
     COUNTED_BY(registry.n_hosts),
     .members = &host_table,
     .element = "HOST",
     .doc = "Settings of single registries, by host[:port] as references have it."},
    {.path = "registry.credentialsFile",
     .kind = BW_KEY_TEXT,
     OF_CONFIG(credentials_file),
     .example = "/etc/breakwater/registry/config.json",
     .doc = "Credentials in the form of a docker config.json or a kubernetes.io/dockerconfigjson secret."},
    {.path = "registry.allowAddresses",
     .kind = BW_KEY_TEXTS,
     OF_CONFIG(allow_addresses),
     COUNTED_BY(n_allow_addresses),
     .check = check_network,
     .example = "[127.0.0.0/8]",
     .doc = "Networks that registries may be in although loopback, link-local, metadata and multicast addresses are "
            "refused."},
    {.path = "registry.tagTTL",
     .kind = BW_KEY_DURATION,
     OF_CONFIG(tag_ttl_ms),
     .default_text = "30s",
     .max = HOURS_MS(24),
     .doc = "How long a tag is believed to lead to the digest last seen; 0s: always ask."},
    {.path = "registry.tagStaleMax",
     .kind = BW_KEY_DURATION,
     OF_CONFIG(tag_stale_ms),
     .default_text = "1h",
     .max = HOURS_MS(24 * 30),
     .doc = "The same while the registry cannot be asked; 0s: never."},
    {.path = "registry.maxConnectionsPerHost",
     .kind = BW_KEY_COUNT,
     OF_CONFIG(registry.max_connections_per_host),
     .default_text = "6",
     .min = 1,
     .max = 64,
     .doc = "Transfers from one registry at a time."},
    {.path = "registry.retries",
     .kind = BW_KEY_COUNT,
     OF_CONFIG(registry.retries),
     .default_text = "4",
     .min = 1,
     .max = 10,
     .doc = "How often a request is tried that failed for a reason that may pass."},
    {.path = "negativeTTL",
     .kind = BW_KEY_DURATION,
     OF_CONFIG(negative_ttl_ms),
     .default_text = "15s",
     .max = HOURS_MS(1),
     .doc = "How long a failure is repeated without asking the registry again."},
    {.path = "authTTL",
     .kind = BW_KEY_DURATION,
     OF_CONFIG(auth_ttl_ms),
     .default_text = "5m",
     .max = HOURS_MS(24),
     .doc = "How long credentials that were shown to open a private repository count as shown."},

    {.path = "analysis.concurrency",
     .kind = BW_KEY_COUNT,
     OF_CONFIG(analyses),
     .default_text = "0",
     .max = 256,
     .doc = "Images analysed at a time; 0: one per core, at least two."},
    {.path = "analysis.queue",
     .kind = BW_KEY_COUNT,
     OF_CONFIG(analysis_queue),
     .default_text = "256",
     .min = 1,
     .max = 100000,
     .doc = "Images that may wait for analysis; more are answered by onError.overload."},
    {.path = "analysis.layersInFlight",
     .kind = BW_KEY_COUNT,
     OF_CONFIG(analyzer.layers_in_flight),
     .default_text = "0",
     .max = 64,
     .doc = "Layers of one image at a time, 24 MiB each; 0: one per core, at most four."},
    {.path = "analysis.secretSearch.maxFileSize",
     .kind = BW_KEY_SIZE,
     OF_CONFIG(analyzer.secret_max_bytes),
     .default_text = "10000",
     .max = BW_MAX_GATHERED_BYTES,
     .doc = "Larger files are not searched for secrets."},
    {.path = "analysis.secretSearch.patterns",
     .kind = BW_KEY_TEXTS,
     OF_CONFIG(analysis_needs.secret_patterns),
     COUNTED_BY(analysis_needs.n_secret_patterns),
     .default_list = bw_default_secret_patterns,
     .check = check_pattern,
     .doc = "What the secret_scans gate can find: NAME=REGEX in Python's syntax."},
    {.path = "analysis.contentSearch.patterns",
     .kind = BW_KEY_TEXTS,
     OF_CONFIG(analysis_needs.content_patterns),
     COUNTED_BY(analysis_needs.n_content_patterns),
     .check = check_content_pattern,
     .example = "[\"INTERNAL_HOST=corp\\\\.example\"]",
     .doc = "What the files gate's content_regex_match can find: NAME=REGEX or REGEX."},
    {.path = "analysis.retrieveFiles.maxFileSize",
     .kind = BW_KEY_SIZE,
     OF_CONFIG(analyzer.retrieved_max_bytes),
     .default_text = "1000KiB",
     .max = BW_MAX_GATHERED_BYTES,
     .doc = "Larger files are not kept for retrieved_files."},
    {.path = "analysis.retrieveFiles.paths",
     .kind = BW_KEY_TEXTS,
     OF_CONFIG(analysis_needs.retrieved_paths),
     COUNTED_BY(analysis_needs.n_retrieved_paths),
     .default_list = bw_default_retrieved_paths,
     .check = check_path,
     .doc = "Files whose content is kept; those that a bundle reads are kept besides."},
    {.path = "analysis.foreignLayers",
     .kind = BW_KEY_CHOICE,
     OF_CONFIG(analyzer.fetch_foreign_layers),
     .choices = foreign_layers,
     .default_text = "refuse",
     .doc = "Layers that the registry does not serve and that name other URLs."},
    {.path = "analysis.cpuLimit",
     .kind = BW_KEY_SECONDS,
     OF_CONFIG(analyzer.cpu_s),
     .default_text = "5m",
     .min = SECONDS_MS(1),
     .max = HOURS_MS(24),
     .doc = "Processor time that one image may take."},
    {.path = "analysis.wallLimit",
     .kind = BW_KEY_SECONDS,
     OF_CONFIG(analyzer.wall_s),
     .default_text = "15m",
     .min = SECONDS_MS(1),
     .max = HOURS_MS(24),
     .doc = "Time that one image may take."},
    {.path = "defaultPlatforms",
     .kind = BW_KEY_PLATFORMS,
     OF_CONFIG(default_platforms),
     COUNTED_BY(n_default_platforms),
     .example = "[linux/amd64, linux/arm64]",
     .doc = "Platforms of the nodes, for objects that do not say where they run. Without it every runnable image of an "
            "index is evaluated; the worst verdict counts either way."},

    {.path = "cache.dir",
     .kind = BW_KEY_TEXT,
     OF_CONFIG(cache_dir),
     .example = "/var/cache/breakwater",
     .doc = "Folder for analyses (SQLite); without it they are kept in memory alone."},
    {.path = "cache.memoryBytes",
     .kind = BW_KEY_SIZE,
     OF_CONFIG(cache_memory_bytes),
     .default_text = "32MiB",
     .min = BW_MIB,
     .max = 64 * BW_GIB,
     .doc = "Analyses kept in memory."},
    {.path = "cache.diskBytes",
     .kind = BW_KEY_SIZE,
     OF_CONFIG(cache_disk_bytes),
     .default_text = "2GiB",
     .min = 16 * BW_MIB,
     .max = 16384 * BW_GIB,
     .doc = "Analyses kept in cache.dir."},

    {.path = "log.level",
     .kind = BW_KEY_CHOICE,
     OF_CONFIG(log_level),
     .choices = levels,
     .default_text = "info",
     .doc = "One JSON object a line on standard error; every admission is one line at info."},
    {.path = "log.admits",
     .kind = BW_KEY_TEXT,
     OF_CONFIG(log_admits),
     .default_text = "all",
     .check = check_share,
     .doc = "Which admissions without a denial are logged: all, none, or 1/N for every N-th. Denials, break-glass and "
            "errors always are."},
};

const struct bw_key_table bw_config_table = {.keys = keys, .n_keys = BW_LENGTH(keys), .size = sizeof(struct bw_config)};
