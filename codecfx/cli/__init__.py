"""The command line: one file per verb. Engines are imported inside the verbs, when they are needed."""

import os
import sys


def main() -> None:
    """Run `codecfx`. Errors are one line on standard error; exit code 1 for a failure, 2 for wrong
    usage, 130 for Ctrl-C.
    """
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    # Nothing here multiplies matrices; numpy's idle threads would cost more than they bring
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import typer

    from codecfx.cli.app import app
    from codecfx.errors import CodecFxError, ConfigurationError

    if arguments in ([], ["presets"]):
        arguments = [*arguments, "--help"]
    try:
        result = app(arguments, standalone_mode=False, prog_name="codecfx")
        sys.stdout.flush()
    except typer.TyperException as error:
        return _failed(error.format_message(), error.exit_code)
    except ConfigurationError as error:
        return _failed(str(error), 2)
    except CodecFxError as error:
        return _failed(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        return _failed("stopped", 130)
    except BrokenPipeError:  # the reader of our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return result if isinstance(result, int) else 0


def _failed(message: str, exit_code: int) -> int:
    line = " ".join(message.split())
    print(f"codecfx: error: {line}", file=sys.stderr)
    return exit_code
