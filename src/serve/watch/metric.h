/*
 * The metrics: one table, a row each. From it come /metrics in both of its forms, the JSON of the API, what
 * history keeps, docs/metrics.md, and the test that holds the Grafana board and the alert rules to it.
 *
 * To add one: a row in metrics.c, and a column of the same name in its collector's .sql file (or a call of
 * pgm_samples_add() where it comes from elsewhere).
 *
 * The table is constant; any thread may read it.
 */
#ifndef PGM_SERVE_METRIC_H
#define PGM_SERVE_METRIC_H

#include <stddef.h>
#include <stdint.h>

enum pgm_metric_kind {
	PGM_METRIC_GAUGE,
	PGM_METRIC_COUNTER, /* only grows, but for resets */
	PGM_METRIC_HISTOGRAM,
};

enum pgm_metric_flags {
	PGM_METRIC_COMPAT = 1 << 0,    /* the name is postgres_exporter's or pgbouncer_exporter's */
	PGM_METRIC_HISTORY = 1 << 1,   /* history keeps it */
	PGM_METRIC_DASHBOARD = 1 << 2, /* the overview of the dashboard shows it */
	PGM_METRIC_TOP = 1 << 3,       /* a series for each of the first few objects only: see top.h */
	PGM_METRIC_SELF = 1 << 4,      /* of pgmend itself: one for the process, without a target */
};

#define PGM_METRIC_LABELS_MAX 8

/* Whose .sql file, or which part of the program, gives the values. */
enum pgm_collector_id {
	PGM_COLLECT_TARGET, /* watch.c: whether it is there, how the collectors went */
	PGM_COLLECT_SERVER,
	PGM_COLLECT_SETTINGS,
	PGM_COLLECT_DATABASE,
	PGM_COLLECT_DATABASE_TIMES, /* 14 and later */
	PGM_COLLECT_CONFLICTS,
	PGM_COLLECT_ACTIVITY,
	PGM_COLLECT_SESSIONS,
	PGM_COLLECT_LOCKS,
	PGM_COLLECT_BGWRITER,
	PGM_COLLECT_CHECKPOINTER, /* 17 and later */
	PGM_COLLECT_WAL,	  /* 14 and later */
	PGM_COLLECT_IO,		  /* 16 and later */
	PGM_COLLECT_ARCHIVER,
	PGM_COLLECT_REPLICATION,
	PGM_COLLECT_REPLICAS,
	PGM_COLLECT_SLOTS,
	PGM_COLLECT_PROGRESS,
	PGM_COLLECT_XMIN,
	PGM_COLLECT_SIZE,
	PGM_COLLECT_WAL_FILES,
	PGM_COLLECT_WRAPAROUND,
	PGM_COLLECT_TABLES,
	PGM_COLLECT_TABLE_SIZES,
	PGM_COLLECT_INDEXES,
	PGM_COLLECT_STATEMENTS_INFO, /* 14 and later, with pg_stat_statements */
	PGM_COLLECT_STATEMENTS,
	PGM_COLLECT_POOL, /* the pooler of this process */
	PGM_COLLECT_SELF, /* this process */
	PGM_COLLECTORS,
};

struct pgm_metric {
	const char *name; /* as Prometheus knows it */
	enum pgm_metric_kind kind;
	enum pgm_collector_id collector;
	const char *unit; /* "seconds", "bytes", "ratio", "transactions"...; "" where it is a plain number */
	unsigned flags;	  /* enum pgm_metric_flags */
	const char *labels[PGM_METRIC_LABELS_MAX + 1]; /* up to NULL; "target" and "server" go before them */
	const char *help;			       /* one sentence without a full stop */
};

extern const struct pgm_metric pgm_metrics[]; /* sorted by collector; names are unique */
extern const size_t pgm_metric_count;

/* The metric of that name; NULL: there is none. */
const struct pgm_metric *pgm_metric_find(const char *name);

/* Its place in pgm_metrics: a number that is good within this version of pgmend alone. */
static inline size_t pgm_metric_index(const struct pgm_metric *metric)
{
	return (size_t)(metric - pgm_metrics);
}

size_t pgm_metric_label_count(const struct pgm_metric *metric);

/* "table_sizes": as label values and documents name it. */
const char *pgm_collector_name(enum pgm_collector_id id);

/* Bounds of the histograms' buckets, in seconds; there is one more bucket, +Inf. */
#define PGM_METRIC_BOUNDS 18
extern const double pgm_metric_bounds[PGM_METRIC_BOUNDS];

/* A histogram's value: cumulative counts, as Prometheus has them. */
struct pgm_buckets {
	uint64_t counts[PGM_METRIC_BOUNDS + 1]; /* the last is the count of all */
	double sum;				/* seconds */
};

/* One value of one metric. Texts live as long as what holds the sample (mostly a struct pgm_samples). */
struct pgm_sample {
	const struct pgm_metric *metric;
	const char *const *labels;	   /* values, as many as the metric has labels; none is NULL */
	double value;			   /* of a histogram: the count */
	const struct pgm_buckets *buckets; /* of a histogram, else NULL */
};

#endif
