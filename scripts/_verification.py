"""Reads a deployment back from the chain: code, wiring, roles, and every setting that was ever made.

What is expected follows from the sources, the record of the deployment, and the Timelock's executed
operations in their order. A contract's answers count only because its code is compared with the sources.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple
from web3 import Web3
from web3.exceptions import Web3Exception

from scripts._artifacts import artifact
from scripts._devnet import CHAIN_ID as DEVNET
from scripts._protocol import DEPLOYED, GUARDED, OWNED, ZERO_ADDRESS

LEAST_EXIT_WINDOW = 3 * 86_400  # seconds; longer than a guardian's longest pause. A devnet may have less
_NOT_SET = "not set"
_ROLES = ("DEFAULT_ADMIN_ROLE", "PROPOSER_ROLE", "CANCELLER_ROLE", "EXECUTOR_ROLE")

# Views that name another contract of the deployment
WIRING = {
    ("RiskOracle", "quorum"): "AttesterQuorum",
    ("MarginGate", "valuer"): "BookValuer",
    ("Markets", "clearinghouse"): "Clearinghouse",
    ("Clearinghouse", "EXTENSION"): "ClearinghouseExtension",
    ("Clearinghouse", "gate"): "MarginGate",
    ("Clearinghouse", "oracle"): "RiskOracle",
    ("Clearinghouse", "vault"): "Vault",
    ("Clearinghouse", "auction_house"): "AuctionHouse",
    ("Clearinghouse", "funding"): "Funding",
    ("Vault", "CLEARINGHOUSE"): "Clearinghouse",
    ("Vault", "insurance_fund"): "InsuranceFund",
    ("Vault", "collateral_sale"): "CollateralSale",
    ("Vault", "fee_recipient"): "Treasury",
    ("InsuranceFund", "VAULT"): "Vault",
    ("AuctionHouse", "CLEARINGHOUSE"): "Clearinghouse",
    ("AuctionHouse", "VAULT"): "Vault",
    ("AuctionHouse", "CLAIM_GATE"): "ClaimGate",
    ("CollateralSale", "CLEARINGHOUSE"): "Clearinghouse",
    ("Exchange", "CLEARINGHOUSE"): "Clearinghouse",
    ("Exchange", "MARKETS"): "Markets",
    ("Exchange", "ORACLE"): "RiskOracle",
    ("Funding", "CLEARINGHOUSE"): "Clearinghouse",
    ("Funding", "MARKETS"): "Markets",
    ("Treasury", "VAULT"): "Vault",
    ("Treasury", "bounties"): "Bounties",
    ("Bounties", "CLEARINGHOUSE"): "Clearinghouse",
    ("Bounties", "MARKETS"): "Markets",
}


@dataclass(frozen=True)
class Check:
    """One thing that was read, and what it should be."""

    contract: str
    what: str
    expected: Any
    found: Any

    @property
    def holds(self) -> bool:
        return bool(self.expected == self.found)


@dataclass(frozen=True)
class Operation:
    """A call that was scheduled, or executed, through the Timelock."""

    identifier: str
    index: int
    target: str
    payload: bytes


@dataclass
class _Listed:
    """How many were listed so far: listing says no number."""

    underlyings: int = 0
    spots: int = 0
    collaterals: list[str] = field(default_factory=list)


# One view, its arguments, and what it should answer
_Reading = tuple[str, tuple[Any, ...], Any]


class Deployed:
    """A deployment's record with the chain that it is about."""

    def __init__(self, web3: Web3, record: dict[str, Any]) -> None:
        self.web3 = web3
        self.record = record
        self.entries: dict[str, dict[str, Any]] = record["contracts"]
        self.names = {entry["address"].lower(): name for name, entry in self.entries.items()}

    def kind(self, name: str) -> str:
        """Source of a recorded contract."""
        return str(self.entries[name].get("type", name))

    def address(self, name: str) -> str:
        return str(Web3.to_checksum_address(self.entries[name]["address"]))

    def contract(self, name: str) -> Any:
        """By the ABI of the sources, not of the record."""
        return self.web3.eth.contract(
            address=Web3.to_checksum_address(self.address(name)), abi=self.abi(name)
        )

    def abi(self, name: str) -> list[dict[str, Any]]:
        return artifact(self.kind(name)).abi

    def has(self, name: str, function: str) -> bool:
        """Whether the contract is recorded, and its source has the function."""
        return name in self.entries and any(
            item.get("name") == function for item in self.abi(name) if item["type"] == "function"
        )

    def read(self, name: str, function: str, *arguments: Any) -> Any:
        """A view's answer, or how it failed."""
        try:
            return plain(self.contract(name).functions[function](*arguments).call())
        except (Web3Exception, ValueError) as error:
            return f"no answer: {error}"

    def events(self, name: str, event: str) -> list[dict[str, Any]]:
        """Arguments of all events of a kind, in order."""
        logs = self.contract(name).events[event]().get_logs(from_block=0)
        return [{**log["args"], "block": log["blockNumber"], "log": log["logIndex"]} for log in logs]

    @cached_property
    def executed(self) -> list[Operation]:
        """Calls that the Timelock made, in order."""
        return [
            Operation("0x" + call["id"].hex(), call["index"], call["target"], bytes(call["payload"]))
            for call in self.events("Timelock", "CallExecuted")
        ]

    def decoded(self, call: Operation) -> tuple[str, list[Any]] | None:
        """Function and arguments of a call to a recorded contract; None where it is not one."""
        name = self.names.get(call.target.lower())
        if name is None:
            return None
        try:
            function, arguments = self.contract(name).decode_function_input(call.payload)
        except (Web3Exception, ValueError):
            return None
        return function.fn_name, [plain(arguments[item["name"]]) for item in function.abi["inputs"]]


def checks(deployed: Deployed) -> list[Check]:
    """Everything that a deployment is to be, in the order of importance."""
    return [
        *_code(deployed),
        *_wiring(deployed),
        *_ownership(deployed),
        *_timelock(deployed),
        *_settings(deployed),
        *_lists(deployed),
    ]


def plain(value: Any) -> Any:
    """A value in the one shape that is compared: addresses and bytes as lower-case hex, structs as lists."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, str):
        return value.lower() if value.startswith("0x") else value
    if hasattr(value, "values") and callable(value.values):
        return [plain(part) for part in value.values()]
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value


# Code


def _code(deployed: Deployed) -> Iterator[Check]:
    """The code at every address is what the sources give, immutables filled in."""
    for name in DEPLOYED:
        if name not in deployed.entries:
            yield Check(name, "is recorded", True, False)
    for name in deployed.entries:
        found = bytes(deployed.web3.eth.get_code(Web3.to_checksum_address(deployed.address(name))))
        yield Check(name, "code", _digest(_rebuilt(deployed, name)), _digest(found))


def _digest(code: bytes | str) -> str:
    return code if isinstance(code, str) else f"keccak {Web3.keccak(code).hex()[:16]}, {len(code)} bytes"


def _rebuilt(deployed: Deployed, name: str) -> bytes | str:
    """Runs the constructor again at the contract's own address, where immutables come out the same."""
    built = artifact(deployed.kind(name))
    inputs: list[Any] = next((item["inputs"] for item in built.abi if item["type"] == "constructor"), [])
    try:
        arguments = encode([collapse_if_tuple(i) for i in inputs], deployed.entries[name]["arguments"])
    except Exception as error:  # the record is a file: whatever is wrong with it is a finding
        return f"arguments of the record do not fit: {error}"
    code = built.bytecode + arguments.hex()
    address = deployed.address(name)
    call = {"from": deployed.record.get("deployer") or ZERO_ADDRESS, "to": address, "gas": hex(30_000_000)}
    answer = deployed.web3.provider.make_request(
        "eth_call",  # type: ignore[arg-type]
        [call, "latest", {address: {"code": code, "state": {}}}],
    )
    if "result" not in answer:
        return f"constructor fails: {answer.get('error', {}).get('message', 'no reason')}"
    return bytes.fromhex(str(answer["result"])[2:])


# Wiring and powers


def _wiring(deployed: Deployed) -> Iterator[Check]:
    """Modules name each other, and nobody else."""
    for (name, view), other in WIRING.items():
        if deployed.has(name, view):
            yield Check(name, view, deployed.address(other).lower(), deployed.read(name, view))


def _ownership(deployed: Deployed) -> Iterator[Check]:
    """The Timelock owns everything, and the deployer has no power left."""
    timelock = deployed.address("Timelock").lower()
    for name in OWNED:
        if name in deployed.entries:
            yield Check(name, "owner", timelock, deployed.read(name, "owner"))
    if deployed.web3.eth.chain_id == DEVNET:
        return
    deployer = str(deployed.record.get("deployer", "")).lower()
    for name in GUARDED:
        yield Check(name, "guardian is the deployer", False, deployed.read(name, "guardian") == deployer)
    for role, holders in _holders(deployed).items():
        yield Check("Timelock", f"deployer has {role}", False, deployer in holders)


def _timelock(deployed: Deployed) -> Iterator[Check]:
    """Exactly the recorded proposers and executors, and a delay that leaves time to go."""
    window, delay, proposers, executors = deployed.entries["Timelock"]["arguments"]
    for call in _changes(deployed, "update_delay"):
        delay = call[0]
    expected = {
        "DEFAULT_ADMIN_ROLE": {deployed.address("Timelock").lower()},
        "PROPOSER_ROLE": set(plain(proposers)),
        "CANCELLER_ROLE": set(plain(proposers)),
        "EXECUTOR_ROLE": set(plain(executors)),
    }
    names = {deployed.read("Timelock", role): role for role in _ROLES}
    for function in ("grantRole", "revokeRole"):
        for role, account in _changes(deployed, function):
            held = expected.setdefault(names.get(role, role), set())
            held.add(account) if function == "grantRole" else held.discard(account)
    yield Check("Timelock", "EXIT_WINDOW", window, deployed.read("Timelock", "EXIT_WINDOW"))
    yield Check("Timelock", "get_minimum_delay", delay, deployed.read("Timelock", "get_minimum_delay"))
    if deployed.web3.eth.chain_id != DEVNET:
        yield Check("Timelock", f"exit window >= {LEAST_EXIT_WINDOW} s", True, window >= LEAST_EXIT_WINDOW)
    found = _holders(deployed)
    for role in sorted({*expected, *found}):
        yield Check("Timelock", role, sorted(expected.get(role, ())), sorted(found.get(role, ())))


def _changes(deployed: Deployed, function: str) -> Iterator[list[Any]]:
    """Arguments of the Timelock's executed calls to one of its own functions."""
    for call in deployed.executed:
        decoded = deployed.decoded(call)
        if decoded and decoded[0] == function and call.target == deployed.address("Timelock"):
            yield decoded[1]


def _holders(deployed: Deployed) -> dict[str, set[str]]:
    """Role -> who holds it: whom the events name, where the Timelock still says so."""
    names = {deployed.read("Timelock", role): role for role in _ROLES}
    found: dict[str, set[str]] = {}
    for event in deployed.events("Timelock", "RoleGranted"):
        role, account = plain(event["role"]), plain(event["account"])
        if deployed.read("Timelock", "hasRole", event["role"], event["account"]) is True:
            found.setdefault(names.get(role, role), set()).add(account)
    return found


# Settings


def _settings(deployed: Deployed) -> Iterator[Check]:
    """Every view answers what was set last: by the constructor, the recipe, or an executed operation."""
    expected: dict[tuple[str, str, str], tuple[str, tuple[Any, ...], Any]] = {}
    listed = _Listed()
    for address, function, arguments in _steps(deployed):
        name = deployed.names.get(address.lower())
        if name is None:
            yield Check(address, f"{function} went to a recorded contract", True, False)
            continue
        rule = RULES.get(f"{deployed.kind(name)}.{function}")
        if rule is None:
            yield Check(name, f"{function} can be read back", True, False)
            continue
        for view, keys, value in rule(arguments, listed):
            expected[name, view, repr(keys)] = (view, keys, value)
    for (name, _, _), (view, keys, value) in expected.items():
        if not deployed.has(name, view):
            yield Check(name, f"{view} exists", True, False)
            continue
        shown = f"{view}({', '.join(map(str, keys))})" if keys else view
        asked = (Web3.to_checksum_address(key) if _is_address(key) else key for key in keys)
        found = deployed.read(name, view, *asked)
        if view == "outflow" and isinstance(found, list):
            found = found[0]  # the share; level and limit move
        yield Check(name, shown, value, found)


def _steps(deployed: Deployed) -> Iterator[tuple[str, str, list[Any]]]:
    """Address, function and arguments of everything that set something, in order; constructors `__init__`."""
    for name, entry in deployed.entries.items():
        if f"{deployed.kind(name)}.__init__" in RULES:
            yield deployed.address(name), "__init__", plain(entry["arguments"])
    for step in deployed.record.get("steps", []):
        yield step["address"], step["function"], plain(step["arguments"])
    for call in deployed.executed:
        decoded = deployed.decoded(call)
        if call.target == deployed.address("Timelock"):
            continue  # read back with the roles
        yield (call.target, *decoded) if decoded else (call.target, "0x" + call.payload[:4].hex(), [])


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("0x") and len(value) == 42


_Rule = Callable[[list[Any], _Listed], list[_Reading]]


def _getter(view: str) -> _Rule:
    """A setter of one value, read by one view."""
    return lambda a, _: [(view, (), a[0])]


def _keyed(view: str, keys: int = 1) -> _Rule:
    """A setter of the value of some keys."""
    return lambda a, _: [(view, tuple(a[:keys]), a[keys])]


def _nothing(_: list[Any], __: _Listed) -> list[_Reading]:
    """Changes what is no setting."""
    return []


def _list_underlying(a: list[Any], listed: _Listed) -> list[_Reading]:
    listed.underlyings += 1
    u = listed.underlyings
    return [("underlying", (u,), a[0]), ("limits", (u,), a[1]), ("underlying_count", (), u)]


def _add_underlying(a: list[Any], listed: _Listed) -> list[_Reading]:
    listed.spots += 1
    return [("bands", (listed.spots,), a[1]), ("underlying_count", (), listed.spots)]


def _list_collateral(a: list[Any], listed: _Listed) -> list[_Reading]:
    token, spec = a
    if token not in listed.collaterals:
        listed.collaterals.append(token)
    index = listed.collaterals.index(token) + 1
    return [("collateral", (token,), [index, *spec[1:]]), ("collaterals", (), list(listed.collaterals))]


RULES: dict[str, _Rule] = {
    "AttesterQuorum.__init__": lambda a, _: [("signers", (), a[0]), ("threshold", (), a[1])],
    "RiskOracle.__init__": lambda a, _: [("quorum", (), a[0]), ("limits", (), a[1])],
    "Clearinghouse.__init__": lambda a, _: [("gate", (), a[0]), ("oracle", (), a[1])],
    "Vault.__init__": lambda a, _: [("settlement_token", (), a[1]), ("outflow", (a[1],), a[3])],
    "InsuranceFund.__init__": lambda a, _: [("daily_share", (), a[1]), ("cooldown", (), a[2])],
    "AuctionHouse.__init__": lambda a, _: [("terms", (), a[2])],
    "CollateralSale.__init__": lambda a, _: [("terms", (), a[1])],
    "Exchange.__init__": lambda a, _: [("fee_rates", (), a[3:5])],
    "Treasury.__init__": lambda a, _: [("bounties", (), a[1]), ("split", (), a[2])],
    "Markets.list_underlying": _list_underlying,
    "Markets.set_underlying": _keyed("underlying"),
    "Markets.set_limits": _keyed("limits"),
    "Markets.list_expiry": _keyed("strike_grid", 2),
    "Markets.set_clearinghouse": _getter("clearinghouse"),
    "Markets.wind_down": _nothing,
    "Markets.shut_down": _nothing,
    "Markets.delist": _nothing,
    "RiskOracle.add_underlying": _add_underlying,
    "RiskOracle.set_bands": _keyed("bands"),
    "RiskOracle.set_limits": _getter("limits"),
    "RiskOracle.set_quorum": _getter("quorum"),
    "RiskOracle.set_methodology": lambda a, _: [("is_registered", (a[0],), True)],
    "Clearinghouse.set_module": _keyed("modules"),
    "Clearinghouse.set_gate": lambda a, _: [("gate", (), a[0]), ("oracle", (), a[1])],
    "Clearinghouse.set_vault": _getter("vault"),
    "Clearinghouse.set_auction_house": _getter("auction_house"),
    "Clearinghouse.set_funding": _getter("funding"),
    "Clearinghouse.set_guardian": _getter("guardian"),
    "Clearinghouse.set_risk_manager": _getter("risk_manager"),
    "Clearinghouse.end_perp": _nothing,
    "Clearinghouse.pause": _nothing,
    "Clearinghouse.unpause": _nothing,
    "Vault.list_collateral": _list_collateral,
    "Vault.set_insurance_fund": _getter("insurance_fund"),
    "Vault.set_collateral_sale": _getter("collateral_sale"),
    "Vault.set_fee_recipient": _getter("fee_recipient"),
    "Vault.delist_collateral": _nothing,
    "Vault.rescue": _nothing,
    "RiskOracle.take_over": _nothing,
    "InsuranceFund.set_daily_share": _getter("daily_share"),
    "InsuranceFund.set_cooldown": _getter("cooldown"),
    "AuctionHouse.set_terms": _getter("terms"),
    "CollateralSale.set_terms": _getter("terms"),
    "CollateralSale.set_debt_caps": _keyed("debt_caps"),
    "Exchange.set_fees": lambda a, _: [("fee_rates", (), a)],
    "Funding.set_terms": _keyed("terms"),
    "Treasury.set_split": _getter("split"),
    "Treasury.set_bounties": _getter("bounties"),
    "Treasury.spend": _nothing,
    "Bounties.set_bounty": _keyed("bounty"),
    "Bounties.withdraw": _nothing,
}
for _owned in OWNED:
    RULES[f"{_owned}.transfer_ownership"] = _getter("owner")


# Lists that only events tell


def _lists(deployed: Deployed) -> Iterator[Check]:
    """No module that may trade beyond those that were named."""
    expected, found = {}, {}
    for address, made, arguments in _steps(deployed):
        if made == "set_module" and address == deployed.address("Clearinghouse"):
            expected[arguments[0]] = arguments[1]
    for logged in deployed.events("Clearinghouse", "ModuleSet"):
        module = logged["module"]
        found[plain(module)] = deployed.read("Clearinghouse", "modules", module)
    yield Check("Clearinghouse", "all modules", expected, found)
