#ifndef BW_EVALUATOR_DISTRO_H
#define BW_EVALUATOR_DISTRO_H

#include "image/report.h"

/* Families of distributions: which data and which order of versions belong to a name in os-release. */
enum bw_flavor { BW_FLAVOR_NONE, BW_FLAVOR_DEB, BW_FLAVOR_RPM, BW_FLAVOR_APK, BW_FLAVOR_BUSYBOX };

struct bw_family {
    const char *space; /* first part of its namespace of vulnerability data; the name itself when unknown */
    enum bw_flavor flavor;
    bool known_to_engine;
};

/* By name, else by the first known name of the comma-separated like list (which may be NULL). */
struct bw_family bw_family_find(const char *name, const char *like);

/* The order of versions of one package: by its type for the packages of distributions, else by the distribution that
 * the record names. *engine_out: what the engine would take. */
enum bw_flavor bw_package_flavor(enum bw_flavor *engine_out, const struct bw_report *report,
                                 const struct bw_package *package);

#endif
