"""`plimsoll calibrate`: parameters from price files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keeper.app.commands.backtest import PricesArgument
from keeper.app.commands.inputs import JsonOption

if TYPE_CHECKING:
    from keeper.analysis.calibration import Calibration


def calibrate(
    prices: PricesArgument = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last day that counts.")] = None,
    methodology: Annotated[
        Path | None, typer.Option(help="Parameter file to start from; without: the shipped one.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Parameter file to write; its scenarios go beside it."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Correlations, volatility regimes and expected-shortfall scenarios from daily prices.

    Example: plimsoll calibrate BTC=btc.csv.gz ETH=eth.csv.gz SOL=sol.csv.gz --output methodology.json
    """
    import json
    from datetime import date

    from keeper.analysis.calibration import calibrate as estimate
    from keeper.analysis.history import from_files, parse_files, recorded
    from keeper.presets import plimsoll
    from keeper.risk.methodology import Methodology

    history = from_files(parse_files(prices)) if prices else recorded()
    current = Methodology.load(methodology) if methodology else Methodology.default()
    found = estimate(history, current, date.fromisoformat(last) if last else None)
    if output is not None:
        shipped = json.loads(methodology.read_text("utf-8")) if methodology else plimsoll.load_parameters()
        _write(output, found, shipped, history.source)
    if as_json:
        typer.echo(json.dumps(_json(found), indent=1))
    else:
        _print(found)


def _write(path: Path, found: "Calibration", shipped: dict[str, Any], source: str) -> None:
    """Both files, read back once, so that nothing malformed is left."""
    import json

    from keeper.risk.methodology import Methodology

    text = json.dumps(found.parameters(shipped), indent=2) + "\n"
    Methodology.from_json(text, found.scenarios)
    path.write_text(text, encoding="utf-8")
    beside = path.with_suffix(".scenarios.json")
    beside.write_text(found.scenarios.to_json(source), encoding="utf-8")
    typer.echo(f"{path} and {beside} written", err=True)


def _json(found: "Calibration") -> dict[str, Any]:
    return {
        "symbols": list(found.symbols),
        "days": found.days,
        "correlations_ppm": [list(row) for row in found.correlations],
        "weighted": {"/".join(pair): value for pair, value in found.weighted.items()},
        "rank": {"/".join(pair): value for pair, value in found.rank.items()},
        "daily_move_99_5": dict(found.moves),
        "volatility_scale": dict(found.scales),
        "scenarios": {
            "hash": "0x" + found.scenarios.hash().hex(),
            "filtered": found.scenarios.filtered,
            "stressed": found.scenarios.stressed,
            "first": found.scenarios.labels[0],
            "last": found.scenarios.labels[found.scenarios.filtered - 1],
            "references_ppm": dict(found.scenarios.references),
        },
    }


def _print(found: "Calibration") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    pairs = Table(title=f"Correlations of daily returns, {found.days} days")
    for name in ("pair", "weighted", "rank", "valid"):
        pairs.add_column(name, justify="left" if name == "pair" else "right")
    for (a, b), value in found.weighted.items():
        valid = found.correlations[found.symbols.index(a)][found.symbols.index(b)] / 1e6
        pairs.add_row(f"{a}/{b}", f"{value:.3f}", f"{found.rank[a, b]:.3f}", f"{valid:.3f}")
    single = Table(title="Underlyings")
    for name in ("symbol", "99.5 % daily move", "volatility scale", "reference volatility"):
        single.add_column(name, justify="left" if name == "symbol" else "right")
    for symbol in found.symbols:
        reference = found.scenarios.references[symbol] / 1e6
        single.add_row(
            symbol, f"{found.moves[symbol]:.1%}", f"{found.scales[symbol]:.2f}", f"{reference:.2%} a day"
        )
    console.print(pairs)
    console.print(single)
    scenarios = found.scenarios
    console.print(
        f"{scenarios.filtered} filtered days to {scenarios.labels[scenarios.filtered - 1]}, "
        f"{scenarios.stressed} stressed; hash 0x{scenarios.hash().hex()}"
    )
