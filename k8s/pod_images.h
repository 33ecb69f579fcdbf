#ifndef BW_K8S_POD_IMAGES_H
#define BW_K8S_POD_IMAGES_H

#include "k8s/admission_review.h"

/* Every image of every container list, for each kind in the table of workload kinds, and of configured custom kinds. */
enum bw_image_kind { BW_CONTAINER, BW_INIT_CONTAINER, BW_EPHEMERAL_CONTAINER, BW_IMAGE_VOLUME, BW_CUSTOM_IMAGE };

struct bw_pod_image {
    enum bw_image_kind kind;
    const char *container; /* container or volume name, for messages; "" when absent */
    const char *field;     /* "spec.template.spec.initContainers[0].image" */
    const char *text;      /* as written; len bytes, may hold a NUL inside (then it is denied) */
    size_t len;
};

struct bw_extra_resource { /* from the configuration: a custom kind */
    const char *group, *resource;
    const char *pod_spec_path;      /* "spec.template.spec", or NULL */
    const char *const *image_paths; /* "spec.steps[*].image"; NULL-terminated, or NULL */
};

struct bw_pod_images {
    bool supported; /* the resource is known; else nothing else is set */
    bool template;  /* a pod template: empty images are skipped */
    const struct bw_pod_image *images;
    size_t n_images;
    const char *node_os, *node_architecture; /* from nodeSelector or a single required affinity value, or NULL */
};

struct bw_workload { /* a row of the table of workload kinds */
    const char *group, *kind, *resource, *subresource;
    const char *path; /* of the pod spec: "spec.template.spec" */
    bool template;
};

/* The row of a built-in kind, or NULL. */
const struct bw_workload *bw_workload_find(const char *group, const char *resource, const char *subresource);
/* The same by the kind that manifests name ("Deployment"). */
const struct bw_workload *bw_workload_of_kind(const char *group, const char *kind);
/* Subresources that carry no image of their own: status, scale, exec, ... */
bool bw_subresource_imageless(const char *subresource);
/* One list of a pod spec: "containers", "initContainers", ...; in the order in which images are reported. */
struct bw_image_list {
    const char *key;
    enum bw_image_kind kind;
};
enum { BW_IMAGE_LISTS = 4 };
extern const struct bw_image_list bw_image_lists[BW_IMAGE_LISTS];
/* "spec.containers[0].image", "spec.volumes[2].image.reference"; NULL when the arena is spent. */
const char *bw_image_field(const char *path, const struct bw_image_list *list, size_t index,
                           struct bw_arena *arena) BW_MUST_CHECK;
/* A path of extraResources[].imagePaths: names joined by dots, each with "[*]" when it is a list. */
bool bw_image_path_valid(const char *path);

/* -1 with BW_EINPUT when the object does not decode as its kind (a list that is no array, an image that is no string):
 * to be denied with code 400. `object` is the request's object or oldObject. */
int bw_pod_images(struct bw_pod_images *out, const struct bw_admission_request *request, struct bw_json object,
                  const struct bw_extra_resource *extra, size_t n_extra, struct bw_arena *arena,
                  struct bw_error *err) BW_MUST_CHECK;

/* Those of `now` that are not in `before`, list by list (K-211: strings as written). Returns the number kept, in place.
 */
size_t bw_pod_images_changed(struct bw_pod_image *now, size_t n_now, const struct bw_pod_image *before,
                             size_t n_before);

#endif
