#include "lint/lint.h"

#include "util/nearest.h"

#include <string.h>

#define INFO	 PGM_SEVERITY_INFO
#define WARNING	 PGM_SEVERITY_WARNING
#define CRITICAL PGM_SEVERITY_CRITICAL

/* In the order of the enum. Texts are Markdown and plain text alike. */
const struct pgm_lint_rule pgm_lint_rules[PGM_LINT_RULES] = {
	[PGM_LINT_CREATE_INDEX] =
		{"create-index-without-concurrently", WARNING, "Index built while writes wait",
		 "CREATE INDEX takes a SHARE lock: each INSERT, UPDATE and DELETE of the table waits until "
		 "the "
		 "index is built.",
		 "CREATE INDEX CONCURRENTLY, outside of a transaction. On a partitioned table: CREATE INDEX "
		 "ON "
		 "ONLY, then one CONCURRENTLY for each partition, then ALTER INDEX ... ATTACH PARTITION."},
	[PGM_LINT_DROP_INDEX] = {"drop-index-without-concurrently", WARNING,
				 "Index dropped under a strong lock",
				 "DROP INDEX takes ACCESS EXCLUSIVE on the table: it waits for every query "
				 "that runs, and every "
				 "query that comes waits behind it.",
				 "DROP INDEX CONCURRENTLY, outside of a transaction."},
	[PGM_LINT_REINDEX] =
		{"reindex-without-concurrently", WARNING, "Index rebuilt while writes wait",
		 "REINDEX blocks writes of the table, and reads that would use the index, until it is built.",
		 "REINDEX ... CONCURRENTLY, outside of a transaction."},
	[PGM_LINT_IN_TRANSACTION] =
		{"concurrently-in-transaction", CRITICAL, "Statement that fails in a transaction",
		 "CREATE INDEX CONCURRENTLY, VACUUM and their like cannot run in a transaction block, and "
		 "the "
		 "tool that runs this file puts it into one. The migration fails.",
		 "dbmate: \"-- migrate:up transaction:false\" and one such statement in the block. "
		 "golang-migrate: one such statement and no other in the file. Flyway: a file of its own, or "
		 "executeInTransaction=false in its .conf. Alembic: op.get_context().autocommit_block()."},
	[PGM_LINT_IF_NOT_EXISTS] = {"if-not-exists-with-concurrently", WARNING,
				    "IF NOT EXISTS calls a broken index a success",
				    "A CREATE INDEX CONCURRENTLY that fails leaves an invalid index of that "
				    "name, which serves no "
				    "query. Run again with IF NOT EXISTS it succeeds without doing anything.",
				    "Leave IF NOT EXISTS out, and drop what a failed build left before it "
				    "runs again: DROP INDEX "
				    "CONCURRENTLY IF EXISTS in a step of its own, or pgmend apply."},
	[PGM_LINT_NO_LOCK_TIMEOUT] = {"missing-lock-timeout", WARNING, "Strong lock without lock_timeout",
				      "The lock has to wait for every transaction that uses the table, and "
				      "all that come later wait "
				      "behind it: one forgotten transaction stops the application for as "
				      "long as it lasts, however "
				      "short the statement itself is.",
				      "SET lock_timeout = '1s' (SET LOCAL in a transaction) before it, and "
				      "try again when it fails."},
	[PGM_LINT_LOCK_TIMEOUT_CONCURRENTLY] =
		{"lock-timeout-with-concurrently", WARNING, "lock_timeout breaks a concurrent build",
		 "CONCURRENTLY waits for older transactions by locks, without blocking anyone. A "
		 "lock_timeout "
		 "cancels that wait and leaves an invalid index behind, whose name is taken.",
		 "SET lock_timeout = 0 before it."},
	[PGM_LINT_SEVERAL_LOCKS] = {"several-locks-in-transaction", WARNING,
				    "Strong locks on several tables at once",
				    "Locks are held until the transaction ends: the first table stays "
				    "blocked while the second lock "
				    "waits, and an application that uses them in the other order deadlocks.",
				    "One transaction for each table."},
	[PGM_LINT_WORK_UNDER_LOCK] =
		{"long-work-under-lock", WARNING, "Long work while a strong lock is held",
		 "An earlier statement of the transaction took a lock that blocks the application. It is "
		 "held "
		 "until this statement, which takes as long as the table is large, is done.",
		 "Commit between them: the short statement in one migration, the long one in the next."},
	[PGM_LINT_VOLATILE_DEFAULT] =
		{"add-column-volatile-default", CRITICAL, "Column whose default rewrites the table",
		 "A constant default is stored once, but a volatile one (random(), gen_random_uuid(), a "
		 "sequence's next value, serial, identity) is computed for each row: the table and its "
		 "indexes "
		 "are rewritten under ACCESS EXCLUSIVE.",
		 "Add the column without a default, ALTER COLUMN ... SET DEFAULT for new rows, and fill the "
		 "old "
		 "ones in batches."},
	[PGM_LINT_STORED_GENERATED] =
		{"add-column-stored-generated", CRITICAL, "Stored generated column rewrites the table",
		 "The values of GENERATED ALWAYS AS ... STORED are computed for each row: the table and its "
		 "indexes are rewritten under ACCESS EXCLUSIVE.",
		 "A plain column that a trigger fills, filled for old rows in batches; or an index on the "
		 "expression."},
	[PGM_LINT_NOT_NULL_WITHOUT_DEFAULT] = {"add-column-not-null-without-default", CRITICAL,
					       "Required column without a default",
					       "On a table that has rows it fails: they would hold NULL.",
					       "Give it a constant default, or add it without NOT NULL, fill "
					       "it in batches, and then require "
					       "it as rule add-not-null says."},
	[PGM_LINT_SET_NOT_NULL] = {"add-not-null", WARNING,
				   "SET NOT NULL reads the table under a strong lock",
				   "Every row is looked at under ACCESS EXCLUSIVE.",
				   "ADD CONSTRAINT c CHECK (column IS NOT NULL) NOT VALID; then, in another "
				   "transaction, VALIDATE "
				   "CONSTRAINT c, which blocks nobody; then SET NOT NULL, which reads "
				   "nothing any more; then DROP "
				   "CONSTRAINT c."},
	[PGM_LINT_CHANGE_TYPE] =
		{"change-type-rewrites", CRITICAL, "Type change that rewrites the table",
		 "The table and its indexes are rewritten under ACCESS EXCLUSIVE. Free are: a longer or "
		 "unlimited "
		 "varchar, varchar and text either way without a limit, numeric with more digits before the "
		 "point, more digits of a second's fraction, a longer varbit, cidr to inet, a domain to its "
		 "base "
		 "type, and timestamp to timestamptz or back where the session's TimeZone is UTC.",
		 "Add a column of the new type, keep both alike by a trigger, fill it in batches, then swap "
		 "the "
		 "names."},
	[PGM_LINT_CONSTRAINT_NOT_VALID] =
		{"add-constraint-without-not-valid", WARNING, "Constraint checked under a strong lock",
		 "CHECK reads the table under ACCESS EXCLUSIVE; FOREIGN KEY reads both tables under SHARE "
		 "ROW "
		 "EXCLUSIVE, which blocks writes to both.",
		 "ADD CONSTRAINT ... NOT VALID, and in another transaction VALIDATE CONSTRAINT, which blocks "
		 "neither reads nor writes."},
	[PGM_LINT_VALIDATE_SAME_TRANSACTION] =
		{"validate-in-same-transaction", WARNING, "NOT VALID and VALIDATE in one transaction",
		 "The strong lock of ADD CONSTRAINT is held while VALIDATE reads the table: nothing is "
		 "gained "
		 "over a constraint without NOT VALID.",
		 "Commit between them, or put VALIDATE CONSTRAINT into the next migration."},
	[PGM_LINT_UNIQUE_USING_INDEX] =
		{"add-unique-without-using-index", WARNING, "Unique constraint builds its index under a lock",
		 "ADD UNIQUE and ADD PRIMARY KEY build an index under ACCESS EXCLUSIVE: reads and writes "
		 "wait.",
		 "CREATE UNIQUE INDEX CONCURRENTLY i ON ...; then ALTER TABLE ... ADD CONSTRAINT c UNIQUE "
		 "USING "
		 "INDEX i (or PRIMARY KEY USING INDEX i, with columns that are NOT NULL already)."},
	[PGM_LINT_EXCLUSION] = {"add-exclusion-constraint", WARNING,
				"Exclusion constraint builds its index under a lock",
				"ADD EXCLUDE builds an index under ACCESS EXCLUSIVE, and PostgreSQL has no "
				"way around it for a "
				"table that exists.",
				"A quiet hour and a lock_timeout; or a new table with the constraint that is "
				"filled and swapped "
				"in."},
	[PGM_LINT_FK_WITHOUT_INDEX] =
		{"foreign-key-without-index", WARNING, "Foreign key without an index",
		 "PostgreSQL indexes the referenced columns but not the referencing ones: each row deleted "
		 "from "
		 "the referenced table reads the whole referencing table.",
		 "An index that begins with the foreign key's columns, in this migration or before."},
	[PGM_LINT_RENAME] = {"rename", WARNING, "Rename that running code does not know of",
			     "The moment it commits, the code that is deployed asks for the old name and "
			     "fails; the new code "
			     "fails until then.",
			     "For a column: a new column, both written, then the old one dropped. For a "
			     "table: rename and "
			     "CREATE VIEW of the old name in one transaction, until no code uses it."},
	[PGM_LINT_DROP_COLUMN] = {"drop-column", WARNING, "Column dropped while code may use it",
				  "It is gone at once, and its data with it. Code that still names it fails, "
				  "and so do ORMs that "
				  "cached the columns.",
				  "Deploy code that neither reads nor writes it first, then drop it in a "
				  "later migration, with a "
				  "lock_timeout. The space comes back only as rows are rewritten."},
	[PGM_LINT_DROP_TABLE] =
		{"drop-table", WARNING, "Table or schema dropped",
		 "It is gone at once, and its data with it; foreign keys make it lock the tables that it "
		 "references too.",
		 "Rename it first and wait until nobody misses it."},
	[PGM_LINT_TRUNCATE] =
		{"truncate", WARNING, "All rows removed under a strong lock",
		 "TRUNCATE takes ACCESS EXCLUSIVE, with CASCADE on every table that references this one, and "
		 "empties them. Transactions with an older snapshot see an empty table.",
		 "Be sure that it is meant, and set a lock_timeout."},
	[PGM_LINT_UNBOUNDED] = {"unbounded-update", WARNING, "Every row updated or deleted in one statement",
				"Each row stays locked until the transaction ends, the table grows by a copy "
				"of itself (UPDATE), "
				"and replicas and vacuum wait for it.",
				"Batches by key, each in a transaction of its own."},
	[PGM_LINT_VACUUM_FULL] =
		{"vacuum-full-or-cluster", CRITICAL, "Table rewritten under ACCESS EXCLUSIVE",
		 "VACUUM FULL and CLUSTER write the table anew; neither reads nor writes go on meanwhile.",
		 "Plain VACUUM, REINDEX CONCURRENTLY for bloated indexes, pg_repack or pg_squeeze for the "
		 "table."},
	[PGM_LINT_REWRITE_TABLE] =
		{"rewrite-table", CRITICAL, "Table rewritten or copied under ACCESS EXCLUSIVE",
		 "SET LOGGED, SET UNLOGGED, SET TABLESPACE and SET ACCESS METHOD copy the table under ACCESS "
		 "EXCLUSIVE.",
		 "A new table that is filled in batches and swapped in; pg_repack --tablespace for the "
		 "third."},
	[PGM_LINT_ENUM_VALUE] =
		{"enum-value-in-transaction", CRITICAL, "New enum value used where it is not there yet",
		 "A value that ALTER TYPE ... ADD VALUE adds cannot be used before its transaction has "
		 "committed: \"unsafe use of new value\".",
		 "ADD VALUE in a migration of its own."},
	[PGM_LINT_ATTACH] =
		{"attach-partition-without-check", WARNING, "Partition read under a strong lock",
		 "ATTACH PARTITION takes ACCESS EXCLUSIVE on the new partition, and on a DEFAULT partition, "
		 "and "
		 "reads them to see that the rows fit the bounds.",
		 "Before it: ADD CONSTRAINT ... CHECK (the bounds, and the key IS NOT NULL) NOT VALID and "
		 "VALIDATE "
		 "on the new partition (and its opposite on the DEFAULT one). Then nothing is read."},
	[PGM_LINT_DETACH] = {"detach-partition-without-concurrently", WARNING,
			     "Partition detached under a strong lock",
			     "DETACH PARTITION takes ACCESS EXCLUSIVE on the partitioned table: all queries "
			     "on any of its "
			     "partitions wait.",
			     "DETACH PARTITION ... CONCURRENTLY, outside of a transaction (PostgreSQL 14 on, "
			     "without a DEFAULT "
			     "partition)."},
	[PGM_LINT_REFRESH] = {"refresh-without-concurrently", WARNING,
			      "Materialized view locked while it is refreshed",
			      "REFRESH MATERIALIZED VIEW takes ACCESS EXCLUSIVE for as long as its query "
			      "runs: nobody can read "
			      "it.",
			      "REFRESH MATERIALIZED VIEW CONCURRENTLY; it needs a unique index on the view."},
	[PGM_LINT_DISABLE_TRIGGER] = {"disable-trigger", WARNING, "Trigger disabled for everyone",
				      "It is off for all sessions, not for this one alone, until it is "
				      "enabled again; DISABLE TRIGGER "
				      "ALL turns foreign keys off too, and nothing checks later what was "
				      "written meanwhile. It blocks "
				      "writes while the transaction lasts.",
				      "SET LOCAL session_replication_role = replica for this session, or a "
				      "condition in the trigger."},
	[PGM_LINT_LOCK_TABLE] =
		{"lock-table", WARNING, "Table locked by hand",
		 "The lock is held until the transaction ends.",
		 "A weaker mode, or rows locked with SELECT ... FOR UPDATE; at least a lock_timeout."},
	[PGM_LINT_INT4_KEY] =
		{"int4-primary-key", WARNING, "Primary key that ends at 2,147,483,647",
		 "A key of 4 bytes runs out, and to widen it later rewrites the table and every table that "
		 "references it.",
		 "bigint GENERATED ALWAYS AS IDENTITY; it costs 4 bytes a row, and often nothing for "
		 "alignment."},
	[PGM_LINT_TIMESTAMP] =
		{"timestamp-without-time-zone", INFO, "Point in time without its zone",
		 "timestamp stores what a clock showed and not when: values of sessions in other time zones "
		 "cannot be compared.",
		 "timestamptz, which is as large."},
	[PGM_LINT_CHAR] = {"char-type", INFO, "Type that pads with spaces",
			   "char(n) stores and returns spaces up to its length; it is neither smaller nor "
			   "faster than text.",
			   "text, with CHECK (length(column) <= n) where the limit matters."},
	[PGM_LINT_CODE_BLOCK] = {"code-block", INFO, "Block whose statements cannot be seen",
				 "What DO runs is code: no rule looks into it, and it is one transaction.",
				 "Plain statements where they do; otherwise review it by hand."},
	[PGM_LINT_CATALOG] =
		{"write-catalog", CRITICAL, "System catalog written by hand",
		 "PostgreSQL checks nothing of what UPDATE, INSERT and DELETE do to pg_catalog: "
		 "no locks, no dependencies, no invalidations as its own commands make them. An index "
		 "whose pg_index row says that it is not ready misses rows for good.",
		 "The command that PostgreSQL has for it: DROP INDEX and CREATE INDEX, ALTER ..., "
		 "COMMENT."},
};

enum pgm_lint_rule_id pgm_lint_rule_find(const char *id, struct pgm_error *err)
{
	const char *names[PGM_LINT_RULES];
	for (int i = 0; i < PGM_LINT_RULES; i++) {
		if (strcmp(pgm_lint_rules[i].id, id) == 0)
			return (enum pgm_lint_rule_id)i;
		names[i] = pgm_lint_rules[i].id;
	}
	const char *nearest = pgm_nearest(id, names, PGM_LINT_RULES);
	pgm_error_set(err, PGM_ERR_USAGE, "there is no rule \"%s\"", id);
	if (nearest)
		pgm_error_hint(err, "Perhaps you mean %s.", nearest);
	else
		pgm_error_hint(err, "\"pgmend lint --rules\" lists them.");
	return PGM_LINT_RULES;
}
