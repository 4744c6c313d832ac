"""pgmend demo: the whole main job on a server of its own, and nothing left behind however it ends."""

import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

import psycopg
import pytest

import cluster as clusters

SCALE = "--scale=0.02"
APPS = ("feature_store", "activity_log", "health", "social", "annotation")
HEADLINES = 22
DEMO_TIMEOUT_S = 300
GONE_TIMEOUT_S = 120


@pytest.fixture
def place():
    """A folder for the demo's own, with a name that wants quoting, and that the server's user may enter."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pgmt demo-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def env(place):
    return {"TMPDIR": str(place), "PGMEND_PG_BIN": str(clusters.find_bin_dir())}


def processes_of(place):
    """Ids of the processes whose command line or working folder is below the place."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().decode(errors="replace")
            cwd = os.readlink(entry / "cwd")
        except OSError:
            continue
        if f"{place}/pgmend-demo" in line or cwd.startswith(f"{place}/pgmend-demo"):
            found.append(int(entry.name))
    return found


def name_of(pid):
    """The process's name; None where it has ended meanwhile, as the server's helpers do."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return None


def assert_nothing_left(place):
    deadline = time.monotonic() + GONE_TIMEOUT_S
    while (list(place.iterdir()) or processes_of(place)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert list(place.iterdir()) == []
    assert processes_of(place) == []


def final_table(text):
    """The rows of the last table: (application, line)."""
    lines = text[text.rindex("plan node before"):].splitlines()[1:]
    rows = []
    for line in lines:
        app = line.split(" ", 1)[0]
        if app not in APPS:
            break
        rows.append((app, line))
    return rows


@pytest.fixture
def whole(cluster):
    """For tests that run the main job: it needs these on the server."""
    for name in ("hypopg", "pg_stat_statements"):
        if not cluster.has_extension(name):
            pytest.skip(f"no extension {name} for PostgreSQL {cluster.major}")


def test_runs_to_its_end(pgmend, whole, place, env):
    # Below this scale most tables have less than 1 MB, and advise leaves those alone.
    done = pgmend("demo", "--scale=0.05", env=env, timeout=DEMO_TIMEOUT_S)
    assert done.rc == 0, done
    commands = re.findall(r"^\$ pgmend (\S+)(?: --(\S+))?", done.out, re.M)
    assert [c for c, _ in commands] == ["check", "advise", "apply", "apply", "verify", "history",
                                          "partition", "apply", "partition", "apply", "purge", "purge"]
    rows = final_table(done.out)
    assert len(rows) == HEADLINES
    assert {app for app, _ in rows} == set(APPS)
    for _, line in rows:
        assert re.search(r"\d[\d.,]* ?x  ", line), line
    faster = re.search(rf"(\d+) of {HEADLINES} headline queries got faster; the median ratio is", done.out)
    assert faster and int(faster.group(1)) >= HEADLINES * 3 // 4, done
    assert "0 statements failed,\n0 rows and 0 updates are missing" in done.out
    assert re.search(r"A query of the last 30 days now reads \d+ partition", done.out)
    assert re.search(r"With the job went \d[\d,]* features and \d[\d,]* activations", done.out)
    assert "Total time: " in done.out
    assert done.err == ""
    assert_nothing_left(place)


def test_keep_leaves_it_up_and_says_how_to_stop_it(pgmend, whole, place, env):
    done = pgmend("demo", SCALE, "--keep", env=env, timeout=DEMO_TIMEOUT_S)
    assert done.rc == 0, done
    ending = done.out[done.out.index("The server stays up"):]
    psql, _, stop, remove = (line.strip() for line in ending.splitlines() if line.startswith("  "))
    try:
        shown = subprocess.run(["sh", "-c", psql + " -XAtc 'SELECT count(*) FROM social.users'"],
                               capture_output=True, text=True, env=clusters.clean_env(), check=True)
        assert int(shown.stdout) == 8000
        # What was measured was rolled back.
        shown = subprocess.run(["sh", "-c", psql + " -XAtc 'SELECT count(*) FROM feature_store.features"
                                " WHERE training_job_id = 1'"],
                               capture_output=True, text=True, env=clusters.clean_env(), check=True)
        assert int(shown.stdout) > 0
        # No guard, no demo: the server alone is left.
        assert {name_of(pid) for pid in processes_of(place)} - {None} == {"postgres"}
    finally:
        subprocess.run(["sh", "-c", stop], capture_output=True, env=clusters.clean_env(), check=True, cwd="/")
        subprocess.run(["sh", "-c", remove], check=True)
    assert_nothing_left(place)


def wait_for(child, text):
    """Reads the demo's output up to a line that has the text; None where it ended before."""
    for line in child.stdout:
        if text in line:
            return line
    return None


def start(pgmend, env, *more):
    return pgmend.popen("demo", "--scale=0.1", *more, env=env, start_new_session=True)


@pytest.mark.parametrize("phase, more", [
    ("1. ", []), ("2. ", []), ("2. ", ["--keep"]), ("3. ", []), ("4. ", []), ("$ pgmend advise", []),
    ("$ pgmend apply --verify", []), ("$ pgmend apply --verify", ["--keep"]), ("11. ", [])])
def test_ctrl_c_leaves_nothing(pgmend, place, env, phase, more, request):
    if phase.startswith(("$", "11")):
        request.getfixturevalue("whole")
    child = start(pgmend, env, *more)
    assert wait_for(child, phase)
    time.sleep(0.15)
    # As a terminal does: everybody in the foreground gets it.
    os.killpg(child.pid, signal.SIGINT)
    _, errors = child.communicate(timeout=GONE_TIMEOUT_S)
    assert child.returncode == 4, errors
    assert "stopped by the user" in errors
    assert list(place.iterdir()) == []
    assert_nothing_left(place)


@pytest.mark.parametrize("phase, more", [
    ("1. ", []), ("1. ", ["--keep"]), ("2. ", []), ("2. ", ["--keep"]), ("$ pgmend check", [])])
def test_kill_leaves_nothing(pgmend, place, env, phase, more):
    child = start(pgmend, env, *more)
    assert wait_for(child, phase)
    time.sleep(0.3)
    child.kill()
    child.communicate(timeout=GONE_TIMEOUT_S)
    assert_nothing_left(place)


def test_a_closed_pipe_leaves_nothing(pgmend, place, env):
    child = start(pgmend, env)
    assert wait_for(child, "1. ")
    child.stdout.close()
    child.stdout = None
    child.communicate(timeout=DEMO_TIMEOUT_S)
    assert child.returncode != 0
    assert_nothing_left(place)


def test_surroundings_do_not_lead_it_astray(pgmend, place, env):
    """Ours for libpq, another umask, no HOME: it still finds its own server."""
    astray = {"PGHOST": "/nowhere", "PGPORT": "1", "PGUSER": "nobody", "PGOPTIONS": "-c nonsense=1",
              "PGSERVICE": "none", "HOME": "/nowhere", "LC_ALL": "xx_XX.UTF-8", "PGDATA": "/nowhere"}
    child = pgmend.popen("demo", "--scale=0.001", env={**env, **astray})
    assert wait_for(child, "$ pgmend check")
    child.terminate()
    child.communicate(timeout=GONE_TIMEOUT_S)
    assert_nothing_left(place)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_as_an_ordinary_user(pgmend, place, env):
    nobody = pwd.getpwnam("nobody")
    binary = place / "pgmend"
    shutil.copy(pgmend.binary, binary)
    parent = place / "theirs"
    parent.mkdir()
    os.chown(parent, nobody.pw_uid, nobody.pw_gid)
    child = subprocess.Popen([binary, "demo", "--scale=0.001", f"--dir={parent}"], text=True, cwd="/",
                             env=pgmend.env(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[])
    pgmend.started.append(child)
    line = wait_for(child, "PostgreSQL ")
    assert line and "as user" not in line
    assert wait_for(child, "$ pgmend check")
    child.terminate()
    child.communicate(timeout=GONE_TIMEOUT_S)
    assert_nothing_left(parent)


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's server can enter what the user can")
def test_a_tmpdir_of_roots_own_is_passed_over(pgmend, place, env):
    place.chmod(0o700)
    done = pgmend("demo", SCALE, f"--dir={place}", env=env)
    assert done.rc == 2 and "may not enter" in done.err
    child = pgmend.popen("demo", SCALE, env=env)
    line = wait_for(child, "PostgreSQL ")
    assert line and re.search(r" in /tmp/pgmend-demo-\w+", line)
    child.terminate()
    child.communicate(timeout=GONE_TIMEOUT_S)
    assert not pathlib.Path(re.search(r"/tmp/pgmend-demo-\w+", line).group()).exists()


@pytest.mark.parametrize("args, rc, message", [
    (["--scale=0"], 2, "--scale is a number from 0.001 to 100"),
    (["--scale=nan"], 2, "--scale is a number"),
    (["--scale=1x"], 2, "--scale is a number"),
    (["--dir=/nowhere"], 2, "no server can live in /nowhere: No such file or directory"),
    (["--dir=/dev/null"], 2, "it is not a folder"),
    (["--dir="], 2, "No such file or directory"),
    (["more"], 2, "one argument too many"),
    (["--scale=100"], None, "at scale 100 the demo needs about"),
])
def test_what_makes_no_sense_is_refused(pgmend, place, env, args, rc, message):
    if rc is None and shutil.disk_usage(place).free > 221e9:
        pytest.skip("there is room even for that")
    done = pgmend("demo", *args, env=env)
    assert done.rc == (rc or 4) and message in done.err, done
    assert_nothing_left(place)


def test_a_folder_with_too_long_a_path(pgmend, place, env):
    long = place / ("d" * 80)
    long.mkdir()
    done = pgmend("demo", f"--dir={long}", env=env)
    assert done.rc == 2 and "too long" in done.err


def test_no_server_programs(pgmend, place, env):
    done = pgmend("demo", env={**env, "PGMEND_PG_BIN": str(place)})
    assert done.rc == 4 and "there is no initdb" in done.err and "PGMEND_PG_BIN" in done.err
    assert_nothing_left(place)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hide what is installed")
def test_a_machine_without_postgresql(pgmend, place, env):
    hidden = [p for p in ("/usr/lib/postgresql", "/usr/local/pgsql", "/usr/libexec") if os.path.isdir(p)]
    script = "".join(f"mount -t tmpfs none {p} && " for p in hidden) + 'exec "$0" demo'
    try:
        done = subprocess.run(["unshare", "-m", "sh", "-c", script, pgmend.binary], text=True,
                              capture_output=True, timeout=60, check=False,
                              env=pgmend.env({"TMPDIR": str(place), "PATH": "/usr/bin:/bin"}))
    except FileNotFoundError:
        pytest.skip("no unshare")
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip("mounting is not allowed here")
    assert done.returncode == 4, done
    assert "server programs are not installed" in done.stderr
    assert "apt-get install postgresql" in done.stderr


def test_a_server_that_does_not_start_shows_its_log(pgmend, place, env):
    """Programs that are there and yet fail: what they said must reach the user."""
    fake = place / "bin"
    fake.mkdir()
    real = clusters.find_bin_dir()
    for name in ("initdb", "postgres"):
        (fake / name).write_text(f'#!/bin/sh\necho "no {name} today"\nexit 1\n')
        (fake / name).chmod(0o755)
    done = pgmend("demo", env={**env, "PGMEND_PG_BIN": str(fake)})
    assert done.rc == 4 and "no initdb today" in done.err
    (fake / "initdb").write_text(f'#!/bin/sh\nexec "{real}/initdb" "$@"\n')
    done = pgmend("demo", env={**env, "PGMEND_PG_BIN": str(fake)})
    assert done.rc == 4 and "no postgres today" in done.err
    shutil.rmtree(fake)
    assert_nothing_left(place)


def test_two_demos_at_once(pgmend, place, env):
    children = [pgmend.popen("demo", "--scale=0.001", env=env) for _ in range(2)]
    for child in children:
        assert wait_for(child, "$ pgmend check")
    for child in children:
        child.terminate()
        child.communicate(timeout=GONE_TIMEOUT_S)
    assert_nothing_left(place)


def test_help_names_its_options(pgmend):
    shown = pgmend("demo", "--help")
    assert shown.rc == 0 and all(word in shown.out for word in ("--scale", "--keep", "--dir"))


def test_the_kept_server_is_reached_only_through_its_folder(pgmend, whole, place, env):
    done = pgmend("demo", "--scale=0.001", "--keep", env=env, timeout=DEMO_TIMEOUT_S)
    assert done.rc == 0, done
    data = next(place.glob("pgmend-demo-*/data"))
    try:
        assert data.stat().st_mode & 0o077 == 0
        with psycopg.connect(host=str(data), port=5432, user="postgres", dbname="demo") as conn:
            assert conn.execute("SHOW listen_addresses").fetchone() == ("",)
    finally:
        pid = int((data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        while clusters.process_start(pid):
            time.sleep(0.05)


def asked(link, path):
    """What the API answers to the one who holds the link."""
    base, token = link.split("/#token=")
    request = urllib.request.Request(base + path, headers={"Authorization": "Bearer " + token})
    with urllib.request.urlopen(request, timeout=GONE_TIMEOUT_S) as reply:
        return json.load(reply)["data"]


def test_serve_shows_the_applications_at_work_and_leaves_nothing(pgmend, place, env):
    child = pgmend.popen("demo", SCALE, "--serve", env={**env, "PGHOST": "/nowhere"}, start_new_session=True)
    line = wait_for(child, "#token=")
    assert line, child.communicate(timeout=GONE_TIMEOUT_S)
    link = re.search(r"http://127\.0\.0\.1:\d+/#token=\S+", line).group()
    assert asked(link, "/api/v1/whoami")["role"] == "admin"
    folder = next(place.glob("pgmend-demo-*"))
    assert (folder / "data").exists()
    with psycopg.connect(host=str(folder / "data"), port=5432, user="postgres", dbname="demo") as conn:
        conn.autocommit = True
        deadline = time.monotonic() + DEMO_TIMEOUT_S
        seen = set()
        while not set(APPS) <= seen:
            assert time.monotonic() < deadline, seen
            seen |= {name for name, in conn.execute("SELECT application_name FROM pg_stat_activity") if name}
            time.sleep(0.1)
    os.killpg(child.pid, signal.SIGINT)
    _, errors = child.communicate(timeout=GONE_TIMEOUT_S * 2)
    assert (child.returncode, errors) == (0, "")
    assert_nothing_left(place)


def test_serve_wants_a_port_that_is_free(pgmend, place, env):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = pgmend("demo", "--scale=0.001", f"--serve={taken.getsockname()[1]}", env=env, timeout=DEMO_TIMEOUT_S)
    assert done.rc == 4 and "is not free" in done.err
    done = pgmend("demo", "--serve=x", env=env)
    assert done.rc == 2 and "--serve" in done.err
    assert_nothing_left(place)
