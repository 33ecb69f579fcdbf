/* extraResources: the keys of their elements, and what has to hold among them. */
#include "webhook/config_table.h"

#include <string.h>

static int check_spec_path(const char *text, struct bw_error *err)
{
    if (bw_image_path_valid(text) && !strchr(text, '['))
        return 0;
    return bw_error_set(err, BW_EINPUT, "expected names joined by dots like spec.template.spec, found \"%.80s\"", text);
}

static int check_image_path(const char *text, struct bw_error *err)
{
    if (bw_image_path_valid(text))
        return 0;
    return bw_error_set(err, BW_EINPUT, "expected a path like spec.steps[*].image, found \"%.80s\"", text);
}

#define OF_EXTRA(member) BW_FIELD(struct bw_extra_resource, member)

static const struct bw_key extra_keys[] = {
    {.path = "group",
     .kind = BW_KEY_TEXT,
     OF_EXTRA(group),
     .example = "argoproj.io",
     .doc = "API group of the custom resource."},
    {.path = "resource",
     .kind = BW_KEY_TEXT,
     OF_EXTRA(resource),
     .required = true,
     .example = "rollouts",
     .doc = "Plural name of the resource."},
    {.path = "podSpecPath",
     .kind = BW_KEY_TEXT,
     OF_EXTRA(pod_spec_path),
     .check = check_spec_path,
     .example = "spec.template.spec",
     .doc = "Where its pod spec stands. Either this or imagePaths."},
    {.path = "imagePaths",
     .kind = BW_KEY_TEXTS,
     OF_EXTRA(image_paths),
     .count_offset = BW_NO_COUNT,
     .check = check_image_path,
     .example = "[\"spec.steps[*].image\"]",
     .doc = "Where its images stand, when there is no pod spec; [*] means every element of a list."},
};

static const struct bw_extra_resource blank_extra = {.group = ""};

static void check_extra(struct bw_config_reader *reader, void *element, const char *pointer)
{
    const struct bw_extra_resource *extra = element;
    const char *fault = NULL;
    if (!extra->pod_spec_path == !extra->image_paths)
        fault = "expected either podSpecPath or imagePaths";
    else if (bw_workload_find(extra->group, extra->resource, ""))
        fault = "this resource is known already";
    if (fault)
        bw_config_problem(reader, "value_invalid", pointer, NULL, fault);
}

const struct bw_key_table bw_extra_table = {.keys = extra_keys,
                                            .n_keys = BW_LENGTH(extra_keys),
                                            .size = sizeof(struct bw_extra_resource),
                                            .blank = &blank_extra,
                                            .check = check_extra};
