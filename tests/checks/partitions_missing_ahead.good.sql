CREATE TABLE q01 (at timestamptz NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE q02 (at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE q03 (at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE q04 (at date) PARTITION BY RANGE (at);
-- a year that ends in a month; days that reach two days ahead
SELECT format('CREATE TABLE q01_1 PARTITION OF q01 FOR VALUES FROM (%L) TO (%L)',
	now() - '335 days'::interval, now() + '30 days'::interval) \gexec
SELECT format('CREATE TABLE q02_%s PARTITION OF q02 FOR VALUES FROM (%L) TO (%L)', 10 + i, current_date + i,
	current_date + i + 1) FROM generate_series(-2, 2) i \gexec
-- never ends
CREATE TABLE q03_1 PARTITION OF q03 FOR VALUES FROM ('2020-01-01') TO (MAXVALUE);
CREATE TABLE q04_1 PARTITION OF q04 FOR VALUES FROM (MINVALUE) TO ('infinity');
-- given up long ago
CREATE TABLE q05 (at date) PARTITION BY RANGE (at);
CREATE TABLE q05_1 PARTITION OF q05 FOR VALUES FROM ('2010-01-01') TO ('2011-01-01');
-- not by time, by list, without partitions
CREATE TABLE q06 (n int) PARTITION BY RANGE (n);
CREATE TABLE q06_1 PARTITION OF q06 FOR VALUES FROM (0) TO (10);
CREATE TABLE q07 (at date) PARTITION BY LIST (at);
CREATE TABLE q07_1 PARTITION OF q07 FOR VALUES IN ('2020-01-01');
CREATE TABLE q08 (at date) PARTITION BY RANGE (at);
CREATE TABLE q09 (t text) PARTITION BY RANGE (t);
CREATE TABLE q09_1 PARTITION OF q09 FOR VALUES FROM ('') TO (') TO (''x');
