"""libopus: which one is used, and its few functions as opuslib binds them.

The `av` wheel ships a current libopus on every platform, so that everybody hears the same codec.
`CODECFX_LIBOPUS` names another (a path), for instance one built with deep concealment. opuslib looks
for the library at import and nowhere else, so it is shown the way there, once.
"""

import ctypes
import ctypes.util
import os
import sys
import warnings
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

from codecfx.errors import CodecUnavailable

# Requests that opuslib does not list, from libopus' opus_defines.h and, for the last, opus_private.h
AUTO = -1000
SET_FORCE_MODE = 11002
MODES = {"auto": AUTO, "silk": 1000, "hybrid": 1001, "celt": 1002}

# From opus_defines.h
SET_BITRATE, SET_MAX_BANDWIDTH, SET_VBR = 4002, 4004, 4006
SET_BANDWIDTH, SET_COMPLEXITY = 4008, 4010
SET_INBAND_FEC, SET_PACKET_LOSS_PERC, SET_DTX = 4012, 4014, 4016
SET_VBR_CONSTRAINT, SET_FORCE_CHANNELS, SET_SIGNAL = 4020, 4022, 4024
GET_LOOKAHEAD = 4027
BUFFER_TOO_SMALL = -2

_HOW = "install PyAV (pip install av), or set CODECFX_LIBOPUS to the path of a libopus"


def find() -> str:
    """The path (or system name) of the libopus in use.

    Raises:
        CodecUnavailable: there is none; says how to get one.
    """
    chosen = os.environ.get("CODECFX_LIBOPUS")
    if chosen:
        if not Path(chosen).is_file():
            raise CodecUnavailable(f"CODECFX_LIBOPUS is '{chosen}', which is no file; {_HOW}")
        return chosen
    av = find_spec("av")  # found, not imported: av takes 0.2 s and is not needed for this
    for folder in (av.submodule_search_locations or []) if av else []:
        # Linux and Windows wheels keep their libraries beside the package, macOS ones inside it
        for libraries in (Path(folder).parent / "av.libs", Path(folder) / ".dylibs"):
            for library in sorted(libraries.glob("libopus*")):
                return str(library)
    system = ctypes.util.find_library("opus")
    if system is None:
        raise CodecUnavailable(f"no libopus on this machine; {_HOW}")
    return system


@cache
def load() -> SimpleNamespace:
    """libopus' functions with the argument types that raw addresses need.

    Raises:
        CodecUnavailable: there is no libopus, or it does not load.
    """
    path = find()
    try:
        api = _opuslib_on(path)
    except Exception as error:  # opuslib raises a bare Exception, ctypes an OSError
        raise CodecUnavailable(f"'{path}' is no libopus that loads here ({error}); {_HOW}") from None
    library, encoder, decoder = api.libopus, api.encoder, api.decoder
    # A request's value goes through C's variable arguments: only the fixed ones may be declared
    encoder.libopus_ctl.argtypes = (encoder.EncoderPointer, ctypes.c_int)
    decoder.libopus_ctl.argtypes = (decoder.DecoderPointer, ctypes.c_int)
    address, integer = ctypes.c_void_p, ctypes.c_int
    encode, decode = library.opus_encode_float, library.opus_decode_float
    encode.argtypes = (encoder.EncoderPointer, address, integer, address, ctypes.c_int32)
    decode.argtypes = (
        decoder.DecoderPointer,
        ctypes.c_char_p,
        ctypes.c_int32,
        address,
        integer,
        integer,
    )
    library.opus_encoder_init.argtypes = (encoder.EncoderPointer, ctypes.c_int32, integer, integer)
    library.opus_decoder_init.argtypes = (decoder.DecoderPointer, ctypes.c_int32, integer)
    library.opus_get_version_string.restype = ctypes.c_char_p
    has_copy = getattr(library, "opus_packet_has_lbrr", None)  # since libopus 1.4
    return SimpleNamespace(
        path=path,
        version=library.opus_get_version_string().decode(),
        create_encoder=encoder.create_state,
        create_decoder=decoder.create_state,
        init_encoder=library.opus_encoder_init,
        init_decoder=library.opus_decoder_init,
        destroy_encoder=encoder.destroy,
        destroy_decoder=decoder.destroy,
        encoder_ctl=encoder.libopus_ctl,
        decoder_ctl=decoder.libopus_ctl,
        encode_float=encode,
        decode_float=decode,
        has_copy=has_copy or (lambda packet, size: 0),
    )


def _opuslib_on(path: str) -> SimpleNamespace:
    """opuslib's modules, bound to the library at `path` unless somebody imported it before."""
    search = ctypes.util.find_library
    if "opuslib.api" not in sys.modules:
        ctypes.util.find_library = lambda name: path if name == "opus" else search(name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # opuslib compares numbers with `is`
            import opuslib.api
            import opuslib.api.decoder
            import opuslib.api.encoder
    finally:
        ctypes.util.find_library = search
    return SimpleNamespace(
        libopus=opuslib.api.libopus, encoder=opuslib.api.encoder, decoder=opuslib.api.decoder
    )
