"""The table of classic codecs, a module to a branch of the family. A new codec is one row."""

from codecfx.codecs.classic import ClassicCodec, codec_of
from codecfx.codecs.family import bluetooth, libraries, mpeg, music, retro, telephone

CODECS: dict[str, type[ClassicCodec]] = {
    row.name: codec_of(row)
    for branch in (mpeg, music, telephone, bluetooth, retro, libraries)
    for row in branch.ROWS
}
