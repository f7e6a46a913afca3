"""`plimsoll what-if`: the margin after trades and moves."""

from pathlib import Path
from typing import Annotated

import typer

from keeper.app.commands.inputs import JsonOption, MarketFile, ModelOption, ParametersOption, PortfolioFile


def what_if(
    portfolio: PortfolioFile,
    market: MarketFile,
    add: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME:QUANTITY[@PRICE]",
            help="Trade before anything moves, at today's value where no price is given; repeatable.",
        ),
    ] = None,
    spot: Annotated[
        list[str] | None,
        typer.Option(metavar="[BTC=]CHANGE", help="-10%, +500 or the new 90000; repeatable."),
    ] = None,
    vol: Annotated[
        list[str] | None,
        typer.Option(metavar="[BTC=]CHANGE", help="+20%, -5 (vol points at the money) or the new 80."),
    ] = None,
    time: Annotated[str, typer.Option(help="Time that passes: +2d, 12h, 30m.")] = "0s",
    model: ModelOption = "plimsoll",
    parameters: ParametersOption = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a page that plots equity and margins against the spots.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Margins before and after trades and moves, and the spot moves at which the account is liquidated.

    Trades come first, then spots, vols and time. Every strike keeps its vol when the spot moves, forwards
    keep their carry, what expires settles into cash.

    Example: plimsoll what-if portfolio.toml market.toml --add BTC-27JUN25-100000-C:-5@1200 --spot BTC=-10%
    --vol +20% --time +2d --html what-if.html
    """
    import json

    from keeper.analysis.what_if import Question, answer
    from keeper.app.commands.inputs import chosen_model
    from keeper.app.commands.what_if_view import page_of, print_answer
    from keeper.portfolio.files import load_market, load_portfolio

    question = Question(add or [], spot or [], vol or [], time)
    found = answer(chosen_model(model, parameters), load_portfolio(portfolio), load_market(market), question)
    if html is not None:
        html.write_text(page_of(found), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        print_answer(found)
