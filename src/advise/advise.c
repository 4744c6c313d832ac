#include "advise/advise.h"

#include "advise/cost.h"
#include "advise/expression.h"
#include "advise/gin.h"
#include "advise/merge.h"
#include "advise/prove.h"
#include "advise/run.h"
#include "advise/select.h"
#include "advise/size.h"
#include "advise/whatif.h"
#include "pg/quote.h"
#include "util/clock.h"

static void progress(const struct pgm_advise_run *run, const char *what, double fraction)
{
	if (run->options->progress)
		run->options->progress(run->options->progress_arg, what, fraction);
}

/* A name that no statement has is a slip of the pen, or it is not among those that were read. */
static bool no_such_statement(const struct pgm_advise_run *run, struct pgm_error *err)
{
	pgm_error_set(err, PGM_ERR_USAGE, "--fingerprint: there is no statement %.80s in %s",
		      run->options->fingerprint, run->workload->source);
	if (!run->workload->live)
		return pgm_error_hint(err, "Only queries count, and only those that pgmend understands.");
	return pgm_error_hint(
		err, "Only queries count, and of pg_stat_statements the first --top=%zu by total time.",
		run->options->top);
}

/* Where one statement is asked about, the others count as writers alone, and foreign keys are not its matter.
 */
static bool resolve_all(struct pgm_advise_run *run, struct pgm_error *err)
{
	const char *only = run->options->fingerprint;
	for (size_t i = 0; i < run->workload->statement_count; i++) {
		struct pgm_query *query = PGM_NEW(run->arena, struct pgm_query);
		if (only && !pgm_statement_is(&run->workload->statements[i], only))
			continue;
		run->asked_count++;
		if (pgm_query_resolve(run->arena, run->catalog, &run->workload->statements[i], query) &&
		    query->indexable)
			*pgm_vec_add(run->arena, &run->queries) = query;
	}
	if (only && !run->asked_count)
		return no_such_statement(run, err);
	if (!only)
		pgm_foreign_key_queries(run);
	PGM_VEC(struct pgm_table *) tables = {0};
	for (size_t i = 0; i < run->queries.count; i++)
		for (size_t o = 0; o < run->queries.items[i]->occurrence_count; o++)
			*pgm_vec_add(run->arena, &tables) = run->queries.items[i]->occurrences[o].table;
	if (!pgm_catalog_load_statistics(run->catalog, run->conn, tables.items, tables.count, err))
		return false;
	for (size_t i = 0; i < run->queries.count; i++)
		pgm_query_fill_values(run->arena, run->conn, run->queries.items[i]);
	return true;
}

static bool ends_run(const struct pgm_error *err)
{
	return err->kind == PGM_ERR_CONNECT || err->kind == PGM_ERR_CANCELED;
}

static void leave_out(struct pgm_advise_run *run, struct pgm_candidate *candidate, const char *reason)
{
	const struct pgm_table *table = candidate->def.table;
	candidate->impossible = true;
	pgm_advise_notes_add(&run->notes,
			     pgm_sprintf(run->arena, "%s %s",
					 pgm_quote_qualified(run->arena, table->schema, table->name),
					 candidate->body),
			     reason);
}

/* The size of one; what the server would refuse (an expression that is not immutable) is taken out. */
static bool measure(struct pgm_advise_run *run, struct pgm_candidate *candidate, struct pgm_map *samples,
		    struct pgm_error *err)
{
	bool doubtful = candidate->def.predicate || run->options->hypopg_sizes;
	double hypopg_bytes = 0;
	struct pgm_error problem;
	for (size_t k = 0; k < candidate->def.key_count; k++)
		doubtful |= candidate->def.keys[k].expression || candidate->def.keys[k].opclass;
	if (doubtful) {
		if (!run->whatif->ops->accept(run->whatif->self, candidate, &hypopg_bytes, &problem)) {
			*err = problem;
			leave_out(run, candidate, problem.message);
			return !ends_run(&problem);
		}
	}
	if (!pgm_expression_sample(run->arena, run->conn, &candidate->def, samples, &problem)) {
		*err = problem;
		leave_out(run, candidate, problem.message);
		return !ends_run(&problem);
	}
	bool fits;
	if (!pgm_candidate_fits(run, candidate, &fits, err))
		return false;
	if (!fits)
		leave_out(run, candidate,
			  "some rows are too wide for it: a btree takes 2,704 bytes of each at most");
	candidate->size_bytes = pgm_size_estimate(&candidate->def);
	candidate->budget_bytes = run->options->hypopg_sizes ? hypopg_bytes : candidate->size_bytes;
	return true;
}

static bool measure_candidates(struct pgm_advise_run *run, struct pgm_error *err)
{
	struct pgm_map samples;
	pgm_map_init(&samples, run->arena);
	for (size_t i = 0; i < run->candidates.count; i++)
		if (!run->candidates.items[i]->estimated &&
		    !measure(run, run->candidates.items[i], &samples, err))
			return false;
	return pgm_gin_sample(run, err);
}

static bool cost_all(struct pgm_advise_run *run, struct pgm_costing ***costings, size_t *count,
		     struct pgm_error *err)
{
	*costings = PGM_NEW_ARRAY(run->arena, struct pgm_costing *, run->queries.count + 1);
	*count = 0;
	for (size_t i = 0; i < run->queries.count; i++) {
		struct pgm_costing *costing;
		progress(run, "asking the planner", (double)i / (double)run->queries.count / 4);
		if (!pgm_costing_new(run, run->queries.items[i], &costing, err))
			return false;
		if (!costing)
			continue;
		(*costings)[(*count)++] = costing;
		run->workload_cost += costing->base_cost * costing->query->weight;
	}
	for (size_t i = 0; i < *count; i++) {
		progress(run, "asking the planner", 0.25 + 0.75 * (double)i / (double)*count);
		if (!pgm_costing_peel(run, (*costings)[i], err))
			return false;
	}
	return true;
}

/* What alone would break the budget need not be looked at. */
static void leave_out_too_large(struct pgm_advise_run *run)
{
	for (size_t i = 0; run->options->budget_bytes > 0 && i < run->candidates.count; i++)
		if (run->candidates.items[i]->budget_bytes > (double)run->options->budget_bytes)
			run->candidates.items[i]->impossible = true;
}

/* What a chosen index of the parent gives its partitions needs no index of their own. */
static void drop_covered_partitions(const struct pgm_advise_run *run, struct pgm_selection *selection)
{
	size_t kept = 0;
	for (size_t i = 0; i < selection->count; i++) {
		struct pgm_candidate *candidate = selection->chosen[i];
		bool covered = false;
		for (size_t j = 0; candidate->def.table->is_partition && j < selection->count; j++)
			covered |=
				pgm_candidate_covers_partition(run->catalog, selection->chosen[j], candidate);
		if (covered) {
			selection->budget_bytes -= candidate->budget_bytes;
			continue;
		}
		selection->benefits[kept] = selection->benefits[i];
		selection->chosen[kept++] = candidate;
	}
	selection->count = kept;
}

static bool with_whatif(struct pgm_advise_run *run, struct pgm_advice *advice, struct pgm_error *err)
{
	struct pgm_costing **costings;
	size_t count;
	struct pgm_selection selection;
	if (!measure_candidates(run, err))
		return false;
	leave_out_too_large(run);
	pgm_write_costs(run);
	if (!cost_all(run, &costings, &count, err))
		return false;
	progress(run, "choosing the best set", -1);
	if (!pgm_select(run, costings, count, &selection, err) ||
	    !pgm_merge(run, costings, count, &selection, err))
		return false;
	drop_covered_partitions(run, &selection);
	progress(run, "proving it", -1);
	return pgm_prove(run, costings, count, &selection, advice, err);
}

static bool run_advise(struct pgm_advise_run *run, struct pgm_advice *advice, struct pgm_error *err)
{
	progress(run, "reading the catalog", -1);
	run->catalog = pgm_catalog_read(run->arena, run->conn, err);
	if (!run->catalog ||
	    !pgm_advise_check_tables(run->options, run->catalog, pgm_conn_database(run->conn), err) ||
	    !resolve_all(run, err))
		return false;
	for (size_t i = 0; i < run->queries.count; i++)
		pgm_candidates_of(run, run->queries.items[i]);
	run->whatif = pgm_whatif_hypopg_open(run->arena, run->conn, err);
	if (!run->whatif)
		return false;
	bool ok = with_whatif(run, advice, err);
	advice->backend = run->whatif->name;
	advice->explain_count = run->whatif->explain_count;
	pgm_whatif_close(run->whatif);
	return ok;
}

bool pgm_advise(struct pgm_arena *arena, struct pgm_conn *conn, const struct pgm_workload *workload,
		const struct pgm_advise_options *options, struct pgm_advice *advice, struct pgm_error *err)
{
	struct pgm_advise_run run = {.arena = arena, .conn = conn, .options = options, .workload = workload};
	double started = pgm_clock_ms();
	pgm_map_init(&run.candidates_by_text, arena);
	pgm_map_init(&run.row_widths, arena);
	pgm_advise_notes_init(&run.notes, arena);
	*advice = (struct pgm_advice){0};
	if (!run_advise(&run, advice, err))
		return false;
	advice->notes = run.notes.list.items;
	advice->note_count = run.notes.list.count;
	advice->statement_count = run.asked_count;
	advice->candidate_count = run.candidates.count;
	advice->unplanned_count = run.unplanned_count;
	advice->unplanned_example = run.unplanned_example;
	advice->elapsed_ms = pgm_clock_ms() - started;
	return true;
}
