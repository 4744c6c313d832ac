#include "load/report_parts.h"

#include "util/format.h"

#include <math.h>
#include <string.h>
#include <time.h>

static const char *const styles[PGM_LOAD_REPORT_VIEWS_MAX] = {"c7", "c0", "c1", "c2", "c3", "c4", "c5", "c6"};

/* ---- texts ---- */

char *pgm_load_rate_text(struct pgm_arena *arena, double per_second)
{
	if (!isfinite(per_second))
		return pgm_strdup(arena, "-");
	return per_second < 100 ? pgm_sprintf(arena, "%.1f", per_second)
				: pgm_format_count(arena, per_second);
}

char *pgm_load_ms_text(struct pgm_arena *arena, double ms)
{
	return isfinite(ms) ? pgm_format_ms(arena, ms) : pgm_strdup(arena, "-");
}

char *pgm_load_percent_text(struct pgm_arena *arena, double share)
{
	if (!isfinite(share))
		return pgm_strdup(arena, "-");
	double percent = share * 100;
	if (percent > 0 && percent < 0.01)
		return pgm_strdup(arena, "< 0.01 %");
	if (percent > 99.99 && percent < 100)
		return pgm_strdup(arena, "> 99.99 %");
	int digits = percent == 0 || percent == 100 ? 0 : percent < 1 || percent > 99 ? 2 : 1;
	return pgm_sprintf(arena, "%.*f %%", digits, percent);
}

double pgm_load_hit_share(const struct pgm_load_target *target)
{
	double hit = 0, read = 0;
	for (size_t i = 0; i < target->sample_count; i++) {
		hit += fmax(target->samples[i].blocks_hit, 0);
		read += fmax(target->samples[i].blocks_read, 0);
	}
	return hit + read > 0 ? hit / (hit + read) : -1;
}

double pgm_load_wanted_p95_ms(const struct pgm_load_report_view *view)
{
	for (size_t i = 0; i < view->result->verdict_count; i++) {
		const struct pgm_load_verdict *verdict = &view->result->verdicts[i];
		if (verdict->target == view->place && strcmp(verdict->name, "p95") == 0)
			return verdict->wanted;
	}
	return 0;
}

/* ---- the head ---- */

static char *moment_text(struct pgm_arena *arena, double unix_s)
{
	struct tm tm;
	char text[64] = "";
	time_t at = unix_s > 0 && unix_s < 1e11 ? (time_t)unix_s : 0;
	if (gmtime_r(&at, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &tm);
	return pgm_strdup(arena, text);
}

static char *scenario_text(struct pgm_arena *arena, const struct pgm_load_result *result)
{
	char *length = pgm_format_ms(arena, result->length_s * 1000);
	const char *name = pgm_load_scenarios[result->scenario];
	if (result->rate > 0)
		return pgm_sprintf(arena, "%s transactions a second for %s",
				   pgm_load_rate_text(arena, result->rate), length);
	return pgm_sprintf(arena, "%s, up to %u users, %s", name, result->users, length);
}

static void write_head(struct pgm_load_report *report, const struct pgm_load_report_part *parts, size_t count)
{
	struct pgm_doc *doc = report->doc;
	struct pgm_arena *arena = report->arena;
	const struct pgm_load_result *result = parts[0].result;
	const char *title = "Load";
	for (size_t i = 0; i < report->count && report->count > 1; i++)
		title = pgm_sprintf(arena, "%s%s %s", title, i == 0 ? ":" : " and", report->views[i].label);
	if (report->count == 1)
		title = pgm_sprintf(arena, "Load on %s", report->views[0].target->place);
	else if (report->count > 2)
		title = pgm_sprintf(arena, "Load: %zu %s side by side", report->count,
				    count == 1 ? "targets" : "runs");
	doc->title = title;
	doc->subtitle = pgm_sprintf(
		arena, "%s, %s%s%s", scenario_text(arena, result), moment_text(arena, result->began_unix_s),
		count > 1 ? " (the first of them)" : "", result->interrupted ? "; interrupted" : "");
	doc->footer = result->program ? result->program : "";
}

/* ---- verdicts ---- */

static char *verdict_value(struct pgm_arena *arena, const struct pgm_load_verdict *verdict, double value)
{
	if (strcmp(verdict->name, "p95") == 0)
		return pgm_load_ms_text(arena, value);
	if (strcmp(verdict->name, "error-rate") == 0)
		return pgm_load_percent_text(arena, value);
	return pgm_sprintf(arena, "%s/s", pgm_load_rate_text(arena, value));
}

static void write_verdicts(struct pgm_load_report *report, const struct pgm_load_report_part *part)
{
	static const char *const headers[] = {"target", "wanted", "", "measured", ""};
	const struct pgm_load_result *result = part->result;
	struct pgm_arena *arena = report->arena;
	size_t failed = 0;
	for (size_t i = 0; i < result->verdict_count; i++)
		failed += !result->verdicts[i].held;
	if (!result->verdict_count)
		return;
	char *whose = *part->label ? pgm_sprintf(arena, "%s: ", part->label) : pgm_strdup(arena, "");
	struct pgm_doc_block *banner = pgm_doc_add(
		report->doc, PGM_DOC_BANNER,
		failed ? pgm_sprintf(arena, "%s%s: of %zu limits %zu did not hold", whose,
				     *part->label ? "failed" : "Failed", result->verdict_count, failed)
		       : pgm_sprintf(arena, "%s%s: limits held: %zu of %zu", whose,
				     *part->label ? "passed" : "Passed", result->verdict_count,
				     result->verdict_count));
	banner->mark = failed ? PGM_DOC_BAD : PGM_DOC_GOOD;
	struct pgm_doc_block *table = pgm_doc_table(report->doc, "llrrl", headers);
	for (size_t i = 0; i < result->verdict_count; i++) {
		const struct pgm_load_verdict *verdict = &result->verdicts[i];
		struct pgm_doc_cell *row = pgm_doc_row(report->doc, table);
		bool least = strcmp(verdict->name, "throughput") == 0;
		row[0].text = result->targets[verdict->target].name;
		row[1].text = pgm_sprintf(arena, "%s %s", verdict->name, least ? "at least" : "at most");
		row[2].text = verdict_value(arena, verdict, verdict->wanted);
		row[3].text = verdict_value(arena, verdict, verdict->measured);
		row[4].text = verdict->held ? "held" : "did not hold";
		row[4].mark = verdict->held ? PGM_DOC_GOOD : PGM_DOC_BAD;
	}
}

/* ---- one target ---- */

static void write_tiles(struct pgm_load_report *report, const struct pgm_load_report_view *view)
{
	const struct pgm_load_target *target = view->target;
	const struct pgm_load_distribution *latency = &target->latency;
	struct pgm_arena *arena = report->arena;
	struct pgm_doc_block *tiles = pgm_doc_add(report->doc, PGM_DOC_TILES, "");
	double due = pgm_load_due_rate(target);
	double wanted = pgm_load_wanted_p95_ms(view);
	pgm_doc_item(report->doc, tiles, "done a second", pgm_load_rate_text(arena, target->done_rate),
		     pgm_sprintf(arena, "of %s due", pgm_load_rate_text(arena, due)),
		     view->analysis.saturated ? PGM_DOC_BAD : PGM_DOC_PLAIN);
	pgm_doc_item(report->doc, tiles, "P50", pgm_load_ms_text(arena, latency->p50_ms), "", PGM_DOC_PLAIN);
	pgm_doc_item(report->doc, tiles, "P95", pgm_load_ms_text(arena, latency->p95_ms),
		     wanted > 0 ? pgm_sprintf(arena, "at most %s", pgm_load_ms_text(arena, wanted)) : "",
		     !(wanted > 0)		 ? PGM_DOC_PLAIN
		     : latency->p95_ms <= wanted ? PGM_DOC_GOOD
						 : PGM_DOC_BAD);
	pgm_doc_item(report->doc, tiles, "P99", pgm_load_ms_text(arena, latency->p99_ms),
		     pgm_sprintf(arena, "longest %s", pgm_load_ms_text(arena, latency->max_ms)),
		     PGM_DOC_PLAIN);
	pgm_doc_item(report->doc, tiles, "failed", pgm_load_percent_text(arena, target->error_rate),
		     pgm_sprintf(arena, "%s of %s", pgm_format_count(arena, (double)target->failed),
				 pgm_format_count(arena, (double)(target->done + target->failed))),
		     target->failed ? PGM_DOC_BAD : PGM_DOC_PLAIN);
	pgm_doc_item(report->doc, tiles, "sessions", pgm_sprintf(arena, "%u", target->sessions_max),
		     target->users_max ? pgm_sprintf(arena, "for %u users", target->users_max) : "",
		     PGM_DOC_PLAIN);
}

static void write_analysis(struct pgm_load_report *report, const struct pgm_load_report_view *view)
{
	const struct pgm_load_analysis *analysis = &view->analysis;
	struct pgm_doc *doc = report->doc;
	pgm_doc_heading(doc, 3, analysis->saturated ? "What it was bound by" : "What the figures show");
	pgm_doc_add(doc, PGM_DOC_TEXT, analysis->summary);
	for (size_t i = 0; i < analysis->cause_count; i++) {
		const struct pgm_load_cause *cause = &analysis->causes[i];
		struct pgm_doc_block *card =
			pgm_doc_add(doc, PGM_DOC_CARD,
				    pgm_sprintf(report->arena, "%c%s", (char)(cause->name[0] - 'a' + 'A'),
						cause->name + 1));
		pgm_doc_item(doc, card, "", cause->figures, "", PGM_DOC_PLAIN);
		pgm_doc_item(doc, card, "", cause->advice, "", PGM_DOC_PLAIN);
	}
	if (analysis->saturated && !analysis->cause_count)
		pgm_doc_add(
			doc, PGM_DOC_TEXT,
			*view->target->watch_problem
				? "What held it up is not known: the server was not watched."
				: "Nothing that was watched was full: what held it up is outside of it (the "
				  "network, another machine).");
	struct pgm_doc_block *notes = pgm_doc_add(doc, PGM_DOC_LIST, "");
	for (size_t i = 0; i < analysis->note_count; i++)
		pgm_doc_item(doc, notes, "", analysis->notes[i], "", PGM_DOC_PLAIN);
	if (*view->target->watch_problem)
		pgm_doc_item(doc, notes, "",
			     pgm_sprintf(report->arena, "Not watched: %s.", view->target->watch_problem), "",
			     PGM_DOC_PLAIN);
}

static void write_view(struct pgm_load_report *report, const struct pgm_load_report_view *view)
{
	struct pgm_doc *doc = report->doc;
	if (report->count > 1)
		pgm_doc_heading(doc, 2, view->label);
	write_tiles(report, view);
	write_analysis(report, view);
	pgm_doc_heading(doc, 3, "Over time");
	pgm_load_plots_over_time(report, view);
	pgm_load_table_over_time(report, view);
	pgm_doc_heading(doc, 3, "The server");
	pgm_load_plots_of_server(report, view);
	pgm_load_tables_of(report, view);
	pgm_doc_heading(doc, 3, "What was run");
	pgm_load_table_of_settings(report, view);
}

/* ---- all ---- */

static const struct pgm_load_report_view *find_baseline(const struct pgm_load_report *report,
							const struct pgm_load_result *first, const char *name)
{
	for (size_t i = 0; i < report->count; i++)
		if (report->views[i].result == first && strcmp(report->views[i].target->name, name) == 0)
			return &report->views[i];
	return report->count ? &report->views[0] : NULL;
}

static void add_views(struct pgm_load_report *report, const struct pgm_load_report_part *parts, size_t count)
{
	const struct pgm_load_result *first = parts[0].result;
	for (size_t p = 0; p < count; p++) {
		const struct pgm_load_result *result = parts[p].result;
		for (size_t t = 0; t < result->target_count && report->count < PGM_LOAD_REPORT_VIEWS_MAX;
		     t++) {
			const struct pgm_load_target *target = &result->targets[t];
			struct pgm_load_report_view *view = &report->views[report->count];
			*view = (struct pgm_load_report_view){
				.result = result,
				.target = target,
				.place = t,
				.style = styles[report->count],
				.label = !*parts[p].label ? target->name
					 : result->target_count == 1
						 ? parts[p].label
						 : pgm_sprintf(report->arena, "%s: %s", parts[p].label,
							       target->name),
			};
			if (result != first)
				view->baseline = find_baseline(report, first, target->name);
			else if (count == 1 && report->count)
				view->baseline = &report->views[0];
			pgm_load_analyse(report->arena, result, t, &view->analysis);
			report->count++;
		}
	}
}

void pgm_load_report(struct pgm_arena *arena, const struct pgm_load_report_part *parts, size_t count,
		     struct pgm_doc *doc)
{
	struct pgm_load_report *report = PGM_NEW(arena, struct pgm_load_report);
	*doc = (struct pgm_doc){.arena = arena};
	report->arena = arena;
	report->doc = doc;
	add_views(report, parts, count);
	write_head(report, parts, count);
	for (size_t i = 0; i < count; i++)
		write_verdicts(report, &parts[i]);
	if (report->count > 1) {
		pgm_doc_heading(doc, 2, "Side by side");
		pgm_load_figures_compared(report);
		pgm_load_plots_compared(report);
		pgm_load_statements_compared(report);
	}
	for (size_t i = 0; i < report->count; i++)
		write_view(report, &report->views[i]);
}
