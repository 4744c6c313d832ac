-- server: fsync=off
-- server: full_page_writes=off
-- server: zero_damaged_pages=on
-- expect: unsafe_durability:fsync
-- expect: unsafe_durability:full_page_writes
-- expect: unsafe_durability:zero_damaged_pages
SELECT 1;
