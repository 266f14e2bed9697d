"""Takes: what was played live, as a folder that renders to what was heard.

::

    my-take/
      take.toml       version, rate, channels, seed, block size, and what it ran on
      preset.toml     the board as it was at the first sample, and what moved it
      presets/        those that its maps can choose, and boards that came after the first
      events.csv      sample, kind, target, value: every message, move and board, where it applied
      dry.wav         the input, 32-bit float
      wet.wav         the output, if it was asked for

A take's time is the stream's: sample 0 is the first that the board heard. `codecfx render my-take -o
out.wav` plays it again, to the last bit, without the latency at its start. Edit events.csv, add lanes,
choose another preset: it is another version of the same performance.

A take that was cut off (a crash, a full disk) can be read up to where it was last synced.
"""

from codecfx.takes.take import Take, is_take, load_take
from codecfx.takes.writer import TakeWriter

__all__ = ["Take", "TakeWriter", "is_take", "load_take"]
