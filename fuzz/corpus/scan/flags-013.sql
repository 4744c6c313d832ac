/* SET LOCAL */ sEt
--LOCAL
x TO 1