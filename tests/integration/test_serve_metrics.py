"""/metrics of `pgmend serve`, and what Prometheus itself makes of it and of packaging/prometheus."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import psycopg
import pytest

import cluster as clusters
import serving
import watching
from conftest import ROOT, find_binary

RULES = ROOT / "packaging" / "prometheus" / "pgmend.rules.yml"

needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="no Debian package prometheus")


@pytest.fixture
def serve():
    made = []

    def start(**sections):
        sections.setdefault("serve", {}).setdefault("watch_interval", 1)
        made.append(serving.Serve(find_binary(), sections))
        return made[-1].start()

    yield start
    for one in made:
        one.close()


def series_of(server, accept=None):
    answer = server.get("/metrics", "viewer", headers={"Accept": accept} if accept else {})
    assert answer.status == 200, answer
    open_metrics = answer.headers["content-type"].startswith("application/openmetrics-text")
    return watching.parse(answer.body.decode(), open_metrics)[0], answer.headers["content-type"]


def up(server):
    return [v for (name, _), v in series_of(server)[0].items() if name == "pg_up"] == [1]


PROMETHEUS_ACCEPT = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                     "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")


def test_both_forms_are_negotiated(db, serve):
    server = serve(watch={"shop": db.conninfo})
    server.wait_for(lambda: up(server))
    plain, kind = series_of(server)
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    for accept in ("text/plain", "*/*", "text/plain;q=0.9, application/openmetrics-text;q=0.1"):
        assert series_of(server, accept)[1].startswith("text/plain")
    opened, kind = series_of(server, PROMETHEUS_ACCEPT)
    assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert {name for name, _ in plain} == {name for name, _ in opened}
    names = {name for name, _ in plain}
    assert {"pgmend_build_info", "process_cpu_seconds_total", "pgmend_watch_targets"} <= names
    assert server.get("/metrics").status == 401
    assert server.get("/metrics?token=" + server.tokens["viewer"]).status in (400, 401)


def test_the_api_tells_the_same(db, serve):
    db.execute("CREATE TABLE orders (id int PRIMARY KEY, v text); CREATE INDEX orders_v ON orders (v);"
               "INSERT INTO orders SELECT i, i FROM generate_series(1, 1000) i; ANALYZE orders")
    server = serve(watch={"shop": db.conninfo, "gone": db.conninfo.replace(db.name, "no_such_database")})
    databases = server.wait_for(lambda: (lambda found: found if all(
        one["state"] != "new" for one in found.values()) else None)({
            one["name"]: one for one in server.get("/api/v1/databases", "viewer").data["databases"]}))
    assert databases["shop"]["state"] == "up" and databases["gone"]["state"] == "down"
    assert "no_such_database" in databases["gone"]["why"]
    summary = server.wait_for(lambda: (lambda found: found if found.get("tps") is not None else None)(
        server.get("/api/v1/databases/shop/summary", "viewer").data))
    assert summary["max_connections"] == 60 and summary["size_bytes"] > 1 << 20 and not summary["standby"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", summary["started_at"])
    down = server.get("/api/v1/databases/gone/summary", "viewer").data
    assert down["state"] == "down" and "tps" not in down
    tables = server.get("/api/v1/databases/shop/tables", "viewer").data
    assert [(t["schema"], t["name"], t["kind"]) for t in tables["tables"]] == [("public", "orders", "table")]
    assert tables["total"] == 1 and tables["tables"][0]["size_bytes"] > 8192
    indexes = server.get("/api/v1/databases/shop/indexes", "viewer").data["indexes"]
    assert {i["name"]: (i["primary"], i["unique"], i["valid"]) for i in indexes} == {
        "orders_pkey": (True, True, True), "orders_v": (False, False, True)}
    assert server.get("/api/v1/databases/nobody/tables", "viewer").code == "not_found"
    assert server.get("/api/v1/pool", "viewer").data["enabled"] is False


def test_what_cannot_be_read_any_more_is_not_shown_as_now(db, cluster, serve):
    """A collector that fails: its last values go after a few of its periods, and what is not shown is named."""
    with cluster.connect() as conn:
        conn.execute("DROP ROLE IF EXISTS serve_stale; CREATE ROLE serve_stale LOGIN")
    try:
        server = serve(watch={"shop": cluster.conninfo(db.name, user="serve_stale")})

        def summary(condition):
            def asked():
                answer = server.get("/api/v1/databases/shop/summary", "viewer")
                return answer.data if answer.status == 200 and condition(answer.data) else None
            return server.wait_for(asked)

        assert summary(lambda s: s.get("connections"))["stale"] == []
        assert "pgmend_sessions_connections" in {name for name, _ in series_of(server)[0]}
        db.execute("REVOKE SELECT ON pg_catalog.pg_stat_activity FROM PUBLIC")
        found = summary(lambda s: "sessions" in {one["collector"] for one in s["stale"]})
        assert found["state"] == "up" and found["connections"] is None and found["longest_query_s"] is None
        assert found["tps"] is not None and "sessions" in found["left_out"]
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", one["seen_at"]) for one in found["stale"])
        names = {name for name, _ in series_of(server)[0]}
        assert "pgmend_sessions_connections" not in names and "pg_stat_database_xact_commit" in names
        assert server.get("/api/v1/databases/shop/tables", "viewer").data["stale"] is False
    finally:
        with cluster.connect() as conn:
            conn.execute("DROP ROLE serve_stale")


def test_names_that_are_not_utf8_are_listed(cluster, serve):
    with cluster.connect() as conn:
        conn.execute("CREATE DATABASE serve_raw TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
    try:
        with cluster.connect("serve_raw", client_encoding="SQL_ASCII") as conn:
            conn.execute(b"CREATE TABLE \"na\xefve\" (id int CONSTRAINT \"k\xef\" PRIMARY KEY)")
        server = serve(watch={"raw": cluster.conninfo("serve_raw")})
        for kind, name in (("tables", "na?ve"), ("indexes", "k?")):
            found = server.wait_for(lambda kind=kind: (lambda answer: answer.status == 200 and answer.data)(
                server.get(f"/api/v1/databases/raw/{kind}", "viewer")))
            assert [row["name"] for row in found[kind]] == [name] and found["total"] == 1
    finally:
        with cluster.connect() as conn:
            conn.execute("DROP DATABASE serve_raw WITH (FORCE)")


def test_the_pooler_of_the_process(db, cluster):
    """Under pgbouncer_exporter's names, with histograms of its profile, and over the API."""
    port = clusters.free_port()
    where = f"host={cluster.folder} port={cluster.settings['port']} user=postgres dbname={db.name}"
    with serving.Serve(find_binary(), {
            "serve": {"watch_interval": 1}, "databases": {db.name: where},
            "pgbouncer": {"listen_addr": "127.0.0.1", "listen_port": port, "auth_type": "trust", "unix_socket_dir": "",
                          "admin_users": "postgres", "pool_mode": "transaction", "auth_file": "userlist.txt"}}) as server:
        (server.folder / "userlist.txt").write_text('"postgres" ""\n')
        server.give_away()
        server.start()
        with psycopg.connect(f"host=127.0.0.1 port={port} user=postgres dbname={db.name}", autocommit=True) as client:
            def counted():
                client.execute("SELECT 41 + 1")
                series, _ = series_of(server)
                return series if series.get(("pgmend_query_duration_seconds_count",
                                             (("database", db.name), ("target", "pool"))), 0) >= 5 else None

            series = server.wait_for(counted)
            own = {name: v for (name, labels), v in series.items()
                   if dict(labels).get("database") == db.name and dict(labels).get("target") == "pool"}
            assert own["pgbouncer_stats_queries_pooled_total"] >= 5
            assert own["pgbouncer_pools_client_active_connections"] == 1
            assert own["pgmend_query_duration_seconds_sum"] > 0
            assert "pgmend_fingerprint_duration_seconds_count" in own
            assert own["pgmend_pool_transaction_seconds_count"] >= 5
            idle = own["pgmend_pool_idle_in_transaction_seconds_sum"]
            with client.transaction():
                client.execute("SELECT 1")
                time.sleep(0.3)
            client.execute("LISTEN news")
            pinned = ("pgmend_pool_pinned_clients", (("database", db.name), ("reason", "listen"), ("target", "pool"),
                                                     ("user", "postgres")))
            idled = ("pgmend_pool_idle_in_transaction_seconds_sum", (("database", db.name), ("target", "pool")))
            server.wait_for(lambda: series_of(server)[0].get(pinned) == 1)
            server.wait_for(lambda: series_of(server)[0][idled] >= idle + 0.3)
            assert series[("pgbouncer_up", (("target", "pool"),))] == 1
            last = None
            for (name, labels), value in series.items():
                if name == "pgmend_query_duration_seconds_bucket" and dict(labels)["database"] == db.name:
                    assert last is None or value >= last, "buckets are cumulative"
                    last = value
            pool = server.get("/api/v1/pool", "viewer").data
            assert pool["enabled"] is True
            row = [p for p in pool["pools"] if p["database"] == db.name][0]
            assert row["clients_active"] == 1 and row["mode"] == "transaction" and row["user"] == "postgres"
            assert [d for d in pool["databases"] if d["name"] == db.name][0]["current_connections"] >= 1
            assert server.get("/api/v1/databases/pool/summary", "viewer").status == 404


# ---- Prometheus ----

@needs_promtool
def test_promtool_accepts_both_files(db, serve):
    server = serve(watch={"shop": db.conninfo})
    server.wait_for(lambda: up(server))
    text = server.get("/metrics", "viewer").body
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=120)
    # it also says which names do not keep to its rules: those are others', and stay
    wrong = [line for line in done.stderr.decode().splitlines() if not line.startswith(("pg_", "pgbouncer_"))]
    assert done.returncode in (0, 3) and not wrong, wrong
    subprocess.run(["promtool", "check", "rules", RULES], check=True, timeout=120, capture_output=True)


def conf(folder, server, port):
    (folder / "token").write_text(server.tokens["viewer"])
    (folder / "prometheus.yml").write_text(json.dumps({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "pgmend", "static_configs": [{"targets": [f"127.0.0.1:{server.port}"]}],
                            "authorization": {"credentials_file": str(folder / "token")}}]}))
    return ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}"]


def ask(port, path, **params):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}?{urllib.parse.urlencode(params)}",
                                    timeout=60) as answer:
            return json.load(answer)["data"]
    except (urllib.error.URLError, OSError):
        return None


@pytest.mark.skipif(not shutil.which("prometheus"), reason="no Debian package prometheus")
def test_prometheus_scrapes_it(db, serve, tmp_path):
    server, port = serve(watch={"shop": db.conninfo}), clusters.free_port()
    server.wait_for(lambda: up(server))
    with open(tmp_path / "log", "wb") as log:
        prometheus = subprocess.Popen(conf(tmp_path, server, port), stdout=log, stderr=log, cwd=tmp_path,
                                      preexec_fn=clusters.die_with_parent(os.getpid()))
    try:
        def scraped():
            assert prometheus.poll() is None, (tmp_path / "log").read_text()
            found = ask(port, "/api/v1/query", query='pg_up{target="shop"}')
            return found and found["result"]

        result = server.wait_for(scraped)
        assert result[0]["value"][1] == "1"
        target = ask(port, "/api/v1/targets")["activeTargets"][0]
        assert target["health"] == "up" and target["lastError"] == ""
        groups = ask(port, "/api/v1/rules")["groups"]
        assert len(groups[0]["rules"]) == len(CASES)
        # what it took in is what we showed, but for stale and own series
        count = server.wait_for(lambda: ask(port, "/api/v1/query", query='count({job="pgmend",target="shop"})')["result"])
        assert int(count[0]["value"][1]) > 150
    finally:
        prometheus.terminate()
        prometheus.wait(60)


# alert: series of one-minute steps, a minute at which it fires, one at which it is over
CASES = {
    "PgmendDatabaseDown": ({"pg_up": "1x5 0x10 1x20"}, 10, 30),
    "PgmendServerRestarted": ({"pg_postmaster_start_time_seconds": "0x30"}, 2, 20),
    "PgmendConnectionsNearlyUsedUp": ({"pgmend_sessions_connections": "85x10 10x20",
                                       "pg_settings_max_connections": "100x30",
                                       "pg_settings_superuser_reserved_connections": "3x30"}, 5, 20),
    "PgmendConnectionsUsedUp": ({"pgmend_sessions_connections": "96x10 85x20", "pg_settings_max_connections": "100x30",
                                 "pg_settings_superuser_reserved_connections": "3x30"}, 5, 20),
    "PgmendManyRollbacks": ({"pg_stat_database_xact_rollback": "0+60x20 1200x40",
                             "pg_stat_database_xact_commit": "0+120x60"}, 15, 40),
    "PgmendDeadlocks": ({"pg_stat_database_deadlocks": "0+3x10 30x30"}, 8, 30),
    "PgmendLongQuery": ({"pgmend_longest_query_seconds": "90x10 1x20"}, 5, 20),
    "PgmendIdleInTransaction": ({"pgmend_longest_idle_in_transaction_seconds": "400x10 0x20"}, 5, 20),
    "PgmendLockQueue": ({"pgmend_sessions_waiting_for_lock": "4x10 0x20",
                         "pgmend_longest_lock_wait_seconds": "40x10 0x20"}, 5, 20),
    "PgmendLockTableFillsUp": ({"pg_locks_count": "2000x10 5x20", "pg_settings_max_locks_per_transaction": "64x30",
                                "pg_settings_max_connections": "100x30",
                                "pg_settings_max_prepared_transactions": "0x30"}, 5, 20),
    "PgmendCacheHitsFall": ({"pg_stat_database_blks_hit": "0+60000x60 3600000+600000x60",
                             "pg_stat_database_blks_read": "0+30000x60 1800000+60x60"}, 45, 110),
    "PgmendReplicationLag": ({"pg_replication_lag_seconds": "20x10 0x20"}, 5, 20),
    "PgmendReplicationFarBehind": ({"pg_replication_lag_seconds": "90x10 20x20"}, 5, 20),
    "PgmendSlotKeepsWal": ({"pg_replication_slots_active": "0x30 1x20",
                            "pg_replication_slots_pg_wal_lsn_diff": "2000000000x50"}, 20, 45),
    "PgmendSlotLost": ({"pgmend_replication_slot_lost": "1x10 0x20"}, 5, 20),
    "PgmendArchivingFails": ({"pg_stat_archiver_failed_count": "0+1x10 10x40"}, 5, 40),
    "PgmendWraparound": ({"pg_database_wraparound_age_datfrozenxid_seconds": "1100000000x10 1000x20"}, 5, 20),
    "PgmendWraparoundNear": ({"pg_database_wraparound_age_datfrozenxid_seconds": "1600000000x10 1000x20"}, 5, 20),
    "PgmendDeadRowsCannotGo": ({"pgmend_xmin_horizon_age_transactions": "200000000x30 0x30"}, 20, 45),
    "PgmendVacuumIsLate": ({"pgmend_table_vacuum_due_ratio": "3x90 0x30"}, 70, 110),
    "PgmendInvalidIndex": ({"pgmend_indexes_invalid": "1x90 0x30"}, 70, 110),
    "PgmendCheckpointsRequested": ({"pg_stat_bgwriter_checkpoints_req_total": "0+1x60 60x120",
                                    "pg_stat_bgwriter_checkpoints_timed_total": "0x180"}, 40, 150),
    "PgmendStatementsThrownAway": ({"pgmend_statements_dealloc_total": "0+1x60 60x120"}, 50, 150),
    "PgmendPoolExhausted": ({"pgbouncer_pools_client_maxwait_seconds": "5x10 0x20"}, 5, 20),
    "PgmendPoolerDown": ({"pgbouncer_up": "0x10 1x20"}, 5, 20),
    "PgmendManyErrors": ({"pgmend_query_errors_total": "0+120x20 2400x40"}, 15, 40),
    "PgmendManySmallQueries": ({"pgmend_query_bursts_total": "0+120x40 4800x60"}, 30, 80),
    "PgmendHistoryPaused": ({"pgmend_history_paused": "1x20 0x20"}, 10, 35),
}


def rule_test(alert, series, fires, over):
    count = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})'
    return {"interval": "1m",
            "input_series": [{"series": f'{name}{{target="t",server="s",job="pgmend"}}', "values": values}
                             for name, values in series.items()],
            "promql_expr_test": [
                {"expr": count, "eval_time": f"{fires}m", "exp_samples": [{"labels": "{}", "value": 1}]},
                {"expr": count, "eval_time": f"{over}m", "exp_samples": []}]}


@needs_promtool
def test_each_rule_fires_and_resolves(tmp_path):
    alerts = re.findall(r"- alert: (\w+)", pathlib.Path(RULES).read_text())
    assert sorted(alerts) == sorted(CASES)
    tests = tmp_path / "tests.yml"
    tests.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m",
                                 "tests": [rule_test(alert, *case) for alert, case in CASES.items()]}))
    done = subprocess.run(["promtool", "test", "rules", tests], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
