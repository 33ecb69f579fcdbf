#ifndef BW_EVALUATOR_ID_TEXT_H
#define BW_EVALUATOR_ID_TEXT_H

#include "base/buf.h"

/*
 * The one table of texts that are interface data: the trigger id of most findings is the MD5 of gate, trigger and this
 * text, and whitelists made for Anchore Engine hold those ids. `{0}` to `{9}` stand for the arguments. What people read
 * is written elsewhere, in our own words.
 */
enum bw_id_text {
    BW_ID_ALWAYS,
    BW_ID_DOCKERFILE_INSTRUCTION,
    BW_ID_DOCKERFILE_NO_INSTRUCTION,
    BW_ID_DOCKERFILE_USER_REFUSED,
    BW_ID_DOCKERFILE_USER_NOT_ALLOWED,
    BW_ID_DOCKERFILE_PORT_REFUSED,
    BW_ID_DOCKERFILE_PORT_NOT_ALLOWED,
    BW_ID_DOCKERFILE_NOT_PROVIDED,
    BW_ID_FILES_CONTENT,
    BW_ID_FILES_NAME,
    BW_ID_FILES_ATTRIBUTE,
    BW_ID_FILES_CHECKSUM, /* part of BW_ID_FILES_ATTRIBUTE */
    BW_ID_FILES_MODE,     /* part of BW_ID_FILES_ATTRIBUTE */
    BW_ID_FILES_MISSING,
    BW_ID_FILES_SUID,
    BW_ID_LICENSES_EXACT,
    BW_ID_LICENSES_PARTIAL,
    BW_ID_MALWARE_FOUND,
    BW_ID_MALWARE_NOT_RUN,
    BW_ID_METADATA,
    BW_ID_NPMS_NEWER,
    BW_ID_NPMS_UNKNOWN,
    BW_ID_NPMS_VERSION,
    BW_ID_NPMS_BLACKLISTED,
    BW_ID_NPMS_NO_FEED,
    BW_ID_GEMS_NEWER,
    BW_ID_GEMS_UNKNOWN,
    BW_ID_GEMS_VERSION,
    BW_ID_GEMS_BLACKLISTED,
    BW_ID_GEMS_NO_FEED,
    BW_ID_PACKAGES_BLACKLISTED,
    BW_ID_PACKAGES_ABSENT,
    BW_ID_PACKAGES_OTHER,
    BW_ID_PACKAGES_LOWER,
    BW_ID_PACKAGES_VERIFY,
    BW_ID_PASSWD_NONE,
    BW_ID_PASSWD_ENTRY,
    BW_ID_RETRIEVED_NONE,
    BW_ID_RETRIEVED_CONTENT,
    BW_ID_SECRETS_FOUND,
    BW_ID_SECRETS_NOT_FOUND,
    BW_ID_VULNERABILITIES_LISTED,
    BW_ID_VULNERABILITIES_STALE,
    BW_ID_VULNERABILITIES_UNAVAILABLE,
    BW_ID_DISTRO_DENIED,
    BW_ID_TEXT_COUNT
};

const char *bw_id_text(enum bw_id_text id);

/* Appends the template with its arguments filled in. */
void bw_template_fill(struct bw_buf *out, const char *template, const char *const *arguments);

#endif
