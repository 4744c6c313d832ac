"""SIGHUP: what is watched, who is alerted and which chores run changes without a restart."""

import pytest

import cluster as clusters


@pytest.fixture
def three(cluster):
    made = [cluster.new_database(f"reload_{n}") for n in range(3)]
    yield made
    for database in made:
        database.drop()


def states(serve):
    return {d["name"]: d["state"] for d in serve.get("/api/v1/databases", "viewer").data["databases"]}


def shown(serve, name):
    return next(d for d in serve.get("/api/v1/databases", "viewer").data["databases"] if d["name"] == name)


def series_targets(serve):
    lines = serve.get("/metrics", "viewer").body.decode().splitlines()
    return {line.split('target="')[1].split('"')[0] for line in lines if line.startswith("pg_up{")}


def change(serve, **sections):
    serve.sections = sections
    serve.write_config()
    serve.reload()


def test_targets_come_and_go(make_serve, three):
    first, second, third = three
    serve = make_serve({"watch": {"stays": first.conninfo, "goes": second.conninfo}, "serve": {"watch_interval": 1}})
    serve.wait_for(lambda: states(serve) == {"stays": "up", "goes": "up"})
    looks = shown(serve, "stays")["looks"]

    change(serve, watch={"stays": first.conninfo, "comes": third.conninfo})
    serve.wait_for(lambda: states(serve) == {"stays": "up", "comes": "up"})
    assert serve.get("/api/v1/databases/goes/summary", "viewer").status == 404
    assert shown(serve, "stays")["looks"] >= looks, "it began anew"
    serve.wait_for(lambda: series_targets(serve) == {"stays", "comes"})
    assert serve.post("/api/v1/databases/comes/plans/check", "operator").status == 202
    assert serve.post("/api/v1/databases/goes/plans/check", "operator").status == 404
    log = serve.log(1000)
    assert "goes is no longer watched" in log and "comes is watched now" in log and "needs a restart" not in log

    # the same name for another database: another target, of which nothing is known from before
    assert serve.get("/api/v1/databases/comes/findings", "viewer").data["database"] == third.name
    change(serve, watch={"stays": first.conninfo, "comes": second.conninfo})
    serve.wait_for(lambda: "comes is watched by another connection string" in serve.log(1000))
    serve.wait_for(lambda: states(serve) == {"stays": "up", "comes": "up"})
    assert shown(serve, "comes")["database"] == second.name
    assert serve.get("/api/v1/databases/comes/findings", "viewer").data["database"] == second.name

    # all of it again, many times, while others ask
    for n in range(10):
        change(serve, watch={"stays": first.conninfo, f"turn{n}": third.conninfo})
        serve.get("/metrics", "viewer")
        serve.get(f"/api/v1/databases/turn{n - 1}/growth", "viewer")
    serve.wait_for(lambda: states(serve) == {"stays": "up", "turn9": "up"})

    # an error in the file: nothing of it counts
    serve.config.write_text(f"[watch]\nstays = {first.conninfo}\n[alerts]\nnonsense = 1\n")
    serve.reload()
    serve.wait_for(lambda: "the configuration is not reloaded" in serve.log(1000))
    assert states(serve) == {"stays": "up", "turn9": "up"}


def test_alerts_and_chores_change(make_serve, three):
    shop = three[0]
    watch = {"shop": shop.conninfo}
    serve = make_serve({"watch": watch, "serve": {"watch_interval": 1}})

    def alerts():
        return serve.get("/api/v1/alerts", "viewer").data

    def firing():
        return [a for a in alerts()["alerts"] if a["rule"] == "idle_in_transaction" and a["state"] == "firing"]

    def waiting():
        return [r["waiting"] > 0 for r in alerts()["receivers"]]

    def chores():
        return {c["name"]: c for c in serve.get("/api/v1/chores", "viewer").data["chores"]}

    assert alerts()["receivers"] == [] and chores() == {}
    nobody = f"http://127.0.0.1:{clusters.free_port()}/hook"
    rules = {"webhook": nobody, "idle_in_transaction.threshold": "1s", "send_from": "info"}
    with shop.connect(autocommit=False) as holder:
        holder.execute("SELECT 1")
        change(serve, watch=watch, alerts=rules, chores={"analyze": "every 1s"})
        serve.wait_for(firing)
        serve.wait_for(lambda: waiting() == [True])
        serve.wait_for(lambda: chores().get("analyze", {}).get("last"))
        # the rule is switched off: what it had firing is over; what waits for the receiver waits on
        change(serve, watch=watch, alerts={**rules, "idle_in_transaction": "off"}, chores={"report": "weekly mon 07:00"})
        serve.wait_for(lambda: not firing())
        serve.wait_for(lambda: set(chores()) == {"report"})
        assert waiting() == [True]
        # no receiver, no chore, and the rule again
        change(serve, watch=watch, alerts={"idle_in_transaction.threshold": "1s"})
        serve.wait_for(lambda: alerts()["receivers"] == [])
        serve.wait_for(lambda: chores() == {})
        serve.wait_for(firing)
        assert "needs a restart" not in serve.log(1000)
