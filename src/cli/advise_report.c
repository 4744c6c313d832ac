#include "cli/advise_report.h"

#include "pg/quote.h"
#include "util/format.h"
#include "util/term.h"

#include <ctype.h>
#include <string.h>

#define EFFECTS_SHOWN	  4
#define STATEMENT_COLUMNS 88

/* One line of at most that many columns. */
static char *one_line(struct pgm_arena *arena, const char *text, size_t columns)
{
	char *line = pgm_strdup(arena, text);
	size_t length = 0;
	bool space = false;
	for (const char *p = text; *p; p++) {
		bool blank = isspace((unsigned char)*p) || iscntrl((unsigned char)*p);
		if (!(blank && (space || length == 0)))
			line[length++] = blank ? ' ' : *p;
		space = blank;
	}
	line[length] = '\0';
	if (pgm_term_cells(line) <= columns)
		return line;
	return pgm_sprintf(arena, "%s...", pgm_quote_truncate(arena, line, columns - 3));
}

static const char *subject(struct pgm_arena *arena, const struct pgm_query *query)
{
	if (query->origin == PGM_QUERY_OF_WORKLOAD)
		return one_line(arena, query->statement->text, STATEMENT_COLUMNS);
	const struct pgm_foreign_key *key = query->foreign_key;
	return pgm_sprintf(arena, "each row deleted from %s looks for its children (foreign key %s)",
			   pgm_quote_qualified(arena, key->parent->schema, key->parent->name), key->name);
}

static void print_effect(const struct pgm_advise_report *report, const struct pgm_proposal_effect *effect,
			 FILE *stream)
{
	struct pgm_arena *arena = report->arena;
	const struct pgm_query *query = effect->query;
	double ratio = effect->cost_before / (effect->cost_after > 0.01 ? effect->cost_after : 0.01);
	fprintf(stream, "     %s%s%s\n", pgm_term_on(stream, PGM_CYAN), subject(arena, query),
		pgm_term_off(stream));
	fprintf(stream, "       %s call%s%s; cost %.1f -> %.1f, %s%s less%s (%s)\n",
		pgm_format_count(arena, query->weight), query->weight == 1 ? "" : "s",
		query->assumed_weight ? " assumed, none seen" : "", effect->cost_before, effect->cost_after,
		pgm_term_on(stream, PGM_GREEN), pgm_format_ratio(arena, ratio), pgm_term_off(stream),
		effect->estimated ? "estimate, HypoPG cannot plan it; verify will tell" : query->values_note);
	fprintf(stream, "       %s -> %s\n", effect->plan_before, effect->plan_after);
	if (effect->generic_before >= 0)
		fprintf(stream, "       generic plan: cost %.1f -> %.1f\n", effect->generic_before,
			effect->generic_after);
}

static void print_proposal(const struct pgm_advise_report *report, size_t number, FILE *stream)
{
	struct pgm_arena *arena = report->arena;
	const struct pgm_proposal *proposal = &report->advice->proposals[number];
	const struct pgm_candidate *candidate = proposal->candidate;
	fprintf(stream, "%s%zu. CREATE INDEX %s%s\n   ON %s %s\n", pgm_term_on(stream, PGM_BOLD), number + 1,
		pgm_quote_ident(arena, proposal->name), pgm_term_off(stream),
		pgm_quote_qualified(arena, candidate->def.table->schema, candidate->def.table->name),
		candidate->body);
	fprintf(stream, "   about %s, built in about %s; a row written costs about %.0f %% more\n",
		pgm_format_bytes(arena, candidate->size_bytes), pgm_format_ms(arena, proposal->build_ms),
		proposal->write_overhead * 100);
	for (size_t i = 0; i < proposal->effect_count && (i < EFFECTS_SHOWN || report->verbose); i++)
		print_effect(report, &proposal->effects[i], stream);
	if (proposal->effect_count > EFFECTS_SHOWN && !report->verbose)
		fprintf(stream, "     and %zu more (--verbose shows them)\n",
			proposal->effect_count - EFFECTS_SHOWN);
	for (size_t i = 0; i < proposal->redundant_count; i++)
		fprintf(stream, "   makes index %s needless (--drop-redundant would drop it)\n",
			pgm_quote_ident(arena, proposal->redundant[i]->name));
	fputc('\n', stream);
}

static void print_markdown(const struct pgm_advise_report *report, FILE *stream)
{
	static const char *const headers[] = {"#",	     "Index",	   "Size",	"Statement",
					      "Cost before", "Cost after", "Plan after"};
	struct pgm_arena *arena = report->arena;
	struct pgm_table *table = pgm_table_new(arena, "rlrlrrl", headers);
	for (size_t i = 0; i < report->advice->proposal_count; i++) {
		const struct pgm_proposal *proposal = &report->advice->proposals[i];
		for (size_t e = 0; e < proposal->effect_count; e++) {
			const struct pgm_proposal_effect *effect = &proposal->effects[e];
			const char *cells[] = {e ? "" : pgm_sprintf(arena, "%zu", i + 1),
					       e ? ""
						 : pgm_index_def_create(arena, &proposal->candidate->def,
									proposal->name, false),
					       e ? ""
						 : pgm_format_bytes(arena, proposal->candidate->size_bytes),
					       subject(arena, effect->query),
					       pgm_sprintf(arena, "%.1f", effect->cost_before),
					       pgm_sprintf(arena, "%.1f%s", effect->cost_after,
							   effect->estimated ? " (estimate)" : ""),
					       effect->plan_after};
			pgm_table_row(table, cells);
		}
	}
	pgm_table_print_markdown(table, stream);
	fputc('\n', stream);
}

static const char *counted(struct pgm_arena *arena, size_t count, const char *one, const char *many)
{
	return pgm_sprintf(arena, "%zu %s", count, count == 1 ? one : many);
}

static void print_summary(const struct pgm_advise_report *report, FILE *stream)
{
	struct pgm_arena *arena = report->arena;
	const struct pgm_advice *advice = report->advice;
	double ratio = advice->cost_before / (advice->cost_after > 0.01 ? advice->cost_after : 0.01);
	if (advice->proposal_count)
		fprintf(stream,
			"%s, about %s together. The workload's cost goes from %.0f to %.0f (%s less).\n",
			counted(arena, advice->proposal_count, "index", "indexes"),
			pgm_format_bytes(arena, advice->size_bytes), advice->cost_before, advice->cost_after,
			pgm_format_ratio(arena, ratio));
	fprintf(stream, "Asked: %s of %s, %s, %s in %s by %s.\n",
		counted(arena, advice->statement_count, "statement", "statements"), report->workload->source,
		counted(arena, advice->candidate_count, "candidate", "candidates"),
		counted(arena, advice->explain_count, "EXPLAIN", "EXPLAINs"),
		pgm_format_ms(arena, advice->elapsed_ms), advice->backend);
	if (report->workload->left_out_count)
		fprintf(stream, "Left out: %s that cannot be understood (the first: %s).\n",
			counted(arena, report->workload->left_out_count, "text", "texts"),
			report->workload->left_out_example);
	if (advice->unplanned_count)
		fprintf(stream, "Left out: %s that the server would not plan (the first: %s).\n",
			counted(arena, advice->unplanned_count, "statement", "statements"),
			advice->unplanned_example);
	if (report->workload->hidden_count)
		fprintf(stream,
			"Left out: %s of other users, whose text this role may not read. To let it: GRANT "
			"pg_read_all_stats TO %s;\n",
			counted(arena, report->workload->hidden_count, "statement", "statements"),
			pgm_quote_ident(arena, pgm_conn_user(report->conn)));
	for (size_t i = 0; i < advice->loser_count; i++)
		fprintf(stream, "Loses: %s: cost %.1f -> %.1f\n", subject(arena, advice->losers[i].query),
			advice->losers[i].cost_before, advice->losers[i].cost_after);
}

void pgm_advise_report_text(const struct pgm_advise_report *report, bool markdown, FILE *stream)
{
	const struct pgm_advice *advice = report->advice;
	if (advice->proposal_count == 0)
		fputs("No index is missing: none would save enough to be worth its size and its writes.\n",
		      stream);
	else if (markdown)
		print_markdown(report, stream);
	else
		for (size_t i = 0; i < advice->proposal_count; i++)
			print_proposal(report, i, stream);
	print_summary(report, stream);
	if (report->verbose) {
		fprintf(stream, "\nNot proposed:\n");
		for (size_t i = 0; i < advice->note_count; i++)
			fprintf(stream, "  %s: %s\n", one_line(report->arena, advice->notes[i].object, 200),
				advice->notes[i].reason);
	}
	if (report->emitted)
		return;
	if (report->plan_path && strcmp(report->plan_path, "-") != 0)
		fprintf(stream, "\nThe Plan is in %s. Review it, then: pgmend apply %s\n", report->plan_path,
			report->plan_path);
	else if (!report->plan_path && advice->proposal_count)
		fputs("\nNothing was written. With --out PLAN.sql you get a Plan to review and apply.\n",
		      stream);
}
