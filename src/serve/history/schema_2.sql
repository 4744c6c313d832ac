-- Version 2: what other parts of the daemon keep.
CREATE TABLE records (
	kind TEXT NOT NULL,
	id TEXT NOT NULL,
	at_ms INTEGER NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (kind, id)
) WITHOUT ROWID;

CREATE INDEX records_at ON records (kind, at_ms);
