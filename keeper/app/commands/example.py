"""`plimsoll example`: files to start from."""

from pathlib import Path
from typing import Annotated

import typer

from keeper.app.commands.inputs import JsonOption

FILES = ("portfolio.toml", "market.toml", "portfolio.json", "market.json")


def example(
    folder: Annotated[Path, typer.Argument(help="Where the files go; it is made if need be.")],
    as_json: JsonOption = False,
) -> None:
    """Write commented example files of a portfolio and a market; files that exist are left alone.

    Example: plimsoll example book && plimsoll margin book/portfolio.toml book/market.toml
    """
    import json
    from importlib.resources import files

    paths = [folder / name for name in FILES]
    present = [str(path) for path in paths if path.exists()]
    if present:
        raise ValueError(f"example: {present[0]} exists already and is left alone; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        path.write_text((files("keeper.portfolio") / "examples" / path.name).read_text("utf-8"), "utf-8")
    written = [str(path) for path in paths]
    typer.echo(json.dumps({"written": written}) if as_json else "\n".join(written))
