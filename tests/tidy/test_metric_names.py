"""The Grafana board and the alert rules speak of metrics that there are, and of labels that they have."""
import json
import os
import re

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
OWN = {"target", "server", "le", "instance", "job"}


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as handle:
        return handle.read()


def table():
    """{name: labels} of docs/metrics.md, which a unit test holds to the program's table."""
    found = {}
    for line in read("docs", "metrics.md").splitlines():
        row = re.match(r"\| `(\w+)` \| (gauge|counter|histogram) \|([^|]*)\|", line)
        if row:
            labels = set(re.findall(r"`(\w+)`", row.group(3)))
            ends = ("_bucket", "_sum", "_count") if row.group(2) == "histogram" else ("",)
            found.update({row.group(1) + end: labels for end in ends})
    assert len(found) > 200
    return found


def names_in(expression):
    bare = re.sub(r'"[^"]*"', '""', expression)
    return set(re.findall(r"\b((?:pg|pgbouncer|pgmend|process)_\w+)\b", bare))


def board_expressions():
    board = json.loads(read("packaging", "grafana", "pgmend.json"))
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"], target["legendFormat"]
    for note in board["annotations"]["list"]:
        yield note["name"], note["expr"], note["titleFormat"]


def rule_expressions():
    """Of the file as text: it is simple, and the tests want no YAML library."""
    text = re.sub(r"expr: >-\n((?:          .*\n)+)", lambda m: "expr: " + " ".join(m.group(1).split()) + "\n",
                  read("packaging", "prometheus", "pgmend.rules.yml"))
    for block in text.split("- alert: ")[1:]:
        expression = re.search(r"^ +expr: (.*)$", block, re.M).group(1)
        yield block.split("\n")[0], expression, block


def test_every_metric_of_the_board_and_the_rules_exists():
    known, wrong = table(), []
    everything = list(board_expressions()) + list(rule_expressions())
    assert len(everything) > 40
    for where, expression, _ in everything:
        assert names_in(expression), (where, expression)
        wrong += [f"{where}: {name}" for name in names_in(expression) if name not in known]
    assert not wrong, "\n".join(wrong)


def test_what_is_shown_of_them_are_their_labels():
    known, wrong = table(), []
    for where, expression, text in [*board_expressions(), *rule_expressions()]:
        labels = set(OWN)
        for name in names_in(expression):
            labels |= known.get(name, set())
        shown = re.findall(r"\{\{ *\$labels\.(\w+) *\}\}", text) + re.findall(r"\{\{(\w+)\}\}", text)
        wrong += [f"{where}: {label}" for label in shown if label not in labels]
    assert not wrong, "\n".join(wrong)


def test_no_alert_compares_with_what_has_no_name():
    """A rule that can never fire: and/or/division between series whose labels differ needs on()."""
    known = table()
    for where, expression, _ in rule_expressions():
        sets = {frozenset(known[name] - OWN) for name in names_in(expression)}
        if len(sets) > 1:
            assert "on (" in expression, (where, expression)
