/* Users' patterns on PCRE2 (base/regex.h): translated from Python's syntax, compiled and JIT-compiled once, matched
 * under limits with match data and a JIT stack per thread. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/regex.h"

#include "base/limits.h"
#include "base/memory.h"
#include "base/regex_internal.h"
#include "base/str.h"

#include <pcre2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

struct form {
    pcre2_code *code;
    bool jit;
};

struct bw_regex {
    struct form plain;
    struct form *_Atomic guarded; /* NULL until a long text comes */
    char *text;
    size_t len;
    unsigned flags;
};

/* --- what a thread needs to match --- */

enum { FIRST_GROUPS = 32, JIT_STACK_FIRST = 32 * 1024, SHORT_TEXT = 256, CALLOUTS_PER_LOOK = 64 };

struct matcher {
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    pcre2_match_data *data;
    unsigned callouts;
    int64_t cpu_end_ms;
};

static pthread_key_t matcher_key;
static pthread_once_t matcher_once = PTHREAD_ONCE_INIT;

static void matcher_free(void *object)
{
    struct matcher *matcher = object;
    pcre2_match_data_free(matcher->data);
    pcre2_match_context_free(matcher->context);
    pcre2_jit_stack_free(matcher->stack);
    free(matcher);
}

static void matcher_key_create(void)
{
    if (pthread_key_create(&matcher_key, matcher_free))
        abort();
}

static int64_t cpu_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int callout(pcre2_callout_block *block, void *payload)
{
    (void)block;
    struct matcher *matcher = payload;
    if (++matcher->callouts % CALLOUTS_PER_LOOK)
        return 0;
    return cpu_ms() > matcher->cpu_end_ms ? PCRE2_ERROR_MATCHLIMIT : 0;
}

static struct matcher *matcher_of_thread(uint32_t groups)
{
    pthread_once(&matcher_once, matcher_key_create);
    struct matcher *matcher = pthread_getspecific(matcher_key);
    if (!matcher) {
        matcher = bw_memory_zeroed(1, sizeof(*matcher));
        matcher->context = pcre2_match_context_create(NULL);
        matcher->data = pcre2_match_data_create(FIRST_GROUPS, NULL);
        if (!matcher->context || !matcher->data || pthread_setspecific(matcher_key, matcher))
            abort();
        pcre2_set_depth_limit(matcher->context, BW_REGEX_DEPTH_LIMIT);
        pcre2_set_heap_limit(matcher->context, BW_REGEX_HEAP_KIB);
        pcre2_set_callout(matcher->context, callout, matcher);
        matcher->stack = pcre2_jit_stack_create(JIT_STACK_FIRST, BW_REGEX_HEAP_KIB * 1024, NULL);
        if (matcher->stack)
            pcre2_jit_stack_assign(matcher->context, NULL, matcher->stack);
    }
    if (pcre2_get_ovector_count(matcher->data) < groups) {
        pcre2_match_data *larger = pcre2_match_data_create(groups, NULL);
        if (!larger)
            abort();
        pcre2_match_data_free(matcher->data);
        matcher->data = larger;
    }
    return matcher;
}

/* --- compile --- */

static uint32_t options_of(unsigned python_flags, unsigned flags)
{
    bool bytes = flags & BW_REGEX_BYTES;
    uint32_t options = PCRE2_NEVER_BACKSLASH_C | PCRE2_ALT_CIRCUMFLEX;
    if (!bytes)
        options |= PCRE2_UTF | PCRE2_UCP | PCRE2_NO_UTF_CHECK;
    if (flags & BW_REGEX_ANCHORED)
        options |= PCRE2_ANCHORED;
    if ((python_flags & PY_IGNORECASE) && (bytes || !(python_flags & PY_ASCII)))
        options |= PCRE2_CASELESS;
    if (python_flags & PY_MULTILINE)
        options |= PCRE2_MULTILINE;
    if (python_flags & PY_DOTALL)
        options |= PCRE2_DOTALL;
    return options;
}

static pcre2_code *compile_translated(const struct bw_python_walk *walk, unsigned flags, struct bw_error *err)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (!context)
        abort();
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    int fault;
    PCRE2_SIZE where;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)(walk->out.data ? walk->out.data : ""), walk->out.len,
                                     options_of(walk->global_flags, flags), &fault, &where, context);
    pcre2_compile_context_free(context);
    if (!code) { /* Python would take it; a number or a size is beyond PCRE2 */
        PCRE2_UCHAR text[128];
        if (pcre2_get_error_message(fault, text, sizeof(text)) < 0)
            text[0] = '\0';
        bw_error_detail(err, BW_EINPUT, "bad_regex", "%s", (const char *)text);
    }
    return code;
}

static int form_compile(struct form *out, const char *pattern, size_t len, unsigned flags, bool guarded,
                        struct bw_error *err)
{
    struct bw_python_walk walk;
    struct form form = {0};
    if (bw_python_translate(&walk, pattern, len, flags & BW_REGEX_BYTES, guarded, err) == 0)
        form.code = compile_translated(&walk, flags, err);
    bw_python_clear(&walk);
    if (!form.code)
        return bw_error_wrap(err, "regular expression '%.*s'", (int)bw_utf8_cut(pattern, len, 120), pattern);
    form.jit = pcre2_jit_compile(form.code, PCRE2_JIT_COMPLETE) == 0;
    *out = form;
    return 0;
}

int bw_regex_compile(struct bw_regex **out, const char *pattern, size_t len, unsigned flags, struct bw_error *err)
{
    if (len > BW_MAX_REGEX_BYTES)
        return bw_error_detail(err, BW_ELIMIT, "bad_regex", "regular expression: longer than %llu bytes",
                               BW_MAX_REGEX_BYTES);
    struct form plain;
    if (form_compile(&plain, len ? pattern : "", len, flags, false, err))
        return -1;
    struct bw_regex *regex = bw_memory_zeroed(1, sizeof(*regex));
    regex->plain = plain;
    regex->text = bw_memory_strndup(pattern, len);
    regex->len = len;
    regex->flags = flags;
    *out = regex;
    return 0;
}

static void form_free(struct form *form)
{
    if (!form)
        return;
    pcre2_code_free(form->code);
    free(form);
}

/* Two threads may compile at once; the first to finish wins. */
static const struct form *guarded_form(struct bw_regex *regex, struct bw_error *err)
{
    struct form *form = atomic_load_explicit(&regex->guarded, memory_order_acquire), *before = NULL;
    if (form)
        return form;
    form = bw_memory_zeroed(1, sizeof(*form));
    if (form_compile(form, regex->text, regex->len, regex->flags, true, err)) {
        free(form);
        return NULL;
    }
    if (atomic_compare_exchange_strong(&regex->guarded, &before, form))
        return form;
    form_free(form);
    return before;
}

void bw_regex_free(struct bw_regex *regex)
{
    if (!regex)
        return;
    pcre2_code_free(regex->plain.code);
    form_free(atomic_load(&regex->guarded));
    free(regex->text);
    free(regex);
}

const char *bw_regex_text(const struct bw_regex *regex)
{
    return regex->text;
}

/* --- match --- */

static int match(const struct bw_regex *regex, struct matcher *matcher, const char *subject, size_t len,
                 struct bw_error *err)
{
    PCRE2_SPTR text = (PCRE2_SPTR)(len ? subject : "");
    bool bytes = regex->flags & BW_REGEX_BYTES;
    if (!bytes && !bw_utf8_valid((const char *)text, len))
        return bw_error_detail(err, BW_EINPUT, "not_utf8", "regular expression '%.120s': the text is not UTF-8",
                               regex->text);
    const struct form *form = &regex->plain;
    pcre2_set_match_limit(matcher->context, len > SHORT_TEXT ? BW_REGEX_MATCH_LIMIT_LONG : BW_REGEX_MATCH_LIMIT);
    if (len > SHORT_TEXT) {
        form = guarded_form((struct bw_regex *)(uintptr_t)regex, err); /* a cache: the meaning stays the same */
        if (!form)
            return -1;
        matcher->callouts = 0;
        matcher->cpu_end_ms = cpu_ms() + BW_REGEX_CPU_MS;
    }
    int found;
    if (form->jit)
        found = pcre2_jit_match(form->code, text, len, 0, 0, matcher->data, matcher->context);
    else
        found = pcre2_match(form->code, text, len, 0, bytes ? 0 : PCRE2_NO_UTF_CHECK, matcher->data, matcher->context);
    if (found >= 0)
        return 1;
    if (found == PCRE2_ERROR_NOMATCH)
        return 0;
    PCRE2_UCHAR reason[128];
    if (pcre2_get_error_message(found, reason, sizeof(reason)) < 0)
        reason[0] = '\0';
    return bw_error_detail(err, BW_ELIMIT, "regex_limit",
                           "regular expression '%.120s': gave up on a text of %zu bytes: %s", regex->text, len,
                           (const char *)reason);
}

int bw_regex_match(const struct bw_regex *regex, const char *subject, size_t len, struct bw_error *err)
{
    return match(regex, matcher_of_thread(1), subject, len, err);
}

int bw_regex_group(const struct bw_regex *regex, const char *subject, size_t len, unsigned group, size_t *start_out,
                   size_t *end_out, struct bw_error *err)
{
    uint32_t groups;
    pcre2_pattern_info(regex->plain.code, PCRE2_INFO_CAPTURECOUNT, &groups);
    struct matcher *matcher = matcher_of_thread(groups + 1);
    int found = match(regex, matcher, subject, len, err);
    if (found != 1)
        return found;
    *start_out = *end_out = SIZE_MAX;
    if (group <= groups) {
        const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(matcher->data);
        *start_out = bounds[2 * (size_t)group];
        *end_out = bounds[2 * (size_t)group + 1];
    }
    return 1;
}
