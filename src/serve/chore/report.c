/*
 * The weekly report: which statements got slower than the week before, which indexes nobody used for a full
 * period, and what was changed. As Markdown and as one HTML page.
 */
#include "serve/chore/parts.h"

#include "serve/history/history.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/format.h"
#include "util/hash.h"
#include "util/safe_text.h"
#include "util/vec.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WEEK_MS	      ((int64_t)7 * 86400 * 1000)
#define STATEMENTS    500
#define SHOWN	      20
#define CALLS_MIN     20 /* fewer tell nothing of a mean */
#define SLOWER	      1.2
#define SLOWER_MS     0.2 /* of the mean */
#define ASK_MS	      120000
#define QUERY_MAX     300
#define FILE_NAME_MAX 100

struct slower {
	const char *query;
	double before_ms, now_ms, extra_ms; /* means, and what it cost more in the week */
	uint64_t calls;
};

struct weekly {
	struct pgm_arena *arena;
	const char *database;
	char at[PGM_CLOCK_STAMP_SIZE];
	const char *no_history; /* why statements cannot be compared, or NULL */
	PGM_VEC(struct slower) slower;
	size_t compared;
	json_t *unused; /* check's, or NULL */
	json_t *changes;
};

static int more_first(const void *a, const void *b)
{
	double one = ((const struct slower *)a)->extra_ms, other = ((const struct slower *)b)->extra_ms;
	return (one < other) - (one > other);
}

static const struct pgm_history_statement *same(const struct pgm_history_statement_list *list,
						const struct pgm_history_statement *wanted)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].id, wanted->id) == 0 &&
		    strcmp(list->items[i].user, wanted->user) == 0)
			return &list->items[i];
	return NULL;
}

static bool read_week(struct pgm_chores *chores, struct weekly *weekly, int64_t to_ms,
		      struct pgm_history_statement_list *list)
{
	struct pgm_error err = {0};
	struct pgm_history_statements wanted = {.target = weekly->database,
						.from_ms = to_ms - WEEK_MS,
						.to_ms = to_ms,
						.order = PGM_HISTORY_BY_TIME,
						.limit = STATEMENTS};
	if (pgm_history_statements(chores->history, &wanted, weekly->arena, list, &err))
		return true;
	weekly->no_history = pgm_strdup(weekly->arena, err.message);
	return false;
}

static void compare_weeks(struct pgm_chores *chores, struct weekly *weekly)
{
	struct pgm_history_statement_list now, before;
	int64_t now_ms = (int64_t)time(NULL) * 1000;
	if (!chores->history) {
		weekly->no_history = "no history is kept (setting history in [serve])";
		return;
	}
	if (!read_week(chores, weekly, now_ms, &now) || !read_week(chores, weekly, now_ms - WEEK_MS, &before))
		return;
	for (size_t i = 0; i < now.count; i++) {
		const struct pgm_history_statement *item = &now.items[i];
		const struct pgm_history_statement *old = item->others ? NULL : same(&before, item);
		if (!old || old->calls < CALLS_MIN || item->calls < CALLS_MIN)
			continue;
		weekly->compared++;
		if (item->mean_ms < old->mean_ms * SLOWER || item->mean_ms - old->mean_ms < SLOWER_MS)
			continue;
		*pgm_vec_add(weekly->arena, &weekly->slower) =
			(struct slower){.query = item->query,
					.before_ms = old->mean_ms,
					.now_ms = item->mean_ms,
					.extra_ms = (item->mean_ms - old->mean_ms) * (double)item->calls,
					.calls = item->calls};
	}
	if (weekly->slower.count)
		qsort(weekly->slower.items, weekly->slower.count, sizeof(*weekly->slower.items), more_first);
	if (before.count == 0)
		weekly->no_history = "there is no history of the week before yet";
}

static json_t *ask(struct pgm_chores *chores, const char *database, const char *const *argv)
{
	struct pgm_error ignored = {0};
	return pgm_job_ask(chores->jobs, database, argv, ASK_MS, 0, &ignored);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static const char *shortened(struct pgm_arena *arena, const char *query)
{
	size_t length = strlen(query);
	if (length <= QUERY_MAX)
		return query;
	for (length = QUERY_MAX; length && ((unsigned char)query[length] & 0xC0) == 0x80;)
		length--;
	return pgm_sprintf(arena, "%s...", pgm_strndup(arena, query, length));
}

/* One writer for both forms: what differs is how a heading, a row and a text are marked. */
struct writer {
	struct pgm_arena *arena;
	FILE *stream;
	bool html;
};

static const char *safe(const struct writer *writer, const char *text)
{
	return writer->html ? pgm_safe_html(writer->arena, text) : pgm_safe_markdown(writer->arena, text);
}

static void heading(struct writer *writer, const char *text)
{
	fprintf(writer->stream, writer->html ? "<h2>%s</h2>\n" : "\n## %s\n\n", safe(writer, text));
}

static void paragraph(struct writer *writer, const char *text)
{
	fprintf(writer->stream, writer->html ? "<p>%s</p>\n" : "%s\n", safe(writer, text));
}

static void row(struct writer *writer, const char *const *cells, size_t count, bool head)
{
	const char *tag = head ? "th" : "td";
	fputs(writer->html ? "<tr>" : "|", writer->stream);
	for (size_t i = 0; i < count; i++) {
		if (writer->html)
			fprintf(writer->stream, "<%s>%s</%s>", tag, safe(writer, cells[i]), tag);
		else
			fprintf(writer->stream, " %s |", safe(writer, cells[i]));
	}
	fputs(writer->html ? "</tr>\n" : "\n", writer->stream);
	if (!head || writer->html)
		return;
	fputs("|", writer->stream);
	for (size_t i = 0; i < count; i++)
		fputs(" --- |", writer->stream);
	fputs("\n", writer->stream);
}

static void open_table(struct writer *writer, const char *const *titles, size_t count)
{
	if (writer->html)
		fputs("<table>\n", writer->stream);
	row(writer, titles, count, true);
}

static void close_table(struct writer *writer)
{
	if (writer->html)
		fputs("</table>\n", writer->stream);
}

static void write_slower(struct writer *writer, const struct weekly *weekly)
{
	static const char *const titles[] = {"Statement", "Calls", "Mean before", "Mean now", "Cost more"};
	struct pgm_arena *arena = writer->arena;
	heading(writer, "What got slower");
	if (weekly->no_history)
		paragraph(writer, pgm_sprintf(arena, "Not compared: %s.", weekly->no_history));
	else if (!weekly->slower.count)
		paragraph(writer,
			  pgm_sprintf(arena,
				      "None of %zu statements that ran in both weeks got slower by a fifth.",
				      weekly->compared));
	if (!weekly->slower.count)
		return;
	open_table(writer, titles, 5);
	for (size_t i = 0; i < weekly->slower.count && i < SHOWN; i++) {
		const struct slower *item = &weekly->slower.items[i];
		const char *const cells[] = {
			shortened(arena, item->query), pgm_format_count(arena, (double)item->calls),
			pgm_format_ms(arena, item->before_ms), pgm_format_ms(arena, item->now_ms),
			pgm_format_ms(arena, item->extra_ms)};
		row(writer, cells, 5, false);
	}
	close_table(writer);
}

static void write_unused(struct writer *writer, const struct weekly *weekly)
{
	static const char *const titles[] = {"Index", "What is known", "What to do"};
	const json_t *findings = json_object_get(weekly->unused, "findings");
	size_t i;
	json_t *finding;
	heading(writer, "Indexes that nobody used for a full period");
	const json_t *judged = json_array_get(json_object_get(weekly->unused, "checks"), 0);
	if (!weekly->unused)
		paragraph(writer, "The database could not be asked.");
	else if (strcmp(text_of(judged, "status"), "not_judged") == 0)
		paragraph(writer, pgm_sprintf(writer->arena, "Not judged: %s.", text_of(judged, "reason")));
	else if (!json_array_size(findings))
		paragraph(writer, "None.");
	if (!json_array_size(findings))
		return;
	open_table(writer, titles, 3);
	json_array_foreach(findings, i, finding)
	{
		const char *const cells[] = {text_of(finding, "object"), text_of(finding, "detail"),
					     text_of(finding, "remedy")};
		row(writer, cells, 3, false);
	}
	close_table(writer);
}

static void write_changes(struct writer *writer, const struct weekly *weekly)
{
	static const char *const titles[] = {"Plan", "State", "Steps", "Began", "By", "Title"};
	char since[PGM_CLOCK_STAMP_SIZE];
	size_t i, shown = 0;
	json_t *run;
	pgm_clock_stamp_of((int64_t)time(NULL) - WEEK_MS / 1000, since);
	heading(writer, "What was changed in this week");
	json_array_foreach(json_object_get(weekly->changes, "runs"), i, run)
	{
		if (strcmp(text_of(run, "started_at"), since) < 0)
			continue;
		if (!shown++)
			open_table(writer, titles, 6);
		const char *const cells[] = {
			text_of(run, "plan"),
			text_of(run, "state"),
			pgm_sprintf(writer->arena, "%lld/%lld",
				    (long long)json_integer_value(json_object_get(run, "steps_done")),
				    (long long)json_integer_value(json_object_get(run, "steps"))),
			text_of(run, "started_at"),
			text_of(run, "applied_by"),
			text_of(run, "title")};
		row(writer, cells, 6, false);
	}
	if (shown)
		close_table(writer);
	else
		paragraph(writer, weekly->changes ? "Nothing." : "The Ledger could not be read.");
}

static bool write_form(const struct weekly *weekly, bool html, const char *path, struct pgm_error *err)
{
	char *text = NULL;
	size_t length = 0;
	struct writer writer = {
		.arena = weekly->arena, .stream = open_memstream(&text, &length), .html = html};
	const char *title = pgm_sprintf(weekly->arena, "%s: the week to %.10s", weekly->database, weekly->at);
	if (!writer.stream)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
	if (html)
		fprintf(writer.stream,
			"<!doctype html>\n<html lang=\"en\"><head><meta "
			"charset=\"utf-8\"><title>%s</title>\n<style>"
			"body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 "
			"1em;"
			"color-scheme:light dark}table{border-collapse:collapse}td,th{padding:.3em .7em;"
			"border-bottom:1px solid "
			"#8885;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
			"</style></head><body>\n<h1>%s</h1>\n",
			safe(&writer, title), safe(&writer, title));
	else
		fprintf(writer.stream, "# %s\n", safe(&writer, title));
	write_slower(&writer, weekly);
	write_unused(&writer, weekly);
	write_changes(&writer, weekly);
	if (html)
		fputs("</body></html>\n", writer.stream);
	bool ok = fclose(writer.stream) == 0 && pgm_file_replace(weekly->arena, path, text, err);
	free(text);
	return ok;
}

/* A database's name can be anything; a file's is made of letters that are the same everywhere. A hash keeps
 * those apart that come to the same. */
static const char *file_name(struct pgm_arena *arena, const char *database)
{
	char *name = pgm_strdup(arena, database);
	for (char *at = name; *at; at++)
		if (!((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
		      (*at >= '0' && *at <= '9') || *at == '_'))
			*at = '-';
	if (strcmp(name, database) == 0 && strlen(name) <= FILE_NAME_MAX)
		return name;
	return pgm_sprintf(arena, "%.*s-%08x", FILE_NAME_MAX, name, (unsigned)pgm_hash_string(database));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of reports of the database, the oldest first: NAME-2026-01-31.md. */
static size_t list_reports(struct pgm_arena *arena, const char *folder, const char *database,
			   const char *ending, char ***names)
{
	PGM_VEC(char *) found = {0};
	const char *prefix = pgm_sprintf(arena, "%s-", file_name(arena, database));
	size_t length = strlen(prefix) + 10 + strlen(ending);
	DIR *dir = opendir(folder);
	const struct dirent *file;
	while (dir && (file = readdir(dir)) != NULL)
		if (strlen(file->d_name) == length && strncmp(file->d_name, prefix, strlen(prefix)) == 0 &&
		    strcmp(file->d_name + length - strlen(ending), ending) == 0)
			*pgm_vec_add(arena, &found) = pgm_strdup(arena, file->d_name);
	if (dir)
		closedir(dir);
	if (found.count)
		qsort(found.items, found.count, sizeof(*found.items), by_name);
	*names = found.items;
	return found.count;
}

static void trim(struct pgm_chores *chores, struct pgm_arena *arena, const char *database)
{
	static const char *const endings[] = {".md", ".html"};
	for (size_t e = 0; e < 2; e++) {
		char **names;
		size_t count =
			list_reports(arena, chores->options.report_folder, database, endings[e], &names);
		for (size_t i = 0; i + (size_t)chores->options.reports_kept < count; i++)
			unlink(pgm_sprintf(arena, "%s/%s", chores->options.report_folder, names[i]));
	}
}

static bool write_both(struct pgm_chores *chores, struct weekly *weekly, const char **path,
		       struct pgm_error *err)
{
	const char *folder = chores->options.report_folder;
	if (!folder)
		return pgm_error_set(err, PGM_ERR_INPUT,
				     "there is no folder for reports: set report_folder in [chores]");
	if (mkdir(folder, 0750) < 0 && errno != EEXIST)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "cannot make %s: %s", folder, strerror(errno));
	const char *stem = pgm_sprintf(weekly->arena, "%s/%s-%.10s", folder,
				       file_name(weekly->arena, weekly->database), weekly->at);
	*path = pgm_sprintf(weekly->arena, "%s.md", stem);
	return write_form(weekly, false, *path, err) &&
	       write_form(weekly, true, pgm_sprintf(weekly->arena, "%s.html", stem), err);
}

void pgm_chore_report(struct pgm_chores *chores, struct pgm_arena *arena, const char *database,
		      const char *who, struct pgm_chore_outcome *outcome)
{
	static const char *const unused[] = {"check", "--format=json", "--fail-on=never",
					     "--only=unused_index", NULL};
	struct pgm_error err = {0};
	struct weekly weekly = {.arena = arena, .database = database};
	const char *path = NULL;
	(void)who;
	pgm_clock_stamp(weekly.at);
	compare_weeks(chores, &weekly);
	weekly.unused = ask(chores, database, unused);
	weekly.changes = ask(chores, database, pgm_job_history);
	if (write_both(chores, &weekly, &path, &err)) {
		trim(chores, arena, database);
		outcome->state = "done";
		outcome->text = path;
	} else {
		outcome->text = pgm_strdup(arena, err.message);
	}
	json_decref(weekly.unused);
	json_decref(weekly.changes);
}

char *pgm_chores_report(struct pgm_chores *chores, struct pgm_arena *arena, const char *database, bool html)
{
	char **names, *text;
	struct pgm_error ignored = {0};
	pthread_mutex_lock(&chores->lock); /* a reload may take it away */
	const char *folder = pgm_strdup(arena, chores->options.report_folder);
	pthread_mutex_unlock(&chores->lock);
	size_t count = folder ? list_reports(arena, folder, database, html ? ".html" : ".md", &names) : 0;
	if (!count || !pgm_file_read(arena, pgm_sprintf(arena, "%s/%s", folder, names[count - 1]),
				     (size_t)16 << 20, &text, &ignored))
		return NULL;
	return text;
}
