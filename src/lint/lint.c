#include "lint/lint.h"

#include "lint/lint_run.h"

#include <stdlib.h>
#include <string.h>

static int by_place(const void *a, const void *b)
{
	const struct pgm_lint_finding *x = a, *y = b;
	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->line != y->line)
		return x->line - y->line;
	if (x->severity != y->severity)
		return (int)y->severity - (int)x->severity;
	return x->rule == y->rule ? x->column - y->column : x->rule < y->rule ? -1 : 1;
}

static void collect_problems(struct pgm_arena *arena, const struct pgm_script *scripts,
			     struct pgm_lint_report *report)
{
	PGM_VEC(struct pgm_lint_problem) problems = {0};
	for (size_t s = 0; s < report->file_count; s++)
		for (size_t i = 0; i < scripts[s].problems.count; i++)
			*pgm_vec_add(arena, &problems) = scripts[s].problems.items[i];
	report->problems = problems.items;
	report->problem_count = problems.count;
}

bool pgm_lint_run(struct pgm_arena *arena, const char *const *paths, size_t count,
		  const struct pgm_lint_options *options, struct pgm_conn *conn,
		  struct pgm_lint_report *report, struct pgm_error *err)
{
	struct pgm_script *scripts = PGM_NEW_ARRAY(arena, struct pgm_script, count + 1);
	struct pgm_lint_facts facts;
	*report = (struct pgm_lint_report){.file_count = count};
	report->files = PGM_NEW_ARRAY(arena, struct pgm_lint_file, count + 1);
	for (size_t i = 0; i < count; i++)
		if (!pgm_script_read(arena, paths[i], options, count == 1, &scripts[i], err))
			return false;
	if (conn && !pgm_lint_facts_read(arena, conn, scripts, count, &facts, err))
		return false;
	struct pgm_judge judge = {.arena = arena,
				  .options = options,
				  .facts = conn ? &facts : NULL,
				  .scripts = scripts,
				  .script_count = count};
	for (size_t i = 0; options->since && i < count; i++)
		if (strcmp(paths[i], options->since) == 0)
			judge.since = i;
	struct pgm_map *maps[] = {&judge.types,	  &judge.checked,  &judge.indexes,     &judge.made,
				  &judge.primary, &judge.not_null, &judge.unvalidated, &judge.fingerprints};
	for (size_t i = 0; i < sizeof(maps) / sizeof(*maps); i++)
		pgm_map_init(maps[i], arena);
	pgm_judge_read_references(&judge);
	for (size_t i = 0; i < count; i++) {
		report->files[i] = (struct pgm_lint_file){
			.path = paths[i], .tool = scripts[i].tool, .skipped = scripts[i].skipped};
		pgm_judge_script(&judge, i, &report->files[i]);
		if (i < judge.since && !report->files[i].skipped)
			report->files[i].skipped = "it has run already (--since)";
		report->ignored += report->files[i].ignored;
	}
	report->findings = judge.findings.items;
	report->finding_count = judge.findings.count;
	if (report->finding_count)
		qsort(report->findings, report->finding_count, sizeof(*report->findings), by_place);
	for (size_t i = 0; i < report->finding_count; i++)
		report->counts[report->findings[i].severity]++;
	collect_problems(arena, scripts, report);
	if (conn) {
		int version = pgm_conn_version(conn);
		report->database = pgm_conn_database(conn);
		report->server_version = pgm_sprintf(arena, "%d.%d", version / 10000, version % 10000);
	}
	return true;
}
