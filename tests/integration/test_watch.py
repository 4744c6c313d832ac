"""What the watch of `pgmend serve` sees of servers of all sorts, and what it does not do to them."""

from psycopg import sql

import watching

ODD = 'an "odd"\\ name\nof two lines é'


def test_what_every_version_shows(db, cluster, probe):
    """All collectors that this version has, once; names and texts of any kind are only texts."""
    with db.connect() as conn:
        conn.execute(sql.SQL("CREATE TABLE {} (id int PRIMARY KEY)").format(sql.Identifier(ODD)))
        conn.execute("CREATE TABLE many (id int PRIMARY KEY, v text); CREATE INDEX many_v ON many (v)")
        conn.execute("INSERT INTO many SELECT i, i::text FROM generate_series(1, 5000) i; ANALYZE many")
        conn.execute("SELECT pg_sleep(0.01)")
        watch = probe(shop=db.conninfo)
        look = watch.look()
        assert look.marked("first") and look.version == int(db.scalar("SHOW server_version_num")) and not look.standby
        assert look.value("pg_up") == 1
        assert look.value("pg_replication_is_replica") == 0 and look.value("pg_replication_lag_seconds") == 0
        assert look.value("pg_settings_max_connections") == 60
        assert look.value("pg_settings_shared_buffers_bytes") == 64 << 20
        assert look.value("pg_database_size_bytes", datname=db.name) > 1 << 20
        assert look.value("pg_stat_activity_count", datname=db.name, state="idle") >= 1
        assert len(look.values("pg_locks_count")) == 9
        assert look.value("pgmend_tables") == 2 and look.value("pgmend_indexes") == 3
        assert look.value("pg_stat_user_tables_n_tup_ins", relname="many") in (0, 5000)  # may not be told yet
        assert look.value("pg_stat_user_tables_table_size_bytes", relname="many") > 100_000
        assert look.value("pgmend_index_size_bytes", indexrelname="many_v") > 8192
        failed = [labels for metric, labels, value in look.raw["samples"]
                  if metric == "pg_scrape_collector_success" and not value]
        assert not failed
        names = look.names()
        for at_least, name in ((14, "pgmend_wal_bytes_total"), (14, "pg_stat_database_active_time_seconds_total"),
                               (16, "pgmend_io_hits_total"), (17, "pg_stat_checkpointer_num_timed_total"),
                               (13, "pg_stat_bgwriter_checkpoints_timed_total"), (13, "pg_wal_size_bytes"),
                               (13, "pg_database_wraparound_age_datfrozenxid_seconds"),
                               (13, "pgmend_xmin_horizon_age_transactions"), (13, "pg_stat_archiver_failed_count")):
            assert (name in names) == (cluster.major >= at_least), name
        assert watch.look(lambda look: look.has_rate).marked("first") is False
        for form in ("metrics", "open"):
            series, types = watching.parse(watch.metrics(form), form == "open")
            tables = {dict(labels)["relname"] for name, labels in series
                      if name == "pg_stat_user_tables_n_live_tup"}
            assert tables == {ODD, "many"}
            assert all({"target", "server"} <= dict(labels).keys() for name, labels in series
                       if name.startswith("pg_")), "labels of the target"
            assert types["pg_stat_database_xact_commit"] == ("unknown" if form == "open" else "counter")
            assert types["pg_up"] == "gauge"


def test_statements_are_shown_but_ours(make_cluster, probe):
    server = make_cluster(shared_preload_libraries="pg_stat_statements")
    with server.connect() as conn:
        conn.execute("CREATE EXTENSION pg_stat_statements; CREATE TABLE t (id int)")
        watch = probe(shop=server.conninfo())
        watch.look()
        for _ in range(7):
            conn.execute("SELECT count(*) FROM t WHERE id = 12")

        def seen(look):
            return [s for s in look.statements if s[0].startswith("SELECT count(*) FROM t WHERE id =")]

        look = watch.look(lambda look: seen(look) and seen(look)[0][1] == 7)
        assert not [s for s in look.statements if "pgmend" in s[0]], "ours are among them"
        assert [v for v in look.values("pg_stat_statements_calls_total") if v == 7]
        before = look.value("pgmend_statements_calls_total")
        # thrown away and counted anew: what all grew by does not fall
        conn.execute("SELECT pg_stat_statements_reset()")
        look = watch.look(lambda look: look.marked("statements"))
        assert look.value("pgmend_statements_calls_total") >= before


def test_a_server_that_goes_and_comes(make_cluster, probe):
    server = make_cluster()
    watch = probe(shop=server.conninfo())
    first = watch.look()
    server.stop()
    down = watch.look(lambda look: not look.up)
    assert down.value("pg_up") == 0 and down.why and not down.values("pg_stat_database_xact_commit")
    server.start()
    back = watch.look()
    assert back.marked("restart") and not back.has_rate
    assert back.value("pg_postmaster_start_time_seconds") > first.value("pg_postmaster_start_time_seconds")
    watch.look(lambda look: look.has_rate)
    server.restart("immediate")
    watch.look(lambda look: look.marked("restart"))
    with server.connect() as conn:
        conn.execute("SELECT pg_stat_reset()")
    watch.look(lambda look: look.marked("reset"))


def test_a_database_that_is_dropped(cluster, probe):
    database = cluster.new_database("watch_gone")
    watch = probe(gone=database.conninfo, stays=cluster.conninfo())
    watch.look(name="gone")
    database.drop()
    down = watch.look(lambda look: not look.up, name="gone")
    assert "watch_gone" in down.why
    after = watch.look(name="stays")
    watch.look(lambda look: look.up and look.number > after.number, name="stays")
    series, _ = watching.parse(watch.metrics())
    up = {dict(labels)["target"]: value for (name, labels), value in series.items() if name == "pg_up"}
    assert up == {"gone": 0, "stays": 1}


def test_a_locked_table_holds_up_nothing(db, probe):
    with db.connect() as conn:
        conn.execute("CREATE TABLE locked (id int PRIMARY KEY, v text); CREATE TABLE other (id int PRIMARY KEY)")
        conn.execute("INSERT INTO locked SELECT i, 'x' FROM generate_series(1, 1000) i")
        conn.execute("VACUUM ANALYZE locked")
    with db.connect(autocommit=False) as holder:
        holder.execute("LOCK TABLE locked IN ACCESS EXCLUSIVE MODE")
        watch = probe(shop=db.conninfo)
        look = watch.look(lambda look: look.up and look.tables)
        sizes = {name: (size, sized) for _, name, size, sized in look.tables}
        assert sizes["locked"][0] > 0 and not sizes["locked"][1], "by the catalog's pages"
        assert sizes["other"][1]
        assert look.value("pgmend_tables") == 2 and look.value("pgmend_indexes") == 2
        holder.rollback()
        watch.look(lambda look: look.tables and all(sized for *_, sized in look.tables))


def test_many_tables_stay_few_series(db, probe):
    with db.connect() as conn:
        conn.execute("DO $$ BEGIN FOR i IN 1..200 LOOP"
                     " EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY)', i); END LOOP; END $$")
        watch = probe(shop=db.conninfo)
        look = watch.look(lambda look: look.up and look.tables)
        assert look.value("pgmend_tables") == 200 and len(look.tables) == 200
        assert len(look.values("pg_stat_user_tables_n_live_tup")) == 30
        conn.execute("INSERT INTO t199 SELECT generate_series(1, 100000)")
        look = watch.look(lambda look: look.values("pg_stat_user_tables_n_tup_ins", relname="t199") == [100000])
        assert len(look.values("pg_stat_user_tables_n_live_tup")) == 30
        series, _ = watching.parse(watch.metrics())
        assert len(series) < 2050
        assert [v for (name, _), v in series.items() if name == "pgmend_series_dropped"] == [0]


def test_who_waits_and_who_idles(db, probe):
    with db.connect() as conn:
        conn.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    watch = probe(shop=db.conninfo)
    holder, waiter = db.connect(autocommit=False), db.connect(autocommit=False)
    try:
        holder.execute("UPDATE t SET id = 2")
        waiter.pgconn.send_query(b"BEGIN; UPDATE t SET id = 3")
        look = watch.look(lambda look: look.up and look.value("pgmend_sessions_waiting_for_lock") == 1)
        assert look.value("pgmend_sessions_idle_in_transaction") == 1
        assert look.value("pgmend_sessions_blockers") == 1
        assert look.value("pgmend_longest_lock_wait_seconds") >= 0
        assert look.value("pgmend_longest_idle_in_transaction_seconds") >= 0
        holder.rollback()
        watch.look(lambda look: look.up and look.value("pgmend_sessions_waiting_for_lock") == 0)
    finally:
        waiter.pgconn.finish()
        holder.close()


def test_a_standby_and_its_promotion(make_cluster, probe):
    primary = make_cluster()
    standby = primary.make_standby()
    try:
        watch = probe(primary=primary.conninfo(), standby=standby.conninfo())
        look = watch.look(name="standby")
        assert look.standby and look.value("pg_replication_is_replica") == 1
        look = watch.look(lambda look: look.values("pg_stat_replication_pg_wal_lsn_diff"), name="primary")
        assert len(look.values("pgmend_replica_lag_seconds")) == 1
        with standby.connect() as conn:
            conn.execute("SELECT pg_promote()")
        look = watch.look(lambda look: look.marked("role"), name="standby")
        assert not look.standby
    finally:
        standby.close()


def test_who_may_see_little(db, cluster, probe):
    """A role without rights: the rest is shown, and what is not is named."""
    with cluster.connect() as conn:
        conn.execute("DROP ROLE IF EXISTS watch_little; CREATE ROLE watch_little LOGIN")
    try:
        watch = probe(shop=cluster.conninfo(db.name, user="watch_little"))
        look = watch.look()
        assert look.value("pg_scrape_collector_success", collector="wal_files") == 0
        assert look.value("pg_scrape_collector_success", collector="database") == 1
        assert look.values("pg_stat_database_xact_commit")
        watch.close()
    finally:
        with cluster.connect() as conn:
            conn.execute("DROP ROLE watch_little")


def test_two_hundred_databases(db, cluster, probe):
    """Most of them away: those that are there are looked at all the same, over few connections."""
    away = {f"away{i}": f"host={cluster.folder}/nowhere dbname=x" for i in range(195)}
    there = {f"there{i}": db.conninfo for i in range(5)}
    watch = probe(1000, **away, **there)
    seen = {}
    while len(seen) < 5 or min(seen.values()) < 2:
        look = watch.look(lambda look: look.up)
        seen[look.name] = look.number
    watch.look(lambda look: not look.up)
    with cluster.connect() as conn:
        count = conn.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgmend'"
                             " AND datname = %s", [db.name]).fetchone()[0]
    assert count <= 5
