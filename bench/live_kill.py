"""SIGKILL at random moments of conversions and purges, while the application goes on: the same command (or a
rollback) must end each complete or undone, with every row as the application's ledger says."""

import dataclasses
import os
import pathlib
import random
import re
import signal
import subprocess
import tempfile
import time

import live_measure
import living
from cluster import clean_env, process_start

AFTER_S = 0.5
RESUMES_MAX = 5
KINDS = ("adopt", "split", "shadow", "purge")


@dataclasses.dataclass
class Round:
    kind: str
    killed: str  # pgmend, server, or nothing
    at_s: float
    missed: bool
    way: str  # how it was ended: apply, rollback
    end: str  # complete, undone, or what is wrong
    resumes: int
    verdict: living.Verdict
    seconds: float = 0

    @property
    def good(self):
        return self.end in ("complete", "undone") and self.verdict.clean


def schema_of(cluster, name):
    """The schema as SQL, without the ledger of pgmend and without what differs from run to run."""
    done = subprocess.run([cluster.bin_dir / "pg_dump", "-s", "-N", "pgmend", "-d", cluster.conninfo(name)],
                          capture_output=True, text=True, check=True, env=clean_env())
    lines = [line for line in done.stdout.splitlines() if not re.match(r"(--|\\(un)?restrict|\s*$)", line)]
    return "\n".join(lines)


class Killer:
    def __init__(self, program, load_program, cluster, template, shape, options):
        self.program, self.load_program, self.cluster = program, load_program, cluster
        self.template, self.shape, self.options = template, shape, options
        self.random = random.Random(options.seed)
        self.took = {}  # undisturbed seconds of each kind
        self.complete = {}  # schema after an undisturbed run
        self.before = schema_of(cluster, template)
        self.number = 0

    def commands(self, db, kind, folder):
        """What carries it out, in parts that can each be killed; a Plan is designed first."""
        if kind == "purge":
            yield [*live_measure.PURGE, "--yes", db.conninfo]
            return
        for arguments in live_measure.METHODS[kind]:
            plan = live_measure.design(self.program, db, arguments, folder)
            yield ["apply", "--yes", plan, db.conninfo]

    def start(self, command):
        return subprocess.Popen([str(self.program), *map(str, command)], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                env=clean_env(HOME="/nonexistent"))

    def kill_server(self):
        """The postmaster and all its children, at once, as when the machine's power goes (but for the disk)."""
        postmaster = self.cluster.process.pid
        children = subprocess.run(["pgrep", "-P", str(postmaster)], capture_output=True, text=True,
                                  check=False).stdout.split()
        os.kill(postmaster, signal.SIGKILL)
        for child in children:
            try:
                os.kill(int(child), signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.cluster.process.wait()
        while any(process_start(int(child)) for child in children):
            time.sleep(0.01)
        self.cluster.process = None
        self.cluster.start()

    def finish(self, command, way):
        """The same command, or a rollback, again and again until it says that it is done."""
        if way == "rollback":
            command = ["rollback", "--yes", command[-1]]
        for resumes in range(1, RESUMES_MAX + 1):
            done = live_measure.run(self.program, *command, check=False)
            if done.returncode == 0:
                return resumes, ""
        return RESUMES_MAX, f"{way}: exit code {done.returncode}: {(done.stdout + done.stderr)[-600:]}"

    def look(self, db, kind):
        """complete or undone, by the schema; or what is neither."""
        schema = schema_of(self.cluster, db.name)
        if kind == "purge":
            left = db.scalar(f"SELECT count(*) FROM activity_logs WHERE {living.PURGED}")
            left += db.scalar("SELECT count(*) FROM users WHERE id % 20 = 7")
            return "complete" if left == 0 and schema == self.before else f"{left} rows left to purge"
        if schema == self.before:
            return "undone"
        known = self.complete.setdefault(kind, schema)
        return "complete" if schema == known else "a schema that is neither as before nor as after"

    def round(self, kind, victim):
        self.number += 1
        name = f"kill_{self.number}"
        began = time.time()
        with self.cluster.connect(options="-c statement_timeout=0") as conn:
            conn.execute(f'CREATE DATABASE "{name}" TEMPLATE "{self.template}"')
        db = living.Database(self.cluster, name)
        with tempfile.TemporaryDirectory(prefix="pgmend-live-") as folder:
            load = living.Load(self.load_program, db, self.shape, f"{folder}/load", rate=self.options.kill_rate,
                               writers=4, readers=1, long_readers=1, long_ms=500, sample_us=0,
                               seed=self.options.seed + self.number)
            try:
                result = self.disturb(db, kind, victim, pathlib.Path(folder))
                time.sleep(AFTER_S)
                load.stop()
            finally:
                load.close()
            purged = kind == "purge" and result.end == "complete"
            result.verdict = living.judge(db, load, purged=purged)
            if not result.verdict.clean:
                print_history(db, load, result.verdict)
        result.seconds = time.time() - began
        if result.good:
            db.drop()
        return result

    def disturb(self, db, kind, victim, folder):
        way, end, at, missed, resumes = "apply", "", 0.0, True, 0
        began = time.time()
        for number, command in enumerate(self.commands(db, kind, folder)):
            part = (kind, number)
            child = self.start(command)
            started = time.time()
            if victim != "nothing" and missed:
                at = self.random.uniform(0, self.took[part])
                time.sleep(at)
                # With several parts, one of them is hit; the last where the others were let be.
                last = number + 1 == len(live_measure.METHODS.get(kind, [0]))
                if (last or self.random.random() < 0.4) and child.poll() is None:
                    missed = False
                    if victim == "server":
                        self.kill_server()
                    else:
                        child.kill()
            output = child.communicate()[0]
            if victim == "nothing":
                self.took[part] = time.time() - started
                if child.returncode != 0:
                    end = output[-600:]
                    break
                if part == ("split", 0):
                    self.complete.setdefault("adopt", schema_of(self.cluster, db.name))
            elif child.returncode != 0:
                way = "rollback" if kind != "purge" and self.random.random() < 0.34 else "apply"
                resumes, end = self.finish(command, way)
                if end or way == "rollback":
                    break
        end = end or self.look(db, kind) if way == "apply" else end or self.look_undone(db, kind)
        return Round(kind, victim, at if not missed else time.time() - began, missed, way, end, resumes, None)

    def look_undone(self, db, kind):
        """A rollback takes back the last Plan: of a split, the adoption stays."""
        schema = schema_of(self.cluster, db.name)
        if schema == self.before or (kind == "split" and schema == self.complete.get("adopt")):
            return "undone"
        return "a schema that is neither as before nor as after"


def print_history(db, load, verdict):
    """What the application did with the rows that are not as they must be, and where they are."""
    for verdict_name, tokens in verdict.examples.items():
        for token in tokens:
            for row in load.history(token):
                print(f"  {verdict_name} {token}: {row}")
            tables = db.query("SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND oid IN (SELECT attrelid "
                              "FROM pg_attribute WHERE attname = 'entity_id')")
            for (table,) in tables:
                for row in db.query(f"SELECT ctid::text, xmin::text, * FROM ONLY {table} WHERE entity_id = %s", [token]):
                    print(f"  {verdict_name} {token}: in {table}: {row}")


def run(killer, kinds, kills, server_kills):
    """Each kind once undisturbed, then the kills in turns; returns all rounds."""
    rounds = []
    for kind in kinds:
        rounds.append(killer.round(kind, "nothing"))
        print_round(rounds[-1])
        if not rounds[-1].good:
            return rounds
    for victim, wanted in (("pgmend", kills), ("server", server_kills)):
        hits = tries = 0
        while hits < wanted and tries < wanted * 3:
            rounds.append(killer.round(kinds[tries % len(kinds)], victim))
            tries += 1
            hits += not rounds[-1].missed
            print_round(rounds[-1])
    return rounds


def print_round(one):
    verdict = one.verdict
    print(f"{one.kind:7} kill of {one.killed:8}"
          f"{'missed' if one.missed and one.killed != 'nothing' else f'at {one.at_s:5.2f} s'}, then {one.way}"
          f" ({one.resumes}): {one.end}; same {verdict.same}, open {verdict.open}, lost {verdict.lost}, "
          f"ghost {verdict.ghost}, wrong {verdict.wrong}, twice {verdict.twice}; {one.seconds:.1f} s"
          f"{'' if one.good else '   <-- WRONG'}", flush=True)


def summarize(rounds):
    for victim in ("pgmend", "server"):
        hits = [r for r in rounds if r.killed == victim and not r.missed]
        ends = {end: sum(r.end == end for r in hits) for end in ("complete", "undone")}
        print(f"{len(hits)} SIGKILLs of {victim}: {ends['complete']} complete, {ends['undone']} undone, "
              f"{len(hits) - sum(ends.values())} neither; {sum(r.verdict.lost for r in hits)} rows lost, "
              f"{sum(r.verdict.ghost for r in hits)} ghosts, "
              f"{sum(r.verdict.wrong + r.verdict.twice for r in hits)} wrong")
    return all(r.good for r in rounds)
