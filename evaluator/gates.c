/* The list of gates. A new gate is one file in evaluator/gates and two lines here. */
#include "evaluator/gate.h"

extern const struct bw_gate bw_gate_always;
extern const struct bw_gate bw_gate_distro;
extern const struct bw_gate bw_gate_dockerfile;
extern const struct bw_gate bw_gate_files;
extern const struct bw_gate bw_gate_licenses;
extern const struct bw_gate bw_gate_malware;
extern const struct bw_gate bw_gate_metadata;
extern const struct bw_gate bw_gate_npms;
extern const struct bw_gate bw_gate_packages;
extern const struct bw_gate bw_gate_passwd_file;
extern const struct bw_gate bw_gate_retrieved_files;
extern const struct bw_gate bw_gate_ruby_gems;
extern const struct bw_gate bw_gate_secret_scans;
extern const struct bw_gate bw_gate_tag_drift;
extern const struct bw_gate bw_gate_vulnerabilities;
extern const struct bw_gate bw_gate_anchoresec;
extern const struct bw_gate bw_gate_dockerfilecheck;
extern const struct bw_gate bw_gate_filecheck;
extern const struct bw_gate bw_gate_fileparse_passwd;
extern const struct bw_gate bw_gate_gemcheck;
extern const struct bw_gate bw_gate_imagecheck;
extern const struct bw_gate bw_gate_licblacklist;
extern const struct bw_gate bw_gate_metadatacheck;
extern const struct bw_gate bw_gate_npmcheck;
extern const struct bw_gate bw_gate_pkgblacklist;
extern const struct bw_gate bw_gate_pkgcheck;
extern const struct bw_gate bw_gate_pkgdiff;
extern const struct bw_gate bw_gate_secretcheck;
extern const struct bw_gate bw_gate_suiddiff;
extern const struct bw_gate bw_gate_ancestry;
extern const struct bw_gate bw_gate_image_source_drift;
extern const struct bw_gate bw_gate_stig;

const struct bw_gate *const bw_gates[] = {
    &bw_gate_always,
    &bw_gate_distro,
    &bw_gate_dockerfile,
    &bw_gate_files,
    &bw_gate_licenses,
    &bw_gate_malware,
    &bw_gate_metadata,
    &bw_gate_npms,
    &bw_gate_packages,
    &bw_gate_passwd_file,
    &bw_gate_retrieved_files,
    &bw_gate_ruby_gems,
    &bw_gate_secret_scans,
    &bw_gate_tag_drift,
    &bw_gate_vulnerabilities,
    /* retired */
    &bw_gate_anchoresec,
    &bw_gate_dockerfilecheck,
    &bw_gate_filecheck,
    &bw_gate_fileparse_passwd,
    &bw_gate_gemcheck,
    &bw_gate_imagecheck,
    &bw_gate_licblacklist,
    &bw_gate_metadatacheck,
    &bw_gate_npmcheck,
    &bw_gate_pkgblacklist,
    &bw_gate_pkgcheck,
    &bw_gate_pkgdiff,
    &bw_gate_secretcheck,
    &bw_gate_suiddiff,
    /* of another product */
    &bw_gate_ancestry,
    &bw_gate_image_source_drift,
    &bw_gate_stig,
    NULL,
};
