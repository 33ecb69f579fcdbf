/* breakwater certs: a CA of its own and a serving certificate under it, for a webhook configuration's caBundle. */
#include "base/certificate.h"
#include "base/deadline.h"
#include "base/limits.h"
#include "base/str.h"
#include "base/watch_dir.h"
#include "cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CA_YEARS = 10 };

/* "90d", "12h" or plain days. */
static int parse_lifetime(int64_t *out, const char *text)
{
    struct bw_str number = bw_str_from(text);
    int64_t unit = 86400;
    uint64_t value = 0;
    if (bw_str_ends_with(number, "d")) {
        number.len--;
    } else if (bw_str_ends_with(number, "h") || bw_str_ends_with(number, "m")) {
        unit = text[number.len - 1] == 'h' ? 3600 : 60;
        number.len--;
    }
    if (bw_str_uint(&value, number, 10, 36500) != 0 || value == 0) {
        return -1;
    }
    *out = (int64_t)value * unit;
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

static int run(const struct bw_arguments *arguments)
{
    const char *const *names = NULL, *const *addresses = NULL;
    const char *folder = bw_argument(arguments, "out"), *lifetime = bw_argument(arguments, "lifetime");
    size_t n_names = bw_argument_all(arguments, "dns", &names);
    size_t n_addresses = bw_argument_all(arguments, "ip", &addresses);
    int64_t seconds = 365 * 86400;
    if (folder == NULL || n_names + n_addresses == 0 || arguments->n_operands > 0) {
        return bw_trouble(arguments, "--out DIR and at least one --dns NAME or --ip ADDRESS are needed");
    }
    if (lifetime != NULL && parse_lifetime(&seconds, lifetime) != 0) {
        return bw_trouble(arguments, "--lifetime %s: a number with d, h or m, as in 365d", lifetime);
    }
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 4 * BW_MIB);
    const char *dns[BW_MAX_REPEATS + 1] = {NULL}, *ips[BW_MAX_REPEATS + 1] = {NULL};
    memcpy(dns, names, n_names * sizeof(*dns));
    memcpy(ips, addresses, n_addresses * sizeof(*ips));
    struct bw_certificate_request ca = {.common_name = "breakwater CA", .lifetime_s = (int64_t)CA_YEARS * 365 * 86400};
    struct bw_certificate_request leaf = {
        .common_name = n_names > 0 ? dns[0] : ips[0], .dns_names = dns, .addresses = ips, .lifetime_s = seconds};
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
        bw_time_format(until, bw_wall_s() + seconds);
        printf("wrote ca.crt, ca.key, tls.crt, tls.key to %s; the serving certificate is valid until %s\n", folder,
               until);
    }
    return status;
}

static const struct bw_option options[] = {
    {"out", "DIR", "The folder to write to; it is made if it is not there.", false},
    {"dns", "NAME",
     "A name that the certificate is for, such as breakwater.breakwater.svc. May be given several times.", true},
    {"ip", "ADDRESS", "An address that the certificate is for. May be given several times.", true},
    {"lifetime", "TIME",
     "How long the serving certificate is valid: a number with d, h or m. Default 365d. The CA: ten years.", false},
    {"force", NULL, "Replace files that are there already.", false},
    {0},
};

const struct bw_command bw_command_certs = {
    .name = "certs",
    .summary = "make a CA and a serving certificate",
    .synopsis = "breakwater certs --out DIR --dns NAME... [--ip ADDRESS...] [--lifetime TIME] [--force]",
    .description =
        "Makes a certificate authority and a serving certificate signed by it (ECDSA P-256) and writes ca.crt, ca.key, "
        "tls.crt and tls.key, the keys readable by the owner only. ca.crt, in base64, is the caBundle of the webhook "
        "configuration; tls.crt and tls.key are what `breakwater serve` needs.",
    .options = options,
    .exit_status = "0, or 2 if nothing, or not everything, could be written.",
    .examples = "  breakwater certs --out certs --dns breakwater.breakwater.svc --ip 127.0.0.1",
    .run = run,
};
