"""`plimsoll statement`: every change of an account's cash in a time span, reconciled with the chain."""

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from keeper.jobs.journal import Entry, Statement

_WIDTH = 160
_COLUMNS = (
    "time",
    "block",
    "transaction",
    "kind",
    "instrument",
    "quantity",
    "price",
    "counterparty",
    "amount",
    "balance",
)


def statement(
    account: Annotated[int, typer.Argument(metavar="ACCOUNT", min=1, help="The account's number.")],
    config: Annotated[
        Path, typer.Option("--config", "-c", help="A keeper's TOML file: its database and nodes.")
    ],
    since: Annotated[
        str | None, typer.Option("--from", help="First moment: a day, 2025-04-01T12:00:00Z or unix seconds.")
    ] = None,
    until: Annotated[str | None, typer.Option("--to", help="First moment after it; now if left out.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="One line a change, for spreadsheets.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not compare the balances with the chain.")
    ] = False,
) -> None:
    """Every change of an account's cash in a time span, reconciled with the chain to the wei.

    Trades, fees, rebates, funding, settlements, deposits, withdrawals, liquidations, sales of collateral and
    interest. Amounts are exact and add up; opening and closing balance are compared with the chain's at the
    blocks they are of. A day begins at 00:00 UTC. Exit code 1 where anything does not agree.

    Example: plimsoll statement 3 -c plimsoll.toml --from 2025-04-01 --to 2025-05-01

    Example: plimsoll statement 3 -c plimsoll.toml --csv > april.csv
    """
    from keeper.app.commands.statement_data import read_statement

    if as_csv and as_json:
        raise ValueError("statement: --csv or --json, not both")
    found = read_statement(config, account, since, until, offline)
    rows = [_row(entry, found.symbols) for entry in found.statement.entries]
    if as_json:
        typer.echo(json.dumps(_answer(found.statement, rows, found.compared), indent=2))
    elif as_csv:
        typer.echo(_csv(found.statement, rows), nl=False)
    else:
        _print(found.statement, rows, found.compared)
    if any(not line["agrees"] for line in found.compared):
        raise typer.Exit(1)


def _row(entry: "Entry", symbols: dict[int, str]) -> dict[str, str]:
    from keeper.jobs.journal import price_text
    from keeper.portfolio.moments import iso_text

    is_liquidation = entry.kind == "liquidation"
    has_instrument = entry.what != 0 and not is_liquidation
    values = (
        iso_text(entry.time),
        str(entry.block),
        entry.transaction,
        entry.kind,
        _instrument(entry.what, symbols) if has_instrument else "",
        price_text(entry.quantity) if entry.quantity else "",
        price_text(entry.price) if entry.price else "",
        str(entry.what) if is_liquidation else "",
        price_text(entry.amount),
        price_text(entry.balance),
    )
    return dict(zip(_COLUMNS, values, strict=True))


def _instrument(packed: int, symbols: dict[int, str]) -> str:
    from keeper.markets.instrument import Instrument
    from keeper.portfolio.names import name_of
    from keeper.portfolio.portfolio import Position

    found = Instrument.unpack(packed)
    symbol = symbols.get(found.underlying, str(found.underlying))
    return name_of(Position(symbol, found.kind, 1.0, strike=found.strike / 10**8, expiry=found.expiry))


def _answer(found: "Statement", rows: list[dict[str, str]], compared: list[dict[str, Any]]) -> dict[str, Any]:
    from keeper.jobs.journal import price_text
    from keeper.portfolio.moments import iso_text

    return {
        "account": found.account,
        "from": iso_text(found.since),
        "to": iso_text(found.until),
        "opening": price_text(found.opening),
        "closing": price_text(found.closing),
        "totals": {kind: price_text(amount) for kind, amount in found.totals.items()},
        "entries": rows,
        "compared_with_chain": compared,
    }


def _csv(found: "Statement", rows: list[dict[str, str]]) -> str:
    """Opening and closing balance are lines of their own, without an amount."""
    from keeper.jobs.journal import price_text
    from keeper.portfolio.moments import iso_text

    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    opening = {"time": iso_text(found.since), "kind": "opening", "balance": price_text(found.opening)}
    closing = {"time": iso_text(found.until), "kind": "closing", "balance": price_text(found.closing)}
    writer.writerows([opening, *rows, closing])
    return text.getvalue()


def _print(found: "Statement", rows: list[dict[str, str]], compared: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    from keeper.portfolio.moments import iso_text

    console = Console(width=_WIDTH)  # a terminal wraps what it cannot show: no digit is left out
    since = iso_text(found.since) if found.since else "its opening"
    console.print(f"account {found.account}, {since} to {iso_text(found.until)}", highlight=False)
    table = Table()
    for name in ("time (UTC)", "what", "instrument"):
        table.add_column(name, no_wrap=True)
    for name in ("quantity", "price", "amount", "balance"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row("", "opening", *[""] * 4, _money(found.opening))
    for entry, row in zip(found.entries, rows, strict=True):
        what = f"{row['kind']} {row['counterparty']}".strip()
        moment = row["time"].replace("T", " ").removesuffix("Z")
        numbers = (row["quantity"], row["price"], _money(entry.amount), _money(entry.balance))
        table.add_row(moment, what, row["instrument"], *numbers)
    table.add_section()
    for kind, amount in found.totals.items():
        table.add_row("", f"all {kind}", "", "", "", _money(amount), "")
    table.add_row("", "closing", *[""] * 4, _money(found.closing))
    console.print(table)
    for line in compared:
        console.print(line["text"], highlight=False, soft_wrap=True)


def _money(wad: int) -> str:
    """Cents; the exact amount is in --csv and --json."""
    from decimal import ROUND_HALF_EVEN, Decimal

    return f"{(Decimal(wad) / 10**18).quantize(Decimal('0.01'), ROUND_HALF_EVEN):,}"
