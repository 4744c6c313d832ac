/*
 * Names to tables, on a catalog made by hand: shop.customer (id, name, email), shop.purchase (id,
 * customer_id, amount, note), the view shop.seen (id, email), and other.purchase (id, extra).
 */
#include "../cmocka_all.h"

#include "advise/query.h"
#include "util/buf.h"
#include "workload/workload.h"

#include <string.h>

static struct pgm_catalog *new_catalog(struct pgm_arena *arena)
{
	static const struct {
		const char *schema, *name;
		char kind;
		const char *columns[5];
	} made[] = {
		{"shop", "customer", 'r', {"id", "name", "email"}},
		{"shop", "purchase", 'r', {"id", "customer_id", "amount", "note"}},
		{"shop", "seen", 'v', {"id", "email"}},
		{"other", "purchase", 'r', {"id", "extra"}},
	};
	static const char *path[] = {"shop"};
	struct pgm_catalog *catalog = PGM_NEW(arena, struct pgm_catalog);
	catalog->arena = arena;
	catalog->table_count = sizeof(made) / sizeof(*made);
	catalog->tables = PGM_NEW_ARRAY(arena, struct pgm_table, catalog->table_count);
	catalog->search_path = path;
	catalog->search_path_count = 1;
	pgm_map_init(&catalog->tables_by_name, arena);
	for (size_t i = 0; i < catalog->table_count; i++) {
		struct pgm_table *table = &catalog->tables[i];
		*table = (struct pgm_table){
			.schema = made[i].schema, .name = made[i].name, .kind = made[i].kind};
		table->columns = PGM_NEW_ARRAY(arena, struct pgm_column, 5);
		for (; made[i].columns[table->column_count]; table->column_count++)
			table->columns[table->column_count].name = made[i].columns[table->column_count];
		pgm_map_set(&catalog->tables_by_name,
			    pgm_sprintf(arena, "%s\001%s", table->schema, table->name), table);
	}
	return catalog;
}

static struct pgm_query resolved(struct pgm_arena *arena, const char *sql)
{
	struct pgm_statement *statement = PGM_NEW(arena, struct pgm_statement);
	struct pgm_error err = {0};
	struct pgm_query query = {0};
	if (!pgm_sql_shape(arena, sql, &statement->shape, &err))
		fail_msg("%s: %s", sql, err.message);
	statement->text = sql;
	pgm_query_resolve(arena, new_catalog(arena), statement, &query);
	return query;
}

static void put_column(struct pgm_buf *buf, const struct pgm_query *query, int occurrence,
		       const struct pgm_column *column)
{
	pgm_buf_printf(buf, "%s%d.%s", query->occurrences[occurrence].table->name, occurrence, column->name);
}

/* Each atom with the table that its column belongs to: "purchase0.amount customer1.id=purchase0.customer_id".
 */
static const char *places(struct pgm_arena *arena, const char *sql)
{
	struct pgm_query query = resolved(arena, sql);
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	for (size_t i = 0; i < query.atom_count; i++) {
		const struct pgm_query_atom *atom = &query.atoms[i];
		pgm_buf_add(&buf, i ? " " : "");
		put_column(&buf, &query, atom->occurrence, atom->column);
		if (atom->join_occurrence < 0)
			continue;
		pgm_buf_char(&buf, '=');
		put_column(&buf, &query, atom->join_occurrence, atom->join_column);
	}
	return buf.text;
}

/* The columns that each table gives: "customer0(id,name) purchase1(*)". */
static const char *reads(struct pgm_arena *arena, const char *sql)
{
	struct pgm_query query = resolved(arena, sql);
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	for (size_t o = 0; o < query.occurrence_count; o++) {
		const struct pgm_occurrence *occurrence = &query.occurrences[o];
		pgm_buf_printf(&buf, "%s%s%zu(", o ? " " : "", occurrence->table->name, o);
		for (size_t i = 0; i < occurrence->read_count; i++)
			pgm_buf_printf(&buf, "%s%s", i ? "," : "", occurrence->read[i]->name);
		pgm_buf_printf(&buf, "%s)", occurrence->whole_row ? "*" : "");
	}
	return buf.text;
}

#define PLACES(sql, expected) assert_string_equal(places(arena, sql), expected)
#define READS(sql, expected)  assert_string_equal(reads(arena, sql), expected)

static void names_mean_the_nearest_table_that_has_them(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	PLACES("SELECT 1 FROM customer c, purchase p WHERE amount = 1 AND c.id = p.customer_id",
	       "purchase1.amount customer0.id=purchase1.customer_id purchase1.customer_id=customer0.id");
	PLACES("SELECT 1 FROM other.purchase WHERE extra = 1 AND amount = 2", "purchase0.extra");
	PLACES("SELECT 1 FROM customer WHERE EXISTS (SELECT 1 FROM purchase WHERE customer_id = customer.id "
	       "AND "
	       "note = 'x' AND email = 'y')",
	       "purchase1.customer_id=customer0.id customer0.id=purchase1.customer_id purchase1.note "
	       "customer0.email");
	PLACES("SELECT 1 FROM customer c JOIN purchase p USING (id)",
	       "customer0.id=purchase1.id purchase1.id=customer0.id");
	/* USING a column that only one of the sides left of it has. */
	PLACES("SELECT 1 FROM customer c CROSS JOIN purchase p JOIN other.purchase o USING (id)",
	       "customer0.id=purchase2.id purchase2.id=customer0.id purchase1.id=purchase2.id "
	       "purchase2.id=purchase1.id");
}

static void an_alias_hides_what_is_outside(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	/* c inside is purchase, which has no email: the server would refuse it, and the outer c is not meant.
	 */
	PLACES("SELECT 1 FROM customer c WHERE EXISTS (SELECT 1 FROM purchase c WHERE c.email = 'x')", "");
	PLACES("SELECT 1 FROM customer c WHERE EXISTS (SELECT 1 FROM (SELECT 1 AS x) c WHERE c.email = 'x')",
	       "");
}

static void what_may_belong_to_an_unknown_table_is_not_taken(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	PLACES("SELECT 1 FROM customer WHERE EXISTS (SELECT 1 FROM seen WHERE email = 'x')", "");
	PLACES("SELECT 1 FROM customer WHERE EXISTS (SELECT 1 FROM seen WHERE name = 'x')", "customer0.name");
	PLACES("SELECT 1 FROM customer WHERE EXISTS (SELECT 1 FROM missing WHERE email = 'x')", "");
	PLACES("SELECT 1 FROM purchase WHERE EXISTS (SELECT 1 FROM jsonb_to_record($1) AS r (note text) "
	       "WHERE "
	       "note = 'x')",
	       "");
	PLACES("SELECT 1 FROM purchase p, missing m WHERE m.note = 'x' AND p.amount = 2", "purchase0.amount");
	PLACES("SELECT 1 FROM purchase p, unnest($1::int[]) u WHERE amount = u", "purchase0.amount");
	PLACES("SELECT 1 FROM customer, seen s WHERE s.email = 'x'", "");
}

static void derived_tables_are_looked_through(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	PLACES("SELECT 1 FROM (SELECT amount AS cost, 1 AS note FROM purchase) s WHERE cost = 1 AND note = 2",
	       "purchase0.amount");
	PLACES("WITH w AS (SELECT * FROM purchase) SELECT 1 FROM w WHERE w.amount = 1", "purchase0.amount");
	PLACES("WITH w AS (SELECT p.* FROM purchase p, customer c) SELECT 1 FROM w WHERE name = 'x' AND note "
	       "= 'y'",
	       "purchase0.note");
	PLACES("WITH RECURSIVE w AS (SELECT id FROM purchase UNION ALL SELECT id FROM w) SELECT 1 FROM w "
	       "WHERE id = 1 "
	       "AND none = 2",
	       "purchase0.id");
	PLACES("WITH purchase AS (SELECT 1 AS amount) SELECT 1 FROM purchase WHERE amount = 1", "");
}

static void a_chain_of_doublings_ends(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new((size_t)256 << 20);
	struct pgm_buf sql;
	pgm_buf_init(&sql, arena);
	pgm_buf_add(&sql, "WITH w0 AS (SELECT * FROM purchase)");
	for (int i = 1; i < 60; i++)
		pgm_buf_printf(&sql, ", w%d AS (SELECT * FROM w%d a, w%d b)", i, i - 1, i - 1);
	pgm_buf_add(&sql, " SELECT 1 FROM w59 WHERE amount = 1 AND none = 2");
	PLACES(sql.text, "purchase0.amount");
}

static void what_is_read_is_told(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	READS("SELECT name FROM customer WHERE id = 1", "customer0(name,id)");
	READS("SELECT p.*, c.name FROM purchase p, customer c", "purchase0(*) customer1(name)");
	READS("SELECT * FROM purchase p, customer c", "purchase0(*) customer1(*)");
	READS("SELECT count(*) FROM purchase", "purchase0()");
	READS("SELECT purchase FROM purchase", "purchase0(*)");
	READS("SELECT row_to_json(p) FROM purchase p", "purchase0(*)");
	READS("SELECT (SELECT to_jsonb(p)) FROM purchase p", "purchase0(*)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_mean_the_nearest_table_that_has_them),
		cmocka_unit_test(an_alias_hides_what_is_outside),
		cmocka_unit_test(what_may_belong_to_an_unknown_table_is_not_taken),
		cmocka_unit_test(derived_tables_are_looked_through),
		cmocka_unit_test(a_chain_of_doublings_ends),
		cmocka_unit_test(what_is_read_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
