-- initdb: --data-checksums
SELECT 1;
