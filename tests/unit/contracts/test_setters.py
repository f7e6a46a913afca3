"""Every function that only an owner may call refuses strangers and bad values, and says what it did.

Walks the ABIs, so a new setter without an entry here fails.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boa
import pytest

from scripts._protocol import AuctionTerms, DebtTerms
from tests.support.keys import address_for, key_of
from tests.support.recipe import deployed, deployment_of_the_module  # noqa: F401
from tests.unit.contracts.test_access_control import ALLOWED, OWNER

ZERO = "0x" + "00" * 20
WAD = 10**18
NOBODY = address_for(key_of("nobody"))
DAY = 86_400
SPEC = ("ETH", WAD // 100, WAD // 100, WAD // 100, WAD // 50, WAD // 5, WAD // 50, WAD // 10, 86_400)
CAPS = (WAD, WAD, WAD, 30 * DAY)
GRID = (10**11, 3 * 10**11, 10**10)


@dataclass(frozen=True)
class Setter:
    """Arguments that pass, arguments out of range, and the event; arguments may depend on the deployment."""

    good: Callable[[Any], tuple[Any, ...]]
    bad: tuple[Callable[[Any], tuple[Any, ...]], ...]
    event: str


def fixed(*values: Any) -> Callable[[Any], tuple[Any, ...]]:
    """Arguments that are the same in every deployment."""
    return lambda _: values


def address(name: str) -> Callable[[Any], tuple[Any, ...]]:
    """The address of a deployed contract."""
    return lambda d: (d.address(name),)


def changed(values: tuple[Any, ...], index: int, value: Any) -> tuple[Any, ...]:
    """A struct with another field."""
    return (*values[:index], value, *values[index + 1 :])


def structs(good: tuple[Any, ...], *bad: tuple[int, Any]) -> dict[str, Any]:
    """Good and bad of a setter of one struct."""
    return {"good": fixed(good), "bad": tuple(fixed(changed(good, i, v)) for i, v in bad)}


def expiry() -> int:
    """A listable expiry a week ahead."""
    return int(boa.env.evm.patch.timestamp) // 300 * 300 + 7 * DAY


SETTERS: dict[str, Setter] = {
    "Markets.list_underlying": Setter(
        fixed(SPEC, CAPS),
        tuple(
            fixed(changed(SPEC, i, v), CAPS)
            for i, v in ((0, ""), (1, 0), (1, 1), (2, 0), (2, 1), (4, WAD), (5, 3 * WAD))
        ),
        "UnderlyingListed",
    ),
    "Markets.set_underlying": Setter(
        fixed(1, SPEC),
        (
            fixed(0, SPEC),
            fixed(9, SPEC),
            *(
                fixed(1, changed(SPEC, i, v))
                for i, v in ((1, 0), (2, 0), (4, WAD), (6, 2 * WAD), (7, 2 * WAD))
            ),
        ),
        "UnderlyingListed",
    ),
    "Markets.set_limits": Setter(
        fixed(1, CAPS), (fixed(9, CAPS), fixed(1, changed(CAPS, 3, 2**40))), "LimitsSet"
    ),
    "Markets.list_expiry": Setter(
        lambda _: (1, expiry(), GRID),
        (
            lambda _: (9, expiry(), GRID),
            lambda _: (1, 300, GRID),
            lambda _: (1, expiry() + 1, GRID),
            lambda _: (1, expiry(), (0, 1, 1)),
            lambda _: (1, expiry(), (1, 1, 0)),
            lambda _: (1, expiry(), (2, 1, 1)),
        ),
        "ExpiryListed",
    ),
    "RiskOracle.add_underlying": Setter(
        fixed(10**11, (200, 500, 1_000)),
        (fixed(0, (200, 500, 1_000)), fixed(2**56, (200, 500, 1_000)), fixed(1, (1_600, 1_600, 1_600))),
        "UnderlyingAdded",
    ),
    "RiskOracle.set_bands": Setter(
        fixed(1, (200, 500, 1_000)),
        (fixed(9, (200, 500, 1_000)), fixed(1, (201, 500, 1_000)), fixed(1, (500, 200, 1_000))),
        "BandsSet",
    ),
    "RiskOracle.set_limits": Setter(
        **structs((120, 180, 600, 4), (0, 0), (0, 86_401), (1, 0), (1, 601), (2, 2**24), (3, 2**16)),
        event="LimitsSet",
    ),
    "RiskOracle.set_quorum": Setter(address("AttesterQuorum"), (fixed(ZERO), fixed(NOBODY)), "QuorumSet"),
    "RiskOracle.set_methodology": Setter(fixed(b"\x01" * 32), (fixed(bytes(32)),), "MethodologySet"),
    "Clearinghouse.pause": Setter(fixed(60), (fixed(0), fixed(2 * DAY + 1)), "Paused"),
    "Clearinghouse.unpause": Setter(fixed(), (), "Unpaused"),
    "Clearinghouse.set_guardian": Setter(fixed(NOBODY), (), "GuardianSet"),
    "Clearinghouse.set_module": Setter(
        lambda d: (d.address("Exchange"), False), (fixed(NOBODY, True), fixed(ZERO, True)), "ModuleSet"
    ),
    "Clearinghouse.set_gate": Setter(
        lambda d: (d.address("MarginGate"), d.address("RiskOracle")),
        (fixed(ZERO, ZERO), lambda d: (d.address("MarginGate"), d.address("Markets"))),
        "GateSet",
    ),
    "Clearinghouse.set_auction_house": Setter(
        address("AuctionHouse"), (fixed(NOBODY), fixed(ZERO)), "AuctionHouseSet"
    ),
    "Vault.list_collateral": Setter(
        lambda d: (d.address("Markets"), (0, 18, 1, 1_000, 500, 10**24)),
        (
            fixed(ZERO, (0, 18, 1, 1_000, 500, 1)),
            lambda d: (d.address("MockToken"), (0, 18, 1, 1_000, 500, 1)),
            lambda d: (d.address("Markets"), (0, 19, 1, 1_000, 500, 1)),
            lambda d: (d.address("Markets"), (0, 18, 0, 1_000, 500, 1)),
            lambda d: (d.address("Markets"), (0, 18, 9, 1_000, 500, 1)),
            lambda d: (d.address("Markets"), (0, 18, 1, 500, 1_000, 1)),
            lambda d: (d.address("Markets"), (0, 18, 1, 10_001, 500, 1)),
        ),
        "CollateralListed",
    ),
    "Vault.set_insurance_fund": Setter(
        address("InsuranceFund"), (fixed(ZERO), fixed(NOBODY)), "InsuranceFundSet"
    ),
    "Vault.set_collateral_sale": Setter(
        address("CollateralSale"), (fixed(ZERO), fixed(NOBODY)), "CollateralSaleSet"
    ),
    "Vault.set_outflow_share": Setter(fixed(WAD), (fixed(0), fixed(WAD + 1)), "OutflowShareSet"),
    "Vault.set_fee_recipient": Setter(fixed(NOBODY), (fixed(ZERO),), "FeeRecipientSet"),
    "InsuranceFund.set_daily_share": Setter(fixed(WAD), (fixed(10**16 - 1), fixed(WAD + 1)), "DailyShareSet"),
    "InsuranceFund.set_cooldown": Setter(fixed(DAY), (fixed(DAY - 1), fixed(30 * DAY + 1)), "CooldownSet"),
    "AuctionHouse.set_terms": Setter(
        **structs(AuctionTerms().values(), (0, 2 * WAD), (1, WAD), (2, 0), (5, 2 * WAD)), event="TermsSet"
    ),
    "CollateralSale.set_terms": Setter(
        **structs(DebtTerms().values(), (0, 2 * WAD), (1, 2 * WAD), (2, 0), (4, 10 * WAD)), event="TermsSet"
    ),
    "Funding.set_terms": Setter(
        fixed(1, (WAD // 2_000, WAD // 50, WAD // 100)),
        (
            fixed(0, (0, 0, 0)),
            fixed(9, (0, 0, 0)),
            fixed(1, (WAD // 10, WAD // 50, 0)),
            fixed(1, (0, 2 * WAD, 0)),
            fixed(1, (0, 0, 2 * WAD)),
        ),
        "TermsSet",
    ),
    "Treasury.set_split": Setter(
        **structs((5_000, 5_000, 0), (0, 5_001), (1, 5_001), (2, 2**127)), event="SplitSet"
    ),
    "Treasury.set_bounties": Setter(address("Bounties"), (fixed(ZERO), fixed(NOBODY)), "BountiesSet"),
    "Bounties.set_bounty": Setter(
        fixed(1, (1, 1, 0)), (fixed(6, (1, 1, 0)), fixed(1, (2**127, 1, 0)), fixed(0, (1, 1, 0))), "BountySet"
    ),
}
# No parameters: they move tokens, end a market, or belong to the timelock; their own tests say what they do
OTHERS = {
    "Markets.set_clearinghouse",
    "Markets.wind_down",
    "Markets.shut_down",
    "Markets.delist",
    "RiskOracle.take_over",
    "Clearinghouse.set_vault",
    "Clearinghouse.set_funding",
    "Clearinghouse.end_perp",
    "Clearinghouse.set_risk_manager",
    "Vault.delist_collateral",
    "Vault.rescue",
    "CollateralSale.set_debt_caps",
    "Exchange.set_fees",
    "Treasury.spend",
    "Bounties.withdraw",
    "Timelock.update_delay",
    "Timelock.grantRole",
    "Timelock.revokeRole",
    "Timelock.set_role_admin",
}
OWNERS_ONLY = {name for name, roles in ALLOWED.items() if "owner" in roles and roles <= OWNER | {"guardian"}}
TRANSFERS = {name for name in OWNERS_ONLY if name.endswith(".transfer_ownership")}


def owner() -> str:
    """The Timelock."""
    return str(deployed()[1].address("Timelock"))


def call(function: str, arguments: Callable[[Any], tuple[Any, ...]], sender: str) -> Any:
    """Calls a function of a deployed contract; returns the contract."""
    backend, deployment = deployed()
    name, method = function.split(".")
    contract = backend.at(deployment[name])
    getattr(contract, method)(*arguments(deployment), sender=sender)
    return contract


def test_table__every_function_of_an_owner__has_an_entry():
    assert SETTERS.keys() == OWNERS_ONLY - TRANSFERS - OTHERS


@pytest.mark.parametrize("function", sorted(SETTERS))
def test_setter__stranger__is_refused(function):
    with boa.env.anchor(), boa.reverts("ownable: caller is not the owner"):
        call(function, SETTERS[function].good, NOBODY)


@pytest.mark.parametrize(
    ("function", "index"),
    [(name, i) for name, setter in sorted(SETTERS.items()) for i in range(len(setter.bad))],
)
def test_setter__out_of_range__is_refused(function, index):
    with boa.env.anchor():
        call(function, SETTERS[function].good, owner())  # so nothing but the range refuses
    with boa.env.anchor(), boa.reverts():
        call(function, SETTERS[function].bad[index], owner())


@pytest.mark.parametrize("function", sorted(SETTERS))
def test_setter__in_range__says_what_it_did(function):
    with boa.env.anchor():
        contract = call(function, SETTERS[function].good, owner())
        assert SETTERS[function].event in [type(event).__name__ for event in contract.get_logs()]


@pytest.mark.parametrize("function", sorted(TRANSFERS))
def test_transfer_ownership__zero__is_refused_and_the_rest_logged(function):
    with boa.env.anchor(), boa.reverts("ownable: new owner is the zero address"):
        call(function, fixed(ZERO), owner())
    with boa.env.anchor(), boa.reverts("ownable: caller is not the owner"):
        call(function, fixed(NOBODY), NOBODY)
    with boa.env.anchor():
        contract = call(function, fixed(NOBODY), owner())
        assert "OwnershipTransferred" in [type(event).__name__ for event in contract.get_logs()]
