"""The watch by itself: tests/integration/helpers/watch_probe.c, and a parser of the text that it exposes."""

import json
import os
import queue
import re
import subprocess
import threading
import time

import cluster as clusters

WAIT_S = 60
MARKS = {"first": 1, "restart": 2, "upgrade": 4, "role": 8, "reset": 16, "statements": 32, "gap": 64, "clock": 128,
         "pool": 256}


class Look:
    """What the probe said of one snapshot."""

    def __init__(self, line):
        self.raw = json.loads(line)
        self.name, self.up, self.why = self.raw["name"], self.raw["up"], self.raw["why"]
        self.version, self.standby, self.number = (self.raw[k] for k in ("version", "standby", "number"))
        self.statements, self.tables = self.raw["statements"], self.raw["tables"]
        self.has_rate = self.raw["has_rate"]

    def marked(self, name):
        return bool(self.raw["marks"] & MARKS[name])

    def values(self, metric, **labels):
        return [v for m, l, v in self.raw["samples"] if m == metric and labels.items() <= l.items()]

    def value(self, metric, **labels):
        found = self.values(metric, **labels)
        assert len(found) == 1, (metric, labels, found, self.why)
        return found[0]

    def names(self):
        return {m for m, _, _ in self.raw["samples"]}

    def __repr__(self):
        return f"<{self.name} {self.number} up={self.up} why={self.why!r} marks={self.raw['marks']}>"


class Probe:
    """A watch of these targets: Probe(binary, shop=conninfo). Looks come in the order that they were made."""

    def __init__(self, binary, fast_ms=200, timeout_ms=2000, **targets):
        program = binary.parent / "tests" / "integration" / "helpers" / "watch_probe"
        self.process = subprocess.Popen(
            [program, str(fast_ms), str(timeout_ms), *(f"{name}={conninfo}" for name, conninfo in targets.items())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clusters.clean_env(),
            preexec_fn=clusters.die_with_parent(os.getpid()))
        self.looks, self.texts, self.errors = queue.Queue(), queue.Queue(), []
        self.readers = [threading.Thread(target=self.read), threading.Thread(target=self.read_errors)]
        for reader in self.readers:
            reader.start()

    def read(self):
        for line in self.process.stdout:
            if line.strip().isdigit():
                self.texts.put(self.process.stdout.read(int(line)).decode())
            else:
                self.looks.put(Look(line))

    def read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line.decode(errors="replace"))

    def look(self, condition=lambda look: look.up, name=None, timeout_s=WAIT_S):
        """The next look for which it holds; those before it are gone."""
        deadline = time.monotonic() + timeout_s
        last = None
        while True:
            try:
                last = self.looks.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no such look in {timeout_s} s; the last: {last}; {self.errors}") from None
            if (name is None or last.name == name) and condition(last):
                return last

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def metrics(self, command="metrics"):
        self.say(command)
        return self.texts.get(timeout=WAIT_S)

    def close(self):
        self.process.stdin.close()
        code = self.process.wait(WAIT_S)
        for reader in self.readers:
            reader.join(WAIT_S)
        assert code == 0 and not self.errors, (code, "".join(self.errors)[-4000:])

    def __enter__(self):
        return self

    def __exit__(self, kind, *exception):
        if kind is None:
            self.close()
        else:
            self.process.kill()
            self.process.wait()


LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
SERIES = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(" + LABEL + "(?:," + LABEL + r")*)\})? (\S+)")


def unescape(text):
    return re.sub(r'\\(["\\n])', lambda m: "\n" if m.group(1) == "n" else m.group(1), text)


def parse(text, open_metrics=False):
    """{(name, labels): value} and {family: type}; fails where the text is not of its format."""
    series, types, helps, family, ended = {}, {}, set(), None, []
    assert text.endswith("\n")
    lines = text[:-1].split("\n")
    if open_metrics:
        assert lines.pop() == "# EOF"
    for line in lines:
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            assert name not in helps, f"two HELP of {name}"
            helps.add(name)
            continue
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family not in types, f"two TYPE of {family}"
            types[family] = kind
            continue
        match = SERIES.fullmatch(line)
        assert match, f"not a series: {line!r}"
        name, labels = match.group(1), match.group(2) or ""
        suffixes = {"histogram": ("_bucket", "_sum", "_count"),
                    "counter": ("_total",) if open_metrics else ("",)}.get(types[family], ("",))
        assert any(name == family + suffix for suffix in suffixes), (name, family)
        pairs = re.findall(LABEL, labels)
        assert len(dict(pairs)) == len(pairs), line
        key = (name, tuple(sorted((k, unescape(v)) for k, v in pairs)))
        assert key not in series, f"twice: {key}"
        series[key] = float(match.group(match.lastindex))
        if not ended or ended[-1] != family:
            assert family not in ended, f"{family} is in two places"
            ended.append(family)
    return series, types
