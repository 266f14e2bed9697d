"""`codecfx midi`: ports, maps, what controllers say, and teaching presets to listen to them."""

from typing import Annotated

import typer

from codecfx.cli import midi_learn, midi_monitor

app = typer.Typer(help="Ports, maps, and what controllers say.", add_completion=False)


@app.command()
def ports(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> int:
    """Every MIDI input and output, and the system that they are of."""
    from codecfx.cli.output import print_json, print_table
    from codecfx.control.midi_ports import input_names, midi_api, output_names
    from codecfx.errors import MidiUnavailable

    api = midi_api()
    inputs, outputs = input_names(), output_names()
    if as_json:
        print_json({"api": api, "inputs": inputs, "outputs": outputs})
        return 0 if inputs or outputs else 1
    if not inputs and not outputs:
        raise MidiUnavailable(f"no MIDI ports ({api}); plug in a controller, or start what has some")
    rows = [("in", name) for name in inputs] + [("out", name) for name in outputs]
    print_table(("way", f"port ({api})"), rows)
    return 0


@app.command()
def maps(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Every map that comes along, and your own: what -m takes."""
    from codecfx.cli.output import print_json, print_table
    from codecfx.errors import ControlFileError
    from codecfx.presets import load_map, map_names

    entries = []
    for name, path in map_names().items():
        try:
            count = len(load_map(path).maps)
            description = _first_comment(path.read_text(encoding="utf-8-sig"))
        except ControlFileError as error:  # a broken one of the user's own must not hide the others
            count, description = 0, f"unreadable: {error}"
        entries.append({"name": name, "description": description, "path": str(path), "maps": count})
    if as_json:
        print_json(entries)
        return
    print_table(("map", "what it is"), [(str(one["name"]), str(one["description"])) for one in entries])


app.command("monitor")(midi_monitor.command)
app.command("learn")(midi_learn.command)


def _first_comment(text: str) -> str:
    """What the first comment says, up to its end."""
    words: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            words.append(line.strip("# "))
        elif words:
            break
    return " ".join(words).partition(". ")[0].rstrip(".")
