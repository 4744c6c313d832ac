"""The same pool, batch and timer from Python: LIBPGMEND=/path/to/libpgmend.so.0 python3 orders.py"""

import threading
import time
from ctypes import c_int64

import libpgmend

ORDERS = 5000

timer = libpgmend.Timer()


def write(pool, first):
    began = time.perf_counter()
    ids = (c_int64 * ORDERS)(*range(first, first + ORDERS))
    customers = [None if i % 3 == 0 else "Ann" for i in range(ORDERS)]
    with pool.acquire() as conn:
        conn.insert("pgmend_example_orders_py", {"id": (libpgmend.INT64, ids),
                                                 "customer": (libpgmend.TEXT, customers)}, ORDERS)
    timer.record("write orders", (time.perf_counter() - began) * 1000)


with libpgmend.Pool(None, env=True, application_name="orders") as pool:
    with pool.acquire() as conn:
        conn.execute("CREATE TABLE pgmend_example_orders_py (id bigint PRIMARY KEY, customer text)")
    threads = [threading.Thread(target=write, args=(pool, first)) for first in (1, ORDERS + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pool.acquire() as conn:
        [[orders, named]] = conn.execute("SELECT count(*), count(customer) FROM pgmend_example_orders_py")
        conn.execute("DROP TABLE pgmend_example_orders_py")
    print(f"{orders} orders, {named} of Ann, {timer.stats('write orders').count} batches")
timer.close()
