#include "lint/judge.h"

#include "lint/effect.h"
#include "pg/quote.h"
#include "sql/lex.h"
#include "util/format.h"

#include <stdarg.h>
#include <string.h>

const char *pgm_judge_key(const struct pgm_judge *judge, struct pgm_op_name name)
{
	if (!*name.schema || strcmp(name.schema, "public") == 0)
		return name.name;
	return pgm_sprintf(judge->arena, "%s\001%s", name.schema, name.name);
}

const char *pgm_judge_column_key(const struct pgm_judge *judge, struct pgm_op_name table, const char *column)
{
	return pgm_sprintf(judge->arena, "%s\001%s", pgm_judge_key(judge, table), column);
}

const char *pgm_judge_name(const struct pgm_judge *judge, struct pgm_op_name name)
{
	const struct pgm_table *table = pgm_lint_table(judge->facts, name);
	if (table)
		return pgm_quote_qualified(judge->arena, table->schema, table->name);
	return *name.schema ? pgm_quote_qualified(judge->arena, name.schema, name.name)
			    : pgm_quote_ident(judge->arena, name.name);
}

bool pgm_judge_is_new(const struct pgm_judge *judge, struct pgm_op_name name)
{
	const struct pgm_script *by =
		*name.name ? pgm_map_get(&judge->made, pgm_judge_key(judge, name)) : NULL;
	if (!by || by == judge->script)
		return by;
	bool together = judge->options->since && (size_t)(by - judge->scripts) >= judge->since;
	return together || (judge->facts && !pgm_lint_table(judge->facts, name));
}

bool pgm_judge_is_truncated(const struct pgm_judge *judge, struct pgm_op_name name)
{
	const char *how = pgm_map_get(&judge->emptied, pgm_judge_key(judge, name));
	return how && strcmp(how, "truncated") == 0;
}

bool pgm_judge_has_no_rows(const struct pgm_judge *judge, struct pgm_op_name name)
{
	const char *how = pgm_map_get(&judge->emptied, pgm_judge_key(judge, name));
	return how && strcmp(how, "filled") != 0;
}

struct pgm_op_name pgm_judge_index_table(const struct pgm_judge *judge, const struct pgm_op *op)
{
	const struct pgm_op_name *noted = pgm_map_get(&judge->indexes, op->name);
	const struct pgm_index *index = pgm_lint_index(judge->facts, op->other.schema, op->name);
	if (noted)
		return *noted;
	return index ? (struct pgm_op_name){index->table->schema, index->table->name}
		     : (struct pgm_op_name){"", ""};
}

const char *pgm_judge_cost(const struct pgm_judge *judge, struct pgm_op_name table, enum pgm_lint_work work)
{
	double bytes, rows, ms;
	pgm_effect_estimate(judge, table, work, &bytes, &rows, &ms);
	if (ms < 0)
		return "";
	return pgm_sprintf(judge->arena, ": about %s for %s (about %s rows)", pgm_format_ms(judge->arena, ms),
			   pgm_format_bytes(judge->arena, bytes), pgm_format_count(judge->arena, rows));
}

void pgm_judge_soften(struct pgm_judge *judge, struct pgm_lint_finding *finding, struct pgm_op_name table,
		      enum pgm_lint_work work)
{
	double bytes, rows, ms;
	pgm_effect_estimate(judge, table, work, &bytes, &rows, &ms);
	if (finding && ms >= 0 && ms < PGM_LINT_SMALL_MS)
		finding->severity = PGM_SEVERITY_INFO;
}

/* The same in each run, whatever lines are added before the statement. */
static const char *fingerprint(struct pgm_judge *judge, enum pgm_lint_rule_id rule)
{
	char *normal = pgm_sql_normal_form(judge->arena, judge->statement->text);
	for (int copy = 0;; copy++) {
		char *whole = pgm_sprintf(judge->arena, "%s\n%s\n%d", pgm_lint_rules[rule].id, normal, copy);
		char *hex = pgm_sprintf(judge->arena, "%016llx", (unsigned long long)pgm_hash_string(whole));
		if (pgm_map_get(&judge->fingerprints, hex))
			continue;
		pgm_map_set(&judge->fingerprints, hex, hex);
		return hex;
	}
}

struct pgm_lint_finding *pgm_judge_say(struct pgm_judge *judge, enum pgm_lint_rule_id rule,
				       const struct pgm_op *op, struct pgm_op_name relation,
				       const char *message, ...)
{
	const struct pgm_script_statement *statement = judge->statement;
	if (!judge->options->run_rules[rule] || judge->file < judge->since)
		return NULL;
	if (statement->ignored[rule] || judge->script->ignored[rule]) {
		judge->ignored++;
		return NULL;
	}
	struct pgm_lint_finding *finding = pgm_vec_add(judge->arena, &judge->findings);
	va_list args;
	va_start(args, message);
	*finding = (struct pgm_lint_finding){
		.rule = &pgm_lint_rules[rule],
		.severity = pgm_lint_rules[rule].severity,
		.file = judge->file,
		.relation = *relation.name ? pgm_judge_name(judge, relation) : "",
		.message = pgm_vsprintf(judge->arena, message, args),
		.remedy = "",
	};
	va_end(args);
	finding->fingerprint = fingerprint(judge, rule);
	pgm_script_position(judge->script, statement, op ? op->offset : 0, &finding->line, &finding->column);
	finding->end_line = statement->line;
	for (const char *p = statement->text; *p; p++)
		finding->end_line += *p == '\n';
	return finding;
}
