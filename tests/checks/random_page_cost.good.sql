-- The default suits a disk that seeks.
-- threshold: random_page_cost.seeks=1
SELECT 1;
