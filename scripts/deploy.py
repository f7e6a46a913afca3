"""`ape run deploy`: the deployment recipe; writes deployments/<chain id>.json."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from keeper.risk.methodology import Methodology
from scripts._devnet import CHAIN_ID, ROOT
from scripts._wallet import Command, Sentence, address_of, emit, guarded, options, signer_of

_DEVNET_QUORUM = 3
_DEVNET_DELAY = 60  # seconds, of the Timelock: upgrades can be tried there


@click.command(cls=Command)
@options("account", "json", "yes")
@click.option("--attester", "attesters", multiple=True, help="Address of an attester; repeatable.")
@click.option(
    "--threshold", type=click.IntRange(1, 16), default=2, show_default=True, help="Attesters that must sign."
)
@click.option("--token", help="Settlement token; on the devnet a mintable one is deployed.")
@click.option("--guardian", help="Who may pause for two days; on the devnet the deployer.")
@click.option("--proposer", "proposers", multiple=True, help="Who may schedule changes; repeatable.")
@guarded
def cli(
    provider: Any,
    alias: str | None,
    as_json: bool,
    yes: bool,
    attesters: tuple[str, ...],
    threshold: int,
    token: str | None,
    guardian: str | None,
    proposers: tuple[str, ...],
) -> None:
    """Deploy the whole protocol and hand it to its Timelock.

    \b
    Examples:
      ape run deploy --account TEST::0
      ape run deploy --account ops --network ethereum:sepolia --token 0x… --guardian 0x… --proposer 0x… \\
        --attester 0x… --attester 0x… --yes
    """
    from scripts._ape_backend import ApeBackend
    from scripts._protocol import Parameters, deploy, write_record

    chain_id = int(provider.chain_id)
    is_devnet = chain_id == CHAIN_ID
    signer = signer_of(alias, is_devnet)
    members = tuple(address_of(a) for a in attesters) or _devnet_members(is_devnet)
    if threshold > len(members) or len(set(members)) != len(members):
        raise Sentence(f"{len(set(members))} different attesters cannot reach a threshold of {threshold}")
    if not is_devnet and token is None:
        raise Sentence("no settlement token given: --token ADDRESS")
    guarding, proposing = _governors(is_devnet, str(signer.address), guardian, proposers)
    if not is_devnet and not yes:
        click.echo(
            f"dry run on chain {chain_id}: would deploy from {signer.address}; nothing is sent without --yes"
        )
        return
    parameters = Parameters(
        attesters=members,
        threshold=threshold,
        methodology_hash=Methodology.default().hash(),
        guardian=guarding,
        proposers=proposing,
        token=address_of(token) if token else None,
    )
    if is_devnet:
        parameters = replace(parameters, exit_window=_DEVNET_DELAY, minimum_delay=_DEVNET_DELAY)
    deployment = deploy(ApeBackend(signer), parameters)
    folder = Path(os.environ.get("PLIMSOLL_DEPLOYMENTS", ROOT / "deployments"))
    block = int(provider.get_block("latest").number)
    path = write_record(deployment, chain_id, block, folder, code_of=lambda a: bytes(provider.get_code(a)))
    addresses = {name: contract.address for name, contract in deployment.contracts.items()}
    lines = "\n".join(f"{name:<16} {address}" for name, address in addresses.items())
    emit(as_json, {"record": str(path), "contracts": addresses}, f"{lines}\n{path}")


def _governors(
    is_devnet: bool, deployer: str, guardian: str | None, proposers: tuple[str, ...]
) -> tuple[str, tuple[str, ...]]:
    """Guardian and proposers; the deployer keeps no power but on the devnet."""
    named = address_of(guardian) if guardian else deployer
    proposing = tuple(address_of(proposer) for proposer in proposers) or (deployer,)
    if not is_devnet and deployer in (named, *proposing):
        raise Sentence("the deployer must keep no power: name others by --guardian and --proposer")
    return named, proposing


def _devnet_members(is_devnet: bool) -> tuple[str, ...]:
    from ape import accounts

    if not is_devnet:
        raise Sentence("no attester given: --attester ADDRESS, once for each")
    return tuple(str(accounts.test_accounts[5 + i].address) for i in range(_DEVNET_QUORUM))
