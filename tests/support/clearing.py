"""The clearing contracts on boa, and what a trade through them consists of.

Numbers are WAD. Underlying 1 stands at 2,000 USD. Trades come straight from a module, without orders.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import boa
from eth_utils.crypto import keccak

from keeper.attestation.typed_data import MarginLeaf
from keeper.markets.instrument import Instrument, Kind
from keeper.units import constants as c
from tests.support.halves import Halves
from tests.support.keys import ATTESTERS
from tests.support.statements import evidence

boa.interpret.set_cache_dir(".build/boa")

WAD, USD8, USDC = c.WAD, 10**8, 10**6
GENESIS = 1_743_465_600  # 1 April 2025, a multiple of 300
EXPIRY, LATER = GENESIS + 7 * 86_400, GENESIS + 30 * 86_400
SPOT = 2_000 * USD8
BASIS, CARRY = WAD // 50, WAD // 5
MARGIN, PRICE_BAND, ANY_TIME = WAD // 100, WAD, 86_400
SPEC = ("ETH", WAD // 100, WAD // 100, WAD // 100, BASIS, CARRY, MARGIN, PRICE_BAND, ANY_TIME)
NO_CAP = (2**64 - 1) * c.PRICE_UNIT
NO_CAPS = (NO_CAP, NO_CAP, NO_CAP, 0)
BANDS = (200, 1_500, 3_000)
STALE_AFTER = 180
LIMITS = (120, STALE_AFTER, 600, 1)
METHODOLOGY = keccak(text="methodology")
ACTION = keccak(text="fill")
BLOCK_HASH = keccak(text="block")
OUTFLOW_SHARE = WAD // 20
HALF_TRANSACTION = 2**24 // 2  # half of the most gas that a transaction may use (EIP-7825)
NO_LIMITS = 2**192 - 1  # of a position and of open interest


def call(strike: int, expiry: int = EXPIRY) -> int:
    """Call on underlying 1, strike in USD."""
    return Instrument(1, expiry, strike * USD8, Kind.CALL).pack()


def put(strike: int, expiry: int = EXPIRY) -> int:
    """Put on underlying 1, strike in USD."""
    return Instrument(1, expiry, strike * USD8, Kind.PUT).pack()


PERP = Instrument(1, 0, 0, Kind.PERP).pack()
FUTURE = Instrument(1, EXPIRY, 0, Kind.FUTURE).pack()
CALL, PUT = call(2_000), put(2_000)


@dataclass(frozen=True)
class Deal:
    """A trade: the maker's quantity, the price of one unit, both fees."""

    instrument: int
    quantity: int = WAD
    price: int = 100 * WAD
    fees: tuple[int, int] = (0, 0)
    counted: bool = True  # presents the instrument's leaf

    band: int = 10**9 * WAD
    limits: int = NO_LIMITS

    def values(self, maker: int, taker: int, owners: Mapping[int, str]) -> tuple[Any, ...]:
        """IClearinghouse.Trade, signed by the owners."""
        fill = (self.instrument, self.quantity, self.price, self.band, self.limits)
        return maker, taker, [fill], *self.fees, owners[maker], owners[taker], ACTION


@dataclass(frozen=True)
class Side:
    """How one account passes."""

    way: int = c.WAY_HEADROOM
    instruments: Sequence[int] = ()
    leaf: MarginLeaf | None = None
    proof: Sequence[bytes] = ()

    def evidence(self) -> tuple[Any, ...]:
        """IAttestation.Evidence."""
        return evidence(self.way, self.instruments, self.leaf, self.proof)


HEADROOM = Side()


@dataclass(frozen=True)
class Contracts:
    """The real contracts, boa's objects."""

    token: Any
    markets: Any
    quorum: Any
    oracle: Any
    valuer: Any
    gate: Any
    clearing: Any
    vault: Any
    owner: str
    guardian: str
    module: str


@cache
def source(name: str) -> Any:
    """boa's deployer of `contracts/<name>.vy`; reading one takes longer than deploying it."""
    return boa.load_partial(f"contracts/{name}.vy")


def auction_house() -> str:
    """Address of a contract that the Clearinghouse takes for its auction house; tests call in its name."""
    return str(source("mocks/MockAuctionHouse").deploy().address)


def deploy(decimals: int = 6, token_name: str = "MockToken") -> Contracts:
    """Everything wired at GENESIS; call inside an anchor."""
    patch = boa.env.evm.patch
    patch.timestamp, patch.prev_hashes = GENESIS, [BLOCK_HASH] * 256
    owner, guardian = (boa.env.generate_address(name) for name in ("owner", "guardian"))
    with boa.env.prank(owner):
        # any contract: it acts by being named the sender
        module = source("mocks/MockToken").deploy(18).address
        token = source(f"mocks/{token_name}").deploy(decimals)
        markets = source("markets/Markets").deploy()
        markets.list_underlying(SPEC, NO_CAPS)
        quorum = source("attestation/AttesterQuorum").deploy(ATTESTERS, 3)
        oracle = source("attestation/RiskOracle").deploy(quorum.address, LIMITS, "0x" + "00" * 20)
        oracle.add_underlying(SPOT, BANDS)
        oracle.set_methodology(METHODOLOGY)
        valuer = source("risk/BookValuer").deploy(oracle.address, markets.address)
        gate = source("risk/MarginGate").deploy(oracle.address, valuer.address)
        extension = source("clearing/ClearinghouseExtension")
        clearing = Halves(
            source("clearing/Clearinghouse").deploy(gate.address, oracle.address, extension.deploy().address),
            extension,
        )
        vault = source("clearing/Vault").deploy(clearing.address, token.address, decimals, OUTFLOW_SHARE)
        clearing.set_vault(vault.address)
        clearing.set_guardian(guardian)
        clearing.set_module(module, True)
    return Contracts(token, markets, quorum, oracle, valuer, gate, clearing, vault, owner, guardian, module)
