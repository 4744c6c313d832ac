/*
 * /metrics: the Prometheus text format 0.0.4 and OpenMetrics 1.0. All series of a metric stand together, with
 * one HELP and one TYPE. Names are the same in both: a counter whose name (others gave it) does not end in
 * _total is of unknown type to OpenMetrics.
 */
#include "serve/watch/parts.h"
#include "util/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUT_MAX     ((size_t)256 << 20)
#define WHOLE_MAX      1e15		       /* below it %.15g has no exponent */
#define BUCKETS_SERIES (PGM_METRIC_BOUNDS + 3) /* of one histogram */

struct output {
	char *text;
	size_t length, capacity;
	bool failed, open_metrics;
};

static void put_n(struct output *output, const char *text, size_t length)
{
	if (output->failed)
		return;
	if (output->capacity - output->length < length) {
		size_t wanted = output->capacity ? output->capacity * 2 : (size_t)4 << 10;
		while (wanted - output->length < length)
			wanted *= 2;
		char *grown = wanted <= OUTPUT_MAX ? realloc(output->text, wanted) : NULL;
		if (!grown) {
			output->failed = true;
			return;
		}
		output->text = grown;
		output->capacity = wanted;
	}
	memcpy(output->text + output->length, text, length);
	output->length += length;
}

static void put(struct output *output, const char *text)
{
	put_n(output, text, strlen(text));
}

/* quotes: also those, as in a label's value. */
static void put_escaped(struct output *output, const char *text, bool quotes)
{
	while (*text) {
		size_t plain = strcspn(text, quotes ? "\\\n\"" : "\\\n");
		size_t sound = pgm_utf8_sound((const unsigned char *)text, plain);
		put_n(output, text, sound);
		if (sound < plain) { /* Prometheus would refuse the whole page */
			put(output, "\xEF\xBF\xBD");
			text += sound + 1;
			continue;
		}
		text += plain;
		if (!*text)
			return;
		put(output, *text == '\n' ? "\\n" : *text == '"' ? "\\\"" : "\\\\");
		text++;
	}
}

/* The shortest text that reads as the same number. Most are whole ones. */
static void put_number(struct output *output, double value)
{
	char text[40];
	if (fabs(value) < WHOLE_MAX && value == (double)(int64_t)value) {
		char *at = text + sizeof(text);
		uint64_t left = (uint64_t)fabs(value);
		do {
			*--at = (char)('0' + left % 10);
			left /= 10;
		} while (left);
		if (value < 0)
			*--at = '-';
		put_n(output, at, (size_t)(text + sizeof(text) - at));
	} else if (isnan(value)) {
		put(output, "NaN");
	} else if (isinf(value)) {
		put(output, value > 0 ? "+Inf" : "-Inf");
	} else {
		for (int digits = 15; digits <= 17; digits++) {
			snprintf(text, sizeof(text), "%.*g", digits, value);
			if (strtod(text, NULL) == value)
				break;
		}
		put(output, text);
	}
}

/* ---- series ---- */

static void put_label(struct output *output, const char *name, const char *value, bool *first)
{
	put(output, *first ? "{" : ",");
	*first = false;
	put(output, name);
	put(output, "=\"");
	put_escaped(output, value, true);
	put(output, "\"");
}

/* What all series of a target begin their labels with, malloc'ed; NULL: out of memory. */
static char *common_labels(const struct pgm_target *target)
{
	struct output output = {0};
	bool first = true;
	put_label(&output, "target", target->name, &first);
	if (target->kind == PGM_TARGET_DATABASE) {
		char server[300];
		snprintf(server, sizeof(server), "%s:%s", target->host, target->port);
		put_label(&output, "server", server, &first);
	}
	put_n(&output, "", 1);
	return output.text;
}

/* common: of the target; NULL: it is about this process. */
static void put_series(struct output *output, const char *common, const struct pgm_sample *sample,
		       const char *suffix, const char *bound, double value)
{
	bool first = !common;
	put(output, sample->metric->name);
	put(output, suffix);
	if (common)
		put(output, common);
	for (size_t l = 0; sample->metric->labels[l]; l++)
		put_label(output, sample->metric->labels[l], sample->labels[l], &first);
	if (bound)
		put_label(output, "le", bound, &first);
	put(output, first ? " " : "} ");
	put_number(output, value);
	put(output, "\n");
}

static void put_histogram(struct output *output, const char *common, const struct pgm_sample *sample)
{
	const struct pgm_buckets *buckets = sample->buckets;
	for (size_t b = 0; b <= PGM_METRIC_BOUNDS; b++) {
		char bound[24] = "+Inf";
		if (b < PGM_METRIC_BOUNDS)
			snprintf(bound, sizeof(bound), "%.6f", pgm_metric_bounds[b]);
		put_series(output, common, sample, "_bucket", bound, (double)buckets->counts[b]);
	}
	put_series(output, common, sample, "_sum", NULL, buckets->sum);
	put_series(output, common, sample, "_count", NULL, (double)buckets->counts[PGM_METRIC_BOUNDS]);
}

static bool ends_in(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);
	return length > tail && strcmp(text + length - tail, end) == 0;
}

static const char *type_of(const struct output *output, const struct pgm_metric *metric)
{
	if (metric->kind == PGM_METRIC_HISTOGRAM)
		return "histogram";
	if (metric->kind == PGM_METRIC_GAUGE)
		return "gauge";
	return output->open_metrics && !ends_in(metric->name, "_total") ? "unknown" : "counter";
}

static void put_head(struct output *output, const struct pgm_metric *metric)
{
	size_t length = strlen(metric->name);
	const char *type = type_of(output, metric);
	/* OpenMetrics: the family of a counter is called without the end of its series */
	if (output->open_metrics && strcmp(type, "counter") == 0)
		length -= strlen("_total");
	put(output, "# HELP ");
	put_n(output, metric->name, length);
	put(output, " ");
	put_escaped(output, metric->help, output->open_metrics);
	put(output, ".\n# TYPE ");
	put_n(output, metric->name, length);
	put(output, " ");
	put(output, type);
	put(output, "\n");
}

/* ---- other databases ---- */

/* What a target says of other databases of its server each target of that server says: one shows it. */
struct views {
	const char *own;	     /* its database, as labels have it; NULL: not known */
	double started;		     /* its server, with its address; NAN: not known */
	size_t server;		     /* the first snapshot of the same server */
	bool speaks[PGM_COLLECTORS]; /* is the first of its server that has something of the collector */
};

static bool same_server(const struct pgm_snapshot *a, const struct pgm_snapshot *b)
{
	return strcmp(a->target.host, b->target.host) == 0 && strcmp(a->target.port, b->target.port) == 0;
}

static void find_speakers(struct pgm_arena *arena, const struct pgm_snapshot *const *snapshots, size_t count,
			  struct views *views)
{
	bool(*taken)[PGM_COLLECTORS] = pgm_arena_alloc(arena, (count + 1) * sizeof(*taken));
	memset(taken, 0, (count + 1) * sizeof(*taken));
	for (size_t s = 0; s < count; s++) {
		struct views *view = &views[s];
		const char *own = snapshots[s]->target.database;
		size_t first = 0;
		view->own = own && *own ? pgm_watch_text(arena, own) : NULL;
		view->started =
			pgm_snapshot_value(snapshots[s], "pg_postmaster_start_time_seconds", NULL, NAN);
		while (first < s && (views[first].server != first || views[first].started != view->started ||
				     !same_server(snapshots[first], snapshots[s])))
			first++;
		view->server = first;
		for (size_t c = 0; c < PGM_COLLECTORS; c++) {
			view->speaks[c] = snapshots[s]->samples[c] && !taken[first][c];
			taken[first][c] |= view->speaks[c];
		}
	}
}

static bool is_shown(const struct views *view, const struct pgm_sample *sample)
{
	if (view->speaks[sample->metric->collector] || !view->own)
		return true;
	for (size_t l = 0; sample->metric->labels[l]; l++)
		if (strcmp(sample->metric->labels[l], "datname") == 0)
			return strcmp(sample->labels[l], view->own) == 0;
	return true;
}

/* ---- limits ---- */

/* What a target may show: all of what it always has, and of the rest the first few of each metric. */
struct allowance {
	size_t dropped;
	double part; /* of the samples of PGM_METRIC_TOP */
	bool cut;    /* even what it always has is too much: nothing beyond the limit */
	size_t left;
};

static size_t series_of(const struct pgm_sample *sample)
{
	return sample->buckets ? BUCKETS_SERIES : 1;
}

static struct allowance allow(const struct pgm_snapshot *snapshot, const struct views *view,
			      size_t series_max)
{
	size_t always = 0, top = 0;
	for (size_t c = 0; c < PGM_COLLECTORS; c++) {
		const struct pgm_samples *samples = snapshot->samples[c];
		for (size_t i = 0; samples && i < samples->count; i++)
			if (is_shown(view, &samples->items[i]))
				*(samples->items[i].metric->flags & PGM_METRIC_TOP ? &top : &always) +=
					series_of(&samples->items[i]);
	}
	struct allowance allowance = {.part = 1, .left = series_max};
	if (always > series_max)
		allowance.cut = true;
	if (always + top > series_max)
		allowance.part = always < series_max ? (double)(series_max - always) / (double)top : 0;
	return allowance;
}

/* The samples of one metric in a collector's: *begin to the end that is returned. */
static size_t range_of(const struct pgm_samples *samples, const struct pgm_metric *metric, size_t *cursor,
		       size_t *begin)
{
	while (*cursor < samples->count && samples->items[*cursor].metric < metric)
		(*cursor)++;
	*begin = *cursor;
	while (*cursor < samples->count && samples->items[*cursor].metric == metric)
		(*cursor)++;
	return *cursor;
}

/* ---- the whole ---- */

struct writer {
	struct output output;
	const struct pgm_snapshot *const *snapshots;
	size_t count;
	char **commons; /* of the snapshots' targets */
	struct views *views;
	struct allowance *allowances;
	size_t *cursors; /* into a snapshot's samples of this metric's collector */
};

static void put_sample(struct output *output, const char *common, const struct pgm_sample *sample)
{
	if (sample->buckets)
		put_histogram(output, common, sample);
	else
		put_series(output, common, sample, "", NULL, sample->value);
}

static void put_target(struct writer *writer, size_t s, const struct pgm_metric *metric, bool *headed)
{
	const struct pgm_snapshot *snapshot = writer->snapshots[s];
	const struct pgm_samples *samples = snapshot->samples[metric->collector];
	struct allowance *allowance = &writer->allowances[s];
	size_t begin, end;
	if (!samples)
		return;
	end = range_of(samples, metric, &writer->cursors[s], &begin);
	size_t shown = end - begin;
	if (metric->flags & PGM_METRIC_TOP)
		shown = (size_t)((double)shown * allowance->part);
	for (size_t i = begin; i < end; i++) {
		size_t series = series_of(&samples->items[i]);
		if (!is_shown(&writer->views[s], &samples->items[i]))
			continue;
		if (i - begin >= shown || (allowance->cut && series > allowance->left)) {
			allowance->dropped += series;
			continue;
		}
		allowance->left -= series <= allowance->left ? series : allowance->left;
		if (!*headed)
			put_head(&writer->output, metric);
		*headed = true;
		put_sample(&writer->output, writer->commons[s], &samples->items[i]);
	}
}

/* How much was left out is known when all else is written. */
static void put_dropped(struct writer *writer)
{
	const struct pgm_metric *metric = pgm_metric_find("pgmend_series_dropped");
	const struct pgm_sample sample = {.metric = metric};
	for (size_t s = 0; s < writer->count; s++) {
		if (!s)
			put_head(&writer->output, metric);
		put_series(&writer->output, writer->commons[s], &sample, "", NULL,
			   (double)writer->allowances[s].dropped);
	}
}

char *pgm_exposition_write(const struct pgm_snapshot *const *snapshots, size_t count,
			   const struct pgm_samples *self, size_t series_max, bool open_metrics,
			   size_t *length)
{
	struct writer writer = {.output.open_metrics = open_metrics, .snapshots = snapshots, .count = count};
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	size_t self_cursor = 0;
	writer.views = PGM_NEW_ARRAY(arena, struct views, count + 1);
	find_speakers(arena, snapshots, count, writer.views);
	writer.allowances = calloc(count + 1, sizeof(*writer.allowances));
	writer.cursors = calloc(count + 1, sizeof(*writer.cursors));
	writer.commons = calloc(count + 1, sizeof(*writer.commons));
	writer.output.failed = !writer.allowances || !writer.cursors || !writer.commons;
	for (size_t s = 0; !writer.output.failed && s < count; s++) {
		writer.allowances[s] = allow(snapshots[s], &writer.views[s], series_max);
		writer.commons[s] = common_labels(&snapshots[s]->target);
		writer.output.failed = !writer.commons[s];
	}
	for (size_t m = 0; !writer.output.failed && m < pgm_metric_count; m++) {
		const struct pgm_metric *metric = &pgm_metrics[m];
		bool headed = false;
		if (m && metric->collector != pgm_metrics[m - 1].collector)
			memset(writer.cursors, 0, count * sizeof(*writer.cursors));
		for (size_t s = 0; s < count; s++)
			put_target(&writer, s, metric, &headed);
		size_t begin, end = range_of(self, metric, &self_cursor, &begin);
		for (size_t i = begin; i < end; i++) {
			if (!headed)
				put_head(&writer.output, metric);
			headed = true;
			put_sample(&writer.output, NULL, &self->items[i]);
		}
	}
	if (!writer.output.failed)
		put_dropped(&writer);
	if (open_metrics)
		put(&writer.output, "# EOF\n");
	for (size_t s = 0; writer.commons && s < count; s++)
		free(writer.commons[s]);
	free(writer.commons);
	free(writer.allowances);
	free(writer.cursors);
	put_n(&writer.output, "", 1);
	if (writer.output.failed) {
		free(writer.output.text);
		return NULL;
	}
	*length = writer.output.length - 1;
	return writer.output.text;
}
