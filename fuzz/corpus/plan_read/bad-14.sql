-- migrate:up
CREATE INDEX ON t(a);
