/* Names of distributions as os-release(5) has them. */
#include "evaluator/distro.h"

#include <string.h>

static const struct {
    const char *name, *space;
    enum bw_flavor flavor;
    bool known_to_engine;
} families[] = {
    {"alpine", "alpine", BW_FLAVOR_APK, true}, {"busybox", "busybox", BW_FLAVOR_BUSYBOX, true},
    {"centos", "rhel", BW_FLAVOR_RPM, true},   {"debian", "debian", BW_FLAVOR_DEB, true},
    {"fedora", "rhel", BW_FLAVOR_RPM, true},   {"ol", "ol", BW_FLAVOR_RPM, true},
    {"rhel", "rhel", BW_FLAVOR_RPM, true},     {"ubuntu", "ubuntu", BW_FLAVOR_DEB, true},
    {"amzn", "amzn", BW_FLAVOR_RPM, true},     {"redhat", "rhel", BW_FLAVOR_RPM, true},
    {"rocky", "rhel", BW_FLAVOR_RPM, true},    {"sles", "sles", BW_FLAVOR_RPM, false},
};

static int find(struct bw_str name)
{
    for (size_t i = 0; i < BW_LENGTH(families); i++) {
        if (bw_str_is(name, families[i].name)) {
            return (int)i;
        }
    }
    return -1;
}

struct bw_family bw_family_find(const char *name, const char *like)
{
    struct bw_family family = {.space = name != NULL ? name : "", .flavor = BW_FLAVOR_NONE};
    int row = find(bw_str_from(name));
    if (row >= 0) {
        family.space = families[row].space;
    }
    struct bw_str rest = bw_str_from(like);
    struct bw_str word;
    while (row < 0 && bw_str_next(&word, &rest, ',')) {
        row = find(bw_str_trim(word));
    }
    if (row >= 0) {
        family.flavor = families[row].flavor;
        family.known_to_engine = families[row].known_to_engine;
    }
    return family;
}

enum bw_flavor bw_package_flavor(enum bw_flavor *engine_out, const struct bw_report *report,
                                 const struct bw_package *package)
{
    static const struct {
        const char *type;
        enum bw_flavor flavor;
    } types[] = {{"dpkg", BW_FLAVOR_DEB}, {"rpm", BW_FLAVOR_RPM}, {"APKG", BW_FLAVOR_APK}};
    enum bw_flavor by_type = BW_FLAVOR_NONE;
    for (size_t i = 0; i < BW_LENGTH(types); i++) {
        by_type = strcmp(package->type, types[i].type) == 0 ? types[i].flavor : by_type;
    }
    struct bw_family family = {.flavor = BW_FLAVOR_NONE};
    if (package->distro != NULL) {
        family = bw_family_find(package->distro, NULL);
    } else if (by_type != BW_FLAVOR_NONE) {
        family = bw_family_find(report->distro, report->distro_like);
    }
    *engine_out = family.known_to_engine ? family.flavor : BW_FLAVOR_NONE;
    return by_type != BW_FLAVOR_NONE ? by_type : family.flavor;
}
