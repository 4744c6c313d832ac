#include "advise/gin.h"

#include "advise/whatif.h"
#include "pg/quote.h"
#include "util/embedded.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_ROWS	    4000
#define SAMPLE_PAGES	    400
#define KEY_TUPLE_BYTES	    32.0 /* header, a hash or a short text, line pointer */
#define GIN_PAGE_FILL	    0.8
#define TRIGRAM_FALSE_SHARE 3.0 /* rows that share trigrams, for each row that matches */

double pgm_gin_entries_per_row(const struct pgm_candidate *candidate)
{
	return fmax(candidate->gin_entries, 1);
}

/* What gin's extractValue makes of one value: ginarrayproc.c, jsonb_gin.c, trgm_gin.c. */
static const char *key_source(struct pgm_advise_run *run, const struct pgm_candidate *candidate)
{
	const struct pgm_column *column = candidate->searched;
	const char *opclass = candidate->def.keys[0].opclass;
	if (opclass && strstr(opclass, "gin_trgm_ops")) {
		const char *schema = pgm_catalog_extension(run->catalog, "pg_trgm");
		return pgm_sprintf(run->arena, "pg_catalog.unnest(%s.show_trgm(s.v::pg_catalog.text))",
				   pgm_quote_ident(run->arena, schema));
	}
	if (strcmp(column->type_name, "jsonb") == 0)
		/* Scalars with the path that leads to them; a jsonb_ops index has keys and values apart:
		 * alike. */
		return "LATERAL (WITH RECURSIVE tree (path, v) AS (SELECT ''::pg_catalog.text, s.v UNION ALL "
		       "SELECT "
		       "tree.path || '/' || c.key, c.value FROM tree, LATERAL (SELECT o.key, o.value FROM "
		       "pg_catalog.jsonb_each(CASE WHEN pg_catalog.jsonb_typeof(tree.v) = 'object' THEN "
		       "tree.v ELSE "
		       "'{}' END) o UNION ALL SELECT '[]', a.value FROM pg_catalog.jsonb_array_elements(CASE "
		       "WHEN "
		       "pg_catalog.jsonb_typeof(tree.v) = 'array' THEN tree.v ELSE '[]' END) a) c) SELECT "
		       "path || '=' || "
		       "pg_catalog.left(v::pg_catalog.text, 200) FROM tree WHERE pg_catalog.jsonb_typeof(v) "
		       "NOT IN "
		       "('object', 'array'))";
	if (strcmp(column->type_name, "tsvector") == 0)
		return "pg_catalog.unnest(pg_catalog.tsvector_to_array(s.v))";
	return "pg_catalog.unnest(s.v::pg_catalog.text[])";
}

static bool sample(struct pgm_advise_run *run, const struct pgm_candidate *candidate, struct pgm_rows *rows,
		   struct pgm_error *err)
{
	const struct pgm_table *table = candidate->def.table;
	struct pgm_arena *arena = run->arena;
	double percent = 100.0 * SAMPLE_PAGES / fmax(table->pages, 1);
	char *sampled =
		percent < 100 ? pgm_sprintf(arena, "TABLESAMPLE SYSTEM (%g) REPEATABLE (1)", percent) : "";
	char *sql = pgm_sprintf(arena, pgm_embedded_text("advise/gin_sample.sql"), key_source(run, candidate),
				pgm_quote_ident(arena, candidate->searched->name),
				pgm_quote_qualified(arena, table->schema, table->name), sampled, SAMPLE_ROWS);
	bool ok = pgm_conn_query(run->conn, arena, sql, 0, NULL, rows, err);
	pgm_conn_exec_quietly(run->conn, PGM_CONN_MARKER "ROLLBACK TO SAVEPOINT pgmend");
	return ok;
}

/* Distinct keys in all rows from those of a sample: Haas and Stokes' Duj1, as ANALYZE does (analyze.c). */
static double extrapolate(double keys, double once, double sample_rows, double rows)
{
	double divisor = sample_rows - once + once * sample_rows / rows;
	double all = divisor > 0 ? sample_rows * keys / divisor : keys;
	return fmax(keys, all);
}

/* Bytes of one item pointer in a posting list: gaps are varbyte-encoded (ginpostinglist.c). */
static double item_bytes(double gap_rows, double rows_per_page)
{
	double block_gap = gap_rows / fmax(rows_per_page, 1);
	return block_gap < 0.04 ? 1 : block_gap < 8 ? 2 : block_gap < 1024 ? 3 : 4;
}

static void set_size(struct pgm_candidate *candidate)
{
	const struct pgm_table *table = candidate->def.table;
	double entries = candidate->gin_entries * table->tuples;
	double keys = fmax(candidate->gin_keys, 1);
	double gap = table->tuples * keys / fmax(entries, 1);
	double bytes =
		keys * KEY_TUPLE_BYTES + entries * item_bytes(gap, table->tuples / fmax(table->pages, 1));
	candidate->size_bytes = ceil(bytes / GIN_PAGE_FILL / PGM_PAGE_BYTES + 2) * PGM_PAGE_BYTES;
	candidate->budget_bytes = candidate->size_bytes;
}

bool pgm_gin_sample(struct pgm_advise_run *run, struct pgm_error *err)
{
	for (size_t i = 0; i < run->candidates.count; i++) {
		struct pgm_candidate *candidate = run->candidates.items[i];
		struct pgm_error problem;
		struct pgm_rows rows;
		if (!candidate->estimated || candidate->impossible)
			continue;
		if (!sample(run, candidate, &rows, &problem)) {
			if (problem.kind == PGM_ERR_CONNECT || problem.kind == PGM_ERR_CANCELED) {
				*err = problem;
				return false;
			}
			candidate->impossible = true;
			pgm_advise_notes_add(&run->notes, candidate->body, problem.message);
			continue;
		}
		double sampled = fmax(pgm_rows_double(&rows, 0, 0), 1);
		candidate->gin_entries = pgm_rows_double(&rows, 0, 1) / sampled;
		candidate->gin_keys = extrapolate(pgm_rows_double(&rows, 0, 2), pgm_rows_double(&rows, 0, 3),
						  sampled, fmax(candidate->def.table->tuples, 1));
		set_size(candidate);
	}
	return true;
}

/* ---- cost ---- */

struct costs {
	double seq_page, random_page, cpu_tuple, cpu_index_tuple, cpu_operator;
};

static bool read_costs(struct pgm_advise_run *run, struct costs *costs, struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_conn_query(run->conn, run->arena,
			    "SELECT pg_catalog.current_setting('seq_page_cost'), "
			    "pg_catalog.current_setting('random_page_cost'), "
			    "pg_catalog.current_setting('cpu_tuple_cost'), "
			    "pg_catalog.current_setting('cpu_index_tuple_cost'), "
			    "pg_catalog.current_setting('cpu_operator_cost')",
			    0, NULL, &rows, err))
		return false;
	*costs = (struct costs){pgm_rows_double(&rows, 0, 0), pgm_rows_double(&rows, 0, 1),
				pgm_rows_double(&rows, 0, 2), pgm_rows_double(&rows, 0, 3),
				pgm_rows_double(&rows, 0, 4)};
	return true;
}

/* gincostestimate() for exact keys, nothing pending: entry tree, posting trees, and a qual for each row. */
static double gin_scan_cost(const struct costs *costs, const struct pgm_candidate *candidate, double rows,
			    double searched_keys)
{
	double pages = candidate->size_bytes / PGM_PAGE_BYTES;
	double entry_pages = fmax(candidate->gin_keys * KEY_TUPLE_BYTES / GIN_PAGE_FILL / PGM_PAGE_BYTES, 1);
	double data_pages = fmax(pages - entry_pages, 0);
	double entries_fetched = ceil(searched_keys * rint(pow(entry_pages, 0.15)));
	double data_fetched = fmax(ceil(data_pages * searched_keys / fmax(candidate->gin_keys, 1)),
				   ceil(rows / (PGM_PAGE_BYTES / 3.0)));
	return (entries_fetched + data_fetched) * costs->random_page +
	       rows * (costs->cpu_index_tuple + costs->cpu_operator);
}

/* cost_bitmap_heap_scan() with index_pages_fetched() of one loop (Mackert and Lohman). */
static double bitmap_heap_cost(const struct costs *costs, const struct pgm_table *table, double rows)
{
	double all = fmax(table->pages, 1);
	double fetched = fmin(2 * all * rows / (2 * all + rows), all);
	double page = fetched >= 2 ? costs->random_page -
					     (costs->random_page - costs->seq_page) * sqrt(fetched / all)
				   : costs->random_page;
	return fetched * page + rows * (costs->cpu_tuple + 2 * costs->cpu_operator);
}

/* The rows that the condition alone lets in: the planner's own estimate. */
static bool condition_rows(struct pgm_advise_run *run, const struct pgm_query_atom *atom, const char *literal,
			   const struct pgm_table *table, double *rows, struct pgm_error *err)
{
	struct pgm_arena *arena = run->arena;
	struct pgm_whatif_result result;
	char *sql = pgm_sprintf(arena, "SELECT 1 FROM %s WHERE %s %s %s",
				pgm_quote_qualified(arena, table->schema, table->name),
				pgm_quote_ident(arena, atom->column->name), atom->atom->op, literal);
	if (!run->whatif->ops->plan(run->whatif->self, sql, NULL, 0, &result, err))
		return false;
	*rows = fmax(result.plan.root->rows, 1);
	return true;
}

/* The literal that the first text has where the atom compares: by parsing that text again. */
static const char *literal_of(struct pgm_advise_run *run, const struct pgm_query *query,
			      const struct pgm_query_atom *atom)
{
	struct pgm_shape shape;
	struct pgm_error ignored;
	if (atom->atom->value.text)
		return atom->atom->value.text;
	size_t index = (size_t)(atom->atom - query->statement->shape.atoms);
	if (query->variant_count == 0 || !pgm_sql_shape(run->arena, query->variants[0], &shape, &ignored) ||
	    index >= shape.atom_count)
		return NULL;
	return shape.atoms[index].value.text;
}

struct scan_search {
	const char *relation;
	const struct pgm_explain_node *found;
};

static void find_scan(const struct pgm_explain_node *node, void *arg)
{
	struct scan_search *search = arg;
	bool gathers = node->child_count == 1 && strncmp(node->type, "Gather", 6) == 0 &&
		       node->children[0]->relation;
	const struct pgm_explain_node *scan = gathers ? node->children[0] : node;
	if (!search->found && scan->relation && strcmp(scan->relation, search->relation) == 0)
		search->found = node;
}

/* What the plan costs beside the scan that the index would take the place of; false: no such scan. */
static bool cost_beside_scan(struct pgm_advise_run *run, const struct pgm_costing *costing,
			     const struct pgm_table *table, double *rest, struct pgm_error *err)
{
	struct pgm_whatif_result result;
	if (!pgm_costing_plan(run, costing->query, 0, NULL, 0, &result, err))
		return false;
	struct scan_search search = {.relation = table->name};
	if (table->kind == 'p' && table->child_count) {
		*rest = 0; /* an Append of its partitions: all of the plan is taken for the scan */
		return true;
	}
	pgm_explain_visit(result.plan.root, find_scan, &search);
	*rest = search.found ? fmax(result.plan.root->total_cost - search.found->total_cost, 0) : -1;
	return true;
}

bool pgm_gin_estimate(struct pgm_advise_run *run, struct pgm_costing *costing, struct pgm_error *err)
{
	struct pgm_query *query = costing->query;
	struct costs costs;
	bool have_costs = false;
	for (size_t i = 0; i < costing->local_count; i++) {
		struct pgm_candidate *candidate = costing->locals[i];
		if (!candidate->estimated)
			continue;
		if (!have_costs && !read_costs(run, &costs, err))
			return false;
		have_costs = true;
		for (size_t a = 0; a < query->atom_count; a++) {
			const struct pgm_query_atom *atom = &query->atoms[a];
			if (atom->column != candidate->searched ||
			    (atom->atom->kind != PGM_ATOM_CONTAIN && atom->atom->kind != PGM_ATOM_PATTERN))
				continue;
			const char *literal = literal_of(run, query, atom);
			double rows, rest;
			struct pgm_error problem;
			if (!literal ||
			    !condition_rows(run, atom, literal, candidate->def.table, &rows, &problem) ||
			    !cost_beside_scan(run, costing, candidate->def.table, &rest, &problem) ||
			    rest < 0)
				continue;
			bool pattern = atom->atom->kind == PGM_ATOM_PATTERN;
			double touched = fmin(rows * (pattern ? TRIGRAM_FALSE_SHARE : 1),
					      candidate->def.table->tuples);
			double cost = rest + gin_scan_cost(&costs, candidate, touched, pattern ? 6 : 1) +
				      bitmap_heap_cost(&costs, candidate->def.table, touched);
			if (cost < costing->base_cost)
				costing->estimates[i] = cost;
		}
	}
	return true;
}
