"""Names of MIDI ports: which one is meant, and what of a name lasts when a cable is plugged again."""

import re
import sys
from collections.abc import Collection, Iterable

from codecfx.errors import ConfigurationError, UnknownName

# The system's own, which gives back what is sent to it: never what somebody means who names none
_THROUGH = "midi through"


def find_port(wanted: str, names: Iterable[str]) -> str:
    """The port called `wanted`, or the only one with that in its name, in small or capital letters; for
    "" the first.

    Raises:
        UnknownName: no such port; says the nearest, and all.
        ConfigurationError: several; lists them.

    >>> ports = ["Midi Through:Port-0 14:0", "Launchkey:MIDI 1 20:0", "nanoKONTROL2:MIDI 1 24:0"]
    >>> find_port("key", ports), find_port("", ports)
    ('Launchkey:MIDI 1 20:0', 'Launchkey:MIDI 1 20:0')
    >>> find_port("Launchkey:MIDI 1 28:0", ports)  # it was in another socket
    'Launchkey:MIDI 1 20:0'
    """
    names = list(names)
    found = called(wanted, names)
    if len(found) == 1 or (found and not wanted):
        return found[0]
    if found:
        raise ConfigurationError(
            f"the MIDI port '{wanted}' may be {', '.join(found)}; write more of its name"
        )
    error = UnknownName("MIDI port", wanted, names)
    if not names:
        error.args = (f"no MIDI port '{wanted}'; there is none at all",)
    elif "there is: " not in str(error):
        error.args = (f"{error} there is: {', '.join(names)}",)
    raise error


def called(wanted: str, names: Iterable[str]) -> list[str]:
    """The ports that `wanted` may be: of that name, else what of it lasts, else with it as a part."""
    names = list(names)
    if not wanted:
        return [name for name in names if not name.lower().startswith(_THROUGH)]
    lasting, part = lasting_of(wanted), wanted.lower()
    return (
        [name for name in names if name == wanted]
        or [name for name in names if lasting_of(name) == lasting]
        or [name for name in names if part in name.lower()]
    )


def chosen(wanted: str, before: str, names: Iterable[str], taken: Collection[str] = ()) -> str:
    """The port to open: the one that was open `before`, else the first that `wanted` may be and that
    nobody has `taken`; "" for none.
    """
    names = [name for name in names if name not in taken]
    for again in called(before, names) if before else ():
        if lasting_of(again) == lasting_of(before):
            return again
    return next(iter(called(wanted, names)), "")


def lasting_of(name: str) -> str:
    """A name without the numbers that it gets when the cable is plugged in, in small letters.

    >>> lasting_of("Launchkey:MIDI 1 20:0"), lasting_of("a2j:Launchkey [20] (capture): MIDI 1")
    ('launchkey:midi 1', 'a2j:launchkey (capture): midi 1')
    """
    numbers = r" \d+$" if sys.platform == "win32" else r" \d+:\d+$| \[\d+\](?= \()"
    return re.sub(numbers, "", name.lower())
