-- A schema of 10,000 tables and 50,000 indexes in 20 schemas, as large applications have them: 7,000 plain
-- tables and 30 partitioned ones of 99 partitions each, five indexes on each, an identity column on each that
-- is no partition, foreign keys on seven tenths of the plain ones, a few rows everywhere.
--
-- Most of it is in order. Of 100 plain tables, 2 have the same index twice, 10 one that another contains, 14 a
-- foreign key that no index serves.

CREATE PROCEDURE public.make_table(n int) LANGUAGE plpgsql AS $$
DECLARE
	place text := format('s%s.t%s', lpad((n % 20)::text, 2, '0'), n);
	-- 140 tables before: of the same schema
	parent text := format('s%s.t%s', lpad((n % 20)::text, 2, '0'), n - 140);
BEGIN
	EXECUTE format('CREATE TABLE %s (id %s GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id int NOT NULL,'
		' parent_id bigint, status text NOT NULL, amount numeric(10, 2), note text,'
		' created_at timestamptz NOT NULL)', place, CASE WHEN n % 10 < 3 THEN 'int' ELSE 'bigint' END);
	EXECUTE format('INSERT INTO %s (tenant_id, status, amount, note, created_at)'
		' SELECT i %% 7, (ARRAY[''new'', ''open'', ''done''])[1 + i %% 3], i, md5(i::text),'
		' now() - i * ''1 hour''::interval FROM generate_series(1, 30) AS i', place);
	EXECUTE format('CREATE INDEX ON %s (tenant_id, created_at)', place);
	EXECUTE format('CREATE INDEX ON %s (created_at)', place);
	EXECUTE format('CREATE INDEX ON %s (status, amount) WHERE status <> ''done''', place);
	EXECUTE format('CREATE INDEX ON %s %s', place, CASE
		WHEN n % 100 < 2 THEN '(created_at)'
		WHEN n % 100 < 12 THEN '(tenant_id)'
		WHEN n % 100 < 26 THEN '(lower(note))'
		ELSE '(parent_id)' END);
	IF n > 140 AND n % 10 < 7 THEN
		EXECUTE format('ALTER TABLE %s ADD FOREIGN KEY (parent_id) REFERENCES %s %s', place, parent,
			CASE WHEN n % 3 = 0 THEN 'ON DELETE CASCADE' ELSE '' END);
	END IF;
	EXECUTE format('ANALYZE %s', place);
END
$$;

CREATE PROCEDURE public.make_partitioned(n int) LANGUAGE plpgsql AS $$
DECLARE
	schema text := format('s%s', lpad((n % 20)::text, 2, '0'));
	place text := format('%s.p%s', schema, n);
BEGIN
	EXECUTE format('CREATE TABLE %s (id bigint NOT NULL, tenant_id int NOT NULL, kind text, note text,'
		' created_at timestamptz NOT NULL, PRIMARY KEY (id, created_at)) PARTITION BY RANGE (created_at)',
		place);
	EXECUTE format('CREATE INDEX ON %s (tenant_id, created_at)', place);
	EXECUTE format('CREATE INDEX ON %s (created_at)', place);
	EXECUTE format('CREATE INDEX ON %s (kind, id)', place);
	EXECUTE format('CREATE INDEX ON %s (lower(note))', place);
	COMMIT;
	FOR week IN 1..99 LOOP
		EXECUTE format('CREATE TABLE %s_%s PARTITION OF %s FOR VALUES FROM (%L) TO (%L)', place, week, place,
			'2025-01-01'::timestamptz + week * '7 days'::interval,
			'2025-01-01'::timestamptz + (week + 1) * '7 days'::interval);
		EXECUTE format('INSERT INTO %s_%s SELECT i, i %% 7, ''k'' || i %% 5, md5(i::text), %L'
			' FROM generate_series(1, 30) AS i', place, week,
			'2025-01-01'::timestamptz + week * '7 days'::interval);
		EXECUTE format('ANALYZE %s_%s', place, week);
		COMMIT;
	END LOOP;
END
$$;

SELECT format('CREATE SCHEMA s%s', lpad(i::text, 2, '0')) FROM generate_series(0, 19) AS i \gexec
