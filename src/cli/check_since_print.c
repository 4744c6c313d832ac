#include "cli/check_print.h"

#include "cli/sarif.h"
#include "util/safe_text.h"
#include "util/term.h"

#include <string.h>

static const struct {
	const char *heading;
	enum pgm_style style;
} kinds[PGM_CHECK_CHANGES] = {
	[PGM_CHECK_NEW] = {"New", PGM_RED},
	[PGM_CHECK_WORSE] = {"Worse", PGM_YELLOW},
	[PGM_CHECK_BETTER] = {"Better", PGM_GREEN},
	[PGM_CHECK_GONE] = {"Gone", PGM_GREEN},
};

static const char *counted(struct pgm_arena *arena, const struct pgm_check_since *since)
{
	return pgm_sprintf(arena, "%zu new, %zu worse, %zu better, %zu gone, %zu the same%s.",
			   since->counts[PGM_CHECK_NEW], since->counts[PGM_CHECK_WORSE],
			   since->counts[PGM_CHECK_BETTER], since->counts[PGM_CHECK_GONE], since->same,
			   since->not_compared
				   ? pgm_sprintf(arena, ", %zu not judged both times", since->not_compared)
				   : "");
}

/* "warning, was info", or the severity alone and how the impact moved. */
static const char *movement(struct pgm_arena *arena, const struct pgm_check_changed *changed)
{
	if (changed->change == PGM_CHECK_NEW || changed->change == PGM_CHECK_GONE)
		return pgm_severity_name(changed->now);
	if (changed->before != changed->now)
		return pgm_sprintf(arena, "%s, was %s", pgm_severity_name(changed->now),
				   pgm_severity_name(changed->before));
	if (changed->impact_before <= 0 || changed->impact_now > 1e300)
		return pgm_severity_name(changed->now);
	return pgm_sprintf(arena, "%s, %.3g times what it was", pgm_severity_name(changed->now),
			   changed->impact_now / changed->impact_before);
}

void pgm_check_print_since(struct pgm_arena *arena, const struct pgm_check_since *since, FILE *stream)
{
	fprintf(stream, "\nSince %s: %s\n", pgm_safe_text(arena, since->taken_at, false),
		counted(arena, since));
	for (size_t i = 0; i < since->changed_count; i++) {
		const struct pgm_check_changed *changed = &since->changed[i];
		if (i == 0 || changed[-1].change != changed->change)
			fprintf(stream, "\n%s%s%s\n", pgm_term_on(stream, kinds[changed->change].style),
				kinds[changed->change].heading, pgm_term_off(stream));
		fprintf(stream, "  %s  %s (%s)\n", pgm_safe_text(arena, changed->object, false),
			pgm_safe_text(arena, changed->title, false), movement(arena, changed));
	}
}

void pgm_check_print_since_markdown(struct pgm_arena *arena, const struct pgm_check_since *since,
				    FILE *stream)
{
	fprintf(stream, "\n## Since %s\n\n%s\n", pgm_safe_markdown(arena, since->taken_at),
		counted(arena, since));
	for (size_t i = 0; i < since->changed_count; i++) {
		const struct pgm_check_changed *changed = &since->changed[i];
		if (i == 0 || changed[-1].change != changed->change)
			fprintf(stream, "\n### %s\n\n", kinds[changed->change].heading);
		fprintf(stream, "- %s: %s (%s)\n", pgm_safe_markdown(arena, changed->title),
			pgm_safe_markdown(arena, changed->object), movement(arena, changed));
	}
}

void pgm_check_print_since_html(struct pgm_arena *arena, const struct pgm_check_since *since, FILE *stream)
{
	fprintf(stream, "<section class=\"since\"><h2>Since %s</h2>\n<p>%s</p>\n",
		pgm_safe_html(arena, since->taken_at), counted(arena, since));
	for (size_t i = 0; i < since->changed_count; i++) {
		const struct pgm_check_changed *changed = &since->changed[i];
		if (i == 0 || changed[-1].change != changed->change)
			fprintf(stream, "%s<h3>%s</h3>\n<ul class=\"%s\">\n", i ? "</ul>\n" : "",
				kinds[changed->change].heading, pgm_check_change_name(changed->change));
		fprintf(stream, "<li><b>%s</b> %s <span>%s</span></li>\n",
			pgm_safe_html(arena, changed->object), pgm_safe_html(arena, changed->title),
			movement(arena, changed));
	}
	fputs(since->changed_count ? "</ul>\n</section>\n" : "</section>\n", stream);
}

/* What SARIF calls the state of a result beside a baseline. */
static const char *baseline_state(const struct pgm_check_since *since, const struct pgm_finding *finding)
{
	if (!since)
		return NULL;
	for (size_t i = 0; i < since->changed_count; i++)
		if (strcmp(since->changed[i].ignore_key, finding->ignore_key) == 0)
			return since->changed[i].change == PGM_CHECK_NEW ? "new" : "updated";
	return "unchanged";
}

json_t *pgm_check_sarif(struct pgm_arena *arena, const struct pgm_check_report *report,
			const struct pgm_check_since *since)
{
	json_t *log = pgm_sarif_new();
	for (size_t i = 0; i < report->result_count; i++) {
		const struct pgm_check *check = report->results[i].check;
		pgm_sarif_add_rule(log, &(struct pgm_sarif_rule){check->id, check->title, check->description,
								 "", check->severity});
	}
	for (size_t i = 0; i < report->finding_count; i++) {
		const struct pgm_finding *finding = report->findings[i];
		size_t rule = 0;
		while (rule < report->result_count &&
		       strcmp(report->results[rule].check->id, finding->check_id) != 0)
			rule++;
		struct pgm_sarif_result result = {
			.rule_id = finding->check_id,
			.rule_index = rule,
			.severity = finding->severity,
			.message = pgm_sprintf(arena, "%s: %s\n%s", finding->object, finding->detail,
					       finding->remedy),
			.object = finding->object,
			.fingerprint = finding->ignore_key,
			.baseline_state = baseline_state(since, finding),
		};
		pgm_sarif_add_result(log, &result);
	}
	for (size_t i = 0; i < report->result_count; i++)
		if (report->results[i].reason)
			pgm_sarif_add_notice(log, pgm_sprintf(arena, "%s: %s", report->results[i].check->id,
							      report->results[i].reason));
	return log;
}
