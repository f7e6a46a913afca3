"""`ape run set_operator`: lets another address act for a margin account, or stops it."""

from datetime import UTC, datetime
from typing import Any

import click

from scripts._wallet import (
    SCOPES,
    Command,
    Sentence,
    Wallet,
    address_of,
    emit,
    guarded,
    is_confirmed,
    options,
    signer_of,
)

_DAY = 86_400
_NAMES = {name.split()[0]: value for name, value in SCOPES.items()}


@click.command(cls=Command)
@options("account", "id", "json", "yes")
@click.option("--operator", required=True, help="Address that may act.")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(list(_NAMES)), help="What it may do; repeatable."
)
@click.option("--days", type=click.IntRange(1, 3_650), default=30, show_default=True, help="How long.")
@click.option("--revoke", is_flag=True, help="Take every scope back.")
@guarded
def cli(
    provider: Any,
    alias: str | None,
    account: int,
    as_json: bool,
    yes: bool,
    operator: str,
    scopes: tuple[str, ...],
    days: int,
    revoke: bool,
) -> None:
    """Grant an address scopes over an account until a day: to trade, to withdraw, to deposit collateral.

    A new grant takes the place of the old one; all end when the account changes hands.

    \b
    Examples:
      ape run set_operator --account TEST::3 --id 1 --operator 0x90F7…b906 --scope trade --days 7
      ape run set_operator --account TEST::3 --id 1 --operator 0x90F7…b906 --revoke
    """
    if revoke == bool(scopes):
        raise Sentence("give --scope at least once, or --revoke")
    wallet = Wallet(provider)
    signer = signer_of(alias, wallet.is_devnet)
    actor = address_of(operator)
    wallet.require_owner(account, str(signer.address))
    granted = sum(_NAMES[scope] for scope in set(scopes))
    expiry = 0 if revoke else wallet.now() + days * _DAY
    what = "nothing" if revoke else ", ".join(sorted(set(scopes)))
    if not is_confirmed(wallet, yes, f"let {actor} {what} for account {account}"):
        return
    clearing = wallet.contract("Clearinghouse")
    wallet.send(signer, clearing, "set_operator", account, actor, granted, expiry)
    shown = {"account": account, "operator": actor, "scopes": sorted(set(scopes)), "expiry": expiry}
    until = "" if revoke else f" until {datetime.fromtimestamp(expiry, UTC):%Y-%m-%d %H:%M} UTC"
    emit(as_json, shown, f"{actor} may do for account {account}: {what}{until}")
