"""Who may call what: every state-changing function of every contract, by every role, against one table.

A call is authorised unless it is refused for who calls. Arguments are zeros where nothing else is needed to
get as far as that question; what else such a call is refused for does not matter here.
"""

from typing import Any

import boa
import pytest
from eth_abi.abi import decode, encode
from eth_utils.abi import function_abi_to_4byte_selector

from scripts._artifacts import EXTENSIONS, artifact
from scripts._protocol import DEPLOYED
from tests.stateful.evm import abi_type
from tests.support.keys import address_for, key_of
from tests.support.recipe import (  # noqa: F401
    GUARDIAN,
    PROPOSER,
    RISK_OFFICER,
    deployed,
    deployment_of_the_module,
)

ROLES = (
    "owner",
    "guardian",
    "proposer",
    "module",
    "vault",
    "auction house",
    "collateral sale",
    "clearinghouse",
    "account owner",
    "operator",
    "deployer",
    "risk manager",
    "funding",
    "stranger",
)
ANYONE = set(ROLES)
OWNER = {"owner"}
VAULT, AUCTION_HOUSE, COLLATERAL_SALE = {"vault"}, {"auction house"}, {"collateral sale"}
ACTORS = {"account owner", "operator"}
RISK_MANAGER = {"risk manager"}
UNAUTHORISED = {
    "ownable: caller is not the owner",
    "clearing: not the owner",
    "clearing: not authorised",
    "clearing: not a module",
    "clearing: not the risk manager",
    "clearing: not the funding contract",
    "clearing: not the vault",
    "clearing: not the auction house",
    "vault: not authorised",
    "vault: not the auction house",
    "vault: not the collateral sale",
    "vault: not the clearinghouse",
    "sale: not the vault",
    "auction: not the bidder's owner or operator",
    "fund: not the vault",
    "exchange: not owner or operator",
    "access_control: account is missing role",
    "access_control: can only renounce roles for itself",
    "timelock: not the timelock",
}
ALLOWED: dict[str, set[str]] = {
    "Markets.transfer_ownership": OWNER,
    "Markets.list_underlying": OWNER,
    "Markets.set_underlying": OWNER,
    "Markets.list_expiry": OWNER,
    "Markets.set_limits": OWNER,
    "Markets.set_clearinghouse": OWNER,
    "Markets.wind_down": OWNER,
    "Markets.shut_down": OWNER,
    "Markets.delist": OWNER,
    "RiskOracle.transfer_ownership": OWNER,
    "RiskOracle.post_epoch": ANYONE,
    "RiskOracle.finalize_settlement": ANYONE,
    "RiskOracle.add_underlying": OWNER,
    "RiskOracle.set_bands": OWNER,
    "RiskOracle.set_limits": OWNER,
    "RiskOracle.set_quorum": OWNER,
    "RiskOracle.set_methodology": OWNER,
    "RiskOracle.take_over": OWNER,
    "Clearinghouse.transfer_ownership": OWNER,
    "Clearinghouse.set_guardian": OWNER,
    "Clearinghouse.pause": {"owner", "guardian"},
    "Clearinghouse.unpause": OWNER,
    "Clearinghouse.open_account": ANYONE,
    "Clearinghouse.open_isolated": ANYONE,
    "Clearinghouse.transfer_account": {"account owner"},
    "Clearinghouse.set_credit_tier": RISK_MANAGER,
    "Clearinghouse.set_operator": {"account owner"},
    "Clearinghouse.refresh": ANYONE,
    "Clearinghouse.trade": {"module"},
    "Clearinghouse.trade_many": {"module"},
    "Clearinghouse.settle": ANYONE,
    "Clearinghouse.set_frozen": AUCTION_HOUSE,
    "Clearinghouse.transfer_share": AUCTION_HOUSE,
    "Clearinghouse.store_pass": AUCTION_HOUSE,
    "Clearinghouse.credit": VAULT,
    "Clearinghouse.debit": VAULT,
    "Clearinghouse.note_collateral": VAULT,
    "Clearinghouse.change_fees": VAULT,
    "Clearinghouse.charge": VAULT,
    "Clearinghouse.set_impaired": VAULT,
    "Clearinghouse.set_module": OWNER,
    "Clearinghouse.set_gate": OWNER,
    "Clearinghouse.set_auction_house": OWNER,
    "Clearinghouse.set_vault": OWNER,
    "Clearinghouse.set_funding": OWNER,
    "Clearinghouse.set_risk_manager": OWNER,
    "Clearinghouse.set_funding_rate": {"funding"},
    "Clearinghouse.end_perp": OWNER,
    "Vault.transfer_ownership": OWNER,
    "Vault.deposit": ACTORS,  # of collateral; of the settlement token anyone, see below
    "Vault.withdraw": ACTORS,
    "Vault.recover_shortfall": ANYONE,
    "Vault.transfer_share": AUCTION_HOUSE,
    "Vault.sell_collateral": COLLATERAL_SALE,
    "Vault.charge_interest": COLLATERAL_SALE,
    "Vault.note_drawn": {"clearinghouse"},
    "Vault.set_collateral_sale": OWNER,
    "Vault.cover_deficit": AUCTION_HOUSE,
    "Vault.set_open_deficit": AUCTION_HOUSE,
    "Vault.list_collateral": OWNER,
    "Vault.set_insurance_fund": OWNER,
    "Vault.set_outflow_share": OWNER,
    "Vault.set_fee_recipient": OWNER,
    "Vault.collect_fees": ANYONE,  # to the fee recipient
    "Vault.delist_collateral": OWNER,
    "Vault.rescue": OWNER,
    "Vault.deposit_with_permit": ACTORS,  # like `deposit`
    "Vault.multicall": ANYONE,  # of what the caller may call
    "InsuranceFund.transfer_ownership": OWNER,
    "InsuranceFund.approve": ANYONE,  # own shares only, as all that follow
    "InsuranceFund.permit": ANYONE,
    "InsuranceFund.deposit": ANYONE,
    "InsuranceFund.mint": ANYONE,
    "InsuranceFund.request_exit": ANYONE,
    "InsuranceFund.cancel_exit": ANYONE,
    "InsuranceFund.redeem": ANYONE,
    "InsuranceFund.withdraw": ANYONE,
    "InsuranceFund.transfer": ANYONE,
    "InsuranceFund.transferFrom": ANYONE,
    "InsuranceFund.cover": VAULT,
    "InsuranceFund.set_daily_share": OWNER,
    "InsuranceFund.set_cooldown": OWNER,
    "AuctionHouse.transfer_ownership": OWNER,
    "AuctionHouse.flag": ANYONE,  # with a proof that the account is below maintenance margin
    "AuctionHouse.update": ANYONE,
    "AuctionHouse.bid": ACTORS,  # of the bidder
    "AuctionHouse.set_terms": OWNER,
    "CollateralSale.transfer_ownership": OWNER,
    "CollateralSale.start_conversion": ANYONE,
    "CollateralSale.convert_collateral": ANYONE,
    "CollateralSale.note_debt": ANYONE,
    "CollateralSale.note_drawn": VAULT,
    "CollateralSale.set_terms": OWNER,
    "CollateralSale.set_debt_caps": OWNER,
    "Exchange.transfer_ownership": OWNER,
    "Exchange.fill": ANYONE,  # the orders carry the owners' signatures
    "Exchange.fill_many": ANYONE,  # likewise
    "Exchange.cancel": ACTORS,
    "Exchange.cancel_slots": ACTORS,
    "Exchange.cancel_all": ACTORS,
    "Exchange.set_fees": OWNER,
    "Funding.transfer_ownership": OWNER,
    "Funding.update": ANYONE,  # with a leaf of the epoch
    "Funding.set_terms": OWNER,
    "Treasury.transfer_ownership": OWNER,
    "Treasury.distribute": ANYONE,
    "Treasury.set_split": OWNER,
    "Treasury.set_bounties": OWNER,
    "Treasury.spend": OWNER,
    "Bounties.transfer_ownership": OWNER,
    "Bounties.post_epoch": ANYONE,  # what the core lets anyone, as all that follow
    "Bounties.finalize_settlement": ANYONE,
    "Bounties.settle": ANYONE,
    "Bounties.flag": ANYONE,
    "Bounties.note_debt": ANYONE,
    "Bounties.update": ANYONE,
    "Bounties.set_bounty": OWNER,
    "Bounties.withdraw": OWNER,
    "Timelock.schedule": {"proposer"},
    "Timelock.schedule_batch": {"proposer"},
    "Timelock.cancel": {"proposer"},
    "Timelock.execute": ANYONE,  # of what is due
    "Timelock.execute_batch": ANYONE,
    "Timelock.update_delay": OWNER,
    "Timelock.grantRole": OWNER,
    "Timelock.revokeRole": OWNER,
    "Timelock.set_role_admin": OWNER,
    "Timelock.renounceRole": set(),  # only one's own; the argument here is nobody's
    "Timelock.onERC721Received": ANYONE,
    "Timelock.onERC1155Received": ANYONE,
    "Timelock.onERC1155BatchReceived": ANYONE,
}
ERROR_SELECTOR = bytes.fromhex("08c379a0")  # Error(string)
ARGUMENTS = {
    ("account", "uint256"): 1,
    ("bidder", "uint256"): 1,
    ("duration", "uint256"): 60,
    ("amount", "uint256"): 1,
}
# What a call needs besides, by name: an actor's or a contract's address, or how many empty items of a list
NEEDED: dict[str, dict[str, str | int]] = {
    "Clearinghouse.debit": {"actor": "account owner"},
    "Clearinghouse.trade_many": {"trades": 1},
    "Vault.withdraw": {"token": "MockToken", "recipient": "account owner"},
}
STATELESS = ("BookValuer", "MarginGate", "ClaimGate", "AccountLens", "AttesterQuorum")


def state_changing(name: str) -> dict[str, dict[str, Any]]:
    """ABI of the functions of a contract that a transaction may call."""
    functions = [item for item in artifact(name).abi if item["type"] == "function"]
    return {f["name"]: f for f in functions if f["stateMutability"] not in ("view", "pure")}


FUNCTIONS = {
    f"{name}.{f}": item
    for name in DEPLOYED
    if name not in EXTENSIONS.values()  # called directly, one changes storage that nobody reads
    for f, item in state_changing(name).items()
}


@pytest.fixture(scope="module")
def actors() -> dict[str, str]:
    """Role -> address. Account 1 has its owner and operator."""
    backend, deployment = deployed()
    addresses = {role: address_for(key_of(role)) for role in ROLES}
    addresses |= {"owner": deployment.address("Timelock"), "guardian": GUARDIAN, "proposer": PROPOSER}
    addresses |= {"module": deployment.address("Exchange"), "deployer": backend.deployer}
    addresses |= {"vault": deployment.address("Vault"), "auction house": deployment.address("AuctionHouse")}
    addresses |= {"clearinghouse": deployment.address("Clearinghouse")}
    addresses |= {"collateral sale": deployment.address("CollateralSale")}
    addresses |= {"funding": deployment.address("Funding"), "risk manager": RISK_OFFICER}
    clearing = backend.at(deployment["Clearinghouse"])
    assert clearing.open_account(addresses["account owner"]) == 1
    clearing.set_operator(1, addresses["operator"], 7, 2**40 - 1, sender=addresses["account owner"])
    return addresses


def test_table__every_function__is_in_it():
    assert FUNCTIONS.keys() == ALLOWED.keys()


@pytest.mark.parametrize("name", STATELESS)
def test_stateless__contract__has_no_function_that_changes_anything(name):
    assert name in DEPLOYED
    assert state_changing(name) == {}


@pytest.mark.parametrize("role", [role for role in ROLES if role != "vault"])
def test_deposit__settlement_token__anyone_for_any_account(actors, role):
    backend, deployment = deployed()
    token, vault = backend.at(deployment["MockToken"]), backend.at(deployment["Vault"])
    payer = actors[role]
    with boa.env.anchor():
        token.mint(payer, 7)
        token.approve(vault.address, 7, sender=payer)
        vault.deposit(1, token.address, 7, sender=payer)
        assert vault.held(token.address) == 7


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_call__by_role__is_authorised_as_the_table_says(actors, function, role):
    _, deployment = deployed()
    contract = function.split(".")[0]
    item, needed = FUNCTIONS[function], NEEDED.get(function, {})
    arguments = [_needed(i, needed.get(i["name"]), actors, deployment) for i in item["inputs"]]
    data = function_abi_to_4byte_selector(item) + encode([abi_type(i) for i in item["inputs"]], arguments)
    with boa.env.anchor():
        done = boa.env.execute_code(deployment.address(contract), sender=actors[role], data=data)
    refusal = _reason(bytes(done.output)) if done.is_error else ""
    assert (refusal not in UNAUTHORISED) == (role in ALLOWED.get(function, set())), refusal


def _reason(output: bytes) -> str:
    """Reason string of a revert; empty where it has none."""
    return str(decode(["string"], output[4:])[0]) if output[:4] == ERROR_SELECTOR else ""


def _needed(item: dict[str, Any], wanted: str | int | None, actors: dict[str, str], deployment: Any) -> Any:
    """An argument, where `NEEDED` names it, of that; else as `_argument` has it."""
    if wanted is None:
        return _argument(item)
    if isinstance(wanted, int):
        return [_argument(item | {"type": item["type"].removesuffix("[]")})] * wanted
    return actors.get(wanted) or deployment.address(wanted)


def _argument(item: dict[str, Any]) -> Any:
    """A value of an ABI type: zero, or what the call needs to be asked who it is from."""
    kind = item["type"]
    if (item["name"], kind) in ARGUMENTS:
        return ARGUMENTS[item["name"], kind]
    if kind.endswith("[]"):
        return []
    if kind.endswith("]"):
        inner, size = kind[:-1].rsplit("[", 1)
        return [_argument(item | {"type": inner})] * int(size)
    if kind == "tuple":
        return tuple(_argument(part) for part in item["components"])
    if kind == "address":
        return "0x" + "00" * 20
    if kind.startswith("bytes"):
        return bytes(int(kind.removeprefix("bytes") or 0))
    return {"bool": False, "string": ""}.get(kind, 0)
