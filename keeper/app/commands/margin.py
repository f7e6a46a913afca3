"""`plimsoll margin`: one portfolio under one model, or a live account."""

from pathlib import Path
from typing import Annotated

import typer

from keeper.app.commands.inputs import JsonOption, ModelOption, ParametersOption


def margin(
    portfolio: Annotated[
        Path | None, typer.Argument(metavar="PORTFOLIO", help="Portfolio file, TOML or JSON.")
    ] = None,
    market: Annotated[
        Path | None, typer.Argument(metavar="MARKET", help="Market file, TOML or JSON.")
    ] = None,
    model: ModelOption = "plimsoll",
    parameters: ParametersOption = None,
    account: Annotated[
        int | None, typer.Option(help="In place of the files: an account of the chain, at the latest epoch.")
    ] = None,
    keeper: Annotated[
        str, typer.Option(metavar="URL", help="The keeper that serves it.")
    ] = "http://127.0.0.1:8600",
    as_json: JsonOption = False,
) -> None:
    """Equity, initial and maintenance margin with every charge, the scenario that binds, and why.

    Example: plimsoll margin portfolio.toml market.toml --model derive-pm2

    Example: plimsoll margin --account 3 --keeper http://127.0.0.1:8600
    """
    import json

    from keeper.app.commands.margin_view import print_margin

    if account is not None:
        if portfolio or market or parameters or model != "plimsoll":
            raise ValueError("margin: --account takes no files, model or parameters: its epoch has them")
        from keeper.app.commands.live_account import live_answer

        answer = live_answer(keeper, account)
    elif portfolio is None or market is None:
        raise ValueError("margin: name a portfolio file and a market file, or --account")
    else:
        answer = _file_answer(portfolio, market, model, parameters)
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
    else:
        print_margin(answer)


def _file_answer(
    portfolio: Path, market: Path, model: str, parameters: list[str] | None
) -> dict[str, object]:
    from keeper.app.commands.inputs import chosen_model
    from keeper.app.commands.margin_view import answer_of
    from keeper.portfolio.files import load_market, load_portfolio

    held, state = load_portfolio(portfolio), load_market(market)
    requirement = chosen_model(model, parameters).evaluate(held, state)
    return answer_of(requirement, held.name, state.timestamp)
