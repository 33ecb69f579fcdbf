/* breakwater version: what this program is made of. */
#include "cli/command.h"
#include "image/report.h"

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <stdio.h>

static int run(const struct bw_arguments *arguments)
{
    (void)arguments;
    printf("breakwater %s\nanalysis %s revision %d\n%s, %s\n", BREAKWATER_VERSION, BW_REPORT_SCHEMA, BW_REPORT_REVISION,
           OpenSSL_version(OPENSSL_VERSION), curl_version());
    return BW_EXIT_OK;
}

static const struct bw_option options[] = {{0}};

const struct bw_command bw_command_version = {
    .name = "version",
    .summary = "print the version",
    .synopsis = "breakwater version",
    .description =
        "Prints the version of the program, the schema and revision of the analyses that it makes, and the versions "
        "of the libraries that it runs with.",
    .options = options,
    .exit_status = "0",
    .examples = "  breakwater version",
    .run = run,
};
