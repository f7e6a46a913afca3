"""`plimsoll operations`: the files that come with the package, for whoever operates keepers."""

from pathlib import Path
from typing import Annotated

import typer


def operations(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go.")],
) -> None:
    """Write alert rules and their tests, a Grafana dashboard, a Dockerfile and an example topology.

    Every alert's `runbook` says what to do. `promtool test rules DIR/alerts.test.yml` runs the tests.

    Example: plimsoll operations build/operations
    """
    from keeper.app.topology.files import write_shipped

    for path in write_shipped(folder):
        typer.echo(str(path))


def health(url: Annotated[str, typer.Argument(help="Such as http://127.0.0.1:8600/ready.")]) -> None:
    """Exit code 0 if an address answers 200: for containers, whose images need no other tool."""
    import httpx

    try:
        found = httpx.get(url, timeout=4)
    except httpx.HTTPError as error:
        raise RuntimeError(f"{url} does not answer: {type(error).__name__}") from None
    if found.status_code != httpx.codes.OK:
        raise RuntimeError(f"{url} answers {found.status_code}: {found.text[:300]}")
