"""The dashboard's files: small, self-contained, and without a way for data to become markup."""
import gzip
import os
import re

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
WEB = os.path.join(ROOT, "web")
PLAIN_MAX, GZIP_MAX = 200_000, 70_000


def files(*endings):
    for folder, _, names in os.walk(WEB):
        for name in sorted(names):
            if name.endswith(endings):
                with open(os.path.join(folder, name), encoding="utf-8") as handle:
                    yield os.path.relpath(os.path.join(folder, name), WEB), handle.read()


def own(*endings):
    return [(name, text) for name, text in files(*endings) if not name.startswith("vendor/")]


def test_what_a_browser_loads_is_small():
    loaded = [text.encode() for _, text in files(".html", ".css", ".js", ".svg")]
    assert sum(map(len, loaded)) < PLAIN_MAX
    assert sum(len(gzip.compress(text, 9)) for text in loaded) < GZIP_MAX


def test_everything_is_compiled_in():
    with open(os.path.join(WEB, "meson.build"), encoding="utf-8") as handle:
        listed = set(re.findall(r"'([^']+)'", handle.read()))
    assert listed == {name for name, _ in files(".html", ".css", ".js", ".svg", ".LICENSE")}


def test_nothing_is_asked_of_others():
    for name, text in own(".html", ".css", ".js"):
        assert not re.search(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", re.sub(r"postgresql://\S+|http://www.w3.org/2000/svg", "", text)), name


def test_data_never_becomes_markup():
    for name, text in own(".js"):
        found = re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc", text.replace("no way from here to innerHTML", ""))
        assert not found, f"{name}: {found.group()}"
    for name, text in own(".html"):
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|javascript:", text), name


def test_modules_import_what_is_there():
    known = {name for name, _ in files(".js")}
    for name, text in own(".js"):
        for path in re.findall(r'from "(\.[^"]+)"', text):
            assert os.path.normpath(os.path.join(os.path.dirname(name), path)) in known, f"{name}: {path}"
        for names, path in re.findall(r'import \{([^}]+)\} from "(\.[^"]+)"', text):
            with open(os.path.normpath(os.path.join(WEB, os.path.dirname(name), path)), encoding="utf-8") as handle:
                exported = set(re.findall(r"export (?:async )?(?:function|const|class|let) (\w+)", handle.read()))
            missing = {n.strip().split(" as ")[0] for n in names.split(",")} - exported
            assert not missing, f"{name} imports {missing} from {path}"
