#include "cli/demo_report.h"

#include "util/buf.h"
#include "util/format.h"
#include "util/term.h"

#include <stdlib.h>
#include <string.h>

#define FASTER_RATIO 1.1 /* below it, it may be noise */
#define OTHER_CELLS  86	 /* of the table, without the queries' titles */
#define TITLE_MIN    24

void pgm_demo_print_sizes(struct pgm_arena *arena, const struct pgm_demo_size *sizes)
{
	static const char *const headers[] = {"application", "tables", "rows", "size"};
	struct pgm_table *table = pgm_table_new(arena, "lrrr", headers);
	for (const char *const *app = pgm_demo_apps; *app; app++, sizes++)
		pgm_table_row(table, (const char *const[]){sizes->app,
							   pgm_format_count(arena, (double)sizes->tables),
							   pgm_format_count(arena, sizes->rows),
							   pgm_format_bytes(arena, sizes->bytes)});
	pgm_table_print(table, stdout);
}

/* On a terminal that is too narrow, long titles end in an ellipsis. */
static const char *fit_title(struct pgm_arena *arena, const char *title)
{
	if (!pgm_term_is_tty(stdout))
		return title;
	int room = pgm_term_width(stdout) - OTHER_CELLS;
	if (room < TITLE_MIN)
		room = TITLE_MIN;
	if (pgm_term_cells(title) <= (size_t)room)
		return title;
	return pgm_sprintf(arena, "%.*s...", room - 3, title);
}

static int compare_ratio(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;
	return (left > right) - (left < right);
}

static void print_notes(struct pgm_arena *arena, const struct pgm_demo_result *results, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct pgm_demo_measurement *before = &results[i].before;
		if (before->extrapolated)
			printf("* extrapolated: nobody would wait for it. A delete of a few child rows took "
			       "%s, "
			       "and the\n  whole has %s times as many.\n",
			       pgm_format_ms(arena, before->sample_ms),
			       pgm_format_count(arena, before->factor));
	}
}

void pgm_demo_print_results(struct pgm_arena *arena, const struct pgm_demo_result *results, size_t count)
{
	static const char *const headers[] = {
		"application", "query", "before", "after", "ratio", "plan node before", "plan node after"};
	struct pgm_table *table = pgm_table_new(arena, "llrrrll", headers);
	double *ratios = PGM_NEW_ARRAY(arena, double, count);
	size_t faster = 0;
	for (size_t i = 0; i < count; i++) {
		const struct pgm_demo_result *result = &results[i];
		ratios[i] = result->before.ms / (result->after.ms > 0 ? result->after.ms : 0.001);
		faster += ratios[i] >= FASTER_RATIO;
		pgm_table_row(table,
			      (const char *const[]){
				      result->statement->app, fit_title(arena, result->statement->title),
				      pgm_sprintf(arena, "%s%s", pgm_format_ms(arena, result->before.ms),
						  result->before.extrapolated ? "*" : ""),
				      pgm_sprintf(arena, "%s%s", pgm_format_ms(arena, result->after.ms),
						  result->after.extrapolated ? "*" : ""),
				      pgm_format_ratio(arena, ratios[i]), result->before.node,
				      result->after.node});
	}
	pgm_table_print(table, stdout);
	print_notes(arena, results, count);
	qsort(ratios, count, sizeof(*ratios), compare_ratio);
	double median = count ? (ratios[(count - 1) / 2] + ratios[count / 2]) / 2 : 0;
	printf("\n%s%zu of %zu headline queries got faster; the median ratio is %s.%s\n",
	       pgm_term_on(stdout, faster == count ? PGM_GREEN : PGM_YELLOW), faster, count,
	       pgm_format_ratio(arena, median), pgm_term_off(stdout));
}

char *pgm_demo_shell_word(struct pgm_arena *arena, const char *word)
{
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	if (*word && !strpbrk(word, " \t\n'\"\\$`!*?[]{}()<>|&;#~=")) {
		pgm_buf_add(&buf, word);
	} else if (strncmp(word, "--", 2) == 0 && !strpbrk(word, " \t\n'\"\\$`!*?[]{}()<>|&;#~")) {
		pgm_buf_add(&buf, word); /* an equals sign is harmless there */
	} else if (!strpbrk(word, "\"\\$`!")) {
		pgm_buf_printf(&buf, "\"%s\"", word);
	} else {
		pgm_buf_char(&buf, '\'');
		for (; *word; word++)
			pgm_buf_printf(&buf, *word == '\'' ? "'\\''" : "%c", *word);
		pgm_buf_char(&buf, '\'');
	}
	return buf.text;
}
