-- session a: SELECT 1
SELECT 1;
