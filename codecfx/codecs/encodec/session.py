"""A graph that runs, on ONNX Runtime: float32, one thread."""

import os
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from codecfx.errors import CodecUnavailable

Array: TypeAlias = NDArray[np.float32]
Caches: TypeAlias = tuple[Array, ...]


class Session:
    """One network. It has no memory: any number of streams, in any threads, may share it."""

    def __init__(self, graph: bytes) -> None:
        """Raises CodecUnavailable without ONNX Runtime."""
        # Microsoft's builds keep a device's number, and may send it
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        try:
            import onnxruntime
        except ImportError:
            message = "EnCodec runs on ONNX Runtime: pip install 'codecfx[neural]'"
            raise CodecUnavailable(message) from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only
        self._session: Any = onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"]
        )

    def run(self, x: Array, caches: Caches = ()) -> tuple[Array, Caches]:
        """What the network makes of x, (streams, channels, time), and the caches for what follows."""
        feed = dict(zip(("x", *_names(len(caches))), (x, *caches), strict=True))
        y, *kept = self._session.run(None, feed)
        return y, tuple(kept)


@cache
def _names(count: int) -> tuple[str, ...]:
    return tuple(f"cache{index}" for index in range(count))
