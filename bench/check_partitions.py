"""pgmend check on one table of 100,000 partitions at two levels, never analyzed and analyzed."""

import threading

from check_scale import Tool, run_pgmend
from table import show

ROUNDS = 3
# Each new partition makes the server read the list of its siblings: many short lists.
REGIONS = 1_000
DAYS = 100

SCHEMA = """
CREATE TABLE big (id bigint NOT NULL, region int NOT NULL, day int NOT NULL, note text,
	PRIMARY KEY (region, day, id)) PARTITION BY LIST (region);
CREATE PROCEDURE make(region int, days int) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE big_%s PARTITION OF big FOR VALUES IN (%s) PARTITION BY RANGE (day)', region,
		region);
	COMMIT;
	FOR day IN 1..days LOOP
		EXECUTE format('CREATE TABLE big_%s_%s PARTITION OF big_%s FOR VALUES FROM (%s) TO (%s)', region, day,
			region, day, day + 1);
		IF day % 100 = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
	COMMIT;
END
$$;
"""


def build(database):
    def make(half):
        with database.connect() as conn:
            conn.execute("SET statement_timeout = 0")
            for region in range(1, REGIONS + 1):
                if region % 2 == half:
                    conn.execute(f"CALL make({region}, {DAYS})")

    database.psql(SCHEMA)
    halves = [threading.Thread(target=make, args=(half,)) for half in (0, 1)]
    for half in halves:
        half.start()
    for half in halves:
        half.join()
    count = database.scalar("SELECT count(*) FROM pg_class WHERE relispartition AND relkind = 'r'")
    if count != REGIONS * DAYS:
        raise RuntimeError(f"{count} partitions were made")


def run(cluster, pgmend):
    database = cluster.new_database("partitions")
    build(database)
    tools = []
    for name in ("never analyzed", "analyzed"):
        tool = Tool(name)
        for _ in range(ROUNDS):
            run_pgmend(cluster, pgmend, tool, database.conninfo)
        tools.append(tool)
        database.psql("VACUUM ANALYZE pg_catalog.pg_class, pg_catalog.pg_attribute, pg_catalog.pg_index,"
                      " pg_catalog.pg_constraint, pg_catalog.pg_depend, pg_catalog.pg_inherits")
    show(f"One table of {REGIONS * DAYS:,} partitions below {REGIONS}: {ROUNDS} rounds",
         ["system catalogs", "seconds (median)", "from to", "ratio", "peak MB", "strongest lock",
          "user relations locked", ""], [tool.row(tools[0]) for tool in tools])
    database.drop()
