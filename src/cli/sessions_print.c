#include "cli/sessions_print.h"
#include "util/buf.h"
#include "util/format.h"
#include "util/safe_text.h"
#include "util/term.h"

#include <string.h>

#define LOCKS_SHOWN 3
#define QUERY_CELLS 60

static const char *duration(struct pgm_arena *arena, double seconds)
{
	return seconds < 0
		       ? ""
		       : pgm_format_ms(arena, seconds < 1 ? seconds * 1000 : (double)(int64_t)seconds * 1000);
}

/* The first cells of a text on one line. */
static const char *cut(struct pgm_arena *arena, const char *text, size_t cells)
{
	char *line = pgm_safe_text(arena, text, true);
	char *to = line;
	bool space = true;
	for (const char *from = line; *from; from++) {
		bool blank = *from == ' ' || *from == '\n' || *from == '\t' || *from == '\r';
		if (!blank || !space)
			*to++ = blank ? ' ' : *from;
		space = blank;
	}
	*to = '\0';
	if (pgm_term_cells(line) <= cells)
		return line;
	size_t length = 0;
	for (size_t left = cells - 3; line[length] && left > 0; left--)
		do
			length++;
		while (((unsigned char)line[length] & 0xc0) == 0x80);
	return pgm_sprintf(arena, "%.*s...", (int)length, line);
}

static const char *who(struct pgm_arena *arena, const struct pgm_session *session)
{
	const char *name = pgm_sprintf(arena, "%s@%s", session->user ? session->user : "-",
				       session->database ? session->database : "-");
	return pgm_safe_text(arena, name, false);
}

static const char *name_of(struct pgm_arena *arena, const struct pgm_session *session)
{
	if (session->gid)
		return pgm_sprintf(arena, "prepared transaction '%s'",
				   pgm_safe_text(arena, session->gid, false));
	return pgm_sprintf(arena, "%d", session->pid);
}

static const char *held(struct pgm_arena *arena, const struct pgm_session *session)
{
	struct pgm_buf text;
	pgm_buf_init(&text, arena);
	for (size_t i = 0; i < session->lock_count && i < LOCKS_SHOWN; i++) {
		const struct pgm_session_lock *lock = &session->locks[i];
		int length = (int)strcspn(lock->modes, ",");
		pgm_buf_printf(&text, "%s%.*s on %s", i ? ", " : "", length, lock->modes,
			       pgm_safe_text(arena, lock->what, false));
	}
	if (session->locks_held > LOCKS_SHOWN)
		pgm_buf_printf(&text, " and %lld more", (long long)(session->locks_held - LOCKS_SHOWN));
	return text.text ? text.text : "";
}

static const char *state_of(struct pgm_arena *arena, const struct pgm_session *session)
{
	if (session->hidden)
		return "hidden";
	if (session->gid)
		return pgm_sprintf(arena, "prepared %s ago", duration(arena, session->xact_s));
	if (!pgm_session_is_client(session))
		return session->backend_type;
	return pgm_sprintf(
		arena, "%s for %s", *session->state ? session->state : "state unknown",
		duration(arena, pgm_session_is_active(session) ? session->query_s : session->state_s));
}

static void print_heading(const struct pgm_sessions_view *view, FILE *stream)
{
	size_t clients = 0, active = 0, idle = 0, waiting = 0, orphans = 0, prepared = 0;
	for (size_t i = 0; i < view->sessions->count; i++) {
		const struct pgm_session *session = &view->sessions->items[i];
		clients += pgm_session_is_client(session);
		active += pgm_session_is_active(session) && !session->own;
		idle += pgm_session_is_idle_in_transaction(session);
		waiting += session->wanted != NULL;
		orphans += pgm_session_is_orphan(session);
		prepared += session->gid != NULL;
	}
	fprintf(stream,
		"PostgreSQL %s at %s: %zu client session%s, %zu active, %zu idle in transaction, %zu waiting "
		"for a "
		"lock, %zu whose client is gone; %zu prepared transaction%s\n",
		view->server, view->sessions->at, clients, clients == 1 ? "" : "s", active, idle, waiting,
		orphans, prepared, prepared == 1 ? "" : "s");
}

static void print_node(const struct pgm_sessions_view *view, size_t index, int depth, FILE *stream);

static void print_children(const struct pgm_sessions_view *view, size_t index, int depth, FILE *stream)
{
	for (size_t i = 0; i < view->sessions->count; i++)
		if (view->sessions->items[i].parent == index)
			print_node(view, i, depth, stream);
}

static void print_others(const struct pgm_sessions_view *view, const struct pgm_session *session, int indent,
			 FILE *stream)
{
	struct pgm_buf text;
	size_t shown = 0;
	pgm_buf_init(&text, view->arena);
	for (size_t e = 0; e < session->edge_count; e++) {
		const struct pgm_session_edge *edge = &session->edges[e];
		if (edge->blocker == session->parent)
			continue;
		if (++shown <= 5)
			pgm_buf_printf(&text, "%s%s", shown > 1 ? ", " : "",
				       name_of(view->arena, &view->sessions->items[edge->blocker]));
	}
	if (shown)
		fprintf(stream, "%*salso waits for %s%s\n", indent, "", text.text, shown > 5 ? "..." : "");
}

static void print_node(const struct pgm_sessions_view *view, size_t index, int depth, FILE *stream)
{
	struct pgm_arena *arena = view->arena;
	const struct pgm_session *session = &view->sessions->items[index];
	int indent = depth * 3;
	size_t room =
		(size_t)(pgm_term_width(stream) > 60 + indent ? pgm_term_width(stream) - indent - 4 : 56);
	fprintf(stream, "%*s%s%s%s%s %s", indent, "", depth ? "-> " : "", pgm_term_on(stream, PGM_BOLD),
		name_of(arena, session), pgm_term_off(stream), who(arena, session));
	if (*session->application)
		fprintf(stream, " (%s)", pgm_safe_text(arena, session->application, false));
	fprintf(stream, ", %s", state_of(arena, session));
	if (session->wanted)
		fprintf(stream, ", %s for %s, wants %s on %s",
			session->below_queue ? "queued behind it" : "waits", duration(arena, session->wait_s),
			session->wanted_mode, pgm_safe_text(arena, session->wanted, false));
	if (session->blocks)
		fprintf(stream, "; %s%lld wait%s for it, the longest for %s%s", pgm_term_on(stream, PGM_RED),
			(long long)session->blocks, session->blocks == 1 ? "s" : "",
			duration(arena, session->blocks_s), pgm_term_off(stream));
	if (session->deadlock)
		fputs("; a deadlock: the server ends one of them by itself", stream);
	fputc('\n', stream);
	indent += 3;
	if (session->lock_count)
		fprintf(stream, "%*sholds %s\n", indent, "", held(arena, session));
	print_others(view, session, indent, stream);
	if (*session->query)
		fprintf(stream, "%*s%s\n", indent, "", cut(arena, session->query, room));
	if (session->gid)
		fprintf(stream, "%*sROLLBACK PREPARED or COMMIT PREPARED it in database %s\n", indent, "",
			session->database ? pgm_safe_text(arena, session->database, false) : "?");
	print_children(view, index, depth + 1, stream);
}

static void print_tree(const struct pgm_sessions_view *view, FILE *stream)
{
	bool any = false;
	for (size_t i = 0; i < view->sessions->count; i++) {
		const struct pgm_session *session = &view->sessions->items[i];
		if (session->parent != PGM_SESSION_NONE || !session->blocks)
			continue;
		if (!any)
			fprintf(stream, "\n%sWho blocks whom%s\n\n", pgm_term_on(stream, PGM_BOLD),
				pgm_term_off(stream));
		any = true;
		print_node(view, i, 0, stream);
	}
}

static const char *marks(const struct pgm_sessions_view *view, const struct pgm_session *session)
{
	struct pgm_buf text;
	double long_s = (double)view->long_ms / 1000;
	pgm_buf_init(&text, view->arena);
	if (pgm_session_is_orphan(session))
		pgm_buf_add(&text, "client gone ");
	if (session->blocks)
		pgm_buf_add(&text, "blocks ");
	if (session->wanted)
		pgm_buf_add(&text, "waits ");
	if (pgm_session_is_idle_in_transaction(session) && session->state_s >= long_s)
		pgm_buf_add(&text, "idle long ");
	if (pgm_session_is_active(session) && session->query_s >= long_s && !session->own)
		pgm_buf_add(&text, "runs long ");
	if (session->own)
		pgm_buf_add(&text, "this pgmend ");
	return text.text ? text.text : "";
}

static void print_table(const struct pgm_sessions_view *view, FILE *stream)
{
	static const char *const headers[] = {
		"pid",	    "user@database", "application", "client", "state", "transaction",
		"waits on", "memory",	     "temp",	    "",	      "holds", "query"};
	struct pgm_arena *arena = view->arena;
	struct pgm_table *table = pgm_table_new(arena, "rllllrlrrlll", headers);
	size_t rows = 0;
	for (size_t i = 0; i < view->sessions->count; i++) {
		const struct pgm_session *session = &view->sessions->items[i];
		if (!view->shown[i] || session->gid)
			continue;
		rows++;
		const char *cells[] = {
			pgm_sprintf(arena, "%d", session->pid),
			who(arena, session),
			pgm_safe_text(arena, session->application, false),
			session->client_addr	   ? session->client_addr
			: session->client_port < 0 ? "local"
						   : "",
			state_of(arena, session),
			duration(arena, session->xact_s),
			*session->wait_event && pgm_session_is_active(session)
				? pgm_sprintf(arena, "%s:%s", session->wait_type, session->wait_event)
				: "",
			session->memory_bytes >= 0 ? pgm_format_bytes(arena, (double)session->memory_bytes)
						   : "",
			session->temp_bytes > 0 ? pgm_format_bytes(arena, (double)session->temp_bytes) : "",
			marks(view, session),
			session->lock_count
				? pgm_sprintf(arena, "%lld lock%s", (long long)session->locks_held,
					      session->locks_held == 1 ? "" : "s")
				: "",
			cut(arena, session->query, QUERY_CELLS),
		};
		pgm_table_row(table, cells);
	}
	if (!rows)
		return;
	fprintf(stream, "\n%sSessions%s\n\n", pgm_term_on(stream, PGM_BOLD), pgm_term_off(stream));
	pgm_table_print(table, stream);
}

static void print_prepared(const struct pgm_sessions_view *view, FILE *stream)
{
	static const char *const headers[] = {"prepared transaction", "owner@database", "age", "blocks",
					      "holds"};
	struct pgm_arena *arena = view->arena;
	struct pgm_table *table = pgm_table_new(arena, "llrrl", headers);
	size_t rows = 0;
	for (size_t i = 0; i < view->sessions->count; i++) {
		const struct pgm_session *session = &view->sessions->items[i];
		if (!view->shown[i] || !session->gid)
			continue;
		rows++;
		const char *cells[] = {
			pgm_safe_text(arena, session->gid, false),
			who(arena, session),
			duration(arena, session->xact_s),
			session->blocks ? pgm_sprintf(arena, "%lld", (long long)session->blocks) : "",
			held(arena, session),
		};
		pgm_table_row(table, cells);
	}
	if (!rows)
		return;
	fprintf(stream, "\n%sPrepared transactions%s\n\n", pgm_term_on(stream, PGM_BOLD),
		pgm_term_off(stream));
	pgm_table_print(table, stream);
	fputs("They live on without a session, until ROLLBACK PREPARED or COMMIT PREPARED in their "
	      "database.\n",
	      stream);
}

static void print_notes(const struct pgm_sessions_view *view, FILE *stream)
{
	const struct pgm_sessions *sessions = view->sessions;
	size_t left_out = 0;
	for (size_t i = 0; i < sessions->count; i++)
		left_out += !view->shown[i];
	fputc('\n', stream);
	if (left_out)
		fprintf(stream, "%zu idle sessions and server processes are not listed (--all).\n", left_out);
	if (sessions->hidden)
		fprintf(stream,
			"What %zu sessions of other users do is hidden: GRANT pg_read_all_stats to see it.\n",
			sessions->hidden);
	if (!sessions->on_server)
		fputs("Memory, and whether a client is gone, show only where pgmend runs on the server's "
		      "machine.\n",
		      stream);
	if (sessions->client_check_ms == 0)
		fputs("The server does not look for clients that went away while their statement runs: set "
		      "client_connection_check_interval (10s).\n",
		      stream);
}

void pgm_sessions_print(const struct pgm_sessions_view *view, FILE *stream)
{
	print_heading(view, stream);
	print_tree(view, stream);
	print_table(view, stream);
	print_prepared(view, stream);
	print_notes(view, stream);
}

void pgm_sessions_print_choices(struct pgm_arena *arena, const struct pgm_session_choice *choices,
				size_t count, bool terminate, FILE *stream)
{
	static const char *const headers[] = {"pid", "user@database", "application", "began", "state",
					      "why", "blocks",	      "outcome",     "query"};
	struct pgm_table *table = pgm_table_new(arena, "rlllllrll", headers);
	for (size_t i = 0; i < count; i++) {
		const struct pgm_session_choice *choice = &choices[i];
		const struct pgm_session *session = choice->session;
		const char *meant = choice->spared ? pgm_sprintf(arena, "let be: %s", choice->spared)
				    : !session->may_signal
					    ? "this role may not: pg_signal_backend, or a superuser"
				    : terminate ? "would be ended"
						: "would be canceled";
		const char *outcome = choice->outcome ? choice->outcome : meant;
		const char *cells[] = {
			pgm_sprintf(arena, "%d", session->pid),
			who(arena, session),
			pgm_safe_text(arena, session->application, false),
			session->backend_start,
			state_of(arena, session),
			pgm_safe_text(arena, choice->why, false),
			session->blocks ? pgm_sprintf(arena, "%lld", (long long)session->blocks) : "",
			choice->message ? pgm_sprintf(arena, "%s: %s", outcome,
						      pgm_safe_text(arena, choice->message, false))
					: outcome,
			cut(arena, session->query, QUERY_CELLS),
		};
		pgm_table_row(table, cells);
	}
	pgm_table_print(table, stream);
}

void pgm_sessions_print_log(struct pgm_arena *arena, const struct pgm_session_log_entry *entries,
			    size_t count, FILE *stream)
{
	static const char *const headers[] = {"when",	     "by",    "what", "pid",	 "user@database",
					      "application", "state", "why",  "outcome", "query"};
	struct pgm_table *table = pgm_table_new(arena, "lllrllllll", headers);
	for (size_t i = 0; i < count; i++) {
		const struct pgm_session_log_entry *entry = &entries[i];
		const char *cells[] = {
			entry->asked_at,
			pgm_safe_text(arena, entry->asked_by, false),
			entry->action,
			pgm_sprintf(arena, "%d", entry->pid),
			pgm_safe_text(arena,
				      pgm_sprintf(arena, "%s@%s", entry->user ? entry->user : "-",
						  entry->database ? entry->database : "-"),
				      false),
			pgm_safe_text(arena, entry->application, false),
			entry->state,
			pgm_safe_text(arena, entry->why, false),
			entry->outcome ? entry->outcome : "not known",
			entry->query ? cut(arena, entry->query, QUERY_CELLS) : "",
		};
		pgm_table_row(table, cells);
	}
	pgm_table_print(table, stream);
}
