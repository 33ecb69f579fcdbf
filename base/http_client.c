/*
 * What outlives a single HTTP request: settings, idle connections, names, TLS sessions, trust. A pair of easy and multi
 * handle is used by one thread at a time, so the connection cache needs no lock; libcurl's share has ours.
 */
#include "base/buf.h"
#include "base/http_internal.h"
#include "base/limits.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_IDLE = 32, MAX_IDLE_MS = 90000, CONNECTIONS_OF_A_PAIR = 2 };

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static bool curl_ready;

static void start_curl(void)
{
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

static void lock_share(CURL *easy, curl_lock_data data, curl_lock_access access, void *opaque)
{
    (void)easy;
    (void)access;
    struct bw_http_client *client = opaque;
    (void)pthread_mutex_lock(&client->share_locks[data]);
}

static void unlock_share(CURL *easy, curl_lock_data data, void *opaque)
{
    (void)easy;
    struct bw_http_client *client = opaque;
    (void)pthread_mutex_unlock(&client->share_locks[data]);
}

static const char *system_bundle_path(void)
{
    return curl_version_info(CURLVERSION_NOW)->cainfo;
}

/* "4042bcee.0": the first name that c_rehash made. */
static bool is_hashed_folder(const char *path)
{
    DIR *folder = path == NULL ? NULL : opendir(path);
    bool hashed = false;
    for (const struct dirent *entry; folder != NULL && !hashed && (entry = readdir(folder)) != NULL;) {
        hashed = strspn(entry->d_name, "0123456789abcdef") == 8 && strcmp(entry->d_name + 8, ".0") == 0;
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return hashed;
}

static long or_default(int value, long otherwise)
{
    return value == 0 ? otherwise : value;
}

int bw_http_client_create(struct bw_http_client **out, const struct bw_http_client_options *options,
                          struct bw_error *err)
{
    (void)pthread_once(&curl_once, start_curl);
    if (!curl_ready) {
        return bw_error_set(err, BW_EINTERNAL, "libcurl does not start");
    }
    struct bw_http_client *client = bw_memory_zeroed(1, sizeof(*client));
    client->allow = bw_memory_zeroed(options->n_allow_addresses, sizeof(*client->allow));
    for (size_t i = 0; i < options->n_allow_addresses; i++) {
        if (bw_address_block_parse(&client->allow[i], options->allow_addresses[i], err) != 0) {
            free(client->allow);
            free(client);
            return bw_error_wrap(err, "allowed addresses");
        }
    }
    client->n_allow = options->n_allow_addresses;
    const char *agent = options->user_agent == NULL ? "breakwater" : options->user_agent;
    client->user_agent = bw_memory_strndup(agent, strlen(agent));
    client->connect_timeout_ms = or_default(options->connect_timeout_ms, 5000);
    client->low_speed_bytes_per_s = or_default(options->low_speed_bytes_per_s, 64 * (long)BW_KIB);
    client->low_speed_s = or_default(options->low_speed_s, 60);
    if (client->low_speed_bytes_per_s < 0) {
        client->low_speed_bytes_per_s = 0;
    }
    client->http1 = options->http1;
    bw_http_proxies_read(&client->proxies);
    client->system_folder = is_hashed_folder(curl_version_info(CURLVERSION_NOW)->capath);
    client->system_bundle = system_bundle_path() != NULL && access(system_bundle_path(), R_OK) == 0;
    (void)pthread_mutex_init(&client->lock, NULL);
    for (size_t i = 0; i < BW_LENGTH(client->share_locks); i++) {
        (void)pthread_mutex_init(&client->share_locks[i], NULL);
    }
    client->share = curl_share_init();
    if (client->share == NULL || curl_share_setopt(client->share, CURLSHOPT_LOCKFUNC, lock_share) != CURLSHE_OK ||
        curl_share_setopt(client->share, CURLSHOPT_UNLOCKFUNC, unlock_share) != CURLSHE_OK ||
        curl_share_setopt(client->share, CURLSHOPT_USERDATA, client) != CURLSHE_OK ||
        curl_share_setopt(client->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) != CURLSHE_OK ||
        curl_share_setopt(client->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK) {
        bw_http_client_destroy(client);
        return bw_error_set(err, BW_EINTERNAL, "libcurl cannot share names and TLS sessions");
    }
    *out = client;
    return 0;
}

static void destroy_pairs(struct bw_http_pair *pair)
{
    while (pair != NULL) {
        struct bw_http_pair *next = pair->next;
        curl_easy_cleanup(pair->easy);
        (void)curl_multi_cleanup(pair->multi);
        free(pair);
        pair = next;
    }
}

void bw_http_client_destroy(struct bw_http_client *client)
{
    if (client == NULL) {
        return;
    }
    destroy_pairs(client->idle);
    while (client->trusts != NULL) {
        struct bw_http_trust *trust = client->trusts;
        client->trusts = trust->next;
        free(trust->path);
        free(trust->text);
        free(trust);
    }
    if (client->share != NULL) {
        (void)curl_share_cleanup(client->share);
    }
    for (size_t i = 0; i < BW_LENGTH(client->share_locks); i++) {
        (void)pthread_mutex_destroy(&client->share_locks[i]);
    }
    (void)pthread_mutex_destroy(&client->lock);
    bw_http_proxies_clear(&client->proxies);
    free(client->user_agent);
    free(client->allow);
    free(client);
}

bool bw_http_address_allowed(const struct bw_http_client *client, const char *address)
{
    uint8_t bytes[16];
    return bw_address_parse(bytes, address) && bw_address_allowed(bytes, client->allow, client->n_allow);
}

struct bw_http_pair *bw_http_pair_take(struct bw_http_client *client, const char *peer)
{
    struct bw_http_pair *pair = NULL;
    (void)pthread_mutex_lock(&client->lock);
    for (struct bw_http_pair **at = &client->idle; *at != NULL; at = &(*at)->next) {
        if (strcmp((*at)->peer, peer) == 0) {
            pair = *at;
            *at = pair->next;
            client->n_idle--;
            break;
        }
    }
    (void)pthread_mutex_unlock(&client->lock);
    if (pair == NULL) {
        pair = bw_memory_zeroed(1, sizeof(*pair));
        pair->easy = curl_easy_init();
        pair->multi = curl_multi_init();
        if (pair->easy == NULL || pair->multi == NULL) {
            abort();
        }
        (void)curl_multi_setopt(pair->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_OF_A_PAIR);
    }
    pair->next = NULL;
    (void)snprintf(pair->peer, sizeof(pair->peer), "%s", peer);
    return pair;
}

/* The newest stands in front; what is too old or one too many is cut off behind. */
void bw_http_pair_give(struct bw_http_client *client, struct bw_http_pair *pair)
{
    struct bw_http_pair *cut = NULL;
    curl_easy_reset(pair->easy);
    pair->idle_since_ms = bw_monotonic_ms();
    (void)pthread_mutex_lock(&client->lock);
    pair->next = client->idle;
    client->idle = pair;
    size_t n = 1;
    for (struct bw_http_pair *one = pair; one != NULL; one = one->next, n++) {
        if (one->next != NULL && (n == MAX_IDLE || one->next->idle_since_ms < pair->idle_since_ms - MAX_IDLE_MS)) {
            cut = one->next;
            one->next = NULL;
            break;
        }
    }
    client->n_idle = n;
    (void)pthread_mutex_unlock(&client->lock);
    destroy_pairs(cut);
}

/* Appends the file; -1 with errno where it cannot be read. */
static int append_file(struct bw_buf *text, const char *path, struct timespec *modified_out)
{
    char chunk[16 * 1024];
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    ssize_t got = fstat(fd, &st);
    if (got == 0) {
        *modified_out = st.st_mtim;
        while ((got = read(fd, chunk, sizeof(chunk))) > 0) {
            bw_buf_append(text, chunk, (size_t)got);
        }
    }
    int why = errno;
    (void)close(fd);
    errno = why;
    return got < 0 ? -1 : 0;
}

/* Under the lock. */
static int load_trust(struct bw_http_trust *trust, bool with_bundle, struct bw_error *err)
{
    BW_BUF_SCOPE text;
    struct timespec ignored;
    bw_buf_init(&text, BW_MAX_TRUST_BYTES);
    if (append_file(&text, trust->path, &trust->modified) != 0) {
        return bw_error_set(err, BW_EUNAVAILABLE, "CA file %s: %s", trust->path, strerror(errno));
    }
    if (text.len == 0 || strstr(text.data, "-----BEGIN CERTIFICATE-----") == NULL) {
        return bw_error_set(err, BW_EINPUT, "CA file %s holds no PEM certificate", trust->path);
    }
    bw_buf_puts(&text, "\n");
    if (with_bundle) {
        /* an image without the system's CAs trusts the file alone */
        (void)append_file(&text, system_bundle_path(), &ignored);
    }
    if (bw_buf_check(&text, trust->path, err) != 0) {
        return -1;
    }
    free(trust->text);
    trust->text = bw_buf_take(&text, &trust->len);
    return 0;
}

/* The text for this file, read again when the file changed. */
static struct bw_http_trust *find_trust(struct bw_http_client *client, const char *path, struct bw_error *err)
{
    struct stat st;
    struct bw_http_trust *trust = client->trusts;
    while (trust != NULL && strcmp(trust->path, path) != 0) {
        trust = trust->next;
    }
    if (trust == NULL) {
        trust = bw_memory_zeroed(1, sizeof(*trust));
        trust->path = bw_memory_strndup(path, strlen(path));
        trust->next = client->trusts;
        client->trusts = trust;
    }
    if (stat(path, &st) != 0) {
        (void)bw_error_set(err, BW_EUNAVAILABLE, "CA file %s: %s", path, strerror(errno));
        return NULL;
    }
    bool fresh = trust->text != NULL && st.st_mtim.tv_sec == trust->modified.tv_sec &&
                 st.st_mtim.tv_nsec == trust->modified.tv_nsec;
    return fresh || load_trust(trust, !client->system_folder && client->system_bundle, err) == 0 ? trust : NULL;
}

static CURLcode set_pem(CURL *easy, CURLoption option, const char *pem)
{
    struct curl_blob blob = {.data = (void *)(uintptr_t)pem, .len = strlen(pem), .flags = CURL_BLOB_COPY};
    return curl_easy_setopt(easy, option, &blob);
}

/* Who we are: a client certificate with its key. */
static int identity_apply(CURL *easy, const struct bw_http_request *request, struct bw_error *err)
{
    if (request->client_certificate == NULL) {
        return 0;
    }
    if (set_pem(easy, CURLOPT_SSLCERT_BLOB, request->client_certificate) != CURLE_OK || request->client_key == NULL ||
        set_pem(easy, CURLOPT_SSLKEY_BLOB, request->client_key) != CURLE_OK) {
        return bw_error_set(err, BW_EINTERNAL, "libcurl does not take the client certificate");
    }
    return 0;
}

int bw_http_trust_apply(struct bw_http_client *client, CURL *easy, const struct bw_http_request *request,
                        struct bw_error *err)
{
    (void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (identity_apply(easy, request, err) != 0) {
        return -1;
    }
    if (request->insecure_skip_verify) {
        (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
        return 0;
    }
    if (request->ca_pem != NULL) {
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
        (void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        CURLcode code = set_pem(easy, CURLOPT_CAINFO_BLOB, request->ca_pem);
        return code == CURLE_OK ? 0 : bw_error_set(err, BW_EINTERNAL, "CA: %s", curl_easy_strerror(code));
    }
    /* either of the two alone: with a folder set beside it, libcurl would parse the bundle for each connection */
    if (client->system_folder) {
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    } else {
        (void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    if (request->ca_file == NULL) {
        return 0;
    }
    (void)pthread_mutex_lock(&client->lock);
    struct bw_http_trust *trust = find_trust(client, request->ca_file, err);
    CURLcode code = CURLE_OK;
    if (trust != NULL) {
        struct curl_blob blob = {.data = trust->text, .len = trust->len, .flags = CURL_BLOB_COPY};
        code = curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    }
    (void)pthread_mutex_unlock(&client->lock);
    if (code != CURLE_OK) {
        return bw_error_set(err, BW_EINTERNAL, "CA file %s: %s", request->ca_file, curl_easy_strerror(code));
    }
    return trust == NULL ? -1 : 0;
}
