/* Remarks on values that no image can have: the rule loads and never finds anything, which its author wants to know. */
#include "evaluator/gate.h"

#include <ctype.h>
#include <string.h>

bool bw_loader_check_path(struct bw_loader *loader, unsigned param, const char *path)
{
    static const char *const runtime_folders[] = {"/proc/", "/sys/", "/dev/"};
    if (path[0] != '/') {
        (void)bw_loader_warn(loader, param, "never_matches", "\"%.200s\" is no absolute path, so no image has it",
                             path);
        return false;
    }
    for (size_t i = 0; i < BW_LENGTH(runtime_folders); i++) {
        if (bw_str_starts_with(bw_str_from(path), runtime_folders[i])) {
            (void)bw_loader_warn(loader, param, "never_matches",
                                 "%.200s exists only in running systems, no image has it: the rule never finds it",
                                 path);
        }
    }
    return true;
}

void bw_loader_check_path_regex(struct bw_loader *loader, unsigned param, const char *regex)
{
    const char *at = regex + (regex[0] == '^');
    bool escaped = at[0] == '\\' && ispunct((unsigned char)at[1]);
    at += escaped;
    bool literal = escaped || isalnum((unsigned char)at[0]) || at[0] == '_' || at[0] == '-';
    bool needed = at[0] != '\0' && strchr("*?{", at[1]) == NULL && strchr(regex, '|') == NULL;
    if (literal && needed && at[0] != '/') {
        (void)bw_loader_warn(loader, param, "never_matches",
                             "paths begin with /, and a pattern is matched at their start: put .* before it");
    }
}

void bw_loader_check_version(struct bw_loader *loader, unsigned param, const char *version)
{
    size_t good = strcspn(version, " \t\r\n*<>=|,;\"'");
    if (version[good] != '\0') {
        (void)bw_loader_warn(loader, param, "never_matches",
                             "\"%.80s\" is no version that a package can have: it is one version, compared as it "
                             "stands, without ranges and wildcards",
                             version);
    }
}
