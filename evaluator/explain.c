/* What the gate tables say, as text for a terminal and as Markdown for docs/gates.md. */
#include "evaluator/explain.h"

#include "evaluator/gate.h"

#include <string.h>

static int no_gate(const char *name, struct bw_error *err)
{
    const char *near = bw_gate_suggest(name);
    return bw_error_set(err, BW_ENOTFOUND, "there is no gate \"%.60s\"%s%s", name,
                        near == NULL ? "" : ", did you mean ", near == NULL ? "" : near);
}

/* Both names looked up; NULL stays NULL. */
static int find(const struct bw_gate **gate_out, const struct bw_trigger **trigger_out, const char *gate,
                const char *trigger, struct bw_error *err)
{
    *gate_out = gate == NULL ? NULL : bw_gate_find(gate);
    if (gate != NULL && *gate_out == NULL) {
        return no_gate(gate, err);
    }
    *trigger_out = *gate_out == NULL || trigger == NULL ? NULL : bw_trigger_find(*gate_out, trigger);
    if (trigger != NULL && *trigger_out == NULL) {
        const char *near = *gate_out == NULL ? NULL : bw_trigger_suggest(*gate_out, trigger);
        return bw_error_set(err, BW_ENOTFOUND, "gate %s has no trigger \"%.60s\"%s%s",
                            gate == NULL ? "?" : (*gate_out)->name, trigger, near == NULL ? "" : ", did you mean ",
                            near == NULL ? "" : near);
    }
    return 0;
}

static void print_choices(FILE *out, const struct bw_param *param, const char *between, const char *quote)
{
    for (size_t i = 0; param->choices != NULL && param->choices[i] != NULL; i++) {
        (void)fprintf(out, "%s%s%s%s", i == 0 ? "" : between, quote, param->choices[i], quote);
    }
}

/* ---- text ---- */

static void text_param(FILE *out, const struct bw_param *param)
{
    (void)fprintf(out, "      %s (%s%s)\n        %s\n", param->name, bw_param_kind_name(param->kind),
                  param->required ? ", required" : "", param->doc);
    if (param->choices != NULL) {
        (void)fprintf(out, "        one of: ");
        print_choices(out, param, ", ", "");
        (void)fprintf(out, "\n");
    }
    if (param->default_text != NULL) {
        (void)fprintf(out, "        default: %s\n", param->default_text);
    }
    if (param->example != NULL) {
        (void)fprintf(out, "        example: %s\n", param->example);
    }
}

static void text_trigger(FILE *out, const struct bw_gate *gate, const struct bw_trigger *trigger)
{
    (void)fprintf(out, "  %s:%s\n    %s\n", gate->name, trigger->name, trigger->doc);
    for (unsigned i = 0; i < trigger->n_params; i++) {
        text_param(out, &trigger->params[i]);
    }
    (void)fputc('\n', out);
}

static void text_state(FILE *out, const struct bw_gate *gate)
{
    if (gate->state == BW_GATE_RETIRED) {
        (void)fprintf(out, "Retired: bundles that name it are refused%s%s.\n", gate->successor == NULL ? "" : "; use ",
                      gate->successor == NULL ? "" : gate->successor);
    } else if (gate->state == BW_GATE_FOREIGN) {
        (void)fprintf(out, "Of another product: bundles that name it are refused.\n");
    }
}

int bw_explain_text(FILE *out, const char *gate_name, const char *trigger_name, struct bw_error *err)
{
    const struct bw_gate *gate = NULL;
    const struct bw_trigger *trigger = NULL;
    if (find(&gate, &trigger, gate_name, trigger_name, err) != 0) {
        return -1;
    }
    if (gate == NULL) {
        for (size_t i = 0; bw_gates[i] != NULL; i++) {
            if (bw_gates[i]->state == BW_GATE_ACTIVE) {
                (void)fprintf(out, "%-16s %s\n", bw_gates[i]->name, bw_gates[i]->doc);
            }
        }
        (void)fprintf(out,
                      "\nbreakwater explain GATE tells its triggers, breakwater explain GATE TRIGGER one of them.\n");
        return 0;
    }
    (void)fprintf(out, "%s\n  %s\n", gate->name, gate->doc);
    text_state(out, gate);
    (void)fputc('\n', out);
    for (unsigned i = 0; i < gate->n_triggers; i++) {
        if (trigger == NULL || trigger == &gate->triggers[i]) {
            text_trigger(out, gate, &gate->triggers[i]);
        }
    }
    return 0;
}

/* ---- Markdown ---- */

static void cell(FILE *out, const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        if (*text == '|') {
            (void)fputc('\\', out);
        }
        (void)fputc(*text, out);
    }
}

static void markdown_trigger(FILE *out, const struct bw_gate *gate, const struct bw_trigger *trigger)
{
    (void)fprintf(out, "### %s:%s\n\n%s\n\n", gate->name, trigger->name, trigger->doc);
    if (trigger->n_params == 0) {
        (void)fprintf(out, "No parameters.\n\n");
        return;
    }
    (void)fprintf(
        out, "| parameter | kind | required | default | meaning | example |\n| --- | --- | --- | --- | --- | --- |\n");
    for (unsigned i = 0; i < trigger->n_params; i++) {
        const struct bw_param *param = &trigger->params[i];
        (void)fprintf(out, "| `%s` | %s | %s | ", param->name, bw_param_kind_name(param->kind),
                      param->required ? "yes" : "no");
        cell(out, param->default_text);
        (void)fprintf(out, " | ");
        cell(out, param->doc);
        if (param->choices != NULL) {
            (void)fprintf(out, " One of ");
            print_choices(out, param, ", ", "`");
            (void)fputc('.', out);
        }
        (void)fprintf(out, " | ");
        if (param->example != NULL) {
            (void)fputc('`', out);
            cell(out, param->example);
            (void)fputc('`', out);
        }
        (void)fprintf(out, " |\n");
    }
    (void)fputc('\n', out);
}

static void markdown_gate(FILE *out, const struct bw_gate *gate, const struct bw_trigger *only)
{
    (void)fprintf(out, "## %s\n\n%s\n\n", gate->name, gate->doc);
    for (unsigned i = 0; i < gate->n_triggers; i++) {
        if (only == NULL || only == &gate->triggers[i]) {
            markdown_trigger(out, gate, &gate->triggers[i]);
        }
    }
}

static void markdown_refused(FILE *out)
{
    (void)fprintf(out, "## Refused by name\n\nA bundle that names one of these gates is refused when it is loaded.\n\n"
                       "| gate | instead |\n| --- | --- |\n");
    for (size_t i = 0; bw_gates[i] != NULL; i++) {
        const struct bw_gate *gate = bw_gates[i];
        if (gate->state == BW_GATE_RETIRED) {
            (void)fprintf(out, "| `%s` (retired) | %s%s%s |\n", gate->name, gate->successor == NULL ? "" : "`",
                          gate->successor == NULL ? "nothing" : gate->successor, gate->successor == NULL ? "" : "`");
        } else if (gate->state == BW_GATE_FOREIGN) {
            (void)fprintf(out, "| `%s` (of another product) | nothing |\n", gate->name);
        }
    }
}

int bw_explain_markdown(FILE *out, const char *gate_name, const char *trigger_name, struct bw_error *err)
{
    const struct bw_gate *gate = NULL;
    const struct bw_trigger *trigger = NULL;
    if (find(&gate, &trigger, gate_name, trigger_name, err) != 0) {
        return -1;
    }
    if (gate != NULL) {
        markdown_gate(out, gate, trigger);
        return 0;
    }
    (void)fprintf(
        out, "# Gates\n\nGenerated from the tables in `evaluator/gates` by `breakwater explain --output markdown`.\n\n"
             "A rule names a gate and a trigger, gives parameters, and an action: `GO`, `WARN` or `STOP`.\n\n");
    for (size_t i = 0; bw_gates[i] != NULL; i++) {
        if (bw_gates[i]->state == BW_GATE_ACTIVE) {
            markdown_gate(out, bw_gates[i], NULL);
        }
    }
    markdown_refused(out);
    return 0;
}
