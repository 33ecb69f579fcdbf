#ifndef BW_IMAGE_ANALYZER_COLLECTORS_OS_RELEASE_H
#define BW_IMAGE_ANALYZER_COLLECTORS_OS_RELEASE_H

#include "base/str.h"

/* What a distribution calls itself; texts in the arena, NULL where it does not say. */
struct bw_distro {
    const char *id, *version, *like; /* like: words joined by "," */
};

/* os-release(5). */
int bw_os_release_parse(struct bw_distro *out, const char *text, size_t len, struct bw_arena *arena,
                        struct bw_error *err) BW_MUST_CHECK;
/* "cpe:/o:vendor:product:version" of /etc/system-release-cpe. */
int bw_system_cpe_parse(struct bw_distro *out, const char *text, size_t len, struct bw_arena *arena,
                        struct bw_error *err) BW_MUST_CHECK;
/* "CentOS release 5.11 (Final)" of /etc/redhat-release. */
int bw_redhat_release_parse(struct bw_distro *out, const char *text, size_t len, struct bw_arena *arena,
                            struct bw_error *err) BW_MUST_CHECK;
/* DISTRIB_ID and DISTRIB_RELEASE of /etc/lsb-release. */
int bw_lsb_release_parse(struct bw_distro *out, const char *text, size_t len, struct bw_arena *arena,
                         struct bw_error *err) BW_MUST_CHECK;
/* The "v1.36.1" of "BusyBox v1.36.1 (" in a program; empty if it is none. */
struct bw_str bw_busybox_version(const char *program, size_t len);

#endif
