"""A model that runs, loaded once in a process and shared by all codecs of it."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import count, takewhile
from pathlib import Path

import numpy as np

from codecfx import models
from codecfx.codecs.encodec.checkpoint import Kind
from codecfx.codecs.encodec.export import Export, exported
from codecfx.codecs.encodec.session import Caches, Session
from codecfx.codecs.residual_quantizer import ResidualQuantizer, Tokens


@dataclass(frozen=True, slots=True)
class Silence:
    """Where a stream stands after silence: how every new one begins."""

    tokens: Tokens  # (books) of a silent hop
    encoder: Caches  # (1, ...) each
    decoder: Caches  # (books, ...) each: after what one book says of silence, what two say, ...


@dataclass(frozen=True, slots=True)
class Model:
    """Two networks and the books between them."""

    encoder: Session
    decoder: Session
    quantizer: ResidualQuantizer
    silence: Silence  # empty for a model that is not causal


def load(kind: Kind) -> Model:
    """The model of a kind.

    Raises:
        ModelMissing: its checkpoint is not on this machine; says what to type.
        ModelFileError: the checkpoint is wrong, or there is no room for what is made of it.
        CodecUnavailable: something is not installed; says what to type.
    """
    (path,) = models.files(kind.model).values()
    return _loaded(kind, path, models.sha256(path))


@lru_cache(maxsize=4)
def _loaded(kind: Kind, path: Path, digest: str) -> Model:
    export = exported(kind, path, digest)
    return Model(
        Session(export["encoder"].tobytes()),
        Session(export["decoder"].tobytes()),
        ResidualQuantizer(export["books"]),
        Silence(
            export.get("silent_tokens", np.empty(0, np.int32)),
            _caches(export, "encoder"),
            _caches(export, "decoder"),
        ),
    )


def _caches(export: Export, name: str) -> Caches:
    keys = takewhile(export.__contains__, (f"{name}_cache{index}" for index in count()))
    return tuple(export[key] for key in keys)
