#ifndef BW_IMAGE_ANALYZER_COLLECTORS_DPKG_H
#define BW_IMAGE_ANALYZER_COLLECTORS_DPKG_H

#include "image/analyzer/collector.h"

/* One paragraph of a dpkg status file (deb-control(5)), the fields used here; base NULL where absent. */
struct bw_dpkg_stanza {
    struct bw_str package, status, version, architecture, source, maintainer, installed_size, conffiles, license;
};

/* Cuts the next paragraph off *rest. Names are compared without case, the first of equal fields counts. */
bool bw_dpkg_next_stanza(struct bw_dpkg_stanza *out, struct bw_str *rest);
/* A package that is there, whatever its state of configuration. */
bool bw_dpkg_is_installed(const struct bw_dpkg_stanza *stanza);
/* "name (version)" or "name". */
void bw_dpkg_source(struct bw_str *name, struct bw_str *version, const struct bw_dpkg_stanza *stanza);

/* One line of a .md5sums file or of Conffiles; digest empty where there is none. false: not such a line. */
bool bw_dpkg_md5_line(struct bw_str *path, struct bw_str *digest, struct bw_str line);
bool bw_dpkg_conffile_line(struct bw_str *path, struct bw_str *digest, struct bw_str line);

/* Calls visit() for every path that an installed dpkg or apk package owns, as its database writes it, with the root of
 * the database in front. */
int bw_dpkg_each_owned(struct bw_collect *at, int (*visit)(void *payload, const char *root, struct bw_str path),
                       void *payload, struct bw_error *err) BW_MUST_CHECK;

#endif
