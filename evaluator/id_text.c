/* Texts of Anchore Engine 1.1 that enter trigger ids. They are data that users' whitelists depend on, misspellings
 * included: every row is checked against the recorded decisions (tests/data/golden). See NOTICE. */
#include "evaluator/id_text.h"

#include <string.h>

static const char *const texts[BW_ID_TEXT_COUNT] = {
    [BW_ID_ALWAYS] = "Unconditional trigger match",
    [BW_ID_DOCKERFILE_INSTRUCTION] = "Dockerfile directive '{0}' check '{1}' matched against '{2}' for line '{3}'",
    [BW_ID_DOCKERFILE_NO_INSTRUCTION] = "Dockerfile directive '{0}' not found, matching condition '{1}' check",
    [BW_ID_DOCKERFILE_USER_REFUSED] = "User {0} found as effective user, which is explicity not allowed",
    [BW_ID_DOCKERFILE_USER_NOT_ALLOWED] = "User {0} found as effective user, which is not on the allowed list",
    [BW_ID_DOCKERFILE_PORT_REFUSED] = "Dockerfile exposes port ({0}) which is in policy file DENIEDPORTS list",
    [BW_ID_DOCKERFILE_PORT_NOT_ALLOWED] = "Dockerfile exposes port ({0}) which is not in policy file ALLOWEDPORTS list",
    [BW_ID_DOCKERFILE_NOT_PROVIDED] = "Image was not analyzed with an actual Dockerfile",
    [BW_ID_FILES_CONTENT] = "File content analyzer found regexp match in container: file={0} regexp={1}",
    [BW_ID_FILES_NAME] = "Application of regex matched file found in container: file={0} regexp={1}",
    [BW_ID_FILES_ATTRIBUTE] = "filename={0}{1}{2}",
    [BW_ID_FILES_CHECKSUM] = " and checksum={0} op={1} specified_checksum={2}",
    [BW_ID_FILES_MODE] = " and mode={0} op={1} specified_mode={2}",
    [BW_ID_FILES_MISSING] = "filename={0} and skip_missing=False",
    [BW_ID_FILES_SUID] = "SUID or SGID found set on file {0}. Mode: {1}",
    [BW_ID_LICENSES_EXACT] = "LICFULLMATCH Packages are installed that have blacklisted licenses: {0}",
    [BW_ID_LICENSES_PARTIAL] = "LICSUBMATCH Packages are installed that have blacklisted licenses: {0}",
    [BW_ID_MALWARE_FOUND] = "Malware scan finding: scanner={0} file={1} signature={2}",
    [BW_ID_MALWARE_NOT_RUN] = "No malware scans found for image",
    [BW_ID_METADATA] =
        "Attribute check for attribute: '{0}' check: '{1}' check_value: '{2}' matched image value: '{3}'",
    [BW_ID_NPMS_NEWER] = "NPMNOTLATEST Package ({0}) version ({1}) installed but is not the latest version ({2})",
    [BW_ID_NPMS_UNKNOWN] = "NPMNOTOFFICIAL Package ({0}) in container but not in official NPM feed.",
    [BW_ID_NPMS_VERSION] = "NPMBADVERSION Package ({0}) version ({1}) installed but version is not in the official "
                           "feed for this package ({2})",
    [BW_ID_NPMS_BLACKLISTED] = "NPM Package is blacklisted: {0}",
    [BW_ID_NPMS_NO_FEED] =
        "NPM packages are present but the anchore npm feed is not available - will be unable to perform "
        "checks that require feed data",
    [BW_ID_GEMS_NEWER] = "Package ({0}) version ({1}) installed but is not the latest version ({2})",
    [BW_ID_GEMS_UNKNOWN] = "GEMNOTOFFICIAL Package ({0}) in container but not in official GEM feed.",
    [BW_ID_GEMS_VERSION] = "GEMBADVERSION Package ({0}) version ({1}) installed but version is not in the official "
                           "feed for this package ({2})",
    [BW_ID_GEMS_BLACKLISTED] = "Gem Package is blacklisted: {0}",
    [BW_ID_GEMS_NO_FEED] =
        "Gem packages are present but the anchore gem feed is not available - will be unable to perform "
        "checks that require feed data",
    [BW_ID_PACKAGES_BLACKLISTED] = "Package is blacklisted: {0}",
    [BW_ID_PACKAGES_ABSENT] = "Required input package ({0}) is not present in container image",
    [BW_ID_PACKAGES_OTHER] =
        "Required input package ({0}) is present ({1}), but not at the version specified in policy ({0})",
    [BW_ID_PACKAGES_LOWER] = "Required min-version input package ({0}) is present ({1}), but is lower version than "
                             "what is specified in policy ({2})",
    [BW_ID_PACKAGES_VERIFY] =
        "VERIFY check against package db for package '{0}' failed on entry '{1}' with status: '{2}'",
    [BW_ID_PASSWD_NONE] = "Cannot locate /etc/passwd in image stored files archive: check analyzer settings.",
    [BW_ID_PASSWD_ENTRY] = "Blacklisted {0} '{1}' found in image's /etc/passwd: pentry={2}",
    [BW_ID_RETRIEVED_NONE] = "Cannot locate file in the image analysis",
    [BW_ID_RETRIEVED_CONTENT] = "Content regex '{0}' check '{1}' found in retrieved file '{2}'",
    [BW_ID_SECRETS_FOUND] = "Secret content search analyzer found regexp match in container: file={0} regexp={1}",
    [BW_ID_SECRETS_NOT_FOUND] =
        "Secret content search analyzer did not find regexp match in container: filename_regex={0} "
        "content_regex_name={1}",
    [BW_ID_VULNERABILITIES_LISTED] = "Blacklisted vulnerabilities detected: {0}",
    [BW_ID_VULNERABILITIES_STALE] = "The vulnerability feed for this image distro is older than MAXAGE ({0}) days",
    [BW_ID_VULNERABILITIES_UNAVAILABLE] =
        "Distro-specific feed data not found for distro namespace: {0}. Cannot perform CVE scan OS/distro packages",
    /* A trigger that the engine does not have: our own text. */
    [BW_ID_DISTRO_DENIED] = "distribution {0} {1} {2} {3}",
};

const char *bw_id_text(enum bw_id_text id)
{
    return texts[id];
}

void bw_template_fill(struct bw_buf *out, const char *template, const char *const *arguments)
{
    for (;;) {
        const char *brace = strchr(template, '{');
        if (brace == NULL) {
            bw_buf_puts(out, template);
            return;
        }
        bw_buf_append(out, template, (size_t)(brace - template));
        bw_buf_puts(out, arguments[brace[1] - '0']);
        template = brace + 3;
    }
}
