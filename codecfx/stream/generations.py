"""Generations: the same codec again and again, as a file that is uploaded for the fourth time.

A codec that cuts what it decoded at the same samples again finds the numbers that it left there, and
changes little more. So each generation begins a part of a frame later than the one before: it keeps
getting worse. The cost is known before it runs, that of one pass times their number, and so is the
latency: a frame for each, and what they are apart.
"""

from collections.abc import Iterator, Sequence

from codecfx.control.parameters import Change
from codecfx.stream.distance import Distance
from codecfx.stream.link import Link
from codecfx.stream.plan import of_packets
from codecfx.stream.stage import Stage

GROUP = "passes"
ABOUT = "The same codec again and again"
_parameter = of_packets(GROUP)
# A golden section of a frame: however many follow each other, none begins where another did
_GOLDEN = 0.382

PARAMETERS = (
    _parameter(
        "generations",
        "Generations",
        1,
        minimum=1,
        maximum=50,
        change=Change.PREPARE,
        description="Passes through the codec, each a frame later and as much work again; network and "
        "damage are on the last",
    ),
    _parameter(
        "resync",
        "Re-sync",
        _GOLDEN,
        minimum=0.0,
        maximum=1.0,
        unit="frames",
        change=Change.PREPARE,
        description="How much later each pass begins, so that it keeps getting worse; 0: no later",
    ),
)


def earlier_passes(links: Sequence[Link], resync: float) -> Iterator[Stage]:
    """All passes but the last, each with what puts the next one out of step."""
    for link in links:
        form = link.codec.format
        yield link.framed()
        yield Distance(round(resync * form.frame_samples), form.channels)
