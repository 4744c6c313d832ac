#include "serve/watch/metric.h"

#include <string.h>

const double pgm_metric_bounds[PGM_METRIC_BOUNDS] = {
	0.000064, 0.000128, 0.000256, 0.000512, 0.001024, 0.002048, 0.004096, 0.008192, 0.016384,
	0.032768, 0.065536, 0.131072, 0.262144, 0.524288, 1.048576, 2.097152, 4.194304, 8.388608,
};

const struct pgm_metric *pgm_metric_find(const char *name)
{
	for (size_t i = 0; i < pgm_metric_count; i++)
		if (strcmp(pgm_metrics[i].name, name) == 0)
			return &pgm_metrics[i];
	return NULL;
}

size_t pgm_metric_label_count(const struct pgm_metric *metric)
{
	size_t count = 0;
	while (metric->labels[count])
		count++;
	return count;
}

const char *pgm_collector_name(enum pgm_collector_id id)
{
	static const char *const names[PGM_COLLECTORS] = {
		[PGM_COLLECT_TARGET] = "target",
		[PGM_COLLECT_SERVER] = "server",
		[PGM_COLLECT_SETTINGS] = "settings",
		[PGM_COLLECT_DATABASE] = "database",
		[PGM_COLLECT_DATABASE_TIMES] = "database_times",
		[PGM_COLLECT_CONFLICTS] = "conflicts",
		[PGM_COLLECT_ACTIVITY] = "activity",
		[PGM_COLLECT_SESSIONS] = "sessions",
		[PGM_COLLECT_LOCKS] = "locks",
		[PGM_COLLECT_BGWRITER] = "bgwriter",
		[PGM_COLLECT_CHECKPOINTER] = "checkpointer",
		[PGM_COLLECT_WAL] = "wal",
		[PGM_COLLECT_IO] = "io",
		[PGM_COLLECT_ARCHIVER] = "archiver",
		[PGM_COLLECT_REPLICATION] = "replication",
		[PGM_COLLECT_REPLICAS] = "replicas",
		[PGM_COLLECT_SLOTS] = "slots",
		[PGM_COLLECT_PROGRESS] = "progress",
		[PGM_COLLECT_XMIN] = "xmin",
		[PGM_COLLECT_SIZE] = "size",
		[PGM_COLLECT_WAL_FILES] = "wal_files",
		[PGM_COLLECT_WRAPAROUND] = "wraparound",
		[PGM_COLLECT_TABLES] = "tables",
		[PGM_COLLECT_TABLE_SIZES] = "table_sizes",
		[PGM_COLLECT_INDEXES] = "indexes",
		[PGM_COLLECT_STATEMENTS_INFO] = "statements_info",
		[PGM_COLLECT_STATEMENTS] = "statements",
		[PGM_COLLECT_POOL] = "pool",
		[PGM_COLLECT_SELF] = "self",
	};
	return names[id];
}
