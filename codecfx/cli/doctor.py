"""`codecfx doctor`: what this machine has, what it lacks, and how to get it."""

from typing import Annotated

import typer


def command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> int:
    """Tell which engines are used, what is missing, and how to get it."""
    from dataclasses import asdict

    from codecfx.cli.output import print_json
    from codecfx.diagnosis import findings

    found = list(findings())
    if as_json:
        print_json([asdict(finding) for finding in found])
    else:
        width = max(len(finding.name) for finding in found)
        for finding in found:
            state = "ok" if finding.found else ("MISSING" if finding.needed else "absent")
            print(f"{state:7}  {finding.name:{width}}  {finding.detail}")
    return int(any(finding.needed and not finding.found for finding in found))
