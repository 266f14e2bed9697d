"""The command line: one file per verb. Engines are imported inside the verbs, when they are needed."""

import io
import os
import signal
import sys


def main() -> None:
    """Run `codecfx`. Errors are one line on standard error; exit code 1 for a failure, 2 for wrong
    usage, 130 for Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")  # names of files may be no text
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the same as Ctrl-C: half files go
    try:
        exit_code = run(sys.argv[1:])
    except KeyboardInterrupt:
        exit_code = _failed("stopped", 130)
    sys.exit(exit_code)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    # Nothing here multiplies matrices; numpy's idle threads would cost more than they bring
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import typer

    from codecfx.cli.app import app
    from codecfx.errors import CodecFxError, ConfigurationError

    if arguments in ([], ["presets"], ["models"], ["midi"]):
        arguments = [*arguments, "--help"]
    try:
        result = app(arguments, standalone_mode=False, prog_name="codecfx")
        if sys.stdout is not None:
            sys.stdout.flush()
    except typer.TyperException as error:
        return _failed(error.format_message(), error.exit_code)
    except ConfigurationError as error:
        return _failed(str(error), 2)
    except CodecFxError as error:
        return _failed(str(error), 1)
    except typer.Abort:
        return _failed("stopped", 130)
    except OSError as error:  # not of an audio file: nobody reads our output, or its disk is full
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what is still to be flushed
        if isinstance(error, BrokenPipeError):
            return 1
        return _failed(f"{error.filename or 'output'}: {error.strerror or error}", 1)
    if result == 130:  # what typer makes of KeyboardInterrupt
        return _failed("stopped", 130)
    return result if isinstance(result, int) else 0


def _failed(message: str, exit_code: int) -> int:
    from codecfx.cli.output import print_error

    print_error(message)
    return exit_code
