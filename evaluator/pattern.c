/* Wildcards: anchored at both ends, case-sensitive, a star crosses no newline, one newline at the very end of the
 * subject is overlooked. Everything else is literal. */
#include "evaluator/pattern.h"

#include "evaluator/unicode.h"

#include <string.h>

enum { PREFIX_LENGTH = 7 }; /* "regexp:" */

bool bw_pattern_is_regex(struct bw_str text)
{
    return bw_str_starts_with(bw_unicode_trim(text), "regexp:");
}

struct bw_str bw_pattern_regex_text(struct bw_str text)
{
    return (struct bw_str){text.base + PREFIX_LENGTH, text.len - PREFIX_LENGTH};
}

bool bw_pattern_is_star(const struct bw_pattern *pattern)
{
    return pattern->regex == NULL && bw_str_is(pattern->text, "*");
}

static bool match_whole(struct bw_str pattern, struct bw_str subject)
{
    size_t p = 0;
    size_t s = 0;
    size_t star = SIZE_MAX;
    size_t retry = 0;
    for (;;) {
        if (p < pattern.len && pattern.base[p] == '*') {
            star = p++;
            retry = s;
        } else if (p < pattern.len && s < subject.len && pattern.base[p] == subject.base[s]) {
            p++;
            s++;
        } else if (p == pattern.len && s == subject.len) {
            return true;
        } else if (star != SIZE_MAX && retry < subject.len && subject.base[retry] != '\n') {
            p = star + 1;
            s = ++retry;
        } else {
            return false;
        }
    }
}

bool bw_wildcard_match(struct bw_str pattern, struct bw_str subject)
{
    if (match_whole(pattern, subject)) {
        return true;
    }
    bool newline = subject.len > 0 && subject.base[subject.len - 1] == '\n';
    return newline && match_whole(pattern, (struct bw_str){subject.base, subject.len - 1});
}

int bw_pattern_match(const struct bw_pattern *pattern, struct bw_str subject, struct bw_error *err)
{
    if (pattern->regex != NULL) {
        return bw_regex_match(pattern->regex, subject.base, subject.len, err);
    }
    return bw_wildcard_match(pattern->text, subject);
}
