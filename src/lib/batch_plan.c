/* What the options mean for this table: its columns, the method, and the SQL. */
#include "lib/batch.h"

#include "lib/error.h"

#include <stdlib.h>

/* Measured in bench/batch: more rows a statement gain nothing, and are tried again when one is refused. */
#define UNNEST_ROWS 2000
#define VALUES_ROWS 1000
#define CHUNK_ROWS  100000
#define CHUNK_BYTES ((size_t)16 << 20)
#define COLUMNS_MAX 1600 /* MaxHeapAttributeNumber */
/* A plan for so many parameters is made only once: beyond that VALUES is slower than several of fewer rows.
 */
#define VALUES_PARAMETERS_GOOD 32767

static bool usage(struct pgmend_error *err, const struct pgmend_batch *b, const char *what, const char *name)
{
	return pgm_lib_error_set(err, PGMEND_ERR_USAGE, "table %s: %s \"%s\"", b->target.name, what, name);
}

/* The place of a column among the given ones; -1: it isn't given. */
static int given(const struct pgmend_batch *b, const char *name)
{
	for (int i = 0; i < b->column_count; i++)
		if (strcmp(b->columns[i].name, name) == 0)
			return i;
	return -1;
}

static bool plan_column(struct pgmend_batch *b, int index, struct pgmend_error *err)
{
	const struct pgmend_batch_column *from = &b->options.columns[index];
	struct pgm_batch_column *column = &b->columns[index];
	if (!from->name)
		return pgm_lib_error_set(err, PGMEND_ERR_USAGE, "column %d has no name", index);
	const struct pgm_target_column *target = pgm_target_column(&b->target, from->name);
	if (!target)
		return usage(err, b, "there is no column", from->name);
	if (given(b, from->name) >= 0)
		return usage(err, b, "given twice: column", from->name);
	if (target->generated) {
		usage(err, b, "generated, and so not to be written: column", from->name);
		return pgm_lib_error_hint(err, "Leave the column out.");
	}
	if (target->always_identity && !b->options.overriding_system_value) {
		usage(err, b, "generated always as identity: column", from->name);
		return pgm_lib_error_hint(err, "Leave the column out, or set overriding_system_value.");
	}
	column->name = strdup(from->name);
	if (!column->name)
		return pgm_lib_error_memory(err);
	b->column_count = index + 1;
	column->held = from->type;
	column->type = target->type->base;
	column->value_size = pgm_held_size(from->type);
	column->by_pointer = pgm_held_by_pointer(from->type);
	if (!column->value_size)
		return usage(err, b, "an unknown enum pgmend_type for column", from->name);
	column->encoder = pgm_encoder_find(from->type, column->type);
	column->wire_oid = column->type->oid;
	column->wire_array_oid = column->type->array_oid;
	if (column->encoder)
		return true;
	if (column->held != PGMEND_TEXT) {
		pgm_lib_error_set(err, PGMEND_ERR_USAGE,
				  "table %s: column \"%s\" of type %s can't be given as %s", b->target.name,
				  from->name, column->type->name, pgm_held_name(column->held));
		return pgm_lib_error_hint(err, "PGMEND_TEXT and PGMEND_BINARY go with every type.");
	}
	column->as_text = true;
	column->encoder = pgm_encode_text;
	column->wire_oid = PGM_OID_TEXT;
	column->wire_array_oid = PGM_OID_TEXT_ARRAY;
	return true;
}

static bool plan_key(struct pgmend_batch *b, struct pgmend_error *err)
{
	const char *const *names = b->options.conflict_key;
	bool update = b->options.on_conflict == PGMEND_CONFLICT_UPDATE;
	int count = 0;
	for (; names && names[count]; count++) {
		if (count == PGM_KEY_COLUMNS_MAX)
			return pgm_lib_error_set(err, PGMEND_ERR_USAGE,
						 "conflict_key has more than %d columns",
						 PGM_KEY_COLUMNS_MAX);
		if (!pgm_target_column(&b->target, names[count]))
			return usage(err, b, "conflict_key: there is no column", names[count]);
		int column = given(b, names[count]);
		if (update && column < 0)
			return usage(err, b, "conflict_key: not among the given columns:", names[count]);
		if (update && b->columns[column].key)
			return usage(err, b, "conflict_key: given twice: column", names[count]);
		if (update)
			b->columns[column].key = count + 1;
	}
	if (update && !count) {
		pgm_lib_error_set(err, PGMEND_ERR_USAGE, "PGMEND_CONFLICT_UPDATE needs a conflict_key");
		return pgm_lib_error_hint(err, "Name the columns of the unique index that tells rows apart.");
	}
	b->key_count = update ? count : 0;
	return true;
}

/* COPY in text form needs every column to have a text. */
static bool copy_form(struct pgmend_batch *b, bool *possible)
{
	bool text = false, printable = true;
	for (int i = 0; i < b->column_count; i++) {
		text |= b->columns[i].as_text;
		printable &= pgm_copy_text_held(b->columns[i].held);
	}
	*possible = !text || printable;
	return text;
}

/* unnest() takes arrays of arrays apart to the last element, and spreads composites over columns. */
static bool can_unnest(const struct pgmend_batch *b)
{
	for (int i = 0; i < b->column_count; i++) {
		const struct pgm_batch_column *column = &b->columns[i];
		if (column->wire_array_oid == 0 ||
		    (!column->as_text && (column->type->element || column->type->kind == 'c')))
			return false;
	}
	return true;
}

static bool plan_method(struct pgmend_batch *b, struct pgmend_error *err)
{
	bool plain = !b->returning_count && b->options.on_conflict == PGMEND_CONFLICT_ERROR;
	bool copy_possible, text = copy_form(b, &copy_possible), unnest = can_unnest(b);
	/* Of which row it is that RETURNING gives is known only of statements with one row. */
	b->one_by_one = b->returning_count && b->options.on_conflict == PGMEND_CONFLICT_NOTHING;
	b->method = b->options.method;
	switch (b->method) {
	case PGMEND_METHOD_AUTO:
		if (plain && copy_possible && b->target.copies)
			b->method = PGMEND_METHOD_COPY;
		else
			b->method = unnest ? PGMEND_METHOD_UNNEST : PGMEND_METHOD_VALUES;
		break;
	case PGMEND_METHOD_COPY:
		if (!plain)
			return pgm_lib_error_set(
				err, PGMEND_ERR_USAGE,
				"COPY returns nothing and handles no conflicts: use another method");
		if (!copy_possible)
			return pgm_lib_error_set(
				err, PGMEND_ERR_USAGE,
				"COPY is not possible: one column has a text form alone, another none");
		break;
	case PGMEND_METHOD_UNNEST:
		if (!unnest) {
			pgm_lib_error_set(err, PGMEND_ERR_USAGE,
					  "unnest is not possible with columns of arrays or composites");
			return pgm_lib_error_hint(err,
						  "Give them as PGMEND_TEXT, or use PGMEND_METHOD_VALUES.");
		}
		break;
	case PGMEND_METHOD_VALUES:
		break;
	default:
		return pgm_lib_error_set(err, PGMEND_ERR_USAGE, "%d is no enum pgmend_method", b->method);
	}
	/* Not where what a refused attempt did could be seen: triggers may do anything. */
	b->may_copy = b->options.method == PGMEND_METHOD_AUTO && b->method != PGMEND_METHOD_COPY &&
		      !b->returning_count && !text && b->target.copies && !b->target.triggered;
	b->copies_next = b->may_copy;
	b->copy_rows = PGM_COPY_ROWS_FIRST;
	if (b->method != PGMEND_METHOD_COPY && !b->may_copy)
		b->form = PGM_FORM_FIELDS;
	else
		b->form = text ? PGM_FORM_COPY_TEXT : PGM_FORM_COPY;
	b->row_head = b->form == PGM_FORM_COPY ? sizeof(int16_t) : 0;
	return true;
}

static void add_names(const struct pgmend_batch *b, struct pgm_bytes *sql)
{
	for (int i = 0; i < b->column_count; i++) {
		pgm_bytes_text(sql, i ? ", " : " (");
		pgm_bytes_ident(sql, b->columns[i].name);
	}
	pgm_bytes_text(sql, ")");
}

static void add_list(struct pgm_bytes *sql, const char *const *names)
{
	for (int i = 0; names[i]; i++) {
		if (i)
			pgm_bytes_text(sql, ", ");
		pgm_bytes_ident(sql, names[i]);
	}
}

static bool named(const char *const *names, const char *name)
{
	for (int i = 0; names[i]; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool add_update(struct pgmend_batch *b, struct pgm_bytes *sql, struct pgmend_error *err)
{
	const char *const *names = b->options.update_columns;
	for (int i = 0; names && names[i]; i++)
		if (given(b, names[i]) < 0)
			return usage(err, b, "update_columns: not among the given columns:", names[i]);
	int count = 0;
	for (int i = 0; i < b->column_count; i++) {
		const char *name = b->columns[i].name;
		if (names ? !named(names, name) : b->columns[i].key != 0)
			continue;
		pgm_bytes_text(sql, count++ ? ", " : " DO UPDATE SET ");
		pgm_bytes_ident(sql, name);
		pgm_bytes_text(sql, " = EXCLUDED.");
		pgm_bytes_ident(sql, name);
	}
	if (!count &&
	    b->returning_count) { /* there is nothing to set; but only a row that is updated is returned */
		pgm_bytes_text(sql, " DO UPDATE SET ");
		pgm_bytes_ident(sql, b->options.conflict_key[0]);
		pgm_bytes_text(sql, " = EXCLUDED.");
		pgm_bytes_ident(sql, b->options.conflict_key[0]);
	} else if (!count) {
		pgm_bytes_text(sql, " DO NOTHING");
	}
	return true;
}

static bool plan_sql(struct pgmend_batch *b, struct pgmend_error *err)
{
	pgm_bytes_printf(&b->copy_sql, "COPY %s", b->target.name);
	add_names(b, &b->copy_sql);
	pgm_bytes_text(&b->copy_sql, " FROM STDIN");
	pgm_bytes_text(&b->copy_sql, b->form == PGM_FORM_COPY ? " (FORMAT binary)" : " (FORMAT text)");

	pgm_bytes_printf(&b->insert_head, "INSERT INTO %s", b->target.name);
	add_names(b, &b->insert_head);
	if (b->options.overriding_system_value)
		pgm_bytes_text(&b->insert_head, " OVERRIDING SYSTEM VALUE");

	struct pgm_bytes *tail = &b->insert_tail;
	if (b->options.on_conflict != PGMEND_CONFLICT_ERROR) {
		pgm_bytes_text(tail, " ON CONFLICT");
		if (b->options.conflict_key && b->options.conflict_key[0]) {
			pgm_bytes_text(tail, " (");
			add_list(tail, b->options.conflict_key);
			pgm_bytes_text(tail, ")");
		}
		if (b->options.on_conflict == PGMEND_CONFLICT_NOTHING)
			pgm_bytes_text(tail, " DO NOTHING");
		else if (!add_update(b, tail, err))
			return false;
	}
	if (b->returning_count) {
		pgm_bytes_text(tail, " RETURNING ");
		add_list(tail, b->options.returning);
	}
	if (!pgm_bytes_string(&b->copy_sql) || !pgm_bytes_string(&b->insert_head))
		return pgm_lib_error_memory(err);
	if (!pgm_bytes_string(tail))
		return pgm_lib_error_memory(err);

	pgm_bytes_printf(&b->check_sql, "EXPLAIN %s SELECT ", (const char *)b->insert_head.data);
	for (int i = 0; i < b->column_count; i++)
		pgm_bytes_text(&b->check_sql, i ? ", NULL" : "NULL");
	pgm_bytes_printf(&b->check_sql, " WHERE false%s", (const char *)tail->data);
	return pgm_bytes_string(&b->check_sql) || pgm_lib_error_memory(err);
}

static bool plan_sizes(struct pgmend_batch *b, struct pgmend_error *err)
{
	const struct pgmend_batch_options *options = &b->options;
	size_t columns = (size_t)b->column_count;
	b->chunk_rows = options->chunk_rows > 0 ? (size_t)options->chunk_rows : CHUNK_ROWS;
	if (b->chunk_rows > UINT32_MAX / 2)
		b->chunk_rows = UINT32_MAX / 2;
	b->chunk_bytes = options->chunk_bytes > 0 ? (size_t)options->chunk_bytes : CHUNK_BYTES;
	b->statement_rows = UNNEST_ROWS;
	if (b->method == PGMEND_METHOD_VALUES) {
		b->statement_rows = VALUES_ROWS;
		size_t most = PGM_PARAMETERS_MAX / columns, good = VALUES_PARAMETERS_GOOD / columns;
		size_t limit = options->chunk_rows > 0 ? most : good;
		if (options->chunk_rows > 0 || b->statement_rows > limit)
			b->statement_rows = limit;
	}
	if (b->statement_rows > b->chunk_rows)
		b->statement_rows = b->chunk_rows;
	if (b->method == PGMEND_METHOD_COPY)
		return true;

	size_t parameters =
		b->method == PGMEND_METHOD_VALUES || b->one_by_one ? columns * b->statement_rows : 0;
	if (parameters < columns)
		parameters = columns;
	b->arrays = calloc(columns, sizeof(*b->arrays));
	b->parameters = calloc(parameters, sizeof(*b->parameters));
	b->lengths = calloc(parameters, sizeof(*b->lengths));
	b->formats = calloc(parameters, sizeof(*b->formats));
	b->types = calloc(parameters, sizeof(*b->types));
	if (!b->arrays || !b->parameters || !b->lengths || !b->formats || !b->types)
		return pgm_lib_error_memory(err);
	for (size_t i = 0; i < parameters; i++)
		b->formats[i] = 1;
	return true;
}

static bool check_options(const struct pgmend_batch_options *o, struct pgmend_error *err)
{
	const struct {
		int value, most;
		const char *name;
	} words[] = {
		{o->transaction, PGMEND_TRANSACTION_CHUNK, "transaction"},
		{o->bad_rows, PGMEND_BAD_ROWS_STOP, "bad_rows"},
		{o->on_conflict, PGMEND_CONFLICT_UPDATE, "on_conflict"},
		{o->duplicates, PGMEND_DUPLICATES_ERROR, "duplicates"},
	};
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (words[i].value < 0 || words[i].value > words[i].most)
			return pgm_lib_error_set(err, PGMEND_ERR_USAGE, "option %s: %d is none of its values",
						 words[i].name, words[i].value);
	if (o->column_count < 1 || o->column_count > COLUMNS_MAX || !o->columns)
		return pgm_lib_error_set(err, PGMEND_ERR_USAGE,
					 "the options name %d columns: 1 to %d are possible",
					 o->columns ? o->column_count : 0, COLUMNS_MAX);
	return true;
}

bool pgm_batch_plan(struct pgmend_batch *b, struct pgmend_error *err)
{
	const struct pgmend_batch_options *options = &b->options;
	if (!check_options(options, err))
		return false;
	b->columns = calloc((size_t)options->column_count, sizeof(*b->columns));
	b->values = calloc((size_t)options->column_count, sizeof(*b->values));
	if (!b->columns || !b->values)
		return pgm_lib_error_memory(err);
	for (int i = 0; i < options->column_count; i++)
		if (!plan_column(b, i, err))
			return false;
	for (int i = 0; options->returning && options->returning[i]; i++) {
		if (!pgm_target_column(&b->target, options->returning[i]))
			return usage(err, b, "returning: there is no column", options->returning[i]);
		b->returning_count = i + 1;
	}
	return plan_key(b, err) && plan_method(b, err) && plan_sql(b, err) && plan_sizes(b, err);
}

size_t pgm_batch_values_rows(const struct pgmend_batch *b, size_t index)
{
	return index == PGM_STATEMENT_FULL ? b->statement_rows : (size_t)1 << (index - 1);
}

/* $1, or with a cast where a text goes into another type: without a modifier, so that nothing is cut off. */
static void add_parameter(const struct pgm_batch_column *column, struct pgm_bytes *sql, size_t number,
			  bool unnest)
{
	pgm_bytes_printf(sql, unnest ? "pg_catalog.unnest($%zu)" : "$%zu", number);
	if (column->as_text)
		pgm_bytes_printf(sql, "::%s", column->type->name);
}

char *pgm_batch_statement(const struct pgmend_batch *b, size_t index)
{
	struct pgm_bytes sql = {0};
	pgm_bytes_add(&sql, b->insert_head.data, b->insert_head.length);
	if (index == PGM_STATEMENT_UNNEST) {
		for (int i = 0; i < b->column_count; i++) {
			pgm_bytes_text(&sql, i ? ", " : " SELECT ");
			add_parameter(&b->columns[i], &sql, (size_t)i + 1, true);
		}
	} else {
		size_t rows = pgm_batch_values_rows(b, index), number = 0;
		pgm_bytes_text(&sql, " VALUES ");
		for (size_t row = 0; row < rows; row++) {
			for (int i = 0; i < b->column_count; i++) {
				pgm_bytes_text(&sql, i ? ", " : row ? ", (" : "(");
				add_parameter(&b->columns[i], &sql, ++number, false);
			}
			pgm_bytes_text(&sql, ")");
		}
	}
	pgm_bytes_add(&sql, b->insert_tail.data, b->insert_tail.length);
	if (!pgm_bytes_string(&sql)) {
		pgm_bytes_done(&sql);
		return NULL;
	}
	return (char *)sql.data;
}
