-- expect: partitions_missing_ahead:public.p01
-- expect: partitions_missing_ahead:public.p02
-- expect: partitions_missing_ahead:public.p03
-- expect: partitions_missing_ahead:public.p04
-- expect: partitions_missing_ahead:public.p05
CREATE TABLE p01 (at timestamptz NOT NULL, x int) PARTITION BY RANGE (at);
CREATE TABLE p02 (at date NOT NULL, id int) PARTITION BY RANGE (at, id);
CREATE TABLE p03 (at timestamp NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE p03_default PARTITION OF p03 DEFAULT;
CREATE TABLE p04 (at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE p05 (at date) PARTITION BY RANGE (at);
-- ends in two days; ended yesterday; ended with a DEFAULT; a day that ends in an hour
SELECT format('CREATE TABLE p01_1 PARTITION OF p01 FOR VALUES FROM (%L) TO (%L)', now() - '28 days'::interval,
	now() + '2 days'::interval) \gexec
SELECT format('CREATE TABLE p02_1 PARTITION OF p02 FOR VALUES FROM (%L, MINVALUE) TO (%L, MINVALUE)',
	current_date - 30, current_date - 1) \gexec
SELECT format('CREATE TABLE p03_1 PARTITION OF p03 FOR VALUES FROM (%L) TO (%L)', now() - '28 days'::interval,
	now() - '2 days'::interval) \gexec
SELECT format('CREATE TABLE p04_1 PARTITION OF p04 FOR VALUES FROM (%L) TO (%L)',
	now() - '23 hours'::interval, now() + '1 hour'::interval) \gexec
-- ended long ago, yet it is written to
SELECT format('CREATE TABLE p05_1 PARTITION OF p05 FOR VALUES FROM (%L) TO (%L)', current_date - 500,
	current_date - 400) \gexec
INSERT INTO p05 VALUES (current_date - 450);
