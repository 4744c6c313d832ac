#include "load/plot.h"

#include "util/safe_text.h"

#include <math.h>
#include <string.h>

#define LOG_SPAN      50.0 /* largest over smallest, from which a logarithmic axis shows more */
#define LETTER_PX     6.6  /* of the axis' font, 12 px high */
#define FONT_PX	      12
#define MARGIN_TOP    14
#define MARGIN_RIGHT  16
#define MARGIN_BOTTOM 26
#define MARGIN_LEFT   12 /* besides the widest text */
#define TIPS_MAX      180

struct size {
	const char *class;
	double width, height;
};
static const struct size sizes[] = {{"wide", 820, 270}, {"narrow", 350, 230}};
#define SIZES (sizeof(sizes) / sizeof(*sizes))

struct drawing {
	struct pgm_buf *out;
	const struct pgm_plot *plot;
	struct pgm_plot_scale x, y;
	double left, right, top, bottom; /* of the area of the values, in pixels */
};

static bool is_point(const struct pgm_plot_series *series, size_t i)
{
	return isfinite(series->x[i]) && isfinite(series->y[i]);
}

bool pgm_plot_has_values(const struct pgm_plot *plot)
{
	for (size_t s = 0; s < plot->series_count; s++)
		for (size_t i = 0; i < plot->series[s].count; i++)
			if (is_point(&plot->series[s], i))
				return true;
	return false;
}

/*
 * Areas upon each other: each series as the sum of itself and those below. Where one has a gap it counts as
 * nothing; where all have, so does the sum.
 */
static struct pgm_plot_series *stacked_up(struct pgm_arena *arena, const struct pgm_plot *plot)
{
	struct pgm_plot_series *stacked =
		PGM_NEW_ARRAY(arena, struct pgm_plot_series, plot->series_count ? plot->series_count : 1);
	for (size_t s = 0; s < plot->series_count; s++) {
		const struct pgm_plot_series *from = &plot->series[s];
		double *sums = PGM_NEW_ARRAY(arena, double, from->count ? from->count : 1);
		for (size_t i = 0; i < from->count; i++) {
			double below = s && i < stacked[s - 1].count ? stacked[s - 1].y[i] : NAN;
			sums[i] = !isfinite(from->y[i]) ? below
							: (isfinite(below) ? below : 0) + fmax(from->y[i], 0);
		}
		stacked[s] = *from;
		stacked[s].y = sums;
	}
	return stacked;
}

static void find_range(const struct pgm_plot *plot, double *x_min, double *x_max, double *y_min,
		       double *y_max)
{
	*x_min = *y_min = INFINITY;
	*x_max = *y_max = -INFINITY;
	for (size_t s = 0; s < plot->series_count; s++)
		for (size_t i = 0; i < plot->series[s].count; i++) {
			const struct pgm_plot_series *series = &plot->series[s];
			if (!is_point(series, i))
				continue;
			*x_min = fmin(*x_min, series->x[i]);
			*x_max = fmax(*x_max, series->x[i]);
			/* Zeros have no place on a logarithmic axis: they do not make it longer. */
			if (series->y[i] > 0 || !plot->may_be_log)
				*y_min = fmin(*y_min, series->y[i]);
			*y_max = fmax(*y_max, series->y[i]);
		}
}

static bool has_limit(const struct pgm_plot *plot)
{
	return isfinite(plot->limit) && plot->limit > 0;
}

static void choose_scales(struct drawing *drawing)
{
	const struct pgm_plot *plot = drawing->plot;
	double x_min, x_max, y_min, y_max;
	find_range(plot, &x_min, &x_max, &y_min, &y_max);
	/* So that moments stand above each other in plots of one run. */
	if (plot->x_unit == PGM_PLOT_ELAPSED_S && plot->x_end > 0) {
		x_min = fmin(x_min, 0);
		x_max = fmax(x_max, plot->x_end);
	}
	/* A limit far above all values would press them flat; the legend still names it. */
	if (has_limit(plot) && plot->limit < y_max * 3)
		y_max = fmax(y_max, plot->limit * 1.05);
	bool log = plot->may_be_log && y_min > 0 && y_max / y_min >= LOG_SPAN;
	drawing->y = pgm_plot_scale_of(plot->y_unit, log, y_min, y_max);
	drawing->x = plot->x_unit == PGM_PLOT_PERCENTILE
			     ? pgm_plot_scale_of(PGM_PLOT_PERCENTILE, false, x_min, x_max)
			     : pgm_plot_scale_exact(plot->x_unit, x_min, x_max);
}

static double x_of(const struct drawing *drawing, double value)
{
	return drawing->left + pgm_plot_place(&drawing->x, value) * (drawing->right - drawing->left);
}

static double y_of(const struct drawing *drawing, double value)
{
	return drawing->bottom - pgm_plot_place(&drawing->y, value) * (drawing->bottom - drawing->top);
}

static void draw_y_axis(struct drawing *drawing)
{
	struct pgm_buf *out = drawing->out;
	double ticks[PGM_PLOT_TICKS_MAX];
	size_t count = pgm_plot_ticks(&drawing->y, 5, ticks);
	for (size_t i = 0; i < count; i++) {
		double y = y_of(drawing, ticks[i]);
		pgm_buf_printf(out, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>",
			       drawing->left, drawing->right, y, y);
		pgm_buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
			       drawing->left - 6, y + FONT_PX / 3.0,
			       pgm_plot_text(out->arena, drawing->y.unit, ticks[i]));
	}
}

static void draw_x_axis(struct drawing *drawing)
{
	struct pgm_buf *out = drawing->out;
	double ticks[PGM_PLOT_TICKS_MAX], taken = -INFINITY;
	size_t count = pgm_plot_ticks(&drawing->x, (size_t)((drawing->right - drawing->left) / 90), ticks);
	pgm_buf_printf(out, "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n",
		       drawing->left, drawing->right, drawing->bottom, drawing->bottom);
	for (size_t i = 0; i < count; i++) {
		char *text = pgm_plot_text(out->arena, drawing->x.unit, ticks[i]);
		double x = x_of(drawing, ticks[i]), half = (double)strlen(text) * LETTER_PX / 2;
		double from = fmin(x - half, drawing->right + MARGIN_RIGHT - 2 * half);
		if (from < taken)
			continue;
		taken = from + 2 * half + LETTER_PX;
		pgm_buf_printf(out, "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>",
			       x, x, drawing->bottom, drawing->bottom + 4);
		pgm_buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\">%s</text>\n", from, drawing->bottom + 18,
			       text);
	}
}

/* A column of pixels that holds many points is drawn from its least to its largest, in their order. */
struct column {
	int at;
	double first_x, least_x, least, largest_x, largest;
	size_t count;
};

static void draw_point(struct pgm_buf *out, bool *begun, double x, double y)
{
	pgm_buf_printf(out, "%c%.1f %.1f", *begun ? 'L' : 'M', x, y);
	*begun = true;
}

static void end_column(struct pgm_buf *out, struct column *column, bool *begun)
{
	if (column->count == 1 || column->least == column->largest) {
		draw_point(out, begun, column->first_x, column->least);
	} else if (column->count) {
		bool least_first = column->least_x <= column->largest_x;
		draw_point(out, begun, least_first ? column->least_x : column->largest_x,
			   least_first ? column->least : column->largest);
		draw_point(out, begun, least_first ? column->largest_x : column->least_x,
			   least_first ? column->largest : column->least);
	}
	column->count = 0;
}

static void add_to_column(struct column *column, double x, double y)
{
	if (!column->count) {
		*column = (struct column){
			.at = (int)x, .first_x = x, .least_x = x, .largest_x = x, .least = y, .largest = y};
	} else if (y < column->least) {
		column->least = y;
		column->least_x = x;
	} else if (y > column->largest) {
		column->largest = y;
		column->largest_x = x;
	}
	column->count++;
}

static void draw_lone_points(const struct drawing *drawing, const struct pgm_plot_series *series)
{
	for (size_t i = 0; i < series->count; i++)
		if (is_point(series, i) && (i == 0 || !is_point(series, i - 1)) &&
		    (i + 1 == series->count || !is_point(series, i + 1)))
			pgm_buf_printf(
				drawing->out, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"/>\n",
				series->style, x_of(drawing, series->x[i]), y_of(drawing, series->y[i]));
}

static void draw_line(const struct drawing *drawing, const struct pgm_plot_series *series)
{
	struct column column = {0};
	bool begun = false;
	draw_lone_points(drawing, series);
	pgm_buf_printf(drawing->out, "<path class=\"line %s%s\" d=\"", series->style,
		       series->dashed ? " dashed" : "");
	pgm_buf_add(drawing->out, "M0 0"); /* never empty */
	for (size_t i = 0; i < series->count; i++) {
		if (!is_point(series, i)) {
			end_column(drawing->out, &column, &begun);
			begun = false;
			continue;
		}
		double x = x_of(drawing, series->x[i]), y = y_of(drawing, series->y[i]);
		if (column.count && (int)x != column.at)
			end_column(drawing->out, &column, &begun);
		add_to_column(&column, x, y);
	}
	end_column(drawing->out, &column, &begun);
	pgm_buf_add(drawing->out, "\"/>\n");
}

/* Points from first to before end without a gap: forth along their sums, back along those below. */
static void draw_area_part(const struct drawing *drawing, const struct pgm_plot_series *sums,
			   const struct pgm_plot_series *below, size_t first, size_t end)
{
	/* As many points as pixels are enough. */
	size_t every = 1 + sums->count / (size_t)(drawing->right - drawing->left);
	size_t points = (end - first + every - 1) / every;
	bool begun = false;
	for (size_t i = 0; i < points; i++)
		draw_point(drawing->out, &begun, x_of(drawing, sums->x[first + i * every]),
			   y_of(drawing, sums->y[first + i * every]));
	for (size_t i = points; i-- > 0;) {
		size_t at = first + i * every;
		bool on_another = below && isfinite(below->y[at]);
		draw_point(drawing->out, &begun, x_of(drawing, sums->x[at]),
			   on_another ? y_of(drawing, below->y[at]) : drawing->bottom);
	}
	pgm_buf_char(drawing->out, 'Z');
}

static void draw_area(const struct drawing *drawing, const struct pgm_plot_series *sums,
		      const struct pgm_plot_series *below)
{
	pgm_buf_printf(drawing->out, "<path class=\"area %s\" d=\"M0 0", sums->style);
	for (size_t first = 0, end; first < sums->count; first = end) {
		for (end = first; end < sums->count && is_point(sums, end);)
			end++;
		if (end > first)
			draw_area_part(drawing, sums, below, first, end);
		else
			end++;
	}
	pgm_buf_add(drawing->out, "\"/>\n");
}

static void draw_guides(const struct drawing *drawing)
{
	const struct pgm_plot *plot = drawing->plot;
	struct pgm_buf *out = drawing->out;
	if (has_limit(plot)) {
		double y = y_of(drawing, plot->limit);
		pgm_buf_printf(out,
			       "<line class=\"limit\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n",
			       drawing->left, drawing->right, y, y);
	}
	if (isfinite(plot->mark) && plot->mark > 0 && plot->mark_name) {
		double x = x_of(drawing, plot->mark);
		pgm_buf_printf(out,
			       "<line class=\"mark\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n", x,
			       x, drawing->top, drawing->bottom);
	}
}

/* What a pointer shows: an unseen strip for each point of the first series, with all values there. */
static void draw_tips(const struct drawing *drawing)
{
	const struct pgm_plot *plot = drawing->plot;
	const struct pgm_plot_series *first = &plot->series[0];
	struct pgm_buf *out = drawing->out;
	for (size_t s = 1; s < plot->series_count; s++)
		if (plot->series[s].count != first->count)
			return;
	size_t every = 1 + first->count / TIPS_MAX;
	double from = drawing->left;
	for (size_t i = 0; i < first->count; i += every) {
		size_t next = i + every;
		double to = next < first->count
				    ? (x_of(drawing, first->x[i]) + x_of(drawing, first->x[next])) / 2
				    : drawing->right;
		if (!isfinite(to) || to <= from)
			continue;
		pgm_buf_printf(
			out,
			"<rect class=\"tip\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>%s",
			from, drawing->top, to - from, drawing->bottom - drawing->top,
			pgm_plot_text(out->arena, plot->x_unit, first->x[i]));
		for (size_t s = 0; s < plot->series_count; s++)
			if (isfinite(plot->series[s].y[i]))
				pgm_buf_printf(out, "\n%s: %s",
					       pgm_safe_html(out->arena, plot->series[s].name),
					       pgm_plot_text(out->arena, plot->y_unit, plot->series[s].y[i]));
		pgm_buf_add(out, "</title></rect>\n");
		from = to;
	}
}

static void place_area(struct drawing *drawing, const struct size *size)
{
	double ticks[PGM_PLOT_TICKS_MAX];
	size_t count = pgm_plot_ticks(&drawing->y, 5, ticks), widest = 0;
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(pgm_plot_text(drawing->out->arena, drawing->y.unit, ticks[i]));
		widest = length > widest ? length : widest;
	}
	drawing->left = MARGIN_LEFT + (double)widest * LETTER_PX;
	drawing->right = size->width - MARGIN_RIGHT;
	drawing->top = MARGIN_TOP;
	drawing->bottom = size->height - MARGIN_BOTTOM;
}

static void draw(struct pgm_buf *out, const struct pgm_plot *plot, const struct size *size)
{
	struct pgm_plot drawn = *plot;
	if (plot->stacked) {
		struct pgm_plot_series *sums = stacked_up(out->arena, plot);
		memcpy(drawn.series, sums, plot->series_count * sizeof(*sums));
	}
	struct drawing drawing = {.out = out, .plot = &drawn};
	choose_scales(&drawing);
	place_area(&drawing, size);
	pgm_buf_printf(out, "<svg class=\"%s\" viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"%s\">\n",
		       size->class, size->width, size->height, pgm_safe_html(out->arena, plot->title));
	draw_y_axis(&drawing);
	for (size_t s = 0; s < plot->series_count; s++) {
		if (plot->stacked)
			draw_area(&drawing, &drawn.series[s], s ? &drawn.series[s - 1] : NULL);
		else
			draw_line(&drawing, &drawn.series[s]);
	}
	draw_guides(&drawing);
	draw_x_axis(&drawing);
	drawing.plot = plot; /* what is shown is each series' own value, not the sum */
	draw_tips(&drawing);
	pgm_buf_add(out, "</svg>\n");
}

static void legend_item(struct pgm_buf *out, const char *class, const char *style, bool dashed,
			const char *name)
{
	pgm_buf_printf(out, "<li><svg class=\"swatch\" viewBox=\"0 0 22 10\" aria-hidden=\"true\">");
	if (strcmp(class, "area") == 0)
		pgm_buf_printf(out, "<rect class=\"area %s\" width=\"22\" height=\"10\"/>", style);
	else
		pgm_buf_printf(out, "<path class=\"%s %s%s\" d=\"M0 5H22\"/>", class, style,
			       dashed ? " dashed" : "");
	pgm_buf_printf(out, "</svg>%s</li>\n", pgm_safe_html(out->arena, name));
}

static void draw_legend(struct pgm_buf *out, const struct pgm_plot *plot)
{
	pgm_buf_add(out, "<ul class=\"legend\">\n");
	for (size_t s = 0; s < plot->series_count; s++)
		legend_item(out, plot->stacked ? "area" : "line", plot->series[s].style,
			    plot->series[s].dashed, plot->series[s].name);
	if (has_limit(plot) && plot->limit_name)
		legend_item(out, "limit", "", false, plot->limit_name);
	if (isfinite(plot->mark) && plot->mark > 0 && plot->mark_name)
		legend_item(out, "mark", "", false, plot->mark_name);
	pgm_buf_add(out, "</ul>\n");
}

void pgm_plot_html(struct pgm_buf *out, const struct pgm_plot *plot)
{
	pgm_buf_printf(out, "<figure>\n<figcaption><b>%s</b>", pgm_safe_html(out->arena, plot->title));
	if (plot->note)
		pgm_buf_printf(out, " %s", pgm_safe_html(out->arena, plot->note));
	pgm_buf_add(out, "</figcaption>\n");
	if (!pgm_plot_has_values(plot)) {
		pgm_buf_add(out, "<p class=\"none\">No figures.</p>\n</figure>\n");
		return;
	}
	draw_legend(out, plot);
	for (size_t i = 0; i < SIZES; i++)
		draw(out, plot, &sizes[i]);
	pgm_buf_add(out, "</figure>\n");
}
