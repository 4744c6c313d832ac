"""The demo's workload as scripts for pgmend load and pgbench: one for each statement, with its weight.

{{int:LO:HI}}, {{zipf:LO:HI}} and {{choice:a|b|c}} become \\set variables that are drawn as the demo draws them.
"""

import pathlib
import re

PLACEHOLDER = re.compile(r"\{\{(int|zipf|choice):([^}]*)\}\}")
LITERAL = re.compile(r"'(?:[^']|'')*'")
DIGITS_BEFORE = re.compile(r"\b(\d+)\{\{int:(\d+):(\d+)\}\}")
FRACTION = re.compile(r"\b(\d+)\.\{\{int:(\d+):(\d+)\}\}")
UNIT = 1_000_000


class Script:
    """One statement on its way to a script: the \\set lines and the text with :variables."""

    def __init__(self, sql):
        self.sets = []
        self.drawn = {}
        sql = LITERAL.sub(self._literal, sql)
        sql = DIGITS_BEFORE.sub(self._joined_digits, sql)
        sql = FRACTION.sub(self._fraction, sql)
        self.sql = PLACEHOLDER.sub(lambda m: self._variable(m), sql)

    def _new(self, *lines):
        name = f"v{len(self.drawn) + 1}"
        self.sets += [f"\\set {line.replace('NAME', name)}" for line in lines]
        return f":{name}"

    def _variable(self, match):
        """The same placeholder twice is the same value."""
        if match.group(0) in self.drawn:
            return self.drawn[match.group(0)]
        kind, rest = match.groups()
        if kind == "choice":
            words = rest.split("|")
            drawn = self._new(f"NAME random(1, {len(words)})")
            text = f"(ARRAY[{', '.join(repr(word) for word in words)}])[{drawn}]"
        else:
            low, high = (int(n) for n in rest.split(":"))
            if kind == "zipf":  # as src/demo/draw.c: the square of an even number
                text = self._new(f"NAMEu random(0, {UNIT - 1})",
                                 f"NAME {low} + {high - low + 1} * :NAMEu * :NAMEu / {UNIT ** 2}")
            else:
                text = self._new(f"NAME random({low}, {high})")
        self.drawn[match.group(0)] = text
        return text

    def _joined_digits(self, match):
        """70000{{int:10000:99999}}: one number."""
        before, low, high = match.groups()
        if match.group(0) not in self.drawn:
            shift = int(before) * 10 ** len(high)
            self.drawn[match.group(0)] = self._new(f"NAME {shift} + random({low}, {high})")
        return self.drawn[match.group(0)]

    def _fraction(self, match):
        """0.{{int:50:99}}: 0.50 to 0.99."""
        whole, low, high = match.groups()
        if match.group(0) not in self.drawn:
            drawn = self._new(f"NAME random({low}, {high})")
            self.drawn[match.group(0)] = f"({whole} + {drawn} / {10 ** len(high)}.0)"
        return self.drawn[match.group(0)]

    def _literal(self, match):
        """Within quotes a variable would stay as it is: the literal is put together."""
        text = match.group(0)
        if not PLACEHOLDER.search(text):
            return text
        joined = "(" + PLACEHOLDER.sub(lambda m: f"' || {self._variable(m)} || '", text) + ")"
        joined = joined.replace("('' || ", "(").replace(" || '')", ")")
        return joined + "::jsonb" if text.startswith("'{\"") else joined

    def text(self):
        return "\n".join([*self.sets, self.sql.strip()]) + "\n"


def statements(path):
    """(name, kind, times, sql) of each statement of a workload file; demo/README.md has the format."""
    properties, lines = {}, []
    for line in path.read_text().splitlines():
        found = re.match(r"-- (\w+): (.*)", line)
        if found and not lines:
            properties[found.group(1)] = found.group(2)
        elif line.strip():
            lines.append(line)
            if line.rstrip().endswith(";"):
                yield properties["name"], properties["kind"], int(properties["times"]), "\n".join(lines)
                properties, lines = {}, []


def write(demo, folder, kinds=("read", "write")):
    """Write the scripts; the arguments for them: FILE@WEIGHT."""
    folder.mkdir(parents=True, exist_ok=True)
    arguments = []
    for workload in sorted(pathlib.Path(demo).glob("*.workload.sql")):
        for name, kind, times, sql in statements(workload):
            if kind not in kinds or not times:
                continue
            path = folder / f"{workload.name.split('.')[0]}.{name}.sql"
            path.write_text(Script(sql).text())
            arguments.append(f"{path}@{times}")
    return arguments
