-- threshold: random_page_cost.seeks=0
-- expect: random_page_cost:server
SELECT 1;
