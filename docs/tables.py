"""Writes the tables of the README from what the code says: codecs and latency, and the last bench.

usage: python docs/tables.py README.md [--check]
"""

import sys
from pathlib import Path

from codecfx.cli.catalogue import every_codec

ROOT = Path(__file__).parent.parent


def codecs() -> str:
    """A row for each codec."""
    rows = [
        f"| `{one['title']}` | {one['latency']['48000']['ms']:.1f} ms | {one['description']} |"
        for one in every_codec()
    ]
    return "\n".join(["| effect | latency at 48 kHz | what |", "|---|---|---|", *rows])


def bench() -> str:
    """The table of the last `make bench`."""
    return (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8").strip()


def filled(text: str, name: str, table: str) -> str:
    """`text` with `table` between the comments called `name`."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, rest = text.split(begin)
    return f"{before}{begin}{table}\n{end}{rest.split(end)[1]}"


def main() -> None:
    path = Path(sys.argv[1])
    text = path.read_text(encoding="utf-8")
    new = filled(filled(text, "codecs", codecs()), "bench", bench())
    if "--check" in sys.argv and new != text:
        raise SystemExit(f"{path} is not what the code says; run make docs")
    path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
