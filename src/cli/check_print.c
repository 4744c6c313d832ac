#include "cli/check_print.h"

#include "util/buf.h"
#include "util/format.h"
#include "util/safe_text.h"
#include "util/term.h"

#include <ctype.h>
#include <string.h>

static const struct {
	enum pgm_severity severity;
	const char *heading;
	enum pgm_style style;
} sections[] = {
	{PGM_SEVERITY_CRITICAL, "Critical", PGM_RED},
	{PGM_SEVERITY_WARNING, "Warning", PGM_YELLOW},
	{PGM_SEVERITY_INFO, "Info", PGM_CYAN},
};
#define SECTIONS (sizeof(sections) / sizeof(*sections))

/* The first line of each statement is indented; further lines are not, for a name may go on there. */
static void print_remedy(struct pgm_arena *arena, const char *remedy, FILE *stream)
{
	char *text = pgm_safe_text(arena, remedy, true);
	size_t length = strlen(text);
	while (length && isspace((unsigned char)text[length - 1]))
		text[--length] = '\0';
	fputs(pgm_term_on(stream, PGM_GREEN), stream);
	bool fresh = true;
	for (char *p = text; *p; p++) {
		if (fresh)
			fputs("    ", stream);
		fputc(*p, stream);
		fresh = *p == '\n' && p > text && (p[-1] == ';' || p[-1] == ':');
	}
	fprintf(stream, "%s\n", pgm_term_off(stream));
}

static void print_finding(struct pgm_arena *arena, const struct pgm_finding *finding, FILE *stream)
{
	fprintf(stream, "\n  %s%s%s  %s\n", pgm_term_on(stream, PGM_BOLD),
		pgm_safe_text(arena, finding->object, false), pgm_term_off(stream), finding->title);
	pgm_print_wrapped(arena, pgm_safe_text(arena, finding->detail, false), 4, stream);
	print_remedy(arena, finding->remedy, stream);
	fprintf(stream, "    %signore key: %s%s\n", pgm_term_on(stream, PGM_DIM),
		pgm_safe_text(arena, finding->ignore_key, false), pgm_term_off(stream));
}

static size_t print_skipped(struct pgm_arena *arena, const struct pgm_check_report *report, FILE *stream)
{
	size_t skipped = 0;
	for (size_t i = 0; i < report->result_count; i++) {
		const struct pgm_check_result *result = &report->results[i];
		if (!result->reason)
			continue;
		if (skipped++ == 0)
			fprintf(stream, "%sCould not check%s\n\n", pgm_term_on(stream, PGM_BOLD),
				pgm_term_off(stream));
		fprintf(stream, "  %s: %s\n", result->check->id, pgm_safe_text(arena, result->reason, false));
		if (*result->hint)
			print_remedy(arena, result->hint, stream);
	}
	return skipped;
}

static const char *counted(struct pgm_arena *arena, const struct pgm_check_report *report)
{
	return pgm_sprintf(arena, "%zu critical, %zu warning%s, %zu info%s; %zu of %zu checks judged in %s.",
			   report->counts[PGM_SEVERITY_CRITICAL], report->counts[PGM_SEVERITY_WARNING],
			   report->counts[PGM_SEVERITY_WARNING] == 1 ? "" : "s",
			   report->counts[PGM_SEVERITY_INFO],
			   report->ignored ? pgm_sprintf(arena, " (and %zu ignored)", report->ignored) : "",
			   report->judged, report->result_count, pgm_format_ms(arena, report->elapsed_ms));
}

static void print_not_listed(const struct pgm_check_report *report, FILE *stream)
{
	for (size_t i = 0; i < report->result_count; i++)
		if (report->results[i].dropped)
			fprintf(stream, "%s found more than the %d that are listed.\n",
				report->results[i].check->id, PGM_CHECK_MAX_FINDINGS);
}

void pgm_check_print_text(struct pgm_arena *arena, const struct pgm_check_report *report, FILE *stream)
{
	for (size_t s = 0; s < SECTIONS; s++) {
		if (!report->counts[sections[s].severity])
			continue;
		fprintf(stream, "%s%s%s\n", pgm_term_on(stream, sections[s].style), sections[s].heading,
			pgm_term_off(stream));
		for (size_t i = 0; i < report->finding_count; i++)
			if (report->findings[i]->severity == sections[s].severity)
				print_finding(arena, report->findings[i], stream);
		fputc('\n', stream);
	}
	if (print_skipped(arena, report, stream))
		fputc('\n', stream);
	print_not_listed(report, stream);
	fprintf(stream, "%s, PostgreSQL %s%s: %s\n", pgm_safe_text(arena, report->database, false),
		report->server_version, report->standby ? ", standby" : "", counted(arena, report));
}

void pgm_check_print_markdown(struct pgm_arena *arena, const struct pgm_check_report *report, FILE *stream)
{
	fprintf(stream, "# Check of %s\n\nPostgreSQL %s%s, %s. %s\n",
		pgm_safe_markdown(arena, report->database), report->server_version,
		report->standby ? " (standby)" : "", report->taken_at, counted(arena, report));
	for (size_t s = 0; s < SECTIONS; s++) {
		if (!report->counts[sections[s].severity])
			continue;
		fprintf(stream, "\n## %s\n", sections[s].heading);
		for (size_t i = 0; i < report->finding_count; i++) {
			const struct pgm_finding *finding = report->findings[i];
			if (finding->severity != sections[s].severity)
				continue;
			fprintf(stream, "\n### %s: %s\n\n%s\n", pgm_safe_markdown(arena, finding->title),
				pgm_safe_markdown(arena, finding->object),
				pgm_safe_markdown(arena, finding->detail));
			pgm_print_fenced(arena, finding->remedy, stream);
			fprintf(stream, "\nIgnore key: %s\n", pgm_safe_markdown(arena, finding->ignore_key));
		}
	}
	if (report->judged < report->result_count)
		fputs("\n## Could not check\n\n", stream);
	for (size_t i = 0; i < report->result_count; i++) {
		const struct pgm_check_result *result = &report->results[i];
		if (result->reason)
			fprintf(stream, "- %s: %s. %s\n", pgm_safe_markdown(arena, result->check->id),
				pgm_safe_markdown(arena, result->reason),
				pgm_safe_markdown(arena, result->hint));
	}
}

void pgm_check_print_list(struct pgm_arena *arena, const struct pgm_check *checks, size_t count, FILE *stream)
{
	static const char *const headers[] = {"id", "family", "severity", "title"};
	struct pgm_table *table = pgm_table_new(arena, "llll", headers);
	for (size_t i = 0; i < count; i++) {
		const char *cells[] = {checks[i].id, checks[i].family, pgm_severity_name(checks[i].severity),
				       checks[i].title};
		pgm_table_row(table, cells);
	}
	pgm_table_print(table, stream);
}

void pgm_check_print_explain(struct pgm_arena *arena, const struct pgm_check *check, FILE *stream)
{
	fprintf(stream, "%s%s%s (%s)\n%s, severity %s, PostgreSQL %d", pgm_term_on(stream, PGM_BOLD),
		check->title, pgm_term_off(stream), check->id, check->family,
		pgm_severity_name(check->severity), check->oldest);
	if (check->newest)
		fprintf(stream, " to %d\n", check->newest);
	else
		fputs(" and later\n", stream);
	if (check->needs_primary)
		fputs("needs a primary\n", stream);
	if (check->extension)
		fprintf(stream, "needs the extension %s\n", check->extension);
	fprintf(stream, "\n%s\n", check->description);
	if (check->threshold_count)
		fprintf(stream, "\nThresholds (--threshold %s.NAME=VALUE):\n", check->id);
	for (size_t i = 0; i < check->threshold_count; i++)
		fprintf(stream, "  %-14s %10s  %s\n", check->thresholds[i].name, check->thresholds[i].value,
			check->thresholds[i].meaning);
	fprintf(stream, "\nIts SQL, as psql runs it:\n\n%s", pgm_check_explain_sql(arena, check));
}
