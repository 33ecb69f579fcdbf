/* Image pull secrets: written by whoever may create Secrets in a namespace. Errors quote nothing of them. */
#include "base/limits.h"
#include "image/registry/credentials.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct bw_reference images[] = {
        {.registry = "docker.io", .repository = "library/nginx"},
        {.registry = "registry.example:5000", .repository = "team/app"},
        {.registry = "[::1]:5000", .repository = "a"},
    };
    char first[65], second[65];
    const struct bw_credential *found[4];
    struct bw_credentials *credentials = bw_credentials_create();
    struct bw_error err = {0};
    if (bw_credentials_add(credentials, (const char *)data, size, &err) == 0) {
        struct bw_credentials *copy = bw_credentials_join(credentials, NULL);
        for (size_t i = 0; i < BW_LENGTH(images); i++) {
            size_t n = bw_credentials_find(found, BW_LENGTH(found), credentials, &images[i]);
            if (n != bw_credentials_find(found, BW_LENGTH(found), copy, &images[i])) {
                abort();
            }
        }
        bw_credentials_identity(first, credentials);
        bw_credentials_identity(second, copy);
        if (strcmp(first, second) != 0) {
            abort();
        }
        bw_credentials_destroy(copy);
    } else if (err.message[0] == '\0') {
        abort();
    }
    bw_credentials_destroy(credentials);
    return 0;
}
