/*
 * Proposals to Changes: SQL up and down, evidence, and the statements that verify is to measure.
 */
#include "advise/advise.h"
#include "change/definition.h"
#include "pg/quote.h"
#include "util/buf.h"
#include "util/format.h"
#include "util/vec.h"

#include <math.h>
#include <string.h>

#define EVIDENCE_MAX 8

/* A name for the index of a partition: PostgreSQL would make one like it. */
static char *child_name(struct pgm_arena *arena, const struct pgm_table *child, const char *parent_index,
			size_t number)
{
	char *suffix = pgm_sprintf(arena, "_%08x_%zu_idx", (unsigned)pgm_hash_string(parent_index), number);
	return pgm_sprintf(arena, "%s%s",
			   pgm_quote_truncate(arena, child->name, PGM_NAME_MAX - strlen(suffix)), suffix);
}

/*
 * CREATE INDEX CONCURRENTLY is refused on a partitioned table: an invalid index ON ONLY it, the partitions'
 * own built concurrently and attached; the last ATTACH makes it valid.
 */
static void partitioned_up(struct pgm_buf *buf, const struct pgm_index_def *def,
			   const struct pgm_table *table, const char *name, size_t *number)
{
	struct pgm_arena *arena = buf->arena;
	const char *body = pgm_index_def_body(arena, def);
	bool partitioned = table->kind == 'p';
	pgm_buf_printf(buf, "CREATE INDEX %s%s ON %s%s %s;\n", partitioned ? "" : "CONCURRENTLY ",
		       pgm_quote_ident(arena, name), partitioned ? "ONLY " : "",
		       pgm_quote_qualified(arena, table->schema, table->name), body);
	for (size_t i = 0; partitioned && i < table->child_count; i++) {
		const struct pgm_table *child = table->children[i];
		if (child->kind != 'r' && child->kind != 'p')
			continue;
		char *child_index = child_name(arena, child, name, ++*number);
		partitioned_up(buf, def, child, child_index, number);
		pgm_buf_printf(buf, "ALTER INDEX %s ATTACH PARTITION %s;\n",
			       pgm_quote_qualified(arena, table->schema, name),
			       pgm_quote_qualified(arena, child->schema, child_index));
	}
}

static void add_evidence(struct pgm_arena *arena, struct pgm_change *change, const char *line)
{
	if (!change->evidence)
		change->evidence = PGM_NEW_ARRAY(arena, const char *, EVIDENCE_MAX + 4);
	if (change->evidence_count < EVIDENCE_MAX + 4)
		change->evidence[change->evidence_count++] = line;
}

static char *shortened(struct pgm_arena *arena, const char *text)
{
	char *cut = pgm_quote_truncate(arena, text, 160);
	for (char *p = cut; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	return strlen(text) > 160 ? pgm_sprintf(arena, "%s...", cut) : cut;
}

static const char *calls_of(struct pgm_arena *arena, const struct pgm_query *query)
{
	if (query->assumed_weight)
		return "no call seen";
	return pgm_sprintf(arena, "%s call%s", pgm_format_count(arena, query->weight),
			   query->weight == 1 ? "" : "s");
}

static void give_evidence(struct pgm_arena *arena, const struct pgm_proposal *proposal,
			  struct pgm_change *change)
{
	add_evidence(arena, change,
		     pgm_sprintf(arena, "about %s; built in about %s; a row written costs about %.0f %% more",
				 pgm_format_bytes(arena, proposal->candidate->size_bytes),
				 pgm_format_ms(arena, proposal->build_ms), proposal->write_overhead * 100));
	for (size_t i = 0; i < proposal->effect_count && i < EVIDENCE_MAX; i++) {
		const struct pgm_proposal_effect *effect = &proposal->effects[i];
		const struct pgm_query *query = effect->query;
		const char *what = query->foreign_key ? pgm_sprintf(arena, "foreign key %s: deletes of %s",
								    query->foreign_key->name,
								    query->foreign_key->parent->name)
						      : shortened(arena, query->statement->text);
		add_evidence(arena, change,
			     pgm_sprintf(arena, "cost %.1f -> %.1f%s (%s), %s -> %s: %s", effect->cost_before,
					 effect->cost_after, effect->estimated ? " by estimate" : "",
					 calls_of(arena, query), effect->plan_before, effect->plan_after,
					 what));
	}
	for (size_t i = 0; i < proposal->redundant_count; i++)
		add_evidence(arena, change,
			     pgm_sprintf(arena, "makes index %s needless", proposal->redundant[i]->name));
}

static void create_change(struct pgm_arena *arena, const struct pgm_proposal *proposal,
			  struct pgm_change *change)
{
	const struct pgm_index_def *def = &proposal->candidate->def;
	struct pgm_buf up;
	size_t number = 0;
	bool partitioned = def->table->kind == 'p';
	pgm_buf_init(&up, arena);
	partitioned_up(&up, def, def->table, proposal->name, &number);
	*change = (struct pgm_change){
		.kind = PGM_CHANGE_CREATE_INDEX,
		.title = pgm_sprintf(arena, "create index %s on %s", proposal->name,
				     pgm_quote_qualified(arena, def->table->schema, def->table->name)),
		.schema = def->table->schema,
		.relation = def->table->name,
		.index = proposal->name,
		.sql_up = up.text,
		.sql_down = pgm_sprintf(arena, "DROP INDEX %s%s;\n", partitioned ? "" : "CONCURRENTLY ",
					pgm_quote_qualified(arena, def->table->schema, proposal->name)),
		.transactional = false,
		.lock = partitioned ? "SHARE" : "SHARE UPDATE EXCLUSIVE",
		.size_bytes = (int64_t)proposal->candidate->size_bytes,
		.build_ms = proposal->build_ms,
		.write_overhead = proposal->write_overhead,
	};
	give_evidence(arena, proposal, change);
}

static void drop_change(struct pgm_arena *arena, const struct pgm_index *index,
			const struct pgm_proposal *proposal, const char *sql_down, struct pgm_change *change)
{
	char *name = pgm_quote_qualified(arena, index->table->schema, index->name);
	*change = (struct pgm_change){
		.kind = PGM_CHANGE_DROP_INDEX,
		.title = pgm_sprintf(arena, "drop index %s: %s serves the same", name, proposal->name),
		.schema = index->table->schema,
		.relation = index->table->name,
		.index = index->name,
		.sql_up = pgm_sprintf(arena, "DROP INDEX CONCURRENTLY %s;\n", name),
		.sql_down = sql_down,
		.lock = "SHARE UPDATE EXCLUSIVE",
		.size_bytes = -(int64_t)(index->pages * PGM_PAGE_BYTES),
		.build_ms = -1,
		.write_overhead = -1,
	};
}

static bool is_read(const struct pgm_query *query)
{
	if (query->origin == PGM_QUERY_OF_FOREIGN_KEY)
		return true;
	const struct pgm_shape *shape = &query->statement->shape;
	return shape->kind == PGM_STATEMENT_SELECT && !shape->writes && !shape->locks_rows;
}

/* Without the lock that a foreign key's look-up takes, verify may run it. */
static const char *measurable(struct pgm_arena *arena, const struct pgm_query *query, const char *sql)
{
	size_t length = strlen(sql), lock = strlen(PGM_FOREIGN_KEY_LOCK);
	return query->origin == PGM_QUERY_OF_FOREIGN_KEY && length > lock
		       ? pgm_strndup(arena, sql, length - lock)
		       : sql;
}

/* One for each text that was costed: the first of each statement that some proposal serves. */
static void statements_of(struct pgm_arena *arena, const struct pgm_advice *advice, struct pgm_plan *plan)
{
	PGM_VEC(struct pgm_plan_statement) statements = {0};
	struct pgm_map known;
	pgm_map_init(&known, arena);
	for (size_t p = 0; p < advice->proposal_count; p++)
		for (size_t e = 0; e < advice->proposals[p].effect_count; e++) {
			const struct pgm_proposal_effect *effect = &advice->proposals[p].effects[e];
			const struct pgm_query *query = effect->query;
			if (query->variant_count == 0)
				continue;
			uintptr_t at = (uintptr_t)pgm_map_get(&known, query->statement->fingerprint);
			if (!at) {
				*pgm_vec_add(arena, &statements) = (struct pgm_plan_statement){
					.id = query->statement->fingerprint,
					.sql = measurable(arena, query,
							  query->generic ? query->generic
									 : query->variants[0]),
					.text = measurable(arena, query, query->statement->text),
					.calls = query->weight,
					.cost_before = effect->cost_before,
					.cost_after = effect->cost_after,
					.indexes = PGM_NEW_ARRAY(arena, const char *, advice->proposal_count),
					.reads = is_read(query) && !query->values_unknown,
				};
				at = statements.count;
				pgm_map_set(&known, query->statement->fingerprint, (void *)at);
			}
			struct pgm_plan_statement *statement = &statements.items[at - 1];
			if (statement->index_count < advice->proposal_count)
				statement->indexes[statement->index_count++] = advice->proposals[p].name;
		}
	plan->statements = statements.items;
	plan->statement_count = statements.count;
}

/* A file by its name alone: its folder says nothing to who reads the Plan. */
static char *title_of(struct pgm_arena *arena, const struct pgm_workload *workload, size_t count,
		      const struct pgm_advise_options *options)
{
	const char *slash = strrchr(workload->source, '/'), *indexes = count == 1 ? "index" : "indexes";
	if (options->fingerprint)
		return pgm_sprintf(arena, "%zu %s for one statement", count, indexes);
	return pgm_sprintf(arena, "%zu %s for the workload of %s", count, indexes,
			   slash ? slash + 1 : workload->source);
}

void pgm_advise_plan(struct pgm_arena *arena, struct pgm_conn *conn, const struct pgm_workload *workload,
		     const struct pgm_advice *advice, const struct pgm_advise_options *options,
		     struct pgm_plan *plan)
{
	pgm_changes changes = {0};
	for (size_t i = 0; i < advice->proposal_count; i++)
		create_change(arena, &advice->proposals[i], pgm_vec_add(arena, &changes));
	struct pgm_map dropped;
	pgm_map_init(&dropped, arena);
	for (size_t i = 0; options->drop_redundant && i < advice->proposal_count; i++)
		for (size_t r = 0; r < advice->proposals[i].redundant_count; r++) {
			const struct pgm_index *index = advice->proposals[i].redundant[r];
			char *key = pgm_sprintf(arena, "%u", index->oid);
			if (pgm_map_get(&dropped, key) || index->partitioned || index->table->is_partition)
				continue;
			pgm_map_set(&dropped, key, key);
			const char *sql_down;
			struct pgm_error ignored;
			/* Without an exact way back it stays: a line in the report says that it is needless.
			 */
			if (!pgm_index_definition(conn, arena, index->table->schema, index->name, &sql_down,
						  &ignored) ||
			    !sql_down)
				continue;
			drop_change(arena, index, &advice->proposals[i], sql_down,
				    pgm_vec_add(arena, &changes));
		}
	for (size_t i = 0; i < changes.count; i++)
		changes.items[i].step = (int)i + 1;
	*plan = pgm_plan_of(arena, pgm_strdup(arena, pgm_conn_database(conn)),
			    title_of(arena, workload, advice->proposal_count, options), &changes);
	statements_of(arena, advice, plan);
}
