/*
 * A session at work: the commands of a script, one after the other.
 */
#include "load/engine.h"

#include "load/values.h"
#include "pg/quote.h"
#include "util/buf.h"
#include "util/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 100000 /* commands of one transaction */

static size_t script_place(const struct session *session)
{
	if (!session->script)
		return SIZE_MAX;
	return (size_t)(session->script - session->target->engine->options->scripts->items.items);
}

static const struct pgm_script *choose_script(struct session *session)
{
	const struct pgm_scripts *scripts = session->target->engine->options->scripts;
	const struct pgm_script *items = scripts->items.items;
	if (scripts->items.count == 1)
		return items;
	double at = pgm_random_double(&session->random) * scripts->weight;
	size_t i = 0;
	while (i + 1 < scripts->items.count && at >= items[i].weight)
		at -= items[i++].weight;
	return &items[i];
}

void session_fail(struct session *session, const char *code, const char *message)
{
	if (!session->script)
		return;
	pgm_tally_failed(&session->target->tally, script_place(session), code, message);
	session->target->under_way--;
	session->script = NULL;
}

static void finish(struct session *session, double now_ms)
{
	pgm_tally_done(&session->target->tally, script_place(session), now_ms - session->due_ms,
		       now_ms - session->started_ms);
	session->target->under_way--;
	session->script = NULL;
}

/* ---- values ---- */

static void set_value(struct session *session, size_t slot, struct pgm_load_value value)
{
	struct pgm_load_value *old = &session->values[slot];
	if (old->kind == PGM_LOAD_TEXT)
		free(old->text);
	*old = value;
}

static bool eval(struct session *session, const struct pgm_expr *expr, struct pgm_load_value *value,
		 char problem[160])
{
	struct pgm_eval state = {.values = session->values,
				 .random = &session->random,
				 .default_seed = (int64_t)session->target->engine->options->seed};
	bool ok = pgm_expr_eval(expr, &state, value);
	if (!ok)
		memcpy(problem, state.problem, sizeof(state.problem));
	return ok;
}

/* What stands for $1, $2... or the pieces' places; NULL is SQL NULL. In the scratch arena. */
static const char **param_values(struct session *session, const struct pgm_command *command)
{
	struct pgm_arena *scratch = session->target->engine->scratch;
	const struct pgm_load_values *values = command->values;
	const char **params = PGM_NEW_ARRAY(scratch, const char *, command->param_count + 1);
	if (values && values->row_count) {
		int64_t row = pgm_random_range(&session->random, 0, (int64_t)values->row_count - 1);
		memcpy(params, values->rows[row], command->param_count * sizeof(*params));
		return params;
	}
	for (size_t i = 0; i < command->param_count; i++) {
		char *buffer = pgm_arena_alloc(scratch, PGM_LOAD_NUMBER_MAX);
		params[i] = values ? pgm_load_column_draw(&values->columns[i], &session->random, buffer)
				   : pgm_load_value_sql(&session->values[command->slots[i]], buffer,
							PGM_LOAD_NUMBER_MAX);
	}
	return params;
}

static const char *simple_text(struct session *session, const struct pgm_command *command)
{
	struct pgm_arena *scratch = session->target->engine->scratch;
	const char **drawn = command->values ? param_values(session, command) : NULL;
	char number[PGM_LOAD_NUMBER_MAX];
	struct pgm_buf text;
	pgm_buf_init(&text, scratch);
	pgm_buf_add(&text, "");
	for (size_t i = 0; i < command->piece_count; i++) {
		const struct pgm_script_piece *piece = &command->pieces[i];
		pgm_buf_add(&text, piece->text);
		if (!piece->has_slot)
			continue;
		/* A workload's values are data; a script's are what its author put together, as in pgbench.
		 */
		const char *value =
			drawn ? drawn[piece->slot]
			      : pgm_load_value_sql(&session->values[piece->slot], number, sizeof(number));
		pgm_buf_add(&text, !value ? "NULL" : drawn ? pgm_quote_literal(scratch, value) : value);
	}
	return text.text;
}

static const struct pgm_command *current(const struct session *session)
{
	return &session->script->commands[session->at];
}

static const char *unset_variable(const struct session *session, const struct pgm_command *command)
{
	for (size_t i = 0; !command->values && i < command->param_count; i++)
		if (session->values[command->slots[i]].kind == PGM_LOAD_UNSET)
			return session->target->engine->options->scripts->variables.names
				.items[command->slots[i]];
	return NULL;
}

/* ---- sending ---- */

static void send_command(struct session *session)
{
	struct engine *engine = session->target->engine;
	const struct pgm_command *command = current(session);
	const struct pgm_load_values *values = command->values;
	enum pgm_load_protocol protocol = engine->options->protocol;
	char name[32];
	pgm_arena_reset(engine->scratch);
	session->state = SESSION_RUNNING;
	session->sent_ms = pgm_clock_ms();
	if (values && values->text_count) {
		int64_t n = pgm_random_range(&session->random, 0, (int64_t)values->text_count - 1);
		if (protocol == PGM_LOAD_SIMPLE)
			pgm_async_query(session->async, values->texts[n]);
		else
			pgm_async_params(session->async, values->texts[n], 0, NULL);
	} else if (protocol == PGM_LOAD_SIMPLE) {
		pgm_async_query(session->async, simple_text(session, command));
	} else if (protocol == PGM_LOAD_EXTENDED) {
		pgm_async_params(session->async, command->sql, command->param_count,
				 param_values(session, command));
	} else {
		snprintf(name, sizeof(name), "p%zu", command->number);
		if (session->prepared[command->number]) {
			pgm_async_execute(session->async, name, command->param_count,
					  param_values(session, command));
		} else {
			session->state = SESSION_NAMING;
			pgm_async_prepare(session->async, name, command->sql);
		}
	}
	/* Where it could not be sent the next step says why. */
	session_watch(session);
}

static bool sleep_now(struct session *session, const struct pgm_command *command, char problem[160])
{
	struct pgm_load_value value;
	if (!eval(session, command->expr, &value, problem))
		return false;
	double amount = value.kind == PGM_LOAD_DOUBLE ? value.number
			: value.kind == PGM_LOAD_INT  ? (double)value.integer
						      : 0;
	session->state = SESSION_SLEEPING;
	pgm_timer_set(&session->target->engine->timers, &session->timer,
		      pgm_clock_ms() + (amount > 0 ? amount * command->unit_ms : 0));
	return true;
}

/*
 * Go on from the command at session->at. False: nothing is under way any more, for the transaction is done,
 * or it failed and left nothing to undo.
 */
static bool advance(struct session *session, double now_ms)
{
	char problem[160] = "";
	struct pgm_load_value value;
	while (session->at < session->script->count) {
		const struct pgm_command *command = current(session);
		if (++session->steps > STEPS_MAX)
			break;
		switch (command->kind) {
		case PGM_COMMAND_SQL: {
			const char *unset = unset_variable(session, command);
			if (!unset) {
				send_command(session);
				return true;
			}
			snprintf(problem, sizeof(problem), "the variable \"%s\" has no value", unset);
			break;
		}
		case PGM_COMMAND_SLEEP:
			if (sleep_now(session, command, problem))
				return true;
			break;
		case PGM_COMMAND_SET:
			if (eval(session, command->expr, &value, problem)) {
				set_value(session, command->slot, value);
				session->at++;
			}
			break;
		case PGM_COMMAND_JUMP_UNLESS:
			if (eval(session, command->expr, &value, problem))
				session->at = pgm_load_value_true(&value) ? session->at + 1 : command->target;
			break;
		case PGM_COMMAND_JUMP:
			session->at = command->target;
			break;
		}
		if (*problem)
			break;
	}
	bool open = pgm_async_in_transaction(session->async);
	if (*problem || open)
		session_fail(session, "script", *problem ? problem : "the script ended within a transaction");
	else
		finish(session, now_ms);
	if (!open)
		return false;
	session->state = SESSION_UNDOING;
	pgm_async_query(session->async, "ROLLBACK");
	session_watch(session);
	return true;
}

void session_work(struct session *session, double now_ms)
{
	struct target *target = session->target;
	if (session->state == SESSION_IDLE)
		lane_forget(session->lane, session);
	session->state = SESSION_IDLE;
	while (!target->engine->ending && lane_take(session->lane, &session->due_ms)) {
		session->script = choose_script(session);
		session->at = session->steps = 0;
		session->started_ms = pgm_clock_ms();
		target->under_way++;
		pgm_tally_started(&target->tally, session->started_ms - session->due_ms);
		if (advance(session, session->started_ms))
			return;
	}
	(void)now_ms;
	session->state = SESSION_IDLE;
	if (session->leaving)
		session_gone(session);
	else
		lane_wait(session->lane, session);
}

/* ---- answers ---- */

static bool take_gset(struct session *session, const struct pgm_command *command, char problem[160])
{
	struct pgm_arena *scratch = session->target->engine->scratch;
	const struct pgm_scripts *scripts = session->target->engine->options->scripts;
	pgm_arena_reset(scratch);
	bool null;
	size_t columns = pgm_async_columns(session->async);
	if (pgm_async_rows(session->async) != 1 || columns == 0) {
		snprintf(problem, 160, "\\gset needs one row, and there were %zu",
			 pgm_async_rows(session->async));
		return false;
	}
	for (size_t c = 0; c < columns; c++) {
		const char *name =
			pgm_sprintf(scratch, "%s%s", command->gset, pgm_async_column_name(session->async, c));
		const char *cell = pgm_async_cell(session->async, 0, c, &null);
		size_t slot;
		if (!pgm_variable_find(&scripts->variables, name, &slot))
			continue; /* nobody reads it */
		struct pgm_load_value value = {.kind = PGM_LOAD_NULL};
		if (!null) {
			value = (struct pgm_load_value){PGM_LOAD_TEXT,
							{.text = strndup(cell, PGM_VALUE_TEXT_MAX)}};
			if (!value.text)
				abort();
		}
		set_value(session, slot, value);
	}
	return true;
}

/* It failed, for the server or for the script: what a transaction did is undone before the next. */
static void failed(struct session *session, const char *code, const char *message, double now_ms)
{
	session_fail(session, code, message);
	if (!pgm_async_in_transaction(session->async)) {
		session->state = SESSION_RUNNING;
		session_work(session, now_ms);
		return;
	}
	session->state = SESSION_UNDOING;
	pgm_async_query(session->async, "ROLLBACK");
	session_watch(session);
}

void session_answered(struct session *session, const struct pgm_async_outcome *outcome, double now_ms)
{
	char problem[160] = "";
	if (session->state == SESSION_UNDOING) {
		session_work(session, now_ms);
		return;
	}
	const struct pgm_command *command = current(session);
	if (session->state == SESSION_NAMING && !outcome->failed) {
		session->prepared[command->number] = true;
		send_command(session);
		return;
	}
	pgm_tally_statement(&session->target->tally, command->number, now_ms - session->sent_ms,
			    outcome->rows, outcome->failed);
	/* Somebody on the way has dropped what was prepared: prepare it again. */
	if (outcome->failed && strcmp(outcome->code, "26000") == 0)
		session->prepared[command->number] = false;
	if (outcome->failed) {
		failed(session, outcome->code, outcome->message, now_ms);
		return;
	}
	if (command->gset && !take_gset(session, command, problem)) {
		failed(session, "script", problem, now_ms);
		return;
	}
	session->at++;
	if (!advance(session, now_ms)) {
		session->state = SESSION_RUNNING;
		session_work(session, now_ms);
	}
}

void session_woken(struct session *session, double now_ms)
{
	session->at++;
	session->state = SESSION_RUNNING;
	if (!advance(session, now_ms))
		session_work(session, now_ms);
}
