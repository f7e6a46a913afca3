"""`ape run govern`: operations of the Timelock, scheduled, shown, executed and cancelled."""

from datetime import UTC, datetime
from typing import Any

import click

from scripts._governance import (
    GovernanceError,
    Scheduled,
    described,
    find,
    operation_of,
    refusal,
    scheduled,
)
from scripts._verification import Deployed
from scripts._wallet import Command, Sentence, Wallet, emit, guarded, options, signer_of


@click.command(cls=Command)
@click.argument("action", type=click.Choice(["show", "schedule", "execute", "cancel"]))
@options("account", "json")
@click.option("--yes", is_flag=True, help="Send it. Without, only say what would be sent, on every chain.")
@click.option(
    "--call", "calls", multiple=True, help="Contract.function(JSON arguments); repeatable: one batch."
)
@click.option("--salt", default="", help="A text that tells it from an earlier operation of the same calls.")
@click.option("--delay", type=int, help="Seconds until it is due; default: the least.")
@click.option("--id", "identifier", help="Of a scheduled operation, or its beginning.")
@guarded
def cli(
    provider: Any,
    action: str,
    alias: str | None,
    as_json: bool,
    yes: bool,
    calls: tuple[str, ...],
    salt: str,
    delay: int | None,
    identifier: str | None,
) -> None:
    """Change a parameter or a module through the Timelock: schedule, wait, execute.

    A call is shown as decoded from the bytes that are signed, with what the chain says to it now. The name of
    a recorded contract stands for its address.

    \b
    Examples:
      ape run govern show
      ape run govern schedule --account ops --call 'Exchange.set_fees(100000000000000, 300000000000000)' --yes
      ape run govern schedule --account ops --yes \\
        --call 'Clearinghouse.set_module("Exchange", false)' \\
        --call 'Clearinghouse.set_module("Exchange-2", true)'
      ape run govern execute --account anyone --id 0x3f… --yes
      ape run govern cancel --account ops --id 0x3f… --yes
    """
    wallet = Wallet(provider)
    deployed = Deployed(wallet.web3, wallet.record)
    try:
        if action == "show":
            _show(wallet, deployed, as_json)
            return
        operation = (
            operation_of(deployed, calls, salt) if action == "schedule" else _found(deployed, identifier)
        )
    except GovernanceError as error:
        raise Sentence(str(error)) from None
    if action == "execute" and operation.state(wallet.now()) != "due":
        raise Sentence(f"operation {operation.identifier} is {_when(operation, wallet.now())}")
    least = wallet.read("Timelock", "get_minimum_delay")
    if delay is not None and delay < least:
        raise Sentence(f"a delay of {delay} s is below the least, {least} s")
    if not yes:
        lines = _lines(deployed, operation)
        emit(
            as_json,
            _plain(deployed, operation, wallet.now()),
            "\n".join([*lines, _dry(action, wallet.chain_id)]),
        )
        return
    signer = signer_of(alias, wallet.is_devnet)
    timelock = wallet.contract("Timelock")
    if action == "schedule":
        wallet.send(signer, timelock, "schedule_batch", *operation.batch(), least if delay is None else delay)
        operation = find(deployed, operation.identifier)
    elif action == "execute":
        wallet.send(signer, timelock, "execute_batch", *operation.batch())
    else:
        wallet.send(signer, timelock, "cancel", bytes.fromhex(operation.identifier[2:]))
    done = {"schedule": _when(operation, wallet.now()), "execute": "executed", "cancel": "cancelled"}[action]
    found = _plain(deployed, operation, wallet.now()) | {"done": action}
    emit(
        as_json,
        found,
        "\n".join([*_lines(deployed, operation, check=False), f"{operation.identifier} is {done}"]),
    )


def _found(deployed: Deployed, identifier: str | None) -> Scheduled:
    if not identifier:
        raise GovernanceError("which operation? --id, see `ape run govern show`")
    return find(deployed, identifier)


def _show(wallet: Wallet, deployed: Deployed, as_json: bool) -> None:
    now = wallet.now()
    operations = scheduled(deployed)
    lines = []
    for operation in operations:
        lines += [f"{operation.identifier} is {_when(operation, now)}", *_lines(deployed, operation)]
    emit(
        as_json,
        {"operations": [_plain(deployed, operation, now) for operation in operations]},
        "\n".join(lines) or "nothing is scheduled",
    )


def _lines(deployed: Deployed, operation: Scheduled, check: bool = True) -> list[str]:
    """Every call, and why it would be refused now."""
    lines = []
    for call in operation.calls:
        lines.append(f"  {described(deployed, call)}")
        reason = refusal(deployed, call) if check else None
        if reason is not None:
            lines.append(f"    alone and now it would be refused: {reason}")
    return lines


def _plain(deployed: Deployed, operation: Scheduled, now: int) -> dict[str, Any]:
    return {
        "id": operation.identifier,
        "state": operation.state(now) if operation.due else "not scheduled",
        "due": operation.due,
        "calls": [described(deployed, call) for call in operation.calls],
    }


def _when(operation: Scheduled, now: int) -> str:
    at = datetime.fromtimestamp(operation.due, UTC).strftime("%d %b %Y %H:%M:%S UTC")
    return f"{operation.state(now)}, executable from {at}"


def _dry(action: str, chain_id: int) -> str:
    return f"dry run on chain {chain_id}: would {action} this; nothing is sent without --yes"
