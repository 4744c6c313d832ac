#include "cli/commands.h"
#include "cli/report_parts.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/term.h"

#define TOP_DEFAULT 25

struct request {
	enum pgm_format format;
	const char *out; /* NULL: standard output */
	int64_t top;
};

static bool read_request(const struct pgm_cli *cli, struct request *request, struct pgm_error *err)
{
	*request = (struct request){.out = pgm_cli_value(cli, "out"), .top = TOP_DEFAULT};
	if (!pgm_cli_value(cli, "format"))
		request->format = PGM_FORMAT_HTML;
	else if (!pgm_cli_format_among(cli, 1u << PGM_FORMAT_HTML | 1u << PGM_FORMAT_MARKDOWN,
				       &request->format, err))
		return false;
	return pgm_cli_int(cli, "top", 1, 1000, &request->top, err);
}

static const struct {
	const char *progress;
	bool (*add)(struct pgm_report_part *part, struct pgm_error *err);
} parts[] = {
	{"checks", pgm_report_findings},
	{"statements", pgm_report_workload},
	{"tables and indexes", pgm_report_relations},
	{"sessions", pgm_report_sessions},
	{"changes", pgm_report_changes},
};
#define PARTS (sizeof(parts) / sizeof(*parts))

static bool make(const struct pgm_cli *cli, struct pgm_conn *conn, const struct request *request,
		 struct pgm_doc *doc, struct pgm_error *err)
{
	char now[PGM_CLOCK_STAMP_SIZE];
	int version = pgm_conn_version(conn);
	*doc = (struct pgm_doc){
		.arena = cli->arena,
		.title = pgm_sprintf(cli->arena, "Report of %s", pgm_conn_database(conn)),
		.subtitle =
			pgm_sprintf(cli->arena, "PostgreSQL %d.%d%s, %s", version / 10000, version % 10000,
				    pgm_conn_is_standby(conn) ? " (standby)" : "", pgm_clock_stamp(now)),
		.footer = "pgmend " PGM_VERSION,
	};
	struct pgm_report_part part = {.doc = doc,
				       .conn = conn,
				       .tiles = pgm_doc_add(doc, PGM_DOC_TILES, ""),
				       .top = (size_t)request->top};
	for (size_t i = 0; i < PARTS; i++) {
		pgm_progress_show(parts[i].progress, (double)i / PARTS, "");
		if (!parts[i].add(&part, err))
			return pgm_error_context(err, "reading the %s", parts[i].progress);
	}
	pgm_progress_clear();
	return true;
}

static int run(struct pgm_cli *cli)
{
	struct pgm_error err = {0};
	struct request request;
	struct pgm_doc doc;
	struct pgm_buf text;
	if (!read_request(cli, &request, &err))
		return pgm_cli_fail(cli, &err);
	PGM_AUTO_CONN conn = pgm_cli_connect(cli, &err);
	if (!conn || !make(cli, conn, &request, &doc, &err))
		return pgm_cli_fail(cli, &err);
	pgm_buf_init(&text, cli->arena);
	if (request.format == PGM_FORMAT_HTML)
		pgm_doc_html(&doc, &text);
	else
		pgm_doc_markdown(&doc, &text);
	if (!request.out)
		fputs(text.text, stdout);
	else if (!pgm_file_replace(cli->arena, request.out, text.text, &err))
		return pgm_cli_fail(cli, &err);
	else
		fprintf(stderr, "Written to %s\n", request.out);
	return PGM_EXIT_OK;
}

static const struct pgm_option options[] = {
	{0, "out", "FILE", "write it there instead of to standard output"},
	{0, "format", "FORMAT", "html (default) or markdown"},
	{0, "top", "N", "how many statements, tables, indexes, sessions and changes (default 25)"},
	{0, NULL, NULL, NULL},
};

const struct pgm_cmd pgm_cmd_report = {
	.name = "report",
	.summary =
		"one page for a mail or a ticket: findings, statements, indexes, tables, sessions, changes",
	.operands = "",
	.flags = PGM_CMD_CONNECTS,
	.description =
		"Looks at the database once, as check, sessions and history do, and writes what it saw as "
		"one HTML page that needs nothing else, light and dark, or as Markdown.\n\n"
		"Nothing is changed and nothing is blocked. What the role may not see is said on the page. "
		"Statements stand there without their values, sessions' too, and passwords are masked; names "
		"of relations, users and applications are not.",
	.options = options,
	.run = run,
};
