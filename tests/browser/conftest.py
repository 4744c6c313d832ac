"""Fixtures of the browser tests: a server with something to mend, `pgmend serve` before it, one browser.

One of each for the file; the tests leave the page as they like, and begin by going where they want to be.
"""
import json
import os
import pathlib
import sys
import threading
import time

import psycopg
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import cluster as clusters  # noqa: E402
import serving  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
WAIT_S = 60
HOSTILE = "<script>window.harm=1</script><img src=x onerror=\"window.harm=1\">'\"&`{{7*7}}"

SHOP = """
CREATE EXTENSION pg_stat_statements;
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL, total numeric NOT NULL, note text NOT NULL);
INSERT INTO orders SELECT g, g * 7919 % 20000, g % 100, md5(g::text) FROM generate_series(1, 150000) g;
CREATE TABLE "<img src=x onerror=window.harm=2>" (
    id int PRIMARY KEY, "<script>window.harm=3</script>" text, "${7*7}" int);
CREATE INDEX "<svg onload=window.harm=4>" ON "<img src=x onerror=window.harm=2>" ("<script>window.harm=3</script>");
CREATE INDEX "<svg onload=window.harm=5>" ON "<img src=x onerror=window.harm=2>" ("<script>window.harm=3</script>");
INSERT INTO "<img src=x onerror=window.harm=2>" SELECT g, g::text, g FROM generate_series(1, 500) g;
VACUUM ANALYZE;
SELECT pg_stat_statements_reset();
"""


class Traffic(threading.Thread):
    """An application with a slow query and names of its own, through the pooler of serve, until stop()."""

    def __init__(self, conninfo):
        super().__init__(daemon=True)
        self.conninfo = conninfo
        self.over = threading.Event()

    def run(self):
        with psycopg.connect(self.conninfo, autocommit=True, application_name=HOSTILE[:60]) as conn:
            n = 0
            while not self.over.wait(0.02):
                n += 1
                conn.execute("SELECT id, total FROM orders WHERE customer_id = %s", [n % 20000])
                if n % 10 == 0:
                    conn.execute('SELECT "${7*7}" AS "<b onclick=window.harm=6>" FROM '
                                 '"<img src=x onerror=window.harm=2>" WHERE "${7*7}" > %s', [n])

    def stop(self):
        self.over.set()
        self.join(WAIT_S)


@pytest.fixture(scope="module")
def server():
    clusters.remove_stale()
    with clusters.Cluster() as one:
        one.start()
        for name in ("hypopg", "pg_stat_statements"):
            if not one.has_extension(name):
                pytest.skip(f"no extension {name} for PostgreSQL {one.major}")
        one.new_database("shop", SHOP)
        yield one


@pytest.fixture(scope="module")
def serve(server):
    binary = pathlib.Path(os.environ.get("PGMEND_BINARY") or ROOT / "build" / "pgmend").resolve()
    port = clusters.free_port()
    sections = {"serve": {"watch_interval": 1, "tables_interval": 2, "show_values": 1},
                "databases": {"shop": f"host={server.folder} port={server.settings['port']} user=postgres"},
                "pgbouncer": {"listen_addr": "127.0.0.1", "listen_port": port, "auth_type": "any", "unix_socket_dir": "",
                              "pool_mode": "transaction"}}
    with serving.Serve(binary, sections) as one:
        one.base = f"http://127.0.0.1:{one.port}"
        one.start()
        traffic = Traffic(f"host=127.0.0.1 port={port} user=postgres dbname=shop")
        traffic.start()
        yield one
        traffic.stop()


def make_driver(folder):
    webdriver = pytest.importorskip("selenium.webdriver")
    from selenium.webdriver.chrome.service import Service
    for path in ("/usr/bin/chromium", "/usr/bin/chromedriver"):
        if not os.path.exists(path):
            pytest.skip(f"no {path}: tools/setup test installs it")
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
                     "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1360,900",
                     f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    driver.set_page_load_timeout(WAIT_S)
    return driver


class Browser:
    """The browser with what the tests ask of it; everything is waited for."""

    def __init__(self, driver, serve):
        self.driver, self.serve = driver, serve
        self.problems, self.urls = [], []

    def wait(self, what, why):
        """Until what() is true; its value."""
        from selenium.common.exceptions import (ElementClickInterceptedException, NoSuchElementException,
                                                StaleElementReferenceException)
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                value = what()
                if value:
                    return value
            except (NoSuchElementException, StaleElementReferenceException, ElementClickInterceptedException):
                pass
            if time.monotonic() > deadline:
                pytest.fail(f"waited {WAIT_S} s: {why}\n--- page\n{self.text()[:3000]}\n--- console\n{self.collect()}\n"
                            f"--- log\n{self.serve.log()}")
            time.sleep(0.1)

    def all(self, css):
        return self.driver.find_elements("css selector", css)

    def one(self, css, text=None):
        """The element, once it is there and shown, and has the text."""
        def look():
            return next((e for e in self.all(css) if e.is_displayed() and (text is None or text in e.text)), None)
        return self.wait(look, f"{css} {text or ''}")

    def click(self, css, text=None):
        def press():
            element = self.one(css, text)
            # The driver leaves one alone that is in the window, also below the header that stays at its top.
            self.js("arguments[0].scrollIntoView({block: 'center'})", element)
            element.click()
            return True
        self.wait(press, f"click {css} {text or ''}")

    def js(self, script, *args):
        return self.driver.execute_script(script, *args)

    def width(self, pixels):
        """A window of that width; None: the usual one."""
        if pixels is None:
            self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        else:
            self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                        {"width": pixels, "height": 800, "deviceScaleFactor": 1, "mobile": True})

    def text(self):
        return self.js("return document.body ? document.body.innerText : ''")

    def login(self, role="operator"):
        """By the link, as serve prints it; ends on the overview."""
        self.driver.get("about:blank")
        self.driver.get(f"{self.serve.base}/#token={self.serve.tokens[role]}")
        self.one("main h1", "shop")
        assert "token" not in self.driver.current_url

    def go(self, page, title):
        """A page by its address, loaded."""
        self.js("location.hash = arguments[0]", "#/" + page)
        self.one("main h1", title)
        self.wait(lambda: not self.all("main .loading"), page + " loads")

    def collect(self):
        """What the console said since, and every address that was asked for."""
        for entry in self.driver.get_log("browser"):
            if entry["level"] in ("SEVERE", "WARNING"):
                self.problems.append(entry["message"])
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.urls.append(message["params"]["request"]["url"])
        return self.problems


@pytest.fixture(scope="module")
def browser(serve, tmp_path_factory):
    driver = make_driver(tmp_path_factory.mktemp("browser"))
    try:
        yield Browser(driver, serve)
    finally:
        driver.quit()
