SELECT 'a' -- ; SET x = 1 
 ';b'