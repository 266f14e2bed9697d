"""Writes the tables of the README from what the code says: codecs and latency, and the last bench.

usage: python docs/tables.py README.md [--check]
"""

import sys
from pathlib import Path
from typing import Any

from codecfx.cli.catalogue import channels_in_words, every_codec, rates_in_words

ROOT = Path(__file__).parent.parent

sys.path.insert(0, str(ROOT / "tests"))
from made_models import use_made_models  # noqa: E402


def codecs() -> str:
    """A row for each codec, a family after the other. Stops where one is missing: it has no latency."""
    entries = sorted(every_codec(), key=lambda one: one["family"].lower())
    for one in entries:
        if one["unavailable"]:
            raise SystemExit(f"the table wants every codec: {one['unavailable']}")
    head = "| effect | family | kHz | ch | kbps | frame | latency at 44.1 / 48 kHz | live | change |"
    return "\n".join([head, "|---|---|---|---|---|---|---|---|---|", *map(_row, entries)])


def _row(one: dict[str, Any]) -> str:
    at_44, at_48 = (one["latency"][rate]["ms"] for rate in ("44100", "48000"))
    return (
        f"| `{one['title']}` | {one['family']} | {rates_in_words(one)} | {channels_in_words(one)} "
        f"| {one['bitrate_kbps']} | {one['frame_ms']:.3g} ms | {at_44:.1f} / {at_48:.1f} ms "
        f"| {'yes' if one['live'] else 'no'} | {one['live_change'] or '–'} |"
    )


def bench() -> str:
    """The table of the last `make bench`."""
    return (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8").strip()


def filled(text: str, name: str, table: str) -> str:
    """`text` with `table` between the comments called `name`."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, rest = text.split(begin)
    return f"{before}{begin}{table}\n{end}{rest.split(end)[1]}"


def main() -> None:
    use_made_models()  # latency is that of the networks, whatever the weights
    path = Path(sys.argv[1])
    text = path.read_text(encoding="utf-8")
    new = filled(filled(text, "codecs", codecs()), "bench", bench())
    if "--check" in sys.argv and new != text:
        raise SystemExit(f"{path} is not what the code says; run make docs")
    path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
