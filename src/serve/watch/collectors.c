/*
 * Which statements are run how often. What a server has is asked of its catalog, never told from its version:
 * an extension may be older than the server, and a fork may differ.
 */
#include "serve/watch/parts.h"

#include "pg/quote.h"

#include <string.h>

#define SQL(name) "serve/watch/sql/" name ".sql"

const struct pgm_collector pgm_collectors[] = {
	{PGM_COLLECT_SERVER, PGM_PERIOD_FAST, {{SQL("server"), {NULL}}}},
	{PGM_COLLECT_DATABASE, PGM_PERIOD_FAST, {{SQL("database"), {"pg_stat_database.checksum_failures"}}}},
	{PGM_COLLECT_DATABASE_TIMES,
	 PGM_PERIOD_FAST,
	 {{SQL("database_times_14"), {"pg_stat_database.active_time"}}}},
	{PGM_COLLECT_ACTIVITY, PGM_PERIOD_FAST, {{SQL("activity"), {NULL}}}},
	{PGM_COLLECT_SESSIONS, PGM_PERIOD_FAST, {{SQL("sessions"), {"pg_stat_activity.backend_type"}}}},
	{PGM_COLLECT_LOCKS, PGM_PERIOD_FAST, {{SQL("locks"), {NULL}}}},
	{PGM_COLLECT_WAL, PGM_PERIOD_FAST, {{SQL("wal_14"), {"pg_stat_wal.wal_buffers_full"}}}},
	{PGM_COLLECT_REPLICATION, PGM_PERIOD_FAST, {{SQL("replication"), {NULL}}}},
	{PGM_COLLECT_REPLICAS, PGM_PERIOD_FAST, {{SQL("replicas"), {"pg_stat_replication.replay_lag"}}}},
	{PGM_COLLECT_CONFLICTS,
	 PGM_PERIOD_STATEMENTS,
	 {{SQL("conflicts"), {"pg_stat_database_conflicts.confl_lock"}}}},
	{PGM_COLLECT_BGWRITER,
	 PGM_PERIOD_STATEMENTS,
	 {{SQL("bgwriter_13"), {"pg_stat_bgwriter.checkpoints_timed", "pg_stat_bgwriter.buffers_backend"}},
	  {SQL("bgwriter_17"),
	   {"pg_stat_checkpointer.num_timed", "pg_stat_io.writes", "pg_stat_bgwriter.buffers_clean"}}}},
	{PGM_COLLECT_CHECKPOINTER,
	 PGM_PERIOD_STATEMENTS,
	 {{SQL("checkpointer_17"),
	   {"pg_stat_checkpointer.num_timed", "pg_stat_checkpointer.buffers_written"}}}},
	{PGM_COLLECT_IO, PGM_PERIOD_STATEMENTS, {{SQL("io_16"), {"pg_stat_io.hits", "pg_stat_io.fsyncs"}}}},
	{PGM_COLLECT_ARCHIVER, PGM_PERIOD_STATEMENTS, {{SQL("archiver"), {NULL}}}},
	{PGM_COLLECT_SLOTS,
	 PGM_PERIOD_STATEMENTS,
	 {{SQL("slots"), {"pg_replication_slots.wal_status", "pg_replication_slots.safe_wal_size"}}}},
	{PGM_COLLECT_PROGRESS,
	 PGM_PERIOD_STATEMENTS,
	 {{SQL("progress"),
	   {"pg_stat_progress_vacuum.heap_blks_total", "pg_stat_progress_create_index.index_relid"}}}},
	{PGM_COLLECT_XMIN, PGM_PERIOD_STATEMENTS, {{SQL("xmin"), {NULL}}}},
	{PGM_COLLECT_STATEMENTS_INFO,
	 PGM_PERIOD_STATEMENTS,
	 {{SQL("statements_info_14"), {"pg_stat_statements_info.dealloc"}}}},
	{PGM_COLLECT_STATEMENTS,
	 PGM_PERIOD_STATEMENTS,
	 {{SQL("statements_17"),
	   {"pg_stat_statements.total_exec_time", "pg_stat_statements.shared_blk_read_time"}},
	  {SQL("statements_13"),
	   {"pg_stat_statements.total_exec_time", "pg_stat_statements.blk_read_time"}}}},
	{PGM_COLLECT_SETTINGS, PGM_PERIOD_SLOW, {{SQL("settings"), {NULL}}}},
	{PGM_COLLECT_WRAPAROUND, PGM_PERIOD_SLOW, {{SQL("wraparound"), {NULL}}}},
	{PGM_COLLECT_WAL_FILES, PGM_PERIOD_SLOW, {{SQL("wal_files"), {NULL}}}},
	{PGM_COLLECT_SIZE, PGM_PERIOD_SLOW, {{SQL("size"), {NULL}}}},
	{PGM_COLLECT_TABLES, PGM_PERIOD_SLOW, {{SQL("tables"), {NULL}}}},
};
const size_t pgm_collector_count = sizeof(pgm_collectors) / sizeof(*pgm_collectors);

#define VARIANTS 2
#define NEEDS	 3

static bool fits(const struct pgm_collector_variant *variant, const struct pgm_map *columns)
{
	if (!variant->file)
		return false;
	for (size_t i = 0; i < NEEDS; i++)
		if (variant->needs[i] && !pgm_map_get(columns, variant->needs[i]))
			return false;
	return true;
}

const char *pgm_collector_file(const struct pgm_collector *collector, const struct pgm_map *columns)
{
	for (size_t v = 0; v < VARIANTS; v++)
		if (fits(&collector->variants[v], columns))
			return collector->variants[v].file;
	return NULL;
}

static void add_relation(struct pgm_buf *list, struct pgm_arena *arena, struct pgm_map *seen,
			 const char *need)
{
	char *relation = pgm_strndup(arena, need, strcspn(need, "."));
	if (pgm_map_get(seen, relation))
		return;
	pgm_map_set(seen, relation, relation);
	pgm_quote_array_add(list, relation);
}

char *pgm_collector_relations(struct pgm_arena *arena)
{
	struct pgm_buf list;
	struct pgm_map seen;
	pgm_quote_array_begin(&list, arena);
	pgm_map_init(&seen, arena);
	add_relation(&list, arena, &seen, "pg_stat_all_indexes.last_idx_scan");
	for (size_t c = 0; c < pgm_collector_count; c++)
		for (size_t v = 0; v < VARIANTS; v++)
			for (size_t n = 0; n < NEEDS; n++)
				if (pgm_collectors[c].variants[v].needs[n])
					add_relation(&list, arena, &seen,
						     pgm_collectors[c].variants[v].needs[n]);
	return pgm_quote_array_end(&list);
}
