-- Version 3: the texts that were not seen for longest are found without reading the others.
CREATE INDEX statements_seen ON statements (seen_ms);
