/*
 * What the files of the report share. Inside report*.c only.
 */
#ifndef PGM_LOAD_REPORT_PARTS_H
#define PGM_LOAD_REPORT_PARTS_H

#include "load/analysis.h"
#include "load/report.h"

/* One target of one result. */
struct pgm_load_report_view {
	const char *label; /* "before", "pool", "before: pool" */
	const char *style; /* its colour */
	const struct pgm_load_result *result;
	const struct pgm_load_target *target;
	size_t place;				     /* of the target in its result */
	const struct pgm_load_report_view *baseline; /* NULL: it is one itself */
	struct pgm_load_analysis analysis;
};

struct pgm_load_report {
	struct pgm_arena *arena;
	struct pgm_doc *doc;
	struct pgm_load_report_view views[PGM_LOAD_REPORT_VIEWS_MAX];
	size_t count;
};

/* Short texts; what is no finite number is "-". */
char *pgm_load_rate_text(struct pgm_arena *arena, double per_second);
char *pgm_load_ms_text(struct pgm_arena *arena, double ms);
char *pgm_load_percent_text(struct pgm_arena *arena, double share); /* of 1 */

/* The P95 that was wanted of a view's target in ms; 0: none was. */
double pgm_load_wanted_p95_ms(const struct pgm_load_report_view *view);

/* Block reads found in shared_buffers, of 1; negative where nothing was read or known. */
double pgm_load_hit_share(const struct pgm_load_target *target);

/* One view alone. */
void pgm_load_plots_over_time(const struct pgm_load_report *report, const struct pgm_load_report_view *view);
void pgm_load_plots_of_server(const struct pgm_load_report *report, const struct pgm_load_report_view *view);
void pgm_load_tables_of(const struct pgm_load_report *report, const struct pgm_load_report_view *view);
void pgm_load_table_over_time(const struct pgm_load_report *report, const struct pgm_load_report_view *view);
void pgm_load_table_of_settings(const struct pgm_load_report *report,
				const struct pgm_load_report_view *view);

/* All views side by side. */
void pgm_load_plots_compared(const struct pgm_load_report *report);
void pgm_load_figures_compared(const struct pgm_load_report *report);
void pgm_load_statements_compared(const struct pgm_load_report *report);

#endif
