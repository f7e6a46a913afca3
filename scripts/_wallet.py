"""What the wallet scripts share: the deployment of the connected chain, keys, amounts, instruments, sending.

Everything wrong with the input ends in one sentence and exit code 1, before anything is signed or sent.
"""

import functools
import json
import os
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click
from ape.cli import ConnectedProviderCommand
from ape.exceptions import ApeException
from eth_utils.address import is_address, to_checksum_address
from web3.exceptions import Web3Exception

from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import SCOPE_DEPOSIT, SCOPE_TRADE, SCOPE_WITHDRAW
from scripts._devnet import CHAIN_ID as DEVNET
from scripts._devnet import ROOT

P = ParamSpec("P")
T = TypeVar("T")
Sentence = click.ClickException
TOKEN = "MockToken"
SCOPES = {"trade": SCOPE_TRADE, "withdraw": SCOPE_WITHDRAW, "deposit collateral": SCOPE_DEPOSIT}
_DEVNET_URL = "http://127.0.0.1:8545"
_KINDS = {"C": Kind.CALL, "P": Kind.PUT}
_NOTHING = re.compile(r"^-?0+(\.0*)?$")
_DAY = re.compile(r"^(\d{1,2})([A-Z]{3})(\d{2})$")
_SETTLES_AT_HOUR = 8  # UTC


class Command(ConnectedProviderCommand):
    """An ape command on the devnet by default; failures end in one sentence, also those before it starts."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = any(argument.split("=")[0] == "--network" for argument in args)
        rest: list[str] = super().parse_args(ctx, args if named else [*args, "--network", _DEVNET_URL])
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ApeException as error:
            raise Sentence(sentence_of(error)) from None


class Wallet:
    """The protocol on the chain that ape is connected to."""

    def __init__(self, provider: Any) -> None:
        self.provider = provider
        self.web3 = provider.web3
        self.chain_id = int(provider.chain_id)
        self.record = _load(self.chain_id)
        clearing = self.address("Clearinghouse")
        if not self.web3.eth.get_code(clearing):
            raise Sentence(f"nothing is deployed at {clearing} on chain {self.chain_id}: deploy again")

    @property
    def is_devnet(self) -> bool:
        return self.chain_id == DEVNET

    def address(self, name: str) -> str:
        """Checksummed address of a deployed contract."""
        entry = self.record["contracts"].get(name)
        if entry is None:
            raise Sentence(f"deployments/{self.chain_id}.json has no {name}")
        return str(to_checksum_address(entry["address"]))

    def contract(self, name: str) -> Any:
        """web3's object of a deployed contract."""
        return self.web3.eth.contract(address=self.address(name), abi=self.record["contracts"][name]["abi"])

    def read(self, name: str, function: str, *arguments: Any) -> Any:
        """A view at the latest block."""
        try:
            return self.contract(name).functions[function](*arguments).call()
        except Web3Exception as error:
            raise Sentence(f"{name}.{function}: {reason_of(error)}") from None

    @property
    def token(self) -> Any:
        """The settlement token."""
        return self.erc20(self.read("Vault", "settlement_token"))

    def erc20(self, address: str) -> Any:
        """web3's object of a token, by the ABI of every ERC-20."""
        return self.web3.eth.contract(address=to_checksum_address(address), abi=_ERC20)

    def collateral(self, address: str) -> Any:
        """A collateral token. Refused where it is not listed."""
        token = self.erc20(address_of(address))
        if self.struct("Vault", "collateral", token.address)["index"] == 0:
            listed = ", ".join(self.read("Vault", "collaterals")) or "none"
            raise Sentence(f"{token.address} is not listed as collateral; listed: {listed}")
        return token

    def collateral_of(self, account: int, token: Any) -> str:
        """What an account has of a collateral token, decimal text."""
        return plain(self.read("Vault", "collateral_balance", account, token.address))

    def now(self) -> int:
        """Chain time, unix seconds."""
        return int(self.web3.eth.get_block("latest")["timestamp"])

    def struct(self, name: str, function: str, *arguments: Any) -> dict[str, Any]:
        """A view's struct, by the names of its fields, also inside."""
        (output,) = self.contract(name).get_function_by_name(function).abi["outputs"]
        found: dict[str, Any] = named(output, self.read(name, function, *arguments))
        return found

    def require_account(self, account: int) -> dict[str, Any]:
        """IClearinghouse.Account. Refused where it does not exist."""
        found = self.struct("Clearinghouse", "account", account)
        if int(found["owner"], 16) == 0:
            raise Sentence(f"there is no account {account}")
        return found

    def require_may_act(self, account: int, actor: str, scope: int) -> None:
        """Refused unless `actor` owns the account or has a grant of this scope (SCOPE_*)."""
        self.require_account(account)
        if not self.read("Clearinghouse", "may_act", account, actor, scope):
            name = next(name for name, value in SCOPES.items() if value == scope)
            raise Sentence(f"{actor} neither owns account {account} nor may {name} for it")

    def require_owner(self, account: int, actor: str) -> None:
        """Refused unless `actor` owns the account."""
        owner = self.require_account(account)["owner"]
        if owner.lower() != actor.lower():
            raise Sentence(f"account {account} belongs to {owner}, not to {actor}")

    def book(self, account: int) -> dict[int, int]:
        """Quantity by packed instrument, ascending, from the account's events."""
        events = self.contract("Clearinghouse").events
        changes = [
            *events.PositionChanged().get_logs(from_block=0, argument_filters={"account": account}),
            *events.AccountSettled().get_logs(from_block=0, argument_filters={"account": account}),
            *events.ShareTransferred().get_logs(from_block=0, argument_filters={"seller": account}),
            *events.ShareTransferred().get_logs(from_block=0, argument_filters={"buyer": account}),
        ]
        found: dict[int, int] = {}
        for event in sorted(changes, key=lambda e: e["args"]["seq"]):
            for instrument, change in _changes_of(event, account, found):
                found[instrument] = found.get(instrument, 0) + change
        return {i: found[i] for i in sorted(found) if found[i]}

    def symbols(self) -> dict[int, str]:
        """Symbol of every underlying."""
        count = self.read("Markets", "underlying_count")
        return {u: self.read("Markets", "underlying", u)[0] for u in range(1, count + 1)}

    def send(self, signer: Any, contract: Any, function: str, *arguments: Any) -> Any:
        """Simulates, then signs and sends one transaction, and waits. Refused with the contract's reason."""
        data = contract.encode_abi(function, args=list(arguments))
        fields = {"from": str(signer.address), "to": contract.address, "data": data}
        try:
            self.web3.eth.call(fields)
        except Web3Exception as error:
            raise Sentence(f"the chain refuses {function}: {reason_of(error)}") from None
        ecosystem = self.provider.network.ecosystem
        transaction = ecosystem.create_transaction(
            sender=str(signer.address), receiver=contract.address, data=bytes.fromhex(data[2:])
        )
        return signer.call(transaction)


def named(parameter: dict[str, Any], value: Any) -> Any:
    """A value of the ABI; of a struct: its fields by name."""
    if parameter["type"] != "tuple":
        return value
    return {c["name"]: named(c, v) for c, v in zip(parameter["components"], value, strict=True)}


def _changes_of(event: Any, account: int, held: dict[int, int]) -> list[tuple[int, int]]:
    """(instrument, change of quantity) of an event of the account that holds `held`."""
    told = event["args"]
    if event["event"] == "PositionChanged":
        return [(told["instrument"], told["quantity"])]
    if event["event"] == "AccountSettled":
        return [(word >> 128, -held.get(word >> 128, 0)) for word in told["words"]]
    sign = 1 if told["buyer"] == account else -1
    return [(instrument, sign * moved) for instrument, moved in map(moved_of, told["words"])]


def moved_of(word: int) -> tuple[int, int]:
    """Packed instrument and signed quantity of a word of ShareTransferred."""
    low = word & (2**128 - 1)
    return word >> 128, low - 2**128 if low >> 127 else low


def sentence_of(error: Exception) -> str:
    """What went wrong, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def reason_of(error: Exception) -> str:
    """The contract's reason without the node's wording."""
    text = str(error.args[0]) if error.args else type(error).__name__
    return " ".join(text.replace("execution reverted:", "").split()) or "no reason given"


def guarded(function: Callable[P, T]) -> Callable[P, T]:
    """Turns what libraries raise into one sentence."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except (click.ClickException, click.Abort):
            raise
        except Exception as error:
            if os.environ.get("PLIMSOLL_TRACEBACK"):
                raise
            raise Sentence(sentence_of(error)) from None

    return run


def signer_of(alias: str | None, is_devnet: bool) -> Any:
    """An ape account: TEST::n on the devnet, else the alias of a keystore."""
    from ape import accounts

    if not alias:
        raise Sentence("no key given: --account ALIAS (a key of `ape accounts`, or TEST::n on the devnet)")
    if alias.startswith("TEST::"):
        if not is_devnet:
            raise Sentence(f"{alias} is a public test key: not on this chain")
        index = alias.removeprefix("TEST::")
        if not index.isdigit() or int(index) >= 10:
            raise Sentence(f"{alias} is not one of TEST::0 to TEST::9")
        return accounts.test_accounts[int(index)]
    if alias not in accounts.aliases:
        raise Sentence(f"there is no key {alias}: make one with `ape accounts generate {alias}`")
    return accounts.load(alias)


def address_of(text: str) -> str:
    """A checksummed address."""
    if not is_address(text) or int(text, 16) == 0:
        raise Sentence(f"{text} is not an address")
    if text != text.lower() and text != to_checksum_address(text):
        raise Sentence(f"{text} has a wrong checksum: is there a typing error?")
    return str(to_checksum_address(text))


def amount_of(text: str, decimals: int, name: str = "amount", signed: bool = False) -> int:
    """A decimal text in the smallest unit; refused if it is zero, negative (unless signed) or too fine."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise Sentence(f"{name} {text} is not a number") from None
    if not value.is_finite() or value == 0 or (value < 0 and not signed):
        raise Sentence(f"{name} {text} must be {'other than' if signed else 'above'} zero")
    scaled = value.scaleb(decimals)
    if scaled != scaled.to_integral_value():
        raise Sentence(f"{name} {text} has more than {decimals} decimals")
    if abs(scaled) >= 2**127:
        raise Sentence(f"{name} {text} is too large")
    return int(scaled)


def cash_of(text: str, name: str) -> int:
    """Dollars, WAD; unlike an amount they may be zero or negative."""
    return 0 if _NOTHING.match(text) else amount_of(text, 8, name, signed=True) * 10**10


def instrument_of(text: str, symbols: dict[int, str]) -> int:
    """ETH-PERP, ETH-25APR25 (future), ETH-25APR25-1800-C (or -P), or the packed number."""
    if text.isdigit():
        return int(text)
    parts = text.upper().split("-")
    underlyings = {symbol: u for u, symbol in symbols.items()}
    if parts[0] not in underlyings or len(parts) not in (2, 4):
        known = ", ".join(underlyings)
        raise Sentence(f"{text} is none of ETH-PERP, ETH-25APR25, ETH-25APR25-1800-C; underlyings: {known}")
    underlying = underlyings[parts[0]]
    if parts[1:] == ["PERP"]:
        return Instrument(underlying, 0, 0, Kind.PERP).pack()
    expiry = _expiry_of(parts[1])
    if len(parts) == 2:
        return Instrument(underlying, expiry, 0, Kind.FUTURE).pack()
    if parts[3] not in _KINDS:
        raise Sentence(f"{text} must end in -C or -P")
    return Instrument(underlying, expiry, amount_of(parts[2], 8, "strike"), _KINDS[parts[3]]).pack()


def scope_of(text: str, symbols: dict[int, str]) -> tuple[int, int]:
    """What an isolated account is confined to: underlying and expiry of ETH, ETH-25APR25, 25APR25; 0: any."""
    underlyings = {symbol: u for u, symbol in symbols.items()}
    first, dash, day = text.upper().partition("-")
    if first in underlyings:
        return underlyings[first], _expiry_of(day) if dash else 0
    if dash or not _DAY.match(first):
        raise Sentence(f"{text} is none of ETH, ETH-25APR25, 25APR25; underlyings: {', '.join(underlyings)}")
    return 0, _expiry_of(first)


def scope_text(underlying: int, expiry: int, symbols: dict[int, str]) -> str:
    """The inverse of `scope_of`."""
    parts = [symbols.get(underlying, str(underlying))] if underlying else []
    return "-".join([*parts, _day_of(expiry)] if expiry else parts)


def pair_of(text: str, symbols: dict[int, str]) -> tuple[int, str]:
    """The packed instrument and the number of INSTRUMENT:NUMBER."""
    symbol, colon, number = text.rpartition(":")
    if not colon:
        raise Sentence(f"{text} is not INSTRUMENT:NUMBER")
    return instrument_of(symbol, symbols), number


def symbol_of(packed: int, symbols: dict[int, str]) -> str:
    """The inverse of `instrument_of`."""
    instrument = Instrument.unpack(packed)
    name = symbols.get(instrument.underlying, str(instrument.underlying))
    if instrument.kind == Kind.PERP:
        return f"{name}-PERP"
    day = f"{name}-{_day_of(instrument.expiry)}"
    if instrument.kind == Kind.FUTURE:
        return day
    strike = Decimal(instrument.strike).scaleb(-8).normalize()
    return f"{day}-{strike:f}-{'C' if instrument.kind == Kind.CALL else 'P'}"


def plain(value: int, decimals: int = 18) -> str:
    """A scaled integer as a decimal text."""
    text = f"{Decimal(value).scaleb(-decimals):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def is_confirmed(wallet: Wallet, yes: bool, what: str) -> bool:
    """Money moves at once on the devnet, elsewhere only with --yes."""
    if wallet.is_devnet or yes:
        return True
    click.echo(f"dry run on chain {wallet.chain_id}: would {what}; nothing is sent without --yes")
    return False


def emit(as_json: bool, found: dict[str, Any], text: str) -> None:
    """The answer, for a machine or a person."""
    click.echo(json.dumps(found) if as_json else text)


def options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options that several scripts share, by name."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(names):
            function = _OPTIONS[name](function)
        return function

    return add


def statement_path(path: Path) -> dict[str, Any]:
    """A signed order's file."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except OSError as error:
        raise Sentence(f"order {path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise Sentence(f"order {path} is not JSON") from None
    if not isinstance(found, dict) or not {"chain_id", "exchange", "order", "signature"} <= set(found):
        raise Sentence(f"order {path} is not a signed order: make one with `ape run sign_order`")
    return found


def _load(chain_id: int) -> dict[str, Any]:
    folder = Path(os.environ.get("PLIMSOLL_DEPLOYMENTS", ROOT / "deployments"))
    path = folder / f"{chain_id}.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except OSError:
        raise Sentence(f"Plimsoll is not deployed on chain {chain_id}: there is no {path}") from None
    except ValueError:
        raise Sentence(f"{path} is not JSON") from None
    if found.get("chain_id") != chain_id or "contracts" not in found:
        raise Sentence(f"{path} is not a deployment on chain {chain_id}")
    return found


def _expiry_of(text: str) -> int:
    found = _DAY.match(text)
    try:
        if not found:
            raise ValueError
        moment = datetime.strptime(text.title(), "%d%b%y").replace(tzinfo=UTC, hour=_SETTLES_AT_HOUR)
    except ValueError:
        raise Sentence(f"{text} is not a day like 25APR25") from None
    return int(moment.timestamp())


def _day_of(expiry: int) -> str:
    """The inverse of `_expiry_of`."""
    moment = datetime.fromtimestamp(expiry, UTC)
    return f"{moment.day}{moment.strftime('%b%y').upper()}"


def _function(name: str, inputs: Sequence[str], output: str, view: bool) -> dict[str, Any]:
    return {
        "type": "function",
        "name": name,
        "inputs": [{"type": t, "name": f"a{i}"} for i, t in enumerate(inputs)],
        "outputs": [{"type": output, "name": ""}],
        "stateMutability": "view" if view else "nonpayable",
    }


_ERC20 = [
    _function("balanceOf", ["address"], "uint256", True),
    _function("allowance", ["address", "address"], "uint256", True),
    _function("decimals", [], "uint8", True),
    _function("symbol", [], "string", True),
    _function("approve", ["address", "uint256"], "bool", False),
]
_OPTIONS: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "account": click.option(
        "--account", "alias", help="Key: an alias of `ape accounts`, or TEST::n on the devnet."
    ),
    "id": click.option(
        "--id", "account", type=click.IntRange(min=1), required=True, help="Number of the margin account."
    ),
    "json": click.option("--json", "as_json", is_flag=True, help="Answer in JSON."),
    "yes": click.option("--yes", is_flag=True, help="Send, also where it is not a devnet."),
    "keeper": click.option(
        "--keeper", default="http://127.0.0.1:8600", show_default=True, help="URL of a keeper's API."
    ),
}
