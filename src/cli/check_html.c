#include "cli/check_print.h"

#include "util/embedded.h"
#include "util/format.h"
#include "util/safe_text.h"

#include <stdlib.h>

static const struct {
	enum pgm_severity severity;
	const char *heading;
} sections[] = {
	{PGM_SEVERITY_CRITICAL, "Critical"},
	{PGM_SEVERITY_WARNING, "Warning"},
	{PGM_SEVERITY_INFO, "Info"},
};
#define SECTIONS (sizeof(sections) / sizeof(*sections))

/* No script, no image, no address elsewhere: the policy makes a browser hold it to that. */
static void print_head(struct pgm_arena *arena, const struct pgm_check_report *report, FILE *stream)
{
	fprintf(stream,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
		"'unsafe-inline'\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<title>Check of %s</title>\n<style>\n%s</style>\n</head>\n<body>\n",
		pgm_safe_html(arena, report->database), pgm_embedded_text("cli/check_report.css"));
}

static void print_summary(struct pgm_arena *arena, const struct pgm_check_report *report, FILE *stream)
{
	fprintf(stream,
		"<header>\n<h1>Check of %s</h1>\n<p>PostgreSQL %s%s, %s. %zu of %zu checks judged in %s",
		pgm_safe_html(arena, report->database), pgm_safe_html(arena, report->server_version),
		report->standby ? " (standby)" : "", pgm_safe_html(arena, report->taken_at), report->judged,
		report->result_count, pgm_format_ms(arena, report->elapsed_ms));
	if (report->ignored)
		fprintf(stream, "; %zu ignored", report->ignored);
	fputs(".</p>\n<p class=\"counts\">\n", stream);
	for (size_t s = 0; s < SECTIONS; s++) {
		size_t count = report->counts[sections[s].severity];
		const char *name = pgm_severity_name(sections[s].severity);
		if (count)
			fprintf(stream, "<a class=\"%s\" href=\"#%s\"><b>%zu</b> %s</a>\n", name, name, count,
				name);
		else
			fprintf(stream, "<span class=\"none\"><b>0</b> %s</span>\n", name);
	}
	fputs("</p>\n</header>\n", stream);
}

static void print_evidence(struct pgm_arena *arena, json_t *evidence, FILE *stream)
{
	const char *key;
	json_t *value;
	if (!json_is_object(evidence) || json_object_size(evidence) == 0)
		return;
	fputs("<details><summary>Evidence</summary>\n<table>\n", stream);
	json_object_foreach(evidence, key, value)
	{
		char *dumped =
			json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		fprintf(stream, "<tr><th>%s</th><td>%s</td></tr>\n", pgm_safe_html(arena, key),
			pgm_safe_html(arena, dumped ? dumped : json_string_value(value)));
		free(dumped);
	}
	fputs("</table>\n</details>\n", stream);
}

static void print_finding(struct pgm_arena *arena, const struct pgm_finding *finding,
			  const struct pgm_check_since *since, FILE *stream)
{
	fprintf(stream, "<article class=\"%s\">\n<h3>%s <span>%s%s</span></h3>\n<p>%s</p>\n<pre>%s</pre>\n",
		pgm_severity_name(finding->severity), pgm_safe_html(arena, finding->object),
		pgm_safe_html(arena, finding->title),
		since && pgm_check_since_is_worse(since, finding) ? " <em>new or worse</em>" : "",
		pgm_safe_html(arena, finding->detail), pgm_safe_html(arena, finding->remedy));
	print_evidence(arena, finding->evidence, stream);
	fprintf(stream, "<p class=\"key\">ignore key: <code>%s</code></p>\n</article>\n",
		pgm_safe_html(arena, finding->ignore_key));
}

static void print_not_judged(struct pgm_arena *arena, const struct pgm_check_report *report, FILE *stream)
{
	bool begun = false;
	for (size_t i = 0; i < report->result_count; i++) {
		const struct pgm_check_result *result = &report->results[i];
		if (!result->reason)
			continue;
		if (!begun)
			fputs("<section>\n<h2>Could not check</h2>\n", stream);
		begun = true;
		fprintf(stream, "<article class=\"skipped\">\n<h3>%s</h3>\n<p>%s</p>\n",
			pgm_safe_html(arena, result->check->title), pgm_safe_html(arena, result->reason));
		if (*result->hint)
			fprintf(stream, "<pre>%s</pre>\n", pgm_safe_html(arena, result->hint));
		fputs("</article>\n", stream);
	}
	if (begun)
		fputs("</section>\n", stream);
}

void pgm_check_print_html(struct pgm_arena *arena, const struct pgm_check_report *report,
			  const struct pgm_check_since *since, FILE *stream)
{
	print_head(arena, report, stream);
	print_summary(arena, report, stream);
	if (since)
		pgm_check_print_since_html(arena, since, stream);
	if (!report->finding_count)
		fputs("<p class=\"fine\">Nothing was found.</p>\n", stream);
	for (size_t s = 0; s < SECTIONS; s++) {
		if (!report->counts[sections[s].severity])
			continue;
		fprintf(stream, "<section id=\"%s\">\n<h2>%s</h2>\n", pgm_severity_name(sections[s].severity),
			sections[s].heading);
		for (size_t i = 0; i < report->finding_count; i++)
			if (report->findings[i]->severity == sections[s].severity)
				print_finding(arena, report->findings[i], since, stream);
		fputs("</section>\n", stream);
	}
	print_not_judged(arena, report, stream);
	fputs("<footer>pgmend " PGM_VERSION "</footer>\n</body>\n</html>\n", stream);
}
