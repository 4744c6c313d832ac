"""partition: what hangs on a table is the same afterwards, and an owner who is no superuser may do it."""

from changes import schema_of
from test_partition_adopt import FULL, insert

# Names are the table's, so that the same query tells of the plain and of the partitioned one.
FACTS = {
    "columns": """SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
                         a.attcollation::regcollation::text, a.attstorage, nullif(a.attstattarget, -1),
                         ARRAY(SELECT o FROM unnest(a.attoptions) o WHERE o LIKE 'n_distinct%'),
                         ARRAY(SELECT unnest(a.attacl)::text ORDER BY 1), pg_get_expr(d.adbin, d.adrelid),
                         col_description(a.attrelid, a.attnum)
                    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                   WHERE a.attrelid = 'log'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attname""",
    "table": """SELECT relowner::regrole::text, relrowsecurity, relforcerowsecurity, relreplident,
                       ARRAY(SELECT unnest(relacl)::text ORDER BY 1), obj_description(oid, 'pg_class')
                  FROM pg_class WHERE oid = 'log'::regclass""",
    "constraints": """SELECT conname, contype, pg_get_constraintdef(oid), convalidated, obj_description(oid, 'pg_constraint')
                        FROM pg_constraint WHERE conrelid = 'log'::regclass AND contype NOT IN ('n', 'p') ORDER BY 1""",
    "triggers": """SELECT tgname, tgenabled, pg_get_triggerdef(oid), obj_description(oid, 'pg_trigger')
                     FROM pg_trigger WHERE tgrelid = 'log'::regclass AND NOT tgisinternal ORDER BY 1""",
    "policies": """SELECT polname, polcmd, polpermissive, polroles::regrole[]::text, pg_get_expr(polqual, polrelid),
                          pg_get_expr(polwithcheck, polrelid), obj_description(oid, 'pg_policy')
                     FROM pg_policy WHERE polrelid = 'log'::regclass ORDER BY 1""",
    "indexes": """SELECT c.relname, i.indisunique, c.reloptions, pg_get_expr(i.indpred, i.indrelid), obj_description(c.oid)
                    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = 'log'::regclass ORDER BY 1""",
    "statistics": """SELECT ARRAY(SELECT attname FROM pg_attribute WHERE attrelid = stxrelid AND attnum = ANY (stxkeys) ORDER BY 1),
                            stxkind::text FROM pg_statistic_ext WHERE stxrelid = 'log'::regclass""",
    "sequences": """SELECT s.*, has_sequence_privilege('pg_monitor', quote_ident(sequencename), 'USAGE')
                      FROM pg_sequences s WHERE schemaname = 'public' ORDER BY sequencename""",
    "publications": "SELECT * FROM pg_publication_tables ORDER BY 1, 2, 3",
    "views": "SELECT viewname, viewowner, definition FROM pg_views WHERE schemaname = 'public' ORDER BY 1",
    "view options": "SELECT relname, reloptions FROM pg_class WHERE relkind = 'v' AND relname LIKE 'bus%' ORDER BY 1",
}


def test_by_its_owner_with_all_that_hangs_on_it(db, pgmend, cluster):
    db.psql(FULL)
    if cluster.major >= 15:  # with a column list and a row filter
        db.psql("CREATE PUBLICATION some_columns FOR TABLE log (id, at, kind) WHERE (id > 5) "
                "WITH (publish = 'insert', publish_via_partition_root = true)")
    insert(db, 3000, "now() - i * interval '1 hour'")
    db.psql(f"""CREATE ROLE keeper LOGIN; GRANT CREATE ON DATABASE {db.name} TO keeper; GRANT ALL ON SCHEMA public TO keeper;
                ALTER TABLE log OWNER TO keeper; ALTER VIEW busy OWNER TO keeper; ALTER PUBLICATION changes OWNER TO keeper;
                GRANT REFERENCES, UPDATE ON users TO keeper; COMMENT ON POLICY mine ON log IS 'its own'; ANALYZE log""")
    if cluster.major >= 15:
        db.psql("ALTER PUBLICATION some_columns OWNER TO keeper")
    try:
        before, schema = {name: db.query(query) for name, query in FACTS.items()}, schema_of(db)
        info = cluster.conninfo(db.name, user="keeper")
        done = pgmend("partition", "log", "--by", "at", "--interval", "month", "--apply", info)
        assert done.rc == 0, done
        for name, query in FACTS.items():
            assert db.query(query) == before[name], name
        assert db.scalar("SELECT count(*) FROM pg_class WHERE relname LIKE 'log%' AND relkind IN ('r', 'p') "
                         "AND relowner <> 'keeper'::regrole") == 0
        undone = pgmend("rollback", info)
        assert undone.rc == 0, undone
        assert schema_of(db) == schema
        assert {name: db.query(query) for name, query in FACTS.items()} == before
    finally:
        db.psql("DROP OWNED BY keeper CASCADE; DROP ROLE keeper")
