"""A model's three files as what computes: two networks and the quantiser between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codecfx.codecs.lyra import tflite
from codecfx.codecs.lyra.comfort_noise import HOP
from codecfx.codecs.lyra.litert import LiteRTNetwork
from codecfx.codecs.lyra.network import FrameNetwork, Network, blueprint_of
from codecfx.codecs.lyra.quantizer import Quantizer, quantizer_of


@dataclass(frozen=True, slots=True)
class LyraModel:
    """What one stream needs. The networks have memories of their own; weights and books are shared."""

    encoder: FrameNetwork  # 320 samples to 64 features
    quantizer: Quantizer
    generator: FrameNetwork  # and back


def load(files: Mapping[str, Path], backend: str) -> LyraModel:
    """The model in its files, by their published names, for `backend` "numpy" or "litert".

    Raises:
        ModelFileError: a file is not what it should be; says which, and what was expected.
        CodecUnavailable: the backend is not installed; says how to get it.
    """
    encoder, generator = files["soundstream_encoder.tflite"], files["lyragan.tflite"]
    quantizer = quantizer_of(files["quantizer.tflite"])
    kinds = (
        (encoder, "an encoder", (HOP, quantizer.features)),
        (generator, "a generator", (quantizer.features, HOP)),
    )
    networks = [_network(path, expected, sizes, backend) for path, expected, sizes in kinds]
    return LyraModel(networks[0], quantizer, networks[1])


def _network(path: Path, expected: str, sizes: tuple[int, int], backend: str) -> FrameNetwork:
    graphs = tflite.read(path)

    def built() -> Network:
        network = Network(blueprint_of(graphs))
        if network.sizes != sizes:
            raise ValueError("{} values in and {} out".format(*network.sizes))
        return network

    network = tflite.understood(path, expected, built)
    return LiteRTNetwork(path) if backend == "litert" else network
