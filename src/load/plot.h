/*
 * A plot as an HTML figure with inline SVG: a caption, a legend and the picture, drawn twice, wide and for a
 * phone; the page's style sheet (report.css) shows one of them and gives the colours, light and dark. No
 * script, and every text is escaped. Values that are no finite numbers are gaps.
 */
#ifndef PGM_LOAD_PLOT_H
#define PGM_LOAD_PLOT_H

#include "load/plot_scale.h"
#include "util/buf.h"

#define PGM_PLOT_SERIES_MAX 10

struct pgm_plot_series {
	const char *name;
	const char *style; /* a class of report.css: "c0".."c7" for kinds, "q0".."q3" for percentiles */
	bool dashed;
	const double *x, *y;
	size_t count;
};

struct pgm_plot {
	const char *title;
	const char *note; /* one sentence below the title; NULL: none */
	enum pgm_plot_unit x_unit, y_unit;
	bool stacked;	 /* areas upon each other; all series have the same x */
	bool may_be_log; /* logarithmic where the values span more than two powers of ten */
	double x_end;	 /* the axis goes on to there at least, a time's from 0 on; 0: to the last value */
	double limit;	 /* a line across at that value of y; NaN or 0: none */
	const char *limit_name;
	double mark; /* a line upright at that value of x; NaN or 0: none */
	const char *mark_name;
	struct pgm_plot_series series[PGM_PLOT_SERIES_MAX];
	size_t series_count;
};

/* Whether there is a point in it. */
bool pgm_plot_has_values(const struct pgm_plot *plot);

/* Appends the figure; a plot without a point says that there is none. Temporary memory is out->arena's. */
void pgm_plot_html(struct pgm_buf *out, const struct pgm_plot *plot);

#endif
