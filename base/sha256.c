/* Digests over libcrypto (base/sha256.h). The methods are fetched once: a fetch by name costs more than hashing a short
 * text. */
#include "base/sha256.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

struct bw_hash {
    enum bw_hash_kind kind;
    EVP_MD_CTX *context;
};

static const char *const method_names[] = {
    [BW_SHA256] = "SHA256", [BW_SHA512] = "SHA512", [BW_SHA1] = "SHA1", [BW_MD5] = "MD5"};
static EVP_MD *methods[BW_LENGTH(method_names)];
static pthread_once_t methods_once = PTHREAD_ONCE_INIT;

static void methods_fetch(void)
{
    for (size_t i = 0; i < BW_LENGTH(methods); i++)
        methods[i] = EVP_MD_fetch(NULL, method_names[i], NULL);
}

/* A wrong digest would pass for content, so a library that cannot hash ends the process. */
static void must(int done)
{
    if (done != 1)
        abort();
}

struct bw_hash *bw_hash_create(enum bw_hash_kind kind)
{
    pthread_once(&methods_once, methods_fetch);
    must(methods[kind] != NULL);
    struct bw_hash *hash = bw_memory_zeroed(1, sizeof(*hash));
    hash->kind = kind;
    hash->context = EVP_MD_CTX_new();
    must(hash->context != NULL);
    bw_hash_begin(hash);
    return hash;
}

void bw_hash_destroy(struct bw_hash *hash)
{
    if (!hash)
        return;
    EVP_MD_CTX_free(hash->context);
    free(hash);
}

void bw_hash_begin(struct bw_hash *hash)
{
    must(EVP_DigestInit_ex2(hash->context, methods[hash->kind], NULL));
}

void bw_hash_update(struct bw_hash *hash, const void *bytes, size_t len)
{
    if (len)
        must(EVP_DigestUpdate(hash->context, bytes, len));
}

size_t bw_hash_finish(struct bw_hash *hash, uint8_t *out)
{
    unsigned len = 0;
    must(EVP_DigestFinal_ex(hash->context, out, &len));
    return len;
}

void bw_hash_hex(char *out, enum bw_hash_kind kind, const void *bytes, size_t len)
{
    uint8_t digest[BW_HASH_MAX];
    unsigned n = 0;
    pthread_once(&methods_once, methods_fetch);
    must(methods[kind] != NULL);
    must(EVP_Digest(len ? bytes : "", len, digest, &n, methods[kind], NULL));
    bw_hex_encode(out, digest, n);
}
