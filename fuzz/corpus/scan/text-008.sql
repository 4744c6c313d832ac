SELECT * FROM t WHERE a='x'
  'y' -- z
 'z'