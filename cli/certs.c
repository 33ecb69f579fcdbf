/* breakwater certs: a CA of its own and a serving certificate under it, as files or in a Secret with the webhook
 * configuration that trusts it. */
#include "base/certificate.h"
#include "base/deadline.h"
#include "base/limits.h"
#include "base/str.h"
#include "base/watch_dir.h"
#include "cli/account.h"
#include "cli/certs_webhook.h"
#include "webhook/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DAY_S = 86400, PAUSE_MS = 2000 };

/* "90d", plain days, or a Go duration like 12h; whole seconds. */
static int parse_time(int64_t *out, const struct bw_arguments *arguments, const char *option)
{
    const char *text = bw_argument(arguments, option);
    if (text == NULL) {
        return 0;
    }
    struct bw_str number = bw_str_from(text);
    uint64_t days = 0;
    int64_t ms = 0;
    number.len -= bw_str_ends_with(number, "d");
    if (bw_str_uint(&days, number, 10, 36500) == 0) {
        ms = (int64_t)days * DAY_S * 1000;
    } else if (bw_duration_parse(&ms, text, strlen(text)) != 0) {
        ms = 0;
    }
    if (ms < 1000) {
        return bw_trouble(arguments, "--%s %s: a time like 365d, 12h or 5m", option, text);
    }
    *out = ms / 1000;
    return 0;
}

struct output {
    const char *name, *text;
    unsigned mode;
};

static int write_all(const struct bw_arguments *arguments, const char *folder, const struct output *files, size_t n)
{
    bool force = bw_argument(arguments, "force") != NULL;
    struct bw_error err = {0};
    char path[4096];
    if (mkdir(folder, 0755) != 0 && errno != EEXIST) {
        return bw_trouble(arguments, "%s: %s", folder, strerror(errno));
    }
    for (int writing = 0; writing <= 1; writing++) {
        for (size_t i = 0; i < n; i++) {
            int length = snprintf(path, sizeof(path), "%s/%s", folder, files[i].name);
            if (length < 0 || (size_t)length >= sizeof(path)) {
                return bw_trouble(arguments, "the folder's name is too long");
            }
            if (writing == 0 && !force && access(path, F_OK) == 0) {
                return bw_trouble(arguments, "%s is there already; --force replaces it", path);
            }
            if (writing == 1 && bw_file_write(path, files[i].text, strlen(files[i].text), files[i].mode, &err) != 0) {
                return bw_trouble(arguments, "%s", err.message);
            }
        }
    }
    return BW_EXIT_OK;
}

/* ---- files ---- */

static int make_files(const struct bw_arguments *arguments, const char *folder, int64_t lifetime_s,
                      int64_t ca_lifetime_s)
{
    const char *const *names = NULL, *const *addresses = NULL;
    size_t n_names = bw_argument_all(arguments, "dns", &names);
    size_t n_addresses = bw_argument_all(arguments, "ip", &addresses);
    if (n_names + n_addresses == 0) {
        return bw_trouble(arguments, "with --out DIR at least one --dns NAME or --ip ADDRESS is needed");
    }
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 4 * BW_MIB);
    const char *dns[BW_MAX_REPEATS + 1] = {NULL}, *ips[BW_MAX_REPEATS + 1] = {NULL};
    memcpy(dns, names, n_names * sizeof(*dns));
    memcpy(ips, addresses, n_addresses * sizeof(*ips));
    struct bw_certificate_request ca = {.common_name = "breakwater CA", .lifetime_s = ca_lifetime_s};
    struct bw_certificate_request leaf = {
        .common_name = n_names > 0 ? dns[0] : ips[0], .dns_names = dns, .addresses = ips, .lifetime_s = lifetime_s};
    const char *ca_certificate = NULL, *ca_key = NULL, *certificate = NULL, *key = NULL;
    struct bw_error err = {0};
    if (bw_certificate_make_ca(&ca_certificate, &ca_key, &ca, &arena, &err) != 0 ||
        bw_certificate_make_leaf(&certificate, &key, &leaf, ca_certificate, ca_key, &arena, &err) != 0) {
        return bw_trouble(arguments, "%s", err.message);
    }
    const struct output files[] = {{"ca.key", ca_key, 0600},
                                   {"ca.crt", ca_certificate, 0644},
                                   {"tls.key", key, 0600},
                                   {"tls.crt", certificate, 0644}};
    int status = write_all(arguments, folder, files, BW_LENGTH(files));
    if (status == BW_EXIT_OK) {
        char until[32];
        bw_time_format(until, bw_wall_s() + lifetime_s);
        printf("wrote ca.crt, ca.key, tls.crt, tls.key to %s; the serving certificate is valid until %s\n", folder,
               until);
    }
    return status;
}

/* ---- a Secret, and the webhook configuration ---- */

static void say_step(void *payload, enum bw_rotation_step step)
{
    const struct bw_certs *certs = payload;
    printf("secret %s in namespace %s: %s\n", certs->names.secret, certs->names.namespace, bw_certs_step_text(step));
}

/* Until an endpoint answers, if failurePolicy is to be set then. */
static int keep_secret(const struct bw_certs *certs, int64_t timeout_s, struct bw_error *err)
{
    struct bw_deadline deadline = bw_deadline_in_ms(timeout_s * 1000);
    const struct timespec pause = {.tv_sec = PAUSE_MS / 1000};
    for (;;) {
        int64_t until_s = 0;
        int status = bw_certs_pass(&until_s, certs, NULL, err);
        if (status == 0 && certs->configuration != NULL) {
            status = bw_certs_webhook_enforce(certs, err);
        }
        if (status == 0 || err->code == BW_EDENIED || bw_deadline_left_ms(deadline) < PAUSE_MS) {
            return status;
        }
        (void)nanosleep(&pause, NULL);
    }
}

static int make_secret(const struct bw_arguments *arguments, const char *secret, int64_t lifetime_s,
                       int64_t ca_lifetime_s)
{
    struct bw_error err = {0};
    struct bw_certs certs = {
        .configuration = bw_argument(arguments, "webhook"),
        .names = {.service = bw_argument(arguments, "service"),
                  .cluster_domain = bw_argument(arguments, "cluster-domain")},
        .settings = bw_rotation_defaults,
        .stepped = say_step,
        .payload = &certs,
    };
    char namespace[64];
    int64_t timeout_s = 5 * 60;
    certs.settings.leaf_lifetime_s = lifetime_s;
    certs.settings.ca_lifetime_s = ca_lifetime_s;
    if (parse_time(&timeout_s, arguments, "timeout") != 0) {
        return BW_EXIT_TROUBLE;
    }
    if (certs.names.service == NULL) {
        return bw_trouble(arguments, "with --secret the Service is needed that the certificate is for: --service NAME");
    }
    if (certs.names.cluster_domain == NULL) {
        certs.names.cluster_domain = "cluster.local";
    }
    int status = bw_account_open(&certs.kube, arguments, &err);
    if (status == 0) {
        certs.names.namespace = namespace;
        status = bw_object_name(&certs.names.secret, namespace, sizeof(namespace), secret, certs.kube, &err);
    }
    if (status == 0) {
        status = keep_secret(&certs, timeout_s, &err);
    }
    bw_kube_client_destroy(certs.kube);
    return status == 0 ? BW_EXIT_OK : bw_trouble(arguments, "%s", err.message);
}

static int run(const struct bw_arguments *arguments)
{
    const char *folder = bw_argument(arguments, "out"), *secret = bw_argument(arguments, "secret");
    if ((folder == NULL) == (secret == NULL) || arguments->n_operands > 0) {
        return bw_trouble(arguments, "either --out DIR or --secret [NAMESPACE/]NAME is needed");
    }
    int64_t lifetime_s = folder != NULL ? 365 * DAY_S : bw_rotation_defaults.leaf_lifetime_s;
    int64_t ca_lifetime_s = folder != NULL ? 3650 * DAY_S : bw_rotation_defaults.ca_lifetime_s;
    if (parse_time(&lifetime_s, arguments, "lifetime") != 0 ||
        parse_time(&ca_lifetime_s, arguments, "ca-lifetime") != 0) {
        return BW_EXIT_TROUBLE;
    }
    return folder != NULL ? make_files(arguments, folder, lifetime_s, ca_lifetime_s)
                          : make_secret(arguments, secret, lifetime_s, ca_lifetime_s);
}

static const struct bw_option options[] = {
    {"out", "DIR", "Files: the folder to write to; it is made if it is not there.", false},
    {"dns", "NAME",
     "With --out: a name that the certificate is for, such as breakwater.breakwater.svc. May be given several times.",
     true},
    {"ip", "ADDRESS", "With --out: an address that the certificate is for. May be given several times.", true},
    {"force", NULL, "With --out: replace files that are there already.", false},
    {"secret", "[NAMESPACE/]NAME",
     "A Secret: made when it is not there, renewed when its certificates are due. Without a namespace that of the "
     "ServiceAccount or context.",
     false},
    {"service", "NAME", "With --secret: the Service that the certificate is for.", false},
    {"cluster-domain", "DOMAIN", "With --secret: the cluster's DNS domain. Default cluster.local.", false},
    {"webhook", "NAME",
     "With --secret: the ValidatingWebhookConfiguration whose entries get the CA as caBundle. If it has the annotation "
     "breakwater.io/failure-policy, that becomes the failurePolicy of pods.breakwater.io as soon as the Service "
     "answers.",
     false},
    {"timeout", "TIME", "With --webhook: how long to wait for the Service's answer. Default 5m.", false},
    {"lifetime", "TIME", "How long the serving certificate is valid: 365d, 12h. Default 365d; with --secret 90d.",
     false},
    {"ca-lifetime", "TIME", "How long the CA is valid. Default ten years; with --secret five.", false},
    BW_ACCOUNT_OPTIONS,
    {0},
};

const struct bw_command bw_command_certs = {
    .name = "certs",
    .summary = "make a CA and a serving certificate",
    .synopsis = "breakwater certs --out DIR --dns NAME... [--ip ADDRESS...] [OPTION...]\n"
                "breakwater certs --secret [NAMESPACE/]NAME --service NAME [--webhook NAME] [OPTION...]",
    .description =
        "Makes a certificate authority and a serving certificate signed by it (ECDSA P-256). With --out it writes "
        "ca.crt, ca.key, tls.crt and tls.key to a folder, the keys readable by the owner only. ca.crt, in base64, is "
        "the caBundle of the webhook configuration; tls.crt and tls.key are what `breakwater serve` needs."
        "\n\nWith --secret it keeps the same four in a Secret, as often as it is called: what is "
        "valid stays, what is due is renewed. While breakwater serves with certs.mode: selfSigned its leader does the "
        "same; the command is for before and right after an installation, and when nobody leads.",
    .options = options,
    .exit_status = "0, or 2 if nothing, or not everything, could be written, or the Service did not answer in time.",
    .examples = "  breakwater certs --out certs --dns breakwater.breakwater.svc --ip 127.0.0.1\n"
                "  breakwater certs --secret breakwater/breakwater-tls --service breakwater --webhook breakwater",
    .run = run,
};
