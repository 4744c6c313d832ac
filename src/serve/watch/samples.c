/*
 * Parts, and the samples in them.
 */
#include "serve/watch/parts.h"

#include "util/utf8.h"

#include <stdlib.h>
#include <string.h>

/* ---- parts ---- */

void *pgm_part_new(size_t size)
{
	struct pgm_arena *arena = pgm_arena_new(0);
	struct pgm_part *part = pgm_arena_alloc(arena, size);
	part->arena = arena;
	atomic_init(&part->refs, 1);
	return part;
}

void *pgm_part_keep(struct pgm_part *part)
{
	if (part)
		atomic_fetch_add(&part->refs, 1);
	return part;
}

void pgm_part_release(struct pgm_part *part)
{
	while (part && atomic_fetch_sub(&part->refs, 1) == 1) {
		struct pgm_part *base = part->base;
		if (part->arena)
			pgm_arena_free(part->arena);
		else
			free(part);
		part = base;
	}
}

/* ---- samples ---- */

void pgm_samples_begin(struct pgm_samples_builder *builder, enum pgm_collector_id collector)
{
	*builder = (struct pgm_samples_builder){.collector = collector, .arena = pgm_arena_new(0)};
}

const char *pgm_watch_text(struct pgm_arena *arena, const char *text)
{
	char *copy = pgm_strdup(arena, text);
	pgm_utf8_mend(copy);
	return copy;
}

void pgm_samples_add(struct pgm_samples_builder *builder, const struct pgm_metric *metric,
		     const char *const *labels, double value, const struct pgm_buckets *buckets)
{
	struct pgm_arena *arena = builder->arena;
	if (builder->count == builder->capacity) {
		size_t capacity = builder->capacity ? builder->capacity * 2 : 32;
		struct pgm_sample *grown = realloc(builder->items, capacity * sizeof(*grown));
		if (!grown)
			abort();
		builder->items = grown;
		builder->capacity = capacity;
	}
	size_t label_count = pgm_metric_label_count(metric);
	const char **copies = PGM_NEW_ARRAY(arena, const char *, label_count + 1);
	for (size_t i = 0; i < label_count; i++)
		copies[i] = labels[i] ? pgm_watch_text(arena, labels[i]) : "";
	struct pgm_buckets *kept = NULL;
	if (buckets) {
		kept = PGM_NEW(arena, struct pgm_buckets);
		*kept = *buckets;
	}
	builder->items[builder->count++] =
		(struct pgm_sample){.metric = metric, .labels = copies, .value = value, .buckets = kept};
}

void pgm_samples_add_named(struct pgm_samples_builder *builder, const char *name, const char *const *labels,
			   double value)
{
	const struct pgm_metric *metric = pgm_metric_find(name);
	if (!metric)
		abort(); /* not in the table */
	pgm_samples_add(builder, metric, labels, value, NULL);
}

/* By the metrics' order in the table; those of one metric stay in the order that they came in. */
static void sort(const struct pgm_samples_builder *builder, struct pgm_sample *sorted)
{
	size_t *begin = calloc(pgm_metric_count + 1, sizeof(*begin));
	if (!begin)
		abort();
	for (size_t i = 0; i < builder->count; i++)
		begin[pgm_metric_index(builder->items[i].metric) + 1]++;
	for (size_t m = 0; m < pgm_metric_count; m++)
		begin[m + 1] += begin[m];
	for (size_t i = 0; i < builder->count; i++)
		sorted[begin[pgm_metric_index(builder->items[i].metric)]++] = builder->items[i];
	free(begin);
}

struct sizes {
	size_t labels, buckets, bytes;
};

static struct sizes measure(const struct pgm_samples_builder *builder)
{
	struct sizes sizes = {0};
	for (size_t i = 0; i < builder->count; i++) {
		const struct pgm_sample *sample = &builder->items[i];
		size_t count = pgm_metric_label_count(sample->metric);
		sizes.labels += count;
		sizes.buckets += sample->buckets != NULL;
		for (size_t l = 0; l < count; l++)
			sizes.bytes += strlen(sample->labels[l]) + 1;
	}
	return sizes;
}

struct pgm_samples_part *pgm_samples_end(struct pgm_samples_builder *builder)
{
	struct sizes sizes = measure(builder);
	struct pgm_samples_part *made = calloc(1, sizeof(*made) + builder->count * sizeof(struct pgm_sample) +
							  sizes.buckets * sizeof(struct pgm_buckets) +
							  sizes.labels * sizeof(char *) + sizes.bytes);
	if (!made)
		abort();
	struct pgm_sample *items = (struct pgm_sample *)(made + 1);
	struct pgm_buckets *buckets = (struct pgm_buckets *)(items + builder->count);
	const char **labels = (const char **)(buckets + sizes.buckets);
	char *bytes = (char *)(labels + sizes.labels);
	sort(builder, items);
	for (size_t i = 0; i < builder->count; i++) {
		const char *const *from = items[i].labels;
		size_t count = pgm_metric_label_count(items[i].metric);
		items[i].labels = labels;
		for (size_t l = 0; l < count; l++) {
			*labels++ = bytes;
			bytes = stpcpy(bytes, from[l]) + 1;
		}
		if (items[i].buckets) {
			*buckets = *items[i].buckets;
			items[i].buckets = buckets++;
		}
	}
	atomic_init(&made->part.refs, 1);
	made->samples = (struct pgm_samples){
		.collector = builder->collector, .count = builder->count, .items = items};
	free(builder->items);
	pgm_arena_free(builder->arena);
	*builder = (struct pgm_samples_builder){0};
	return made;
}

/* ---- rows of a query ---- */

static void add_column(struct pgm_samples_builder *builder, const struct pgm_rows *rows, size_t column,
		       const struct pgm_metric *metric)
{
	size_t label_columns[PGM_METRIC_LABELS_MAX], label_count = pgm_metric_label_count(metric);
	for (size_t l = 0; l < label_count; l++) {
		label_columns[l] = pgm_rows_column(rows, metric->labels[l]);
		if (label_columns[l] == rows->columns)
			abort(); /* the .sql file lacks a label of its metric */
	}
	for (size_t r = 0; r < rows->count; r++) {
		const char *labels[PGM_METRIC_LABELS_MAX];
		if (!pgm_rows_get(rows, r, column))
			continue;
		for (size_t l = 0; l < label_count; l++)
			labels[l] = pgm_rows_text(rows, r, label_columns[l]);
		pgm_samples_add(builder, metric, labels, pgm_rows_double(rows, r, column), NULL);
	}
}

void pgm_samples_add_rows(struct pgm_samples_builder *builder, const struct pgm_rows *rows)
{
	for (size_t c = 0; c < rows->columns; c++) {
		const struct pgm_metric *metric = pgm_metric_find(rows->names[c]);
		if (metric)
			add_column(builder, rows, c, metric);
	}
}
