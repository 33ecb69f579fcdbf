#ifndef BW_WEBHOOK_CONFIG_H
#define BW_WEBHOOK_CONFIG_H

#include "base/log.h"
#include "evaluator/evaluate.h"
#include "image/analyzer/analyzer.h"
#include "image/registry/registry.h"
#include "webhook/exemption.h"

#include <stdio.h>

/*
 * config.yaml: every key is a row of one table (name, type, default, what it does), and the reader, `breakwater check`,
 * docs/configuration.md and the errors are read off it. Unknown keys are refused with line and suggestion; every fault
 * is reported at once. Immutable once loaded, counted.
 */
enum bw_on_error { BW_ON_ERROR_DENY, BW_ON_ERROR_ALLOW, BW_ON_ERROR_WARN };

enum bw_fault { /* the onError tree (D41) */
                BW_FAULT_IMAGE_NOT_FOUND,
                BW_FAULT_INVALID_REFERENCE,
                BW_FAULT_UNAUTHORIZED,
                BW_FAULT_REGISTRY_UNAVAILABLE,
                BW_FAULT_RATE_LIMITED,
                BW_FAULT_ANALYSIS_FAILED,
                BW_FAULT_ANALYSIS_INCOMPLETE,
                BW_FAULT_IMAGE_TOO_LARGE,
                BW_FAULT_NO_BUNDLE,
                BW_FAULT_OVERLOAD,
                BW_FAULT_INTERNAL,
                BW_FAULT_COUNT
};

enum bw_kubernetes_use { BW_KUBERNETES_AUTO, BW_KUBERNETES_ON, BW_KUBERNETES_OFF };

struct bw_config {
    /* server */
    const char *listen, *health_listen, *metrics_listen; /* "ADDRESS:PORT" */
    const char *debug_listen;                            /* the same, a loopback address; NULL: none */
    uint64_t max_request_bytes;
    unsigned max_in_flight, event_loops, max_connections;
    int64_t shutdown_delay_ms, shutdown_timeout_ms;
    /* tls */
    const char *cert_file, *key_file;
    bool tls_1_3_only;               /* tls.minVersion: 1.2 | 1.3 */
    const char *client_ca_file;      /* whom clients' certificates have to come from; NULL: none is asked for */
    const char *const *client_names; /* NULL-terminated; NULL or none: whomever that CA names */
    /* webhook */
    int timeout_s; /* webhook.timeoutSeconds: as in the webhook configuration */
    int64_t max_deadline_ms;
    enum bw_on_error on_pending;
    enum { BW_PENDING_AUTO, BW_PENDING_RETRY_AFTER, BW_PENDING_PLAIN } pending_response;
    enum bw_on_error on_error[BW_FAULT_COUNT];
    bool updates_all; /* updates: changed | all */
    enum { BW_RESOURCES_ALL, BW_RESOURCES_PODS_ONLY, BW_RESOURCES_PODS_ENFORCE_WORKLOADS_WARN } resource_mode;
    bool unsupported_deny; /* onUnsupportedResource */
    enum { BW_MIRROR_AUDIT, BW_MIRROR_DENY, BW_MIRROR_IGNORE } mirror_pods;
    enum bw_kubernetes_use kubernetes; /* kubernetes.pullSecrets */
    enum bw_kubernetes_use nodes;      /* kubernetes.nodes */
    enum bw_kubernetes_use events;     /* kubernetes.events */
    const char *service_account_dir;
    const char *lease; /* kubernetes.lease: by which the replicas choose a leader */
    struct {
        bool self_signed; /* certs.mode: off | selfSigned */
        const char *secret, *service, *cluster_domain, *webhook_configuration;
        unsigned leaf_lifetime_s, ca_lifetime_s, renew_at, ca_wait_s, ca_overlap_s, check_s;
    } certs;
    bool allow_artifact_volumes; /* imageVolumes: deny | allowArtifacts */
    const struct bw_extra_resource *extra_resources;
    size_t n_extra_resources;
    const char *message_hint; /* a sentence appended to every denial: whom to ask; may be NULL */
    /* who is judged how: policySelectors and what goes with them */
    const struct bw_selector *selectors; /* the first that matches an image counts */
    size_t n_selectors;
    bool needs_namespaces; /* some of them ask for more of a namespace than its name */
    bool waiting_denies;   /* by onPending, here and of each of them */
    enum { BW_UNSELECTED_POLICY, BW_UNSELECTED_ALLOW, BW_UNSELECTED_DENY } on_no_selector_match;
    bool request_analysis; /* where a selector does not say it */
    struct bw_break_glass break_glass;
    const struct bw_exemption *exemptions;
    size_t n_exemptions;
    const char *const *exempt_namespaces; /* globs: where anybody may set the label that exempts; NULL: none */
    struct bw_people exemption_admins;    /* who may anywhere */
    /* bundles */
    const char *bundles_dir, *default_bundle;
    enum bw_kubernetes_use bundle_maps;   /* bundles.configMaps */
    const char *const *bundle_namespaces; /* besides the own one */
    size_t n_bundle_namespaces;
    enum bw_no_mapping no_mapping_match;
    /* registry */
    struct bw_registry_options registry;
    const char *credentials_file; /* dockerconfigjson */
    const char *const *allow_addresses;
    size_t n_allow_addresses;
    int64_t tag_ttl_ms, tag_stale_ms, negative_ttl_ms, auth_ttl_ms;
    /* analysis */
    struct bw_needs analysis_needs; /* patterns and paths of the configuration */
    bool default_patterns;
    struct bw_analyzer_options analyzer;
    unsigned analyses, analysis_queue;
    const struct bw_platform *default_platforms;
    size_t n_default_platforms;
    /* cache */
    const char *cache_dir; /* NULL: memory alone */
    uint64_t cache_memory_bytes, cache_disk_bytes;
    /* log */
    enum bw_log_level log_level;
    const char *log_admits; /* as bw_log_share_parse reads it */

    const char *hash; /* of the effective settings */
};

/* text NULL: all defaults. On failure every problem is in `problems` (path, line, column, suggestion). */
int bw_config_load(struct bw_config **out, struct bw_problems *problems, const char *text, size_t len,
                   struct bw_error *err) BW_MUST_CHECK;
struct bw_config *bw_config_retain(struct bw_config *config);
void bw_config_release(struct bw_config *config); /* NULL is fine */
void bw_config_write_markdown(FILE *out);         /* docs/configuration.md */
void bw_config_write_example(FILE *out);        /* a complete config.yaml with every key, its default and its comment */
const char *bw_fault_name(enum bw_fault fault); /* "imageNotFound" */

/* A Go duration ("1m30s", "500ms", "1.5s", "0"), not negative, in whole milliseconds (rounded down). -1 if it is none.
 */
int bw_duration_parse(int64_t *ms_out, const char *text, size_t len) BW_MUST_CHECK;

/* log.admits: "all", "none" or "1/N", as every how many are logged; none is 0. -1 if it is none of these. */
int bw_log_share_parse(unsigned *every_out, const char *text) BW_MUST_CHECK;

#endif
