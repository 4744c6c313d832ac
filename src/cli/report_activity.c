#include "change/ledger.h"
#include "cli/check_saved.h"
#include "cli/report_parts.h"
#include "sessions/sessions.h"
#include "sql/fingerprint.h"
#include "util/format.h"
#include "workload/workload.h"

#include <string.h>

/* One thing that cannot be had is no reason to have nothing; without a session there is nothing. */
static bool say_why(struct pgm_report_part *part, struct pgm_error *err)
{
	if (!pgm_conn_alive(part->conn) || err->kind == PGM_ERR_CANCELED)
		return false;
	struct pgm_arena *arena = part->doc->arena;
	pgm_doc_add(part->doc, PGM_DOC_TEXT,
		    *err->hint ? pgm_sprintf(arena, "Not known: %s. %s", err->message, err->hint)
			       : pgm_sprintf(arena, "Not known: %s.", err->message));
	*err = (struct pgm_error){0};
	return true;
}

/* ---- statements ---- */

static double whole_ms(const struct pgm_workload *workload)
{
	double total = 0;
	for (size_t i = 0; i < workload->statement_count; i++)
		total += workload->statements[i].total_ms;
	return total;
}

bool pgm_report_workload(struct pgm_report_part *part, struct pgm_error *err)
{
	static const char *const headers[] = {"statement", "share", "total", "mean", "calls", "rows a call"};
	struct pgm_doc *doc = part->doc;
	struct pgm_arena *arena = doc->arena;
	struct pgm_workload workload = {0};
	pgm_doc_heading(doc, 2, "Where the time goes");
	if (!pgm_workload_from_server(arena, part->conn, PGM_WORKLOAD_DEFAULT_TOP, &workload, err))
		return say_why(part, err);
	double total = whole_ms(&workload);
	pgm_doc_add(doc, PGM_DOC_TEXT,
		    pgm_sprintf(arena, "By pg_stat_statements, since it was reset: %zu statements took %s.",
				workload.statement_count, pgm_format_ms(arena, total)));
	struct pgm_doc_block *block = pgm_doc_table(doc, "crrrrr", headers);
	for (size_t i = 0; i < workload.statement_count && i < part->top; i++) {
		const struct pgm_statement *statement = &workload.statements[i];
		double calls = statement->calls > 0 ? statement->calls : 1;
		struct pgm_doc_cell *row = pgm_doc_row(doc, block);
		row[0].text = pgm_check_masked(arena, statement->text);
		row[1].text =
			pgm_sprintf(arena, "%.1f %%", total > 0 ? statement->total_ms / total * 100 : 0);
		row[2].text = pgm_format_ms(arena, statement->total_ms);
		row[3].text = pgm_format_ms(arena, statement->total_ms / calls);
		row[4].text = pgm_format_count(arena, statement->calls);
		row[5].text = pgm_format_count(arena, statement->rows / calls);
	}
	pgm_doc_item(doc, part->tiles, "statements",
		     pgm_format_count(arena, (double)workload.statement_count), pgm_format_ms(arena, total),
		     PGM_DOC_PLAIN);
	return true;
}

/* ---- sessions ---- */

/* A running statement has values in it, which are nobody's business who reads a ticket. */
static const char *without_values(struct pgm_arena *arena, const char *query)
{
	struct pgm_error err = {0};
	char *normalized;
	if (!query || !*query)
		return "";
	if (pgm_sql_normalize(arena, query, &normalized, &err))
		return pgm_check_masked(arena, normalized);
	size_t word = strspn(query, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
	return pgm_sprintf(arena, "%s ... (cut off)", pgm_strndup(arena, query, word));
}

static const char *waits(struct pgm_arena *arena, const struct pgm_session *session)
{
	if (session->wanted)
		return pgm_sprintf(arena, "%s on %s, for %s",
				   session->wanted_mode ? session->wanted_mode : "a lock", session->wanted,
				   pgm_format_ms(arena, session->wait_s * 1000));
	if (session->blocks)
		return pgm_sprintf(arena, "holds up %lld sessions", (long long)session->blocks);
	return "";
}

static const char *age(struct pgm_arena *arena, double seconds)
{
	return seconds >= 0 ? pgm_format_ms(arena, seconds * 1000) : "";
}

static void add_session(struct pgm_report_part *part, struct pgm_doc_block *block,
			const struct pgm_session *session)
{
	struct pgm_arena *arena = part->doc->arena;
	struct pgm_doc_cell *row = pgm_doc_row(part->doc, block);
	row[0].text = session->gid ? session->gid : pgm_sprintf(arena, "%d", session->pid);
	row[1].text = pgm_sprintf(arena, "%s%s%s", session->user ? session->user : "",
				  session->application && *session->application ? ", " : "",
				  session->application ? session->application : "");
	row[2].text = session->hidden ? "hidden" : session->gid ? "prepared" : session->state;
	row[3].text = age(arena, session->xact_s);
	row[4].text = waits(arena, session);
	row[4].mark = session->wanted || session->blocks ? PGM_DOC_BAD : PGM_DOC_PLAIN;
	row[5].text = session->hidden ? "" : without_values(arena, session->query);
}

bool pgm_report_sessions(struct pgm_report_part *part, struct pgm_error *err)
{
	static const char *const headers[] = {"session", "who", "state", "transaction", "lock", "statement"};
	struct pgm_doc *doc = part->doc;
	struct pgm_sessions sessions;
	size_t clients = 0, busy = 0, shown = 0;
	pgm_doc_heading(doc, 2, "Sessions");
	if (!pgm_sessions_look(part->conn, doc->arena, &sessions, err))
		return say_why(part, err);
	struct pgm_doc_block *text = pgm_doc_add(doc, PGM_DOC_TEXT, "");
	struct pgm_doc_block *block = pgm_doc_table(doc, "lllrlc", headers);
	for (size_t i = 0; i < sessions.count; i++) {
		const struct pgm_session *session = &sessions.items[i];
		if (session->own || (!session->gid && !pgm_session_is_client(session)))
			continue;
		clients++;
		if (!session->gid && strcmp(session->state, "idle") == 0 && !session->blocks)
			continue;
		busy++;
		if (shown < part->top) {
			add_session(part, block, session);
			shown++;
		}
	}
	text->text = pgm_sprintf(doc->arena, "%zu sessions, %zu of them do something%s.", clients, busy,
				 shown < busy ? "; these are the first" : "");
	pgm_doc_item(doc, part->tiles, "sessions", pgm_format_count(doc->arena, (double)clients),
		     pgm_sprintf(doc->arena, "%zu busy", busy), PGM_DOC_PLAIN);
	return true;
}

/* ---- changes ---- */

bool pgm_report_changes(struct pgm_report_part *part, struct pgm_error *err)
{
	static const char *const headers[] = {"Plan", "what", "state", "steps", "began", "took", "by"};
	struct pgm_doc *doc = part->doc;
	struct pgm_arena *arena = doc->arena;
	struct pgm_ledger_plan *plans = NULL;
	size_t count = 0;
	bool exists;
	pgm_doc_heading(doc, 2, "Changes");
	if (!pgm_ledger_exists(part->conn, false, &exists, err) ||
	    (exists && !pgm_ledger_plans(part->conn, arena, NULL, false, &plans, &count, err)))
		return say_why(part, err);
	if (!count)
		pgm_doc_add(doc, PGM_DOC_TEXT, "pgmend has changed nothing in this database.");
	struct pgm_doc_block *block = pgm_doc_table(doc, "lllrlrl", headers);
	for (size_t i = 0; i < count && i < part->top; i++) {
		const struct pgm_ledger_plan *plan = &plans[i];
		struct pgm_doc_cell *row = pgm_doc_row(doc, block);
		row[0].text = plan->id;
		row[1].text = plan->title;
		row[2].text = plan->state;
		row[2].mark = strcmp(plan->state, "failed") == 0 ? PGM_DOC_BAD : PGM_DOC_PLAIN;
		row[3].text = pgm_sprintf(arena, "%lld of %lld", (long long)plan->steps_done,
					  (long long)plan->steps);
		row[4].text = plan->started_at;
		row[5].text = plan->finished_at ? pgm_format_ms(arena, plan->elapsed_ms) : "";
		row[6].text = plan->applied_by;
	}
	return true;
}
