-- A history, version 1. A row of samples is one look at one target: its key is the target's number, shifted by
-- 43 bits, with the milliseconds since 1970, so that one target's rows lie together in the order of time.
CREATE TABLE targets (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	-- minutes before this are in hours
	folded_ms INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE series (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	target INTEGER NOT NULL REFERENCES targets,
	metric TEXT NOT NULL,
	labels TEXT NOT NULL,
	rate INTEGER NOT NULL,
	seen_ms INTEGER NOT NULL,
	UNIQUE (target, metric, labels)
);

CREATE TABLE raw (id INTEGER PRIMARY KEY, cells BLOB NOT NULL);
CREATE TABLE minutes (id INTEGER PRIMARY KEY, cells BLOB NOT NULL);

CREATE TABLE hours (
	series INTEGER NOT NULL,
	at_ms INTEGER NOT NULL,
	count INTEGER NOT NULL,
	reset INTEGER NOT NULL,
	least REAL,
	sum REAL,
	greatest REAL,
	last REAL,
	PRIMARY KEY (series, at_ms)
) WITHOUT ROWID;

-- Texts once; source: 0 the server's pg_stat_statements, 1 the pooler's profile.
CREATE TABLE statements (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	target INTEGER NOT NULL REFERENCES targets,
	source INTEGER NOT NULL,
	fingerprint INTEGER NOT NULL,
	user TEXT NOT NULL,
	query TEXT NOT NULL,
	seen_ms INTEGER NOT NULL,
	UNIQUE (target, source, fingerprint, user)
);

-- Keys: target * 2 + source in the place of the target.
CREATE TABLE statement_minutes (id INTEGER PRIMARY KEY, cells BLOB NOT NULL);
CREATE TABLE statement_hours (id INTEGER PRIMARY KEY, cells BLOB NOT NULL);
