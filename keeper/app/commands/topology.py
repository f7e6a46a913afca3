"""`plimsoll topology`: a whole network out of one file."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from keeper.app.topology.runner import Running

topology = typer.Typer(
    help="A whole network out of one file: run it on this machine, or write a compose file for containers.",
    no_args_is_help=True,
)

FileArgument = Annotated[Path, typer.Argument(metavar="TOPOLOGY", help="The topology, TOML.")]


@topology.command()
def run(
    file: FileArgument,
    folder: Annotated[
        Path, typer.Option("--dir", help="Where configuration, keys, logs and SQLite files go.")
    ] = Path("build/network"),
    seconds: Annotated[
        float | None, typer.Option(min=0, help="End by itself so long after all is ready.")
    ] = None,
) -> None:
    """Start every process in its order, wait until each is ready, and show what runs; Ctrl-C ends all.

    PostgreSQL and Prometheus are used where this machine has them. One log a process in the folder; keys
    there are used again, a devnet is always new. Exit code 1 if a process ends by itself.

    Example: plimsoll operations build/operations && plimsoll topology run build/operations/topology.toml
    """
    from keeper.app.topology import runner
    from keeper.app.topology.file import load

    found = load(file)
    with (
        _stoppable() as stopped,
        runner.running(found, folder, lambda text: typer.echo(text, err=True)) as up,
    ):
        _show(up)
        deadline = None if seconds is None else time.monotonic() + seconds
        while not stopped() and (deadline is None or time.monotonic() < deadline):
            if ended := up.ended():
                raise runner.TopologyError("; ".join(ended))
            time.sleep(0.2)
        _show(up)


@topology.command()
def write(
    file: FileArgument,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where each process gets a folder.")],
    containers: Annotated[
        bool, typer.Option("--containers", help="Each process has a host of its own, by its name.")
    ] = False,
) -> None:
    """Write each process's configuration, and a new key where it has none; start nothing.

    Example: plimsoll topology write topology.toml build/network
    """
    from keeper.app.topology import files
    from keeper.app.topology.file import load
    from keeper.app.topology.plan import Place

    addresses = files.write(load(file), folder, Place(str(folder.resolve()), apart=containers))
    for name, address in addresses.items():
        typer.echo(f"{name:<16} {address}")


@topology.command()
def compose(
    file: FileArgument,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where compose.yaml and Dockerfile go.")],
    source: Annotated[Path, typer.Option(help="The repository, from which the images are built.")] = Path(),
) -> None:
    """Write compose.yaml and the Dockerfile it builds: the same services, commands, ports and health checks.

    Example: plimsoll topology compose topology.toml deploy && docker compose -f deploy/compose.yaml up
    """
    from keeper.app.topology.compose import write as write_compose
    from keeper.app.topology.file import load

    for path in write_compose(load(file), file, source, folder):
        typer.echo(str(path))


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """Whether somebody asked for the end."""
    asked: list[int] = []

    def on_signal(number: int, _frame: object) -> None:
        asked.append(number)

    before = {name: signal.signal(name, on_signal) for name in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: bool(asked)
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _show(up: "Running") -> None:
    """One line a service."""
    from rich.console import Console
    from rich.table import Table

    from keeper.app.topology.runner import epoch_of

    table = Table("service", "state", "address", "epoch")
    for service in up.services:
        at = f"http://127.0.0.1:{service.port}" if service.path else str(service.port or "")
        epoch = epoch_of(service) if service.path in ("/ready", "/live") else 0
        table.add_row(service.name, up.state(service), at, str(epoch or ""))
    Console().print(table)
    typer.echo(f"logs: {up.folder}/<service>.log")
