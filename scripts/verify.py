"""`ape run verify`: reads the deployment of the connected chain back, and compares it with the record."""

from typing import Any

import click

from scripts._verification import Check, Deployed, checks
from scripts._wallet import Command, Wallet, emit, guarded, options


@click.command(cls=Command)
@options("json")
@click.option("--all", "show_all", is_flag=True, help="Also what is as it should be.")
@guarded
def cli(provider: Any, as_json: bool, show_all: bool) -> None:
    """Verify that what is deployed is what the record says, down to the code. Exit code 1 where it is not.

    Reads the code of every contract (rebuilt from the sources, immutables included), which module names
    which, owners, guardian, the roles, delay and exit window of the Timelock, attesters and threshold, and
    every parameter that the deployment or an executed operation of the Timelock has set. Sends nothing.

    \b
    Examples:
      ape run verify
      ape run verify --all --network ethereum:sepolia
      ape run verify --json | jq '.findings'
    """
    wallet = Wallet(provider)
    made = checks(Deployed(wallet.web3, wallet.record))
    findings = [check for check in made if not check.holds]
    shown = made if show_all else findings
    summary = f"{len(made)} checks, {len(findings)} differences on chain {wallet.chain_id}"
    emit(
        as_json,
        {
            "chain_id": wallet.chain_id,
            "checks": len(made),
            "findings": [_plain(check) for check in findings],
            **({"all": [_plain(check) for check in made]} if show_all else {}),
        },
        "\n".join([*map(_line, shown), summary]),
    )
    if findings:
        raise SystemExit(1)


def _plain(check: Check) -> dict[str, str]:
    return {
        "contract": check.contract,
        "what": check.what,
        "expected": str(check.expected),
        "found": str(check.found),
    }


def _line(check: Check) -> str:
    """One row: a check that holds on one line, a difference on three."""
    head = f"{'ok  ' if check.holds else 'DIFF'}  {check.contract:<16} {check.what}"
    if check.holds:
        return f"{head}: {check.found}"
    return f"{head}\n        expected {check.expected}\n        found    {check.found}"
