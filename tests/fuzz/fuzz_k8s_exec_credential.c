/* What a program that gives credentials wrote: a token or a whole pair, or an error. */
#include "k8s/exec_credential.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bw_exec_credential given = {0};
    struct bw_error err = {0};
    int status = bw_exec_credential_parse(&given, (const char *)data, size, "client.authentication.k8s.io/v1", &err);
    bool something = given.token != NULL || given.certificate != NULL;
    if ((status == 0) != something || (status != 0 && err.code == BW_OK) ||
        (given.certificate == NULL) != (given.key == NULL)) {
        abort();
    }
    bw_exec_credential_clear(&given);
    return 0;
}
