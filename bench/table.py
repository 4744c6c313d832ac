"""Tables as Markdown with columns in line."""

import sys


class Tee:
    """Standard output that also goes to a file."""

    def __init__(self, path):
        self.stream, self.file = sys.stdout, open(path, "w", encoding="utf-8")

    def write(self, text):
        self.file.write(text)
        return self.stream.write(text)

    def flush(self):
        self.file.flush()
        self.stream.flush()


def copy_to(path):
    """From now on what is printed stands in the file, too; path None: nowhere else."""
    if path:
        sys.stdout = Tee(path)


def show(title, headings, rows):
    cells = [[str(c) for c in row] for row in [headings, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headings))]
    numeric = [all(row[i][:1] in "-+0123456789" or not row[i] for row in cells[1:]) for i in range(len(headings))]
    print(f"\n## {title}\n")
    for n, row in enumerate(cells):
        padded = (c.rjust(w) if right else c.ljust(w) for c, w, right in zip(row, widths, numeric))
        print("| " + " | ".join(padded) + " |")
        if n == 0:
            print("|" + "|".join("-" * (w + 1) + (":" if right else "-") for w, right in zip(widths, numeric)) + "|")
    print(flush=True)
