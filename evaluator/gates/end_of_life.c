/* Gates that Anchore Engine 1.1 has retired: known by name, refused at load with what took their place. */
#include "evaluator/gate.h"

#define T(word)                                                                                                        \
    {                                                                                                                  \
        .name = word, .doc = "Retired."                                                                                \
    }
#define GATE(variable, word, rows, next)                                                                               \
    const struct bw_gate bw_gate_##variable = {.name = word,                                                           \
                                               .doc = "Retired.",                                                      \
                                               .state = BW_GATE_RETIRED,                                               \
                                               .triggers = rows,                                                       \
                                               .n_triggers = BW_LENGTH(rows),                                          \
                                               .successor = next}

static const struct bw_trigger anchoresec[] = {T("vulnlow"),          T("vulnmedium"),  T("vulnhigh"),
                                               T("vulncritical"),     T("vulnunknown"), T("feedoutofdate"),
                                               T("unsupporteddistro")};
GATE(anchoresec, "anchoresec", anchoresec, "vulnerabilities");

static const struct bw_trigger dockerfilecheck[] = {
    T("directivecheck"), T("effectiveuser"), T("expose"),        T("nofrom"),        T("fromscratch"),
    T("notag"),          T("sudo"),          T("volumepresent"), T("nohealthcheck"), T("nodockerfile")};
GATE(dockerfilecheck, "dockerfilecheck", dockerfilecheck, "dockerfile");

static const struct bw_trigger filecheck[] = {T("contentmatch"), T("filenamematch"), T("suidsgidcheck")};
GATE(filecheck, "filecheck", filecheck, "files");

static const struct bw_trigger fileparse_passwd[] = {T("filenotstored"), T("usernamematch"), T("useridmatch"),
                                                     T("groupidmatch"),  T("shellmatch"),    T("pentrymatch")};
GATE(fileparse_passwd, "fileparse_passwd", fileparse_passwd, "passwd_file");

static const struct bw_trigger gemcheck[] = {T("gemnotlatest"),    T("gemnotofficial"),  T("gembadversion"),
                                             T("gempkgfullmatch"), T("gempkgnamematch"), T("gemnofeed")};
GATE(gemcheck, "gemcheck", gemcheck, "ruby_gems");

static const struct bw_trigger imagecheck[] = {T("baseoutofdate")};
GATE(imagecheck, "imagecheck", imagecheck, NULL);

static const struct bw_trigger licblacklist[] = {T("licfullmatch"), T("licsubmatch")};
GATE(licblacklist, "licblacklist", licblacklist, "licenses");

static const struct bw_trigger metadatacheck[] = {T("attributecheck")};
GATE(metadatacheck, "metadatacheck", metadatacheck, "metadata");

static const struct bw_trigger npmcheck[] = {T("npmnotlatest"),    T("npmnotofficial"),  T("npmbadversion"),
                                             T("npmpkgfullmatch"), T("npmpkgnamematch"), T("npmnofeed")};
GATE(npmcheck, "npmcheck", npmcheck, "npms");

static const struct bw_trigger pkgblacklist[] = {T("pkgfullmatch"), T("pkgnamematch")};
GATE(pkgblacklist, "pkgblacklist", pkgblacklist, "packages");

static const struct bw_trigger pkgcheck[] = {T("pkgnotpresent"), T("verify")};
GATE(pkgcheck, "pkgcheck", pkgcheck, "packages");

static const struct bw_trigger pkgdiff[] = {T("pkgversiondiff"), T("pkgadd"), T("pkgdel"), T("pkgdiff")};
GATE(pkgdiff, "pkgdiff", pkgdiff, NULL);

static const struct bw_trigger secretcheck[] = {T("contentmatch"), T("filenamematch")};
GATE(secretcheck, "secretcheck", secretcheck, "secret_scans");

static const struct bw_trigger suiddiff[] = {T("suiddiff"), T("suidfileadd"), T("suidfiledel"), T("suidmodediff")};
GATE(suiddiff, "suiddiff", suiddiff, NULL);
