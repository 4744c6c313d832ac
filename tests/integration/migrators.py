"""Migration tools that run what --emit wrote: each makes a project around a folder, goes up and down.

Tools are looked for in PATH and in the folder that "tools/setup emit" fills ($PGMEND_EMIT_TOOLS). A Migrator
whose tool is not there says so in missing().
"""

import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import urllib.parse

import psycopg

import cluster as clusters

TIMEOUT_S = 120
TOOLS = pathlib.Path(os.environ.get("PGMEND_EMIT_TOOLS") or
                     pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "pgmend/emit")


class Failed(Exception):
    """The tool ended with another code than 0, or the server refused what it sent."""


def program(name):
    return shutil.which(name, path=f"{TOOLS / 'node_modules/.bin'}:{TOOLS}:{os.environ['PATH']}")


class Migrator:
    """One project in its own folder. down() takes back everything that up() did."""

    name = ""
    after = ()
    tables = ()  # that the tool itself makes
    program = None

    def __init__(self, folder, db):
        self.home = folder
        self.db = db
        self.values = psycopg.conninfo.conninfo_to_dict(db.conninfo)
        self.out = folder / "migrations"

    @classmethod
    def missing(cls):
        return None if not cls.program or program(cls.program) else f"{cls.program} is not installed"

    def run(self, *args, **env):
        done = subprocess.run([str(a) for a in args], cwd=self.home, text=True, capture_output=True, check=False,
                              timeout=TIMEOUT_S, env=clusters.clean_env(**env), stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise Failed(f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout + done.stderr

    def write(self, name, text):
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def url(self, scheme, **query):
        return (f"{scheme}://{self.values['user']}@/{self.values['dbname']}?" +
                urllib.parse.urlencode({"port": self.values["port"], **query}))


class SqlFiles(Migrator):
    """No tool: what such a tool sends, a file as one query, in the order of the versions."""

    up_glob = "*.up.sql"
    down_glob = "*.down.sql"

    def send(self, path):
        try:
            with self.db.connect() as conn:
                conn.execute(path.read_text())
        except psycopg.Error as e:
            raise Failed(f"{path}: {e}") from e

    def up(self):
        for path in sorted(self.out.glob(self.up_glob)):
            self.send(path)

    def down(self):
        for path in sorted(self.out.glob(self.down_glob), reverse=True):
            self.send(path)


class GolangMigrateFiles(SqlFiles):
    name = "golang-migrate"


class FlywayFiles(SqlFiles):
    """As Flyway does: in a transaction, unless the script's settings say otherwise; statement by statement."""

    name = "flyway"
    up_glob = "V*.sql"
    down_glob = "U*.sql"

    def send(self, path):
        settings = path.with_name(path.name + ".conf")
        alone = settings.exists() and "executeInTransaction=false" in settings.read_text()
        done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.db.conninfo, "-f", path,
                               *([] if alone else ["-1"])], text=True, capture_output=True, check=False,
                              env=clusters.clean_env(), timeout=TIMEOUT_S)
        if done.returncode != 0:
            raise Failed(done.stderr)


class PrismaFiles(SqlFiles):
    """Prisma has no way down; the way back stands in a comment."""

    name = "prisma"
    up_glob = "*/migration.sql"

    def down(self):
        for path in sorted(self.out.glob(self.up_glob), reverse=True):
            back = path.read_text().partition("-- The way back, to be run by hand:\n")[2]
            text = "".join(line.removeprefix("--   ") + "\n" for line in back.split("\n"))
            self.send(self.write("down.sql", text))


class GolangMigrate(Migrator):
    name = "golang-migrate"
    program = "migrate"
    tables = ("schema_migrations",)

    def up(self, *what):
        self.run(program("migrate"), "-path", self.out, "-database",
                 self.url("postgres", host=self.values["host"], sslmode="disable"), *(what or ["up"]))

    def down(self):
        self.up("down", "-all")


class Dbmate(Migrator):
    name = "dbmate"
    program = "dbmate"
    tables = ("schema_migrations",)

    def dbmate(self, command):
        return self.run(program("dbmate"), "--url", self.url("postgres", socket=self.values["host"]),
                        "-d", self.out, "--no-dump-schema", command)

    def up(self):
        self.dbmate("up")

    def down(self):
        for _ in self.out.glob("*.sql"):
            self.dbmate("rollback")


class Flyway(Migrator):
    """Its driver knows no Unix sockets: these tests need a server that listens on TCP."""

    name = "flyway"
    program = "flyway"
    tables = ("flyway_schema_history",)
    tcp = True

    def up(self):
        # Flyway's own lock is a transaction that CREATE INDEX CONCURRENTLY would wait for.
        self.run(program("flyway"), f"-url=jdbc:postgresql://127.0.0.1:{self.values['port']}/{self.values['dbname']}",
                 f"-user={self.values['user']}", f"-locations=filesystem:{self.out}",
                 "-baselineOnMigrate=true", "-baselineVersion=0", "-postgresql.transactional.lock=false", "migrate")

    def down(self):
        # "undo" is not in the free edition.
        FlywayFiles(self.home, self.db).down()


class Prisma(Migrator):
    """Its schema engine as WebAssembly, from the npm registry: the other one comes from a server of its own."""

    name = "prisma"
    program = "prisma"
    tables = ("_prisma_migrations",)

    def __init__(self, folder, db):
        super().__init__(folder, db)
        self.out = folder / "prisma/migrations"
        (folder / "node_modules").symlink_to(pathlib.Path(program("prisma")).resolve().parents[2])
        connection = {"database": self.values["dbname"], "host": self.values["host"],
                      "port": int(self.values["port"]), "user": self.values["user"]}
        self.write("prisma.config.ts", f"""import {{ PrismaPg }} from '@prisma/adapter-pg'
import {{ defineConfig }} from 'prisma/config'
import pg from 'pg'
// The adapter does not know the type "name", which the engine asks for: tell it that it is text.
const describe = pg.Query.prototype.handleRowDescription
pg.Query.prototype.handleRowDescription = function (message) {{
  for (const field of message.fields) if (field.dataTypeID === 19) field.dataTypeID = 25
  return describe.call(this, message)
}}
export default defineConfig({{
  experimental: {{ adapter: true }},
  engine: 'js',
  schema: './prisma/schema.prisma',
  async adapter() {{ return new PrismaPg({json.dumps(connection)}) }},
}})
""")
        self.write("prisma/schema.prisma",
                   'datasource db {\n provider = "postgresql"\n url = "postgresql://unused"\n}\n')
        self.write("prisma/migrations/0_init/migration.sql", "-- what is there already\n")

    @classmethod
    def missing(cls):
        engine = program("prisma") and \
            (pathlib.Path(program("prisma")).resolve().parents[2] / "@prisma/schema-engine-wasm").exists()
        return None if engine else "prisma, or its schema-engine-wasm, is not installed"

    def prisma(self, *args):
        # The engines that this version would else download, and does not use here.
        unused = str(self.write("unused.so", ""))
        self.run(program("prisma"), "migrate", *args, PRISMA_QUERY_ENGINE_LIBRARY=unused,
                 PRISMA_SCHEMA_ENGINE_BINARY=unused, CHECKPOINT_DISABLE="1")

    def up(self):
        self.prisma("resolve", "--applied", "0_init")
        self.prisma("deploy")

    def down(self):
        files = PrismaFiles(self.home, self.db)
        files.out = self.out
        files.down()


class Alembic(Migrator):
    name = "alembic"
    program = "alembic"
    tables = ("alembic_version",)

    def __init__(self, folder, db):
        super().__init__(folder, db)
        self.out = folder / "alembic/versions"
        url = self.url("postgresql+psycopg2", host=self.values["host"])
        self.write("alembic.ini", "[alembic]\nscript_location = alembic\n")
        self.write("alembic/env.py", f"""from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
if context.is_offline_mode():
    context.configure(url={url!r}, literal_binds=True, dialect_opts={{"paramstyle": "named"}})
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine({url!r}, poolclass=NullPool).connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
""")

    def up(self):
        self.run("alembic", "upgrade", "head")

    def down(self):
        self.run("alembic", "downgrade", "base")

    def offline(self):
        return self.run("alembic", "upgrade", "head", "--sql")


class Django(Migrator):
    name = "django"
    after = ("--after=shop.0041_notes",)
    tables = ("django_migrations",)

    def __init__(self, folder, db):
        super().__init__(folder, db)
        self.out = folder / "shop/migrations"
        self.write("shop/__init__.py", "")
        self.write("shop/migrations/__init__.py", "")
        self.write("shop/migrations/0041_notes.py", "from django.db import migrations\n\n\n"
                   "class Migration(migrations.Migration):\n    operations = []\n")
        settings = {"ENGINE": "django.db.backends.postgresql", "NAME": self.values["dbname"],
                    "HOST": self.values["host"], "PORT": self.values["port"], "USER": self.values["user"]}
        self.write("settings.py", f"DATABASES = {{'default': {settings!r}}}\nINSTALLED_APPS = ['shop']\n"
                   "SECRET_KEY = 'of no use'\nDEFAULT_AUTO_FIELD = 'django.db.models.AutoField'\nUSE_TZ = True\n")

    @classmethod
    def missing(cls):
        found = importlib.util.find_spec("django") and importlib.util.find_spec("psycopg2")
        return None if found else "Django or psycopg2 is not installed"

    def django(self, *args):
        return self.run(sys.executable, "-m", "django", *args, PYTHONPATH=str(self.home),
                        DJANGO_SETTINGS_MODULE="settings")

    def up(self):
        self.django("migrate")

    def down(self):
        self.django("migrate", "shop", "0041")


class Rails(Migrator):
    """ActiveRecord without the rest of Rails."""

    name = "rails"
    tables = ("schema_migrations", "ar_internal_metadata")
    script = """require "active_record"
require "json"
ActiveRecord::Base.establish_connection(JSON.parse(ENV.fetch("CONNECTION")))
ActiveRecord::Migration.verbose = false
context = if ActiveRecord.gem_version >= Gem::Version.new("7.2")
  ActiveRecord::MigrationContext.new(ARGV[0])
else
  ActiveRecord::MigrationContext.new(ARGV[0], ActiveRecord::SchemaMigration)
end
ARGV[1] == "up" ? context.up : context.down(0)
"""

    @classmethod
    def missing(cls):
        if not program("ruby"):
            return "Ruby is not installed"
        found = subprocess.run(["ruby", "-e", 'require "active_record"; require "pg"'], capture_output=True,
                               check=False, timeout=TIMEOUT_S)
        return None if found.returncode == 0 else "ActiveRecord or pg for Ruby is not installed"

    def rails(self, way):
        connection = {"adapter": "postgresql", "database": self.values["dbname"], "host": self.values["host"],
                      "port": self.values["port"], "username": self.values["user"]}
        self.run("ruby", self.write("migrate.rb", self.script), self.out, way, CONNECTION=json.dumps(connection))

    def up(self):
        self.rails("up")

    def down(self):
        self.rails("down")


class Knex(Migrator):
    name = "knex"
    program = "knex"
    tables = ("knex_migrations", "knex_migrations_lock")

    def __init__(self, folder, db):
        super().__init__(folder, db)
        # The command line wants the library below the project.
        (folder / "node_modules").symlink_to(pathlib.Path(program("knex")).resolve().parents[2])
        connection = {"database": self.values["dbname"], "host": self.values["host"],
                      "port": int(self.values["port"]), "user": self.values["user"]}
        self.write("knexfile.js", f"module.exports = {{client: 'pg', connection: {json.dumps(connection)}, "
                   "migrations: {directory: './migrations'}};\n")

    def knex(self, *args):
        return self.run(program("knex"), *args, "--knexfile", self.home / "knexfile.js")

    def up(self):
        self.knex("migrate:latest")

    def down(self):
        self.knex("migrate:rollback", "--all")


MIGRATORS = (GolangMigrateFiles, FlywayFiles, PrismaFiles, GolangMigrate, Dbmate, Flyway, Prisma, Alembic, Django, Rails, Knex)
