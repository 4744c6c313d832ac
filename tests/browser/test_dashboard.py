"""The dashboard in a real browser: what a person does with it, and what must not happen to them."""
import re

import pytest

PAGES = [("overview", "shop"), ("queries", "Queries"), ("indexes", "Indexes"), ("tables", "Tables"), ("sessions", "Sessions"), ("pool", "Pool"),
         ("changes", "Changes"), ("alerts", "Alerts")]
UNITS = {"\u00b5s": 0.001, "ms": 1, "s": 1000, "min": 60000}


@pytest.fixture(autouse=True)
def nothing_bad(browser):
    """No test may leave an error in the console, load something from elsewhere, or run what data holds."""
    yield
    browser.collect()
    problems, browser.problems = browser.problems, []
    assert not problems
    foreign = [u for u in browser.urls if not u.startswith((browser.serve.base + "/", "data:", "about:", "chrome:"))]
    assert not foreign
    assert not [u for u in browser.urls if any(t in u for t in browser.serve.tokens.values()) and "#" not in u], "a token in an address"
    assert browser.js("return typeof window.harm") == "undefined"


def milliseconds(text):
    value, unit = re.fullmatch(r"([\d.,]+)\s*(\S+)", text.strip()).groups()
    return float(value.replace(",", "")) * UNITS[unit]


def tile(browser, name):
    return browser.js("""for (const t of document.querySelectorAll('.tile'))
        if (t.querySelector('dt').textContent === arguments[0]) return t.querySelector('.value').textContent;""", name)


def wait_for_job(browser, number=1):
    """So many panels are there, and each says that its job is done."""
    browser.wait(lambda: len(browser.all(".job")) == number, "a panel shows it")
    browser.wait(lambda: len(browser.all(".job.done")) == number or browser.all(".job.failed"), "the job ends")
    assert not browser.all(".job.failed"), browser.text() + browser.serve.log()


def test_signing_in(browser):
    browser.driver.get(browser.serve.base + "/")
    browser.one("#token").send_keys("not-a-token-of-anybody")
    browser.click("#login-form button")
    browser.one("#login-error", "not valid")
    browser.collect()
    assert all("401" in p for p in browser.problems), "the refused token, and nothing else"
    browser.problems = []
    browser.one("#token").send_keys(browser.serve.tokens["viewer"])
    browser.click("#login-form button")
    browser.one("main h1", "shop")
    assert "viewer" in browser.one("#who").text
    # The token outlives a reload, and the way out forgets it.
    browser.driver.refresh()
    browser.one("main h1", "shop")
    browser.click("#sign-out")
    browser.one("#token")
    assert browser.js("return sessionStorage.length + document.cookie.length") == 0


def test_find_apply_watch_and_roll_back(browser, server):
    browser.login()
    browser.click("nav a", "Queries")
    browser.wait(lambda: "customer_id" in browser.one("tbody tr:first-child th").text, "the slow query stands first")
    browser.click("tbody tr:first-child th a")
    browser.one("main h1", "Statement")
    browser.one("pre", "customer_id")
    browser.wait(lambda: milliseconds(tile(browser, "Mean")) > 0, "its mean")
    browser.one("#plan pre", "Seq Scan on orders")
    browser.one("#samples td", "customer_id = ")
    assert milliseconds(tile(browser, "P95")) > 0

    browser.click("[data-key=advise-one]")
    wait_for_job(browser)
    proposal = browser.one(".proposal", "customer_id")
    assert "CREATE INDEX CONCURRENTLY" in proposal.text
    assert len(browser.all(".proposal")) == 1, "for this one statement"
    browser.click("[data-key=apply]")
    browser.click("dialog button.primary", "Apply")
    browser.wait(lambda: not browser.all("dialog[open]"), "the dialog closes")
    wait_for_job(browser, 2)
    browser.wait(lambda: not browser.all("[data-key=apply]"), "the Plan is known as applied")
    with server.connect("shop") as conn:
        made = conn.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'orders' AND indexdef LIKE '%customer_id%'").fetchall()
    assert len(made) == 1

    browser.click("[data-key=plan-again]")
    browser.one("#plan pre", "Index")

    # What was measured before and after: the latency has fallen.
    row = browser.one(".measured tr[data-verdict=faster]", "customer_id")
    was, now = (milliseconds(row.find_elements("css selector", "td")[n].text) for n in (0, 1))
    assert now < was / 2, row.text

    browser.go("changes", "Changes")
    browser.click("tbody button", "Roll back")
    browser.click("dialog button.danger", "Roll back")
    browser.one(".badge", "undone")
    with server.connect("shop") as conn:
        assert conn.execute("SELECT count(*) FROM pg_indexes WHERE tablename = 'orders'").fetchone()[0] == 1


INERT = """return document.querySelectorAll('main script, main img, main svg[onload], main [onerror], main [onclick], main b[onclick]').length"""
UNNAMED = """return [...document.querySelectorAll('#app button, #app input, #app select, #app a')]
    .filter(e => !(e.textContent.trim() || e.getAttribute('aria-label') || (e.labels && e.labels.length))).map(e => e.outerHTML)"""
# A chart is a picture with a text; its legend is no table of ours.
BARE_TABLES = """return [...document.querySelectorAll('main table:not(.u-legend)')].filter(t => !t.caption || !t.querySelector('th[scope=col]')).length"""
SHOWN = {"tables": "<img src=x onerror", "indexes": "<svg onload", "sessions": "<script>window.harm", "queries": "<b onclick"}
CHANGING = {"Apply", "Roll back", "Cancel", "End", "Silence", "Find missing indexes", "Advise on this one", "Keep in order"}


def test_each_page_as_a_viewer(browser):
    """Names and texts of others are inert, nothing can be changed, all has names, and nothing scrolls sideways."""
    browser.login("viewer")
    for page, title in PAGES:
        browser.go(page, title)
        if page in SHOWN:
            browser.wait(lambda: SHOWN[page] in browser.text(), f"{page} shows {SHOWN[page]} as text")
        assert browser.js(INERT) == 0, page
        assert not CHANGING & set(browser.js("return [...document.querySelectorAll('main button')].map(b => b.textContent)")), page
        assert browser.js("return document.querySelectorAll('#app h1').length") == 1, page
        assert browser.js(BARE_TABLES) == 0, page
        assert browser.js(UNNAMED) == [], page
        assert browser.js("return document.documentElement.scrollWidth") <= 1360, page
        browser.width(360)
        browser.wait(lambda: browser.js("return innerWidth") == 360, "a phone's width")
        assert browser.js("return document.documentElement.scrollWidth") <= 360, page
        browser.width(None)
    assert browser.all("header") and browser.all("nav[aria-label]") and browser.all("main") and browser.all("[aria-live=polite]")


def test_keyboard_alone(browser):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def press(*keys):
        ActionChains(browser.driver).send_keys(*keys).perform()

    browser.login()
    browser.driver.refresh()
    browser.one("main h1", "shop")
    press(Keys.TAB)
    browser.wait(lambda: browser.js("return document.activeElement.id") == "skip", "the skip link comes first")
    press(Keys.ENTER)
    browser.wait(lambda: browser.js("return document.activeElement.id") == "main", "it leads to the content")
    press("2")
    browser.one("main h1", "Queries")
    press("/")
    browser.wait(lambda: browser.js("return document.activeElement.matches('input.filter') || !document.querySelector('input.filter')"), "the filter has the focus")
    browser.js("document.activeElement.blur()")
    press("?")
    browser.one("dialog[open] h2", "Keyboard")
    press(Keys.ESCAPE)
    browser.wait(lambda: not browser.all("dialog[open]"), "Esc closes it")
    seen = set()
    browser.js("document.getElementById('skip').focus()")
    for _ in range(24):
        press(Keys.TAB)
        if browser.js("return document.activeElement === document.body"):
            break  # past the last of them
        seen.add(browser.js("return document.activeElement.id || document.activeElement.dataset.key || document.activeElement.textContent"))
        assert browser.js("const s = getComputedStyle(document.activeElement); return s.outlineStyle !== 'none' && s.outlineWidth !== '0px'"), seen
    assert {"database", "range", "theme", "sign-out", "nav-queries", "nav-alerts"} <= seen


def test_light_and_dark(browser):
    browser.login()
    background = "return getComputedStyle(document.body).backgroundColor"
    first = browser.js(background)
    browser.click("#theme")
    browser.wait(lambda: browser.js(background) != first, "another theme")
    browser.driver.refresh()
    browser.one("main h1", "shop")
    assert browser.js(background) != first, "it is kept"
    browser.click("#theme")
    browser.wait(lambda: browser.js(background) == first, "and back")


def test_a_server_that_is_away_says_so(browser, serve):
    browser.login()
    browser.js("window.realFetch = window.fetch; window.fetch = () => Promise.reject(new TypeError('down'))")
    browser.click("#refresh")
    browser.one(".banner.bad", "does not answer")
    browser.js("window.fetch = window.realFetch")
    browser.click("#refresh")
    browser.wait(lambda: not browser.all(".banner.bad"), "it is back by itself")
