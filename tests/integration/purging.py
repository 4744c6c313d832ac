"""Random schemas of foreign keys, twice: what a DELETE does in one must be what a purge does in the other.

    python3 tests/integration/purging.py CONNINFO CASES [SEED]     (PGMEND_BINARY: the program)
"""

import collections
import os
import random
import subprocess
import sys

import psycopg

ACTIONS = ["CASCADE"] * 6 + ["SET NULL"] * 2 + ["SET DEFAULT", "RESTRICT", "NO ACTION"]
UGLY = ['Up "per"', "two words", "naïve", "select"]


def quote(name):
    return '"' + name.replace('"', '""') + '"'


class Table:
    def __init__(self, number, rng):
        self.name = quote(rng.choice(UGLY) + str(number)) if rng.random() < 0.15 else f"t{number}"
        self.pair = rng.random() < 0.25  # a primary key of two columns
        self.code = rng.random() < 0.4   # and another unique key
        self.partitioned = rng.random() < 0.15 and not self.code
        self.rows = rng.randint(0, 14)
        self.audited = rng.random() < 0.3
        self.type = rng.choice(["int"] * 4 + ["bigint", "smallint", "numeric"])  # of its primary key
        self.code_type = rng.choice(["int", "int", 'text COLLATE "C"', "varchar(20)"])
        self.keys = []

    def primary(self):
        return ["a", "b"] if self.pair else ["id"]


class Key:
    def __init__(self, number, child, parent, rng):
        self.parent = parent
        self.child = child
        self.target = ["code"] if parent.code and rng.random() < 0.5 else parent.primary()
        self.columns = [f"f{number}_{i}" for i in range(len(self.target))]
        # Another type than the parent's, where there can be such a foreign key.
        type_ = parent.code_type if self.target == ["code"] else parent.type
        others = {"int": ["bigint", "smallint"], "bigint": ["int"], "smallint": ["bigint"], "numeric": ["int"],
                  "varchar(20)": ["text"], 'text COLLATE "C"': ["varchar(9)"]}[type_]
        self.type = rng.choice(others) if rng.random() < 0.4 else type_
        self.action = rng.choice(ACTIONS)
        self.default = rng.randint(1, 3) if self.action == "SET DEFAULT" and rng.random() < 0.7 else None
        self.required = rng.random() < 0.15 and child is not parent
        self.deferrable = rng.choice(["", "", "", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED"])
        self.indexed = rng.random() < 0.7


class Case:
    """A schema, made by statements that are the same for every name of the schema."""

    def __init__(self, seed):
        rng = random.Random(seed)
        self.tables = [Table(i, rng) for i in range(rng.randint(1, 5))]
        count = rng.randint(1, 6)
        for number in range(count):
            child = rng.choice(self.tables)
            # Mostly trees; cycles and self-references now and then.
            others = self.tables[:self.tables.index(child)] if rng.random() < 0.75 else self.tables
            parent = rng.choice(others or self.tables)
            child.keys.append(Key(number, child, parent, rng))
        self.root = rng.choice(self.tables[:2])
        self.where = rng.choice([
            "true", "false", f"{self.root.primary()[0]} <= {rng.randint(1, 9)}",
            f"{self.root.primary()[0]} % {rng.randint(2, 4)} = {rng.randint(0, 1)} -- by number",
            f"{self.root.name}.{self.root.primary()[-1]} IN (SELECT g FROM generate_series(1, {rng.randint(1, 9)}) g)"])
        self.options = ["--build-index"] if rng.random() < 0.2 else []
        self.options += ["--skip-ri"] if rng.random() < 0.25 else []
        self.statements = list(self.make(rng))

    def make(self, rng):
        yield "CREATE TABLE log (what text, row text)"
        yield """CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
                 EXECUTE format('INSERT INTO %I.log VALUES ($1, $2)', TG_TABLE_SCHEMA)
                   USING TG_OP || ' ' || TG_TABLE_NAME, OLD::text; RETURN NULL; END$$"""
        for table in self.tables:
            columns = [f"{c} {table.type} NOT NULL" for c in table.primary()]
            columns += [f"code {table.code_type} UNIQUE"] if table.code else []
            for key in table.keys:
                columns += [f"{c} {key.type}" + (f" DEFAULT {key.default}" if key.default else "") for c in key.columns]
            columns.append(f"PRIMARY KEY ({', '.join(table.primary())})")
            by = f" PARTITION BY HASH ({table.primary()[0]})" if table.partitioned else ""
            yield f"CREATE TABLE {table.name} ({', '.join(columns)}){by}"
            for part in range(2 * table.partitioned):
                yield (f"CREATE TABLE {quote(table.name.strip(chr(34)).replace(chr(34) * 2, '') + f'_p{part}')} "
                       f"PARTITION OF {table.name} FOR VALUES WITH (MODULUS 2, REMAINDER {part})")
            for i in range(table.rows):
                values = [i // 3 + 1, i % 3 + 1] if table.pair else [i + 1]
                values += [f"'{i + 1}'" if rng.random() < 0.8 else "NULL"] if table.code else []
                values += ["NULL" for key in table.keys for _ in key.columns]
                yield f"INSERT INTO {table.name} VALUES ({', '.join(map(str, values))})"
        for table in self.tables:
            for key in table.keys:
                for i in range(table.rows):
                    if not key.parent.rows or (rng.random() < 0.25 and not key.required):
                        continue
                    # A row that may not be there gives NULL: the subquery finds it or not.
                    n = rng.randint(0, key.parent.rows - 1)
                    at = ["code"] if key.target == ["code"] else key.target
                    picked = {"code": n + 1, "id": n + 1, "a": n // 3 + 1, "b": n % 3 + 1}
                    where = " AND ".join(f"{c} = '{picked[c]}'" for c in at)
                    own = ([i // 3 + 1, i % 3 + 1] if table.pair else [i + 1])
                    mine = " AND ".join(f"x.{c} = {v}" for c, v in zip(table.primary(), own))
                    yield (f"UPDATE {table.name} x SET ({', '.join(key.columns)}) = (SELECT {', '.join(at)} FROM "
                           f"{key.parent.name} y WHERE {where}) WHERE {mine}")
                columns = ", ".join(key.columns)
                yield (f"ALTER TABLE {table.name} ADD FOREIGN KEY ({columns}) REFERENCES {key.parent.name} "
                       f"({', '.join(key.target)}) ON DELETE {key.action}{key.deferrable}")
                if key.indexed:
                    yield f"CREATE INDEX ON {table.name} ({columns})"
                if key.required:
                    yield f"DELETE FROM {table.name} WHERE {key.columns[0]} IS NULL"
                    for column in key.columns:
                        yield f"ALTER TABLE {table.name} ALTER {column} SET NOT NULL"
        for table in self.tables:
            if table.audited:
                yield (f"CREATE TRIGGER audit AFTER DELETE OR UPDATE ON {table.name} FOR EACH ROW "
                       f"EXECUTE FUNCTION note()")

    def build(self, conn, schema):
        """False where the schema itself cannot be (a required key without rows, for one)."""
        try:
            with conn.transaction():
                conn.execute(f"CREATE SCHEMA {schema}")
                conn.execute(f"SET LOCAL search_path = {schema}")
                for statement in self.statements:
                    conn.execute(statement)
            return True
        except psycopg.errors.Error:
            return False

    def content(self, conn, schema):
        found = {}
        for name in [table.name for table in self.tables] + ["log"]:
            found[name] = collections.Counter(conn.execute(f"SELECT x::text FROM {schema}.{name} x").fetchall())
        return found


class Difference(Exception):
    pass


def purge(binary, conninfo, case, schema, *options):
    env = {**os.environ, "PGOPTIONS": f"-c search_path={schema}"}
    return subprocess.run([binary, "purge", f"{schema}.{case.root.name}", "--where", case.where, "--apply", "--yes",
                           *options, conninfo], capture_output=True, text=True, env=env, timeout=120, check=False)


def run_case(conn, binary, conninfo, seed):
    """What happened: "same", "both refuse", "only batches refuse", or "no case"; raises Difference."""
    case = Case(seed)
    conn.execute("DROP SCHEMA IF EXISTS plain CASCADE; DROP SCHEMA IF EXISTS purged CASCADE")
    if not case.build(conn, "plain") or not case.build(conn, "purged"):
        return "no case"
    before = case.content(conn, "purged")
    try:
        with conn.transaction():
            conn.execute("SET LOCAL search_path = plain")
            conn.execute(f"DELETE FROM {case.root.name} WHERE ({case.where}\n)")
        error = None
    except psycopg.errors.Error as problem:
        error = problem
    expected = case.content(conn, "plain")
    done = purge(binary, conninfo, case, "purged", *case.options)
    told = f"seed {seed}: where {case.where} of {case.root.name} {case.options}\nDELETE: {error or 'ok'}\n" \
           f"purge: exit code {done.returncode}\n{done.stdout}{done.stderr}"
    got = case.content(conn, "purged")
    left = conn.execute("SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
                        "WHERE nspname = 'pgmend' AND relname LIKE 'purge%'").fetchone()[0]
    if left:
        raise Difference(f"something is left in schema pgmend: {told}")
    if done.returncode not in (0, 4):
        raise Difference(told)
    if done.returncode == 0:
        if error or got != expected:
            raise Difference(f"{told}\nbefore:   {before}\nexpected: {expected}\ngot:      {got}")
        return "same"
    if got != before:
        raise Difference(f"refused, but changed something: {told}\nbefore: {before}\ngot: {got}")
    atomic = purge(binary, conninfo, case, "purged", "--atomic")
    if (atomic.returncode == 0) != (error is None) or case.content(conn, "purged") != expected:
        raise Difference(f"--atomic: {told}{atomic.stdout}{atomic.stderr}")
    return "both refuse" if error else "only batches refuse"


def main():
    conninfo, cases = sys.argv[1], int(sys.argv[2])
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    binary = os.environ["PGMEND_BINARY"]
    counts = collections.Counter()
    bad = 0
    with psycopg.connect(conninfo, autocommit=True) as conn:
        for seed in range(first, first + cases):
            try:
                counts[run_case(conn, binary, conninfo, seed)] += 1
            except Difference as difference:
                bad += 1
                print(f"---- {difference}", flush=True)
    print(f"seeds {first} to {first + cases - 1}: {dict(counts)}, {bad} differ")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
