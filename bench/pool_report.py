"""The tables of the pooler's benchmark, from what bench/pool saved."""

import contextlib
import io
import re
import statistics

from table import show

TPS, CPU = "tps", "cpu_s_per_100k"
BEGIN, END = "<!-- tables: written by bench/pool --markdown -->", "<!-- end of tables -->"

RUN_HEADINGS = ["protocol", "clients", "target", "tps", "from to", "x PgBouncer", "x direct", "P50 ms", "P95 ms",
                "P99 ms", "CPU s/100k", "x PgBouncer", "calls/query"]


def fixed(value, digits):
    return "" if value is None else f"{value:.{digits}f}"


def ratio(value, base):
    return None if value is None or not base else value / base


def is_bouncer(name):
    return name.startswith("PgBouncer") and " x 2" not in name


def base_of(cell):
    """The figures that ours are compared with: the first PgBouncer of one process that could do it."""
    for name, one in cell["targets"].items():
        if is_bouncer(name) and "error" not in one:
            return name, one
    return None, {}


def median(values):
    """Of what was measured: direct has no processor time of a pooler's."""
    values = [v for v in values or [] if v is not None]
    return statistics.median(values) if values else None


def tps_of(one):
    return median(one.get(TPS))


def cpu_of(one):
    return median(one.get(CPU))


def ratios(one, other, key):
    """Round by round, in order of size: what disturbs a round disturbs both."""
    return sorted(a / b for a, b in zip(one.get(key, []), other.get(key, [])) if a is not None and b)


def paired(one, other, key):
    found = ratios(one, other, key)
    return statistics.median(found) if found else None


def run_rows(cells):
    for cell in cells:
        base = base_of(cell)[1]
        direct = cell["targets"].get("direct", {})
        for name, one in cell["targets"].items():
            front = [cell["protocol"], cell["clients"], name]
            if "error" in one:
                yield [*front, *[""] * (len(RUN_HEADINGS) - len(front))]
                continue
            yield [*front, f"{tps_of(one):.0f}", f"{min(one['tps']):.0f} to {max(one['tps']):.0f}",
                   fixed(paired(one, base, TPS), 2), fixed(paired(one, direct, TPS), 2),
                   fixed(one["p50_ms"], 2), fixed(one["p95_ms"], 2), fixed(one["p99_ms"], 2),
                   fixed(cpu_of(one), 2), fixed(paired(one, base, CPU), 2),
                   fixed(one.get("calls", {}).get("total"), 1)]


def show_runs(result):
    groups = {}
    for cell in result["cells"]:
        title = cell["script"] + (", a connection for each transaction" if cell["connect"] else "")
        title += ", TLS with clients" if cell["tls"] else ""
        if not cell["names"]:
            groups.setdefault(title, []).append(cell)
    for title, cells in groups.items():
        show(title, RUN_HEADINGS, list(run_rows(cells)))
        failed = {}
        for cell in cells:
            for name, one in cell["targets"].items():
                if "error" in one:
                    failed.setdefault((name, one["error"]), []).append(f"{cell['protocol']} {cell['clients']}")
        for (name, error), where in failed.items():
            print(f"{name}, {', '.join(where)}: {error}\n")


def show_calls(result):
    rows = []
    for cell in result["cells"]:
        for name, one in cell["targets"].items():
            calls = one.get("calls")
            if calls:
                most = ", ".join(f"{call} {count:.2f}" for call, count in calls["by_name"].items() if count >= 0.05)
                rows.append([cell["title"], name, f"{calls['total']:.2f}", most])
    if rows:
        show("System calls for each query", ["", "target", "calls", "at least 0.05"], rows)


def show_variants(result):
    rows = []
    for cell in result["variants"]:
        plain = cell["targets"].get("pgmend", {})
        for name, one in cell["targets"].items():
            if "error" not in one:
                rows.append([cell["title"], name, f"{tps_of(one):.0f}", fixed(cpu_of(one), 2),
                             fixed(paired(one, plain, TPS), 3), fixed(paired(one, plain, CPU), 3)])
    if rows:
        show("What the profile and strict cost", ["", "", "tps", "CPU s/100k", "tps, x pgmend", "CPU, x pgmend"], rows)


def show_names(result):
    cells = [cell for cell in result["cells"] if cell["names"]]
    rows = []
    for one_name, two_names in zip(cells[::2], cells[1::2]):
        for name, one in two_names["targets"].items():
            same = one_name["targets"].get(name, {})
            if "error" not in one and "error" not in same:
                rows.append([two_names["protocol"], name, f"{tps_of(same):.0f}", f"{tps_of(one):.0f}",
                             fixed(ratio(tps_of(one), tps_of(same)), 2), fixed(cpu_of(same), 2),
                             fixed(cpu_of(one), 2), fixed(ratio(cpu_of(one), cpu_of(same)), 2)])
    if rows:
        show("Settings that follow the client: 32 clients of one application_name and 32 of another",
             ["protocol", "target", "tps, one name", "two names", "ratio", "CPU s/100k, one name", "two names",
              "ratio"], rows)


def show_idle(result):
    rows = []
    for one in result["idle"]:
        if "error" in one:
            rows.append([one["target"], one["clients"], one["error"], "", "", "", ""])
            continue
        grown = (one["held_kb"] - one["before_kb"]) / one["clients"]
        rows.append([one["target"], one["clients"], *(f"{one[k] / 1024:.1f}" for k in (
            "before_kb", "held_kb", "asked_again_kb")), f"{grown:.2f}", f"{one['connect_s']:.2f}"])
    if rows:
        show("Idle clients that each have run one query", ["target", "clients", "RSS MB before", "with them",
             "when all have asked again", "kB a client", "seconds to connect"], rows)


def show_rate(result):
    rows = [[one["target"], one["protocol"], f"{one['tps']:.0f}", one["transactions"],
             *(fixed(one[k], 2) for k in ("p50_ms", "p95_ms", "p99_ms", "max_ms")), fixed(one["cpu_cores"], 2)]
            for one in result["rate"] if "error" not in one]
    if rows:
        show(f"{result['options']['rate']} requests a second for {result['options']['rate_seconds']} s: "
             "select by key, 64 clients", ["target", "protocol", "done a second", "in all", "P50 ms", "P95 ms",
             "P99 ms", "longest ms", "cores used"], rows)
    for one in result["rate"]:
        if "error" in one:
            print(f"{one['target']}, {one['protocol']}: {one['error']}\n")


def goals(result):
    """(what, what was measured, from the lowest round to the highest, the goal, whether it is met)"""
    def met(what, value, limit, at_most, digits=2, spread=()):
        if value is not None:
            fine = value <= limit if at_most else value >= limit
            yield [what, fixed(value, digits),
                   f"{spread[0]:.{digits}f} to {spread[-1]:.{digits}f}" if spread else "",
                   f"{'at most' if at_most else 'at least'} {limit}", "yes" if fine else "no"]

    def beside(what, one, other, key, limit, at_most, digits=2):
        yield from met(what, paired(one, other, key), limit, at_most, digits, ratios(one, other, key))

    for cell in result["cells"]:
        ours, single = cell["targets"].get("pgmend", {}), cell["targets"].get("pgmend, 1 worker", {})
        name, base = base_of(cell)
        if cell["script"] == "2 MB":
            yield from beside("2 MB results, x direct", ours, cell["targets"].get("direct", {}), TPS, 0.85, False)
        if cell["script"] != "select-only" or cell["clients"] != 64 or cell["tls"] or cell["connect"] or cell["names"]:
            continue
        title = f"{cell['protocol']}, 64 clients"
        yield from beside(f"{title}: CPU, x {name}", ours, base, CPU, 0.67, True)
        yield from beside(f"{title}: CPU of one worker, x {name}", single, base, CPU, 1, True)
        yield from met(f"{title}: calls/query", ours.get("calls", {}).get("total"), 4.5, True)
        yield from beside(f"{title}: tps, x {name}", ours, base, TPS, 1.25, False)
        yield from beside(f"{title}: tps, x {name} x 2", ours, cell["targets"].get(f"{name} x 2", {}), TPS, 1, False)
    for cell in result["variants"]:
        targets = cell["targets"]
        yield from beside(f"{cell['title']}: CPU with the profile, x without", targets.get("pgmend", {}),
                          targets.get("pgmend, profile = 0", {}), CPU, 1.05, True, 3)
    for one in result["idle"]:
        if one["target"] == "pgmend" and "error" not in one:
            if one["clients"] == 1000:
                yield from met("MB resident with 1,000 idle clients", one["held_kb"] / 1024, 14, True, 1)
            else:
                yield from met("idle clients held", one["clients"], 10_000, False, 0)
    for one in result["rate"]:
        if one["target"] == "pgmend" and "error" not in one:
            yield from met("requests a second", one["tps"], result["options"]["rate"] * 0.99, False, 0)
            yield from met("P95 of them, ms", one["p95_ms"], 100, True)


def show_goals(result):
    rows = list(goals(result))
    if rows:
        show("Goals", ["", "measured", "rounds", "goal", "met"], rows)


def describe(result):
    machine, options = result["machine"], result["options"]
    idle = [cell["idle_share"] for cell in [*result["cells"], *result["variants"]]]
    print(f"\n{machine['system']}, {machine['cores']} cores, Linux {machine['kernel']}, PostgreSQL "
          f"{machine['postgres']}, {', '.join(machine['poolers'])}. {options['rounds']} rounds of "
          f"{options['seconds']} s for each cell, of those that goals are about twice as many.")
    if idle:
        print(f"Before each cell, when nothing of the benchmark ran, the machine was idle to "
              f"{100 * statistics.median(idle):.0f} % in the median and {100 * min(idle):.0f} % at the least.")


def print_all(result):
    describe(result)
    for part in (show_goals, show_runs, show_names, show_variants, show_calls, show_idle, show_rate):
        part(result)


def write_markdown(result, path):
    """Puts the tables between the page's two marks."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        print_all(result)
    page = path.read_text()
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"{path} must have {BEGIN} and {END}, once each")
    body = re.sub(r"\n{3,}", "\n\n", text.getvalue()).strip()
    head, rest = page.split(BEGIN)
    path.write_text(f"{head}{BEGIN}\n\n{body}\n\n{END}{rest.split(END)[1]}")
