"""From a checkpoint to what runs: both networks as graphs, the books, and where a stream stands after
silence. Made once with torch and onnx, and kept as one file of arrays, which needs neither.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from codecfx import models
from codecfx.codecs.encodec import checkpoint
from codecfx.codecs.encodec.arrays import ArrayMemory, OnArrays
from codecfx.codecs.encodec.checkpoint import HOP_SAMPLES, Checkpoint, Kind
from codecfx.codecs.encodec.network import START_HOPS, Network
from codecfx.codecs.encodec.session import Session
from codecfx.codecs.residual_quantizer import ResidualQuantizer
from codecfx.errors import CodecUnavailable, ModelFileError
from codecfx.models.locking import locked

Export: TypeAlias = Mapping[str, NDArray[Any]]

_VERSION = 1  # of what is in such a file, and how it was made
# How long a new stream has heard silence: longer than LSTMs remember how they began
_SILENT_HOPS = 75


def exported(kind: Kind, path: Path, digest: str) -> Export:
    """What runs of the checkpoint at `path`, whose SHA-256 is `digest`: from the file beside it, which
    is made where there is none. It holds `encoder` and `decoder` (ONNX, as bytes), `books`, and for a
    causal model `silent_tokens`, `encoder_cache0`, ..., `decoder_cache0`, ...

    Raises:
        CodecUnavailable: torch, onnx or ONNX Runtime is not installed.
        ModelFileError: the checkpoint is wrong, or there is no room for the file.
    """
    name = f"{path.name}.{digest[:16]}.v{_VERSION}.npz"
    for folder in (path.parent, models.folder()):
        export = _read(folder / name, kind)
        if export is not None:
            return export
    # Beside the checkpoint, or where models lie if nobody may write there
    kept = (path.parent if os.access(path.parent, os.W_OK) else models.folder()) / name
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with locked(kept.with_suffix(".lock")):  # many files rendered at once want one of it
            export = _read(kept, kind)
            if export is None:
                export = _made(kind, checkpoint.load(path, kind))
                _keep(export, kept)
                _remove_others(path.name, kept)
    except OSError as error:
        raise ModelFileError(
            f"what runs of the model cannot be kept at {kept} ({error.strerror}); make room for 80 MB "
            "there"
        ) from None
    return export


def _read(path: Path, kind: Kind) -> Export | None:
    """What is kept at `path`; None where there is nothing, or only a part of it."""
    if not path.exists():
        return None
    try:
        # opened here: numpy leaves half a file open, which Windows would not let go
        with path.open("rb") as file, np.load(file) as kept:
            export = {name: kept[name] for name in kept.files}
    except Exception:  # whatever half a file does to numpy's reader: it is made anew
        return None
    expected = {"encoder", "decoder", "books"} | ({"silent_tokens"} if kind.is_causal else set())
    return export if expected <= export.keys() else None


def _keep(export: Export, path: Path) -> None:
    aside = path.with_suffix(".part")
    try:
        with open(aside, "wb") as file:
            np.savez(file, **export)  # type: ignore[arg-type]
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def _remove_others(checkpoint_name: str, kept: Path) -> None:
    """Remove what was made of earlier files of a checkpoint's name."""
    for path in kept.parent.iterdir():
        if path.name.startswith(f"{checkpoint_name}.") and path.suffix == ".npz" and path != kept:
            path.unlink(missing_ok=True)


def _made(kind: Kind, read: Checkpoint) -> Export:
    try:
        from codecfx.codecs.encodec.graph import streaming_graph, whole_graph
    except ImportError:
        raise CodecUnavailable(checkpoint.NEEDS_EXTRA) from None
    write = streaming_graph if kind.is_causal else whole_graph
    encoder, decoder, books = write(read.encoder), write(read.decoder), read.books.astype(np.float32)
    made: dict[str, NDArray[Any]] = {
        "encoder": np.frombuffer(encoder, np.uint8),
        "decoder": np.frombuffer(decoder, np.uint8),
        "books": books,
    }
    return made | (_silence(read, encoder, decoder, books) if kind.is_causal else {})


def _silence(
    read: Checkpoint, encoder: bytes, decoder: bytes, books: NDArray[np.float32]
) -> dict[str, NDArray[Any]]:
    """Where a stream stands after silence. The first hops, which every layer mirrors, are computed on
    arrays, the others by the graphs. What the decoder has heard depends on how many books it was sent.
    """
    silence = np.zeros((1, 1, _SILENT_HOPS * HOP_SAMPLES), np.float32)
    latents, encoder_caches = _started(read.encoder, Session(encoder), silence, HOP_SAMPLES)
    quantizer = ResidualQuantizer(books)
    tokens = quantizer.encode(np.ascontiguousarray(latents[0].T), quantizer.books)
    heard = [quantizer.decode(tokens[: count + 1]).T for count in range(quantizer.books)]
    _, decoder_caches = _started(read.decoder, Session(decoder), np.stack(heard), 1)
    made: dict[str, NDArray[Any]] = {"silent_tokens": tokens[:, -1]}
    for name, caches in (("encoder", encoder_caches), ("decoder", decoder_caches)):
        made |= {f"{name}_cache{index}": cache for index, cache in enumerate(caches)}
    return made


def _started(
    network: Network, session: Session, x: NDArray[np.float32], hop: int
) -> tuple[NDArray[np.float32], tuple[NDArray[np.float32], ...]]:
    """What a network makes of x from its very start, and its caches then."""
    memory: ArrayMemory = ArrayMemory()
    first = network.stream(OnArrays(), x[:, :, : START_HOPS * hop].astype(np.float64), memory)
    # a graph's caches of sound are pictures of one row, (streams, channels, 1, time)
    kept = (one[:, :, np.newaxis] if one.ndim == 3 else one for one in memory.kept)
    caches = tuple(cache.astype(np.float32) for cache in kept)
    rest, caches = session.run(x[:, :, START_HOPS * hop :], caches)
    return np.concatenate((first.astype(np.float32), rest), axis=2), caches
