#include "cli/lint_print.h"

#include "cli/sarif.h"
#include "util/buf.h"
#include "util/format.h"
#include "util/safe_text.h"
#include "util/term.h"

#include <ctype.h>
#include <string.h>

#define STATEMENT_CELLS 56
#define LIGHTEST_SHOWN	4 /* SHARE UPDATE EXCLUSIVE: what is below blocks nobody's reads and writes */

static const struct {
	const char *name;
	enum pgm_style style;
} severities[] = {{"info", PGM_CYAN}, {"warning", PGM_YELLOW}, {"critical", PGM_RED}};

/* The statement on one line, cut to what fits. */
static const char *shortened(struct pgm_arena *arena, const char *sql)
{
	struct pgm_buf text;
	pgm_buf_init(&text, arena);
	size_t cells = 0;
	for (const char *p = sql; *p && cells <= STATEMENT_CELLS; p++) {
		if (isspace((unsigned char)*p)) {
			if (text.length && text.text[text.length - 1] != ' ')
				pgm_buf_char(&text, ' '), cells++;
			continue;
		}
		pgm_buf_char(&text, *p);
		cells += ((unsigned char)*p & 0xC0) != 0x80;
	}
	if (cells > STATEMENT_CELLS)
		pgm_buf_add(&text, "...");
	return text.text ? text.text : "";
}

static const char *work_cell(struct pgm_arena *arena, const struct pgm_lint_effect *effect)
{
	static const char *const words[] = {"short", "reads it", "builds an index", "rewrites it"};
	if (effect->work == PGM_LINT_NO_WORK || effect->estimate_ms < 0)
		return words[effect->work];
	return pgm_sprintf(arena, "%s, about %s", words[effect->work],
			   pgm_format_ms(arena, effect->estimate_ms));
}

/* One row for each lock that others may notice; NULL where there is none. */
static struct pgm_table *locks_of(struct pgm_arena *arena, const struct pgm_lint_file *file)
{
	static const char *const headers[] = {"line", "lock", "on", "work", "statement"};
	struct pgm_table *table = NULL;
	for (size_t i = 0; i < file->statement_count; i++) {
		const struct pgm_lint_statement *statement = &file->statements[i];
		for (size_t e = 0; e < statement->effect_count; e++) {
			const struct pgm_lint_effect *effect = &statement->effects[e];
			if (effect->is_new || (effect->lock < LIGHTEST_SHOWN && !effect->work))
				continue;
			if (!table)
				table = pgm_table_new(arena, "rllll", headers);
			const char *cells[] = {
				pgm_sprintf(arena, "%d", statement->line), pgm_lint_lock_name(effect->lock),
				pgm_safe_text(arena, effect->relation, false), work_cell(arena, effect),
				pgm_safe_text(arena, shortened(arena, statement->text), false)};
			pgm_table_row(table, cells);
		}
	}
	return table;
}

static void print_indented(const char *text, FILE *stream)
{
	while (*text) {
		size_t length = strcspn(text, "\n");
		fprintf(stream, "    %.*s\n", (int)length, text);
		text += length + (text[length] == '\n');
	}
}

static void print_finding(struct pgm_arena *arena, const struct pgm_lint_report *report,
			  const struct pgm_lint_finding *finding, FILE *stream)
{
	fprintf(stream, "%s%s:%d:%d:%s %s%s%s: %s [%s]\n", pgm_term_on(stream, PGM_BOLD),
		pgm_safe_text(arena, report->files[finding->file].path, false), finding->line,
		finding->column, pgm_term_off(stream),
		pgm_term_on(stream, severities[finding->severity].style), severities[finding->severity].name,
		pgm_term_off(stream), finding->rule->title, finding->rule->id);
	pgm_print_wrapped(arena, pgm_safe_text(arena, finding->message, false), 4, stream);
	if (*finding->remedy) {
		fputs(pgm_term_on(stream, PGM_GREEN), stream);
		print_indented(pgm_safe_text(arena, finding->remedy, true), stream);
		fputs(pgm_term_off(stream), stream);
	} else {
		pgm_print_wrapped(arena, pgm_sprintf(arena, "Instead: %s", finding->rule->instead), 4,
				  stream);
	}
}

static const char *counted(struct pgm_arena *arena, const struct pgm_lint_report *report)
{
	size_t skipped = 0;
	for (size_t i = 0; i < report->file_count; i++)
		skipped += report->files[i].skipped != NULL;
	return pgm_sprintf(arena, "%zu file%s%s: %zu critical, %zu warning%s, %zu info%s.",
			   report->file_count, report->file_count == 1 ? "" : "s",
			   skipped ? pgm_sprintf(arena, " (%zu passed over)", skipped) : "",
			   report->counts[PGM_SEVERITY_CRITICAL], report->counts[PGM_SEVERITY_WARNING],
			   report->counts[PGM_SEVERITY_WARNING] == 1 ? "" : "s",
			   report->counts[PGM_SEVERITY_INFO],
			   report->ignored ? pgm_sprintf(arena, " (and %zu ignored)", report->ignored) : "");
}

void pgm_lint_print_text(struct pgm_arena *arena, const struct pgm_lint_report *report, FILE *stream)
{
	size_t at = 0;
	for (size_t f = 0; f < report->file_count; f++) {
		const struct pgm_lint_file *file = &report->files[f];
		struct pgm_table *table = locks_of(arena, file);
		size_t first = at;
		if (table) {
			fprintf(stream, "%s%s%s (%s)\n", pgm_term_on(stream, PGM_BOLD),
				pgm_safe_text(arena, file->path, false), pgm_term_off(stream),
				pgm_lint_tool_name(file->tool));
			pgm_table_print(table, stream);
			fputc('\n', stream);
		}
		for (; at < report->finding_count && report->findings[at].file == f; at++)
			print_finding(arena, report, &report->findings[at], stream);
		if (at > first)
			fputc('\n', stream);
	}
	fprintf(stream, "%s%s\n", counted(arena, report),
		report->database
			? pgm_sprintf(arena, " Sizes are those of %s, PostgreSQL %s.",
				      pgm_safe_text(arena, report->database, false), report->server_version)
			: "");
}

void pgm_lint_print_markdown(struct pgm_arena *arena, const struct pgm_lint_report *report, FILE *stream)
{
	fprintf(stream, "# Lint\n\n%s\n", counted(arena, report));
	size_t at = 0;
	for (size_t f = 0; f < report->file_count; f++) {
		const struct pgm_lint_file *file = &report->files[f];
		struct pgm_table *table = locks_of(arena, file);
		if (!table && (at >= report->finding_count || report->findings[at].file != f))
			continue;
		fprintf(stream, "\n## %s\n\n", pgm_safe_markdown(arena, file->path));
		if (table)
			pgm_table_print_markdown(table, stream);
		for (; at < report->finding_count && report->findings[at].file == f; at++) {
			const struct pgm_lint_finding *finding = &report->findings[at];
			fprintf(stream, "\n- **%s**, line %d: %s (`%s`). %s\n",
				severities[finding->severity].name, finding->line, finding->rule->title,
				finding->rule->id, pgm_safe_markdown(arena, finding->message));
			if (*finding->remedy)
				pgm_print_fenced(arena, finding->remedy, stream);
			else
				fprintf(stream, "  Instead: %s\n",
					pgm_safe_markdown(arena, finding->rule->instead));
		}
	}
	for (size_t i = 0; i < report->problem_count; i++)
		fprintf(stream, "%s- %s\n", i ? "" : "\n## Not understood\n\n",
			pgm_safe_markdown(arena, report->problems[i].message));
}

json_t *pgm_lint_sarif(struct pgm_arena *arena, const struct pgm_lint_report *report)
{
	json_t *log = pgm_sarif_new();
	for (int i = 0; i < PGM_LINT_RULES; i++) {
		const struct pgm_lint_rule *rule = &pgm_lint_rules[i];
		pgm_sarif_add_rule(log, &(struct pgm_sarif_rule){rule->id, rule->title, rule->why,
								 rule->instead, rule->severity});
	}
	for (size_t i = 0; i < report->finding_count; i++) {
		const struct pgm_lint_finding *finding = &report->findings[i];
		const char *remedy = *finding->remedy ? finding->remedy : finding->rule->instead;
		struct pgm_sarif_result result = {
			.rule_id = finding->rule->id,
			.rule_index = (size_t)(finding->rule - pgm_lint_rules),
			.severity = finding->severity,
			.message = pgm_sprintf(arena, "%s Instead: %s", finding->message, remedy),
			.path = report->files[finding->file].path,
			.line = finding->line,
			.column = finding->column,
			.end_line = finding->end_line,
			.object = finding->relation,
			.fingerprint = finding->fingerprint,
		};
		pgm_sarif_add_result(log, &result);
	}
	for (size_t i = 0; i < report->problem_count; i++)
		pgm_sarif_add_problem(log, report->problems[i].message);
	return log;
}

void pgm_lint_print_rules(struct pgm_arena *arena, FILE *stream)
{
	static const char *const headers[] = {"rule", "severity", "title"};
	struct pgm_table *table = pgm_table_new(arena, "lll", headers);
	for (int i = 0; i < PGM_LINT_RULES; i++) {
		const struct pgm_lint_rule *rule = &pgm_lint_rules[i];
		const char *cells[] = {rule->id, pgm_severity_name(rule->severity), rule->title};
		pgm_table_row(table, cells);
	}
	pgm_table_print(table, stream);
}

void pgm_lint_print_rules_page(FILE *stream)
{
	fputs("# The rules of pgmend lint\n\n"
	      "This page is what `pgmend lint --rules --format=markdown` prints. [lint.md](lint.md) tells "
	      "how to "
	      "use them.\n",
	      stream);
	for (int i = 0; i < PGM_LINT_RULES; i++) {
		const struct pgm_lint_rule *rule = &pgm_lint_rules[i];
		fprintf(stream, "\n## %s\n\n%s (%s).\n\n%s\n\nInstead: %s\n", rule->id, rule->title,
			pgm_severity_name(rule->severity), rule->why, rule->instead);
	}
}

void pgm_lint_print_rule(struct pgm_arena *arena, const struct pgm_lint_rule *rule, FILE *stream)
{
	fprintf(stream, "%s%s%s (%s), %s\n\n", pgm_term_on(stream, PGM_BOLD), rule->title,
		pgm_term_off(stream), rule->id, pgm_severity_name(rule->severity));
	pgm_print_wrapped(arena, rule->why, 0, stream);
	fputs("\nInstead:\n\n", stream);
	pgm_print_wrapped(arena, rule->instead, 2, stream);
}
