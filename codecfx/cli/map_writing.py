"""[[map]] tables at the end of files that people write: what is there stays, to the last byte."""

import json
import os
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from codecfx.errors import ConfigurationError, ControlFileError

if TYPE_CHECKING:
    from codecfx.control.controls import Controls
    from codecfx.effects.base import Effect


class MapFile:
    """The file that maps of a preset are written to: the preset itself, if it is one's own."""

    def __init__(self, preset: Path, file: Path | None = None) -> None:
        """`file` instead of the preset: one that is there, a preset's or a map's, or a new copy.

        Raises:
            ConfigurationError: the preset is built in, and one's own of that name is another.
        """
        from codecfx.presets import preset_folders

        folders = list(preset_folders())
        self.is_built_in = preset.resolve().is_relative_to(folders[-1].resolve())
        self.path = file or (folders[0] / preset.name if self.is_built_in else preset)
        self.is_copy = not self.path.exists()  # or will be, with the first map
        if self.is_built_in and file is None and not self.is_copy:
            raise ConfigurationError(
                f"{preset} is built in, and {self.path} is yours: name that, or --out-file"
            )
        self._source = preset if self.is_copy else self.path

    def controls(self) -> "Controls":
        """What is in it now. Raises ConfigurationError for a file that cannot be read."""
        return _controls_in(self._source.read_bytes(), self._source)

    def append(self, table: Mapping[str, object], board: "Effect") -> None:
        """Write one more map, the whole file or nothing.

        Raises:
            ConfigurationError: what would be there could not be read, or not be used with `board`.
            OSError: the file cannot be written.
        """
        from codecfx.effects.steering import refuse_unknown

        path = self.path.resolve()  # of a link, the file
        content = with_map(self._source.read_bytes(), table)
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            aside.write_bytes(content)
            if self._source.exists():
                shutil.copymode(self._source, aside)
            refuse_unknown(board, _controls_in(content, aside))
            os.replace(aside, path)
        except ConfigurationError as error:
            error.args = (str(error).replace(str(aside), str(self.path)),)
            raise
        finally:
            aside.unlink(missing_ok=True)
        self.is_copy, self._source = False, self.path


def with_map(content: bytes, table: Mapping[str, object]) -> bytes:
    r"""A TOML file's bytes with one more [[map]] at the end, its lines ended as the others are.

    >>> with_map(b"version = 1 # mine\r\n", {"source": "cc 21", "target": "mix", "max": 0.5})
    b'version = 1 # mine\r\n\r\n[[map]]\r\nsource = "cc 21"\r\ntarget = "mix"\r\nmax = 0.5\r\n'
    """
    end = b"\r\n" if b"\r\n" in content else b"\n"
    # a value of TOML is as in JSON, where it is text, a number or a switch
    lines = [
        "[[map]]",
        *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items()),
    ]
    written = b"".join(line.encode() + end for line in lines)
    gap = end if content.endswith(b"\n") or not content else end * 2
    return content + gap + written


def _controls_in(content: bytes, path: Path) -> "Controls":
    """The controls in a preset or control file. Raises ConfigurationError."""
    from codecfx.control.control_file import controls_of
    from codecfx.presets import load_preset

    try:
        text = content.decode("utf-8-sig")
        table = tomllib.loads(text)
    except ValueError as error:
        raise ControlFileError(f"{path}: is no TOML ({error})") from None
    if "chain" in table:
        return load_preset(path.absolute()).controls
    return controls_of(table, path, text)
