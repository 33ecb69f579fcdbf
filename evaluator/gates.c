/* The list of gates. A new gate is one file in evaluator/gates and one line here. */
#include "evaluator/gate.h"

#define GATES(X)                                                                                                       \
    X(always)                                                                                                          \
    X(distro)                                                                                                          \
    X(dockerfile)                                                                                                      \
    X(files) X(licenses) X(malware) X(metadata) X(npms) X(packages) X(passwd_file) X(retrieved_files) X(ruby_gems)     \
        X(secret_scans) X(vulnerabilities) /* retired */                                                               \
        X(anchoresec) X(dockerfilecheck) X(filecheck) X(fileparse_passwd) X(gemcheck) X(imagecheck) X(licblacklist)    \
            X(metadatacheck) X(npmcheck) X(pkgblacklist) X(pkgcheck) X(pkgdiff) X(secretcheck)                         \
                X(suiddiff) /* of another product */                                                                   \
        X(ancestry) X(image_source_drift) X(stig) X(tag_drift)

#define DECLARE(name) extern const struct bw_gate bw_gate_##name;
GATES(DECLARE)

#define ROW(name) &bw_gate_##name,
const struct bw_gate *const bw_gates[] = {GATES(ROW) NULL};
