"""What a program takes while it runs: its memory, and the locks that it and its sessions hold."""

import pathlib
import threading
import time

INTERVAL_S = 0.01

# By object id, because names are known in one database alone: from 16384 on they are no system catalog's.
LOCKS = """
SELECT l.mode, count(*) FILTER (WHERE l.relation >= 16384)
FROM pg_catalog.pg_locks AS l
JOIN pg_catalog.pg_database AS d ON d.oid = l.database
WHERE l.locktype = 'relation' AND d.datname <> pg_catalog.current_database()
GROUP BY l.mode
"""

STRENGTH = ["AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock",
            "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"]


def peak_kb(pid):
    """The most that a process and its children have had each, the largest of them; 0 when it is gone."""
    largest = 0
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                largest = int(line.split()[1])
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return largest
    return max([largest, *(peak_kb(child) for child in children)])


def strongest(modes):
    return max(modes, key=STRENGTH.index, default="none")


class Watch:
    """Samples until it is left: memory_kb, the modes of locks, and the most relations of users locked at once."""

    def __init__(self, database, pid=None):
        self.database = database
        self.pid = pid
        self.memory_kb = 0
        self.modes = set()
        self.samples = 0
        self.user_locks = 0
        self.error = None
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._guard, args=(work,))
                         for work in (self._memory, self._locks)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self._end.set()
        for thread in self._threads:
            thread.join()
        if self.error and exception[0] is None:
            raise self.error

    def _guard(self, work):
        try:
            work()
        except Exception as error:
            self.error = error

    def _memory(self):
        while not self._end.is_set():
            if self.pid:
                self.memory_kb = max(self.memory_kb, peak_kb(self.pid))
            time.sleep(INTERVAL_S)

    def _locks(self):
        # From another database, so that its own locks are not among what it sees.
        with self.database.connect() as conn:
            while not self._end.is_set():
                self.samples += 1
                users = 0
                for mode, of_users in conn.execute(LOCKS).fetchall():
                    self.modes.add(mode)
                    users += of_users
                self.user_locks = max(self.user_locks, users)
                time.sleep(INTERVAL_S)
