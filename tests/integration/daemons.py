"""A program of ours that runs on during a test: its folder, its process, its log, and what must hold at its end."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import cluster as clusters

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60


class DaemonError(Exception):
    """One that did not start, or not end as it should; the message ends with its log."""


class Daemon:
    """Who derives from it gives PREFIX and STOP, command(), and answers(): whether it serves."""

    PREFIX = "pgmt-"
    STOP = signal.SIGTERM

    def __init__(self, binary):
        self.binary = binary
        self.account = clusters.server_user()  # it does not run as root
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=self.PREFIX, dir="/tmp"))
        (self.folder / "owner").write_text(f"{os.getpid()} {clusters.process_start(os.getpid())}\n")
        self.port = clusters.free_port()
        self.log_path = self.folder / "log"
        self.process = None
        self.env = {}

    def give_away(self):
        """What we wrote is the account's under which it runs."""
        if self.account:
            for path in [self.folder, *self.folder.iterdir()]:
                os.chown(path, self.account.pw_uid, self.account.pw_gid, follow_symlinks=False)

    def launch(self):
        as_account = {"user": self.account.pw_uid, "group": self.account.pw_gid,
                      "extra_groups": []} if self.account else {}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.folder, env=clusters.clean_env(**self.env),
                                            preexec_fn=clusters.die_with_parent(os.getpid()), **as_account)
        return self.process

    def start(self):
        self.launch()
        self.wait_for(self.has_started, START_TIMEOUT_S)
        return self

    def has_started(self):
        if self.process.poll() is not None:
            code, self.process = self.process.returncode, None
            raise DaemonError(f"it ended with {code} at its start:\n{self.log()}")
        try:
            return self.answers()
        except OSError:
            return False

    def wait_for(self, condition, timeout_s=60):
        """Until condition() is true (and returned); it may raise what ends the wait."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = condition()
            if found:
                return found
            if time.monotonic() > deadline:
                raise DaemonError(f"not within {timeout_s} s:\n{self.log()}")
            time.sleep(0.02)

    def log(self, lines=80):
        try:
            return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    def rss_bytes(self):
        pages = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, how=None):
        """It must end with 0 and without a report of a sanitizer."""
        if self.process is None:
            return
        died = self.process.poll()
        if died is None:
            self.process.send_signal(how or self.STOP)
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGABRT)
                self.process.wait(STOP_TIMEOUT_S)
                raise DaemonError(f"it did not stop in {STOP_TIMEOUT_S} s:\n{self.log()}") from None
        code, self.process = self.process.returncode, None
        text = self.log_path.read_text(errors="replace")
        found = re.search(r"Sanitizer|runtime error:", text)
        if found:
            raise DaemonError(f"a sanitizer reported:\n{text[max(0, found.start() - 500):found.start() + 6000]}")
        if died is not None or code != 0:
            raise DaemonError(f"it {'died' if died is not None else 'ended'} with {code}:\n{self.log()}")

    def close(self):
        try:
            self.stop()
        finally:
            if self.running:
                self.process.kill()
                self.process.wait()
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def close_all(made):
    """Fails the test where one of them died, did not end with 0 or made a sanitizer report."""
    errors = []
    for daemon in made:
        try:
            daemon.close()
        except DaemonError as error:
            errors.append(str(error))
    assert not errors, "\n".join(errors)
