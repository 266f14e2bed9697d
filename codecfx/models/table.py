"""The models there are: files, checksums, licences, and where their makers publish them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model, as its makers publish it."""

    name: str
    size_bytes: int  # for people and progress; only the checksum is binding
    sha256: str  # in hex, or its first digits where its makers publish no more
    url: str


@dataclass(frozen=True, slots=True)
class Model:
    """What a codec cannot work without."""

    name: str  # the codec's
    title: str
    description: str  # one line
    files: tuple[ModelFile, ...]
    licence: str
    source: str

    @property
    def variable(self) -> str:
        """The environment variable that names another file of it, or the folder of several."""
        return f"CODECFX_MODEL_{self.name.upper()}"

    @property
    def size_bytes(self) -> int:
        """Of all files together, about."""
        return sum(file.size_bytes for file in self.files)

    @property
    def how(self) -> str:
        """How to get it, in words."""
        return f"type: codecfx models pull {self.name}"


# Of the checksums nothing is published but the digits in the names, which is what Meta's own loader
# checks (torch.hub, check_hash). The sizes are those of the parameters.
_META = "https://dl.fbaipublicfiles.com/encodec/v0/"
_META_LICENCE = "unclear (code MIT)"  # nobody states the weights'
_META_SOURCE = "github.com/facebookresearch/encodec"

ENCODEC = Model(
    "encodec",
    "EnCodec",
    "EnCodec's network for 24 kHz, one channel",
    (
        ModelFile(
            "encodec_24khz-d7cc33bc.th", 93_000_000, "d7cc33bc", f"{_META}encodec_24khz-d7cc33bc.th"
        ),
    ),
    _META_LICENCE,
    _META_SOURCE,
)

ENCODEC_48 = Model(
    "encodec48",
    "EnCodec 48",
    "EnCodec's network for 48 kHz, two channels",
    (
        ModelFile(
            "encodec_48khz-7e698e3e.th", 76_000_000, "7e698e3e", f"{_META}encodec_48khz-7e698e3e.th"
        ),
    ),
    _META_LICENCE,
    _META_SOURCE,
)

# v1.3.2; 1.3.0 and 1.3.1 have the same, 1.2.0 others
_GOOGLE = (
    "https://raw.githubusercontent.com/google/lyra/47698dadf0010abff6a848e02642f55f806d4842"
    "/lyra/model_coeffs/"
)

LYRA = Model(
    "lyra",
    "Lyra",
    "Lyra v2's encoder, quantizer and decoder",
    (
        ModelFile(
            "soundstream_encoder.tflite",
            1_779_200,
            "237da0b16226fb0a68d49551c81bebf614e42142af72764448359f68581e88f1",
            f"{_GOOGLE}soundstream_encoder.tflite",
        ),
        ModelFile(
            "quantizer.tflite",
            329_012,
            "841ee05989687d32d1f616a8ad1419fc7eda37599d3c05c7cf5a0d60ccf8ac5c",
            f"{_GOOGLE}quantizer.tflite",
        ),
        ModelFile(
            "lyragan.tflite",
            1_475_160,
            "50e7839cda4f30599a3a34cfaddcd9c98449b049eee884e1a74295780448ad06",
            f"{_GOOGLE}lyragan.tflite",
        ),
    ),
    "Apache-2.0",
    "github.com/google/lyra",
)

MODELS: dict[str, Model] = {model.name: model for model in (ENCODEC, ENCODEC_48, LYRA)}
