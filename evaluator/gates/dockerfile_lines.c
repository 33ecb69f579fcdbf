/* A Dockerfile as a list of instructions: blank lines and comments dropped, a backslash at the end of a line joins the
 * next one (row 12 of the differences: the engine takes every line for an instruction, and joins at backslash dollar).
 */
#include "evaluator/gates/dockerfile.h"

#include "evaluator/unicode.h"

#include <ctype.h>
#include <string.h>

struct cutter {
    struct bw_scope *scope;
    struct bw_error *err;
    struct bw_instruction *instructions;
    size_t n_instructions, instructions_capacity;
    const char **joined;
    size_t n_joined, joined_capacity;
    struct bw_buf line; /* the instruction being read */
    bool open;          /* its last line ended in a backslash */
    bool glued;         /* the engine would glue the next line to the last one */
};

/* What stands before the first space, in upper case. */
static char *first_word(struct cutter *cutter, struct bw_str line)
{
    const char *space = memchr(line.base, ' ', line.len);
    char *word =
        bw_arena_strndup(cutter->scope->arena, line.base, space == NULL ? line.len : (size_t)(space - line.base));
    for (char *c = word; c != NULL && *c != '\0'; c++) {
        *c = (char)toupper((unsigned char)*c);
    }
    return word;
}

static int note_joined(struct cutter *cutter, struct bw_str line)
{
    void *array = cutter->joined;
    if (bw_arena_grow(cutter->scope->arena, &array, cutter->n_joined, &cutter->joined_capacity, sizeof(*cutter->joined),
                      cutter->err) != 0) {
        return -1;
    }
    cutter->joined = array;
    const char *word = first_word(cutter, line);
    cutter->joined[cutter->n_joined++] = word;
    return word == NULL ? bw_arena_spent(cutter->err) : 0;
}

static int add_instruction(struct cutter *cutter)
{
    struct bw_str whole = bw_unicode_trim((struct bw_str){cutter->line.data, cutter->line.len});
    cutter->open = false;
    if (whole.len == 0) {
        return 0;
    }
    void *array = cutter->instructions;
    if (bw_arena_grow(cutter->scope->arena, &array, cutter->n_instructions, &cutter->instructions_capacity,
                      sizeof(*cutter->instructions), cutter->err) != 0) {
        return -1;
    }
    cutter->instructions = array;
    struct bw_instruction *instruction = &cutter->instructions[cutter->n_instructions++];
    instruction->line = bw_scope_text(cutter->scope, whole);
    instruction->word = first_word(cutter, whole);
    if (instruction->line == NULL || instruction->word == NULL) {
        return bw_arena_spent(cutter->err);
    }
    instruction->rest = bw_unicode_trim(bw_str_from(instruction->line + strlen(instruction->word)));
    bw_buf_reset(&cutter->line);
    return 0;
}

static int take_line(struct cutter *cutter, struct bw_str line)
{
    line = bw_unicode_trim(line);
    if (line.len == 0 || line.base[0] == '#') {
        return 0;
    }
    bool glues = memmem(line.base, line.len, "\\$", 2) != NULL;
    bool continues = line.base[line.len - 1] == '\\';
    if ((glues || continues || cutter->glued || cutter->open) && note_joined(cutter, line) != 0) {
        return -1;
    }
    cutter->glued = glues;
    bw_buf_append(&cutter->line, line.base, line.len - (continues ? 1 : 0));
    cutter->open = continues;
    return continues ? 0 : add_instruction(cutter);
}

int bw_dockerfile_prepare(void **out, struct bw_scope *scope, struct bw_error *err)
{
    struct bw_dockerfile *dockerfile = bw_arena_alloc(scope->arena, sizeof(*dockerfile));
    if (dockerfile == NULL) {
        return bw_arena_spent(err);
    }
    struct bw_str mode = bw_str_from(scope->report->dockerfile_mode);
    dockerfile->judged = mode.len > 0 && !bw_str_is_nocase(mode, "unknown");
    dockerfile->actual = bw_str_is_nocase(mode, "actual");
    struct bw_str text = bw_str_from(scope->report->dockerfile);
    struct cutter cutter = {.scope = scope, .err = err};
    bw_buf_init(&cutter.line, text.len + 1);
    struct bw_str line;
    int result = 0;
    while (result == 0 && dockerfile->judged && bw_unicode_next_line(&line, &text)) {
        result = take_line(&cutter, line);
    }
    if (result == 0 && cutter.open) {
        result = add_instruction(&cutter);
    }
    bw_buf_clear(&cutter.line);
    dockerfile->instructions = cutter.instructions;
    dockerfile->n_instructions = cutter.n_instructions;
    dockerfile->joined = cutter.joined;
    dockerfile->n_joined = cutter.n_joined;
    *out = dockerfile;
    return result;
}

void bw_dockerfile_note_joined(struct bw_scope *scope, const struct bw_dockerfile *dockerfile, const char *word)
{
    for (size_t i = 0; i < dockerfile->n_joined; i++) {
        if (strcmp(dockerfile->joined[i], word) == 0) {
            bw_rows_set(scope->deviations, BW_ROW_CONTINUATION);
            return;
        }
    }
}
