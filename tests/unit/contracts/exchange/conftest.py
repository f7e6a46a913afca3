from dataclasses import dataclass, replace
from typing import Any

import boa
import pytest

from keeper.attestation.evidence import NO_STATEMENT
from keeper.exchange.order import Leg, Order, fill_arguments, mirrored, nonce_of, signature_bytes
from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import WAD, WAY_HEADROOM
from tests.support.keys import address_for, key_of
from tests.support.statements import compact_signature

boa.interpret.set_cache_dir(".build/boa")

MAKER, TAKER = 7, 8
SPOT8, OTHER_SPOT8 = 1_800 * 10**8, 95_000 * 10**8
MAKER_RATE, TAKER_RATE = 3 * WAD // 10_000, 5 * WAD // 10_000
LIMITS, BAND = 7 << 128 | 8 << 64 | 9, WAD // 10
EXPIRY = 1_750_000_200


def option(strike: int, kind: Kind = Kind.CALL, underlying: int = 1) -> int:
    """Packed option of the one expiry; strike in whole dollars."""
    return Instrument(underlying, EXPIRY, strike * 10**8, kind).pack()


CALL = option(2_000)
LEG = WAD // 10  # a tenth of an ether in one unit
PRICE = 45 * WAD  # of one whole call
CASH = PRICE // 10  # of one unit
HEADROOM = (WAY_HEADROOM, b"")


@dataclass
class Pair:
    """An exchange beside its test double, and a default pair of mirrored orders."""

    exchange: Any
    venue: Any
    maker: Order
    taker: Order

    def sign(self, order: Order, role: str) -> bytes:
        return signature_bytes(compact_signature(1, self.exchange.address, order.struct_hash(), key_of(role)))

    def fill(self, units: int = 1, price: int = CASH, nonce: int = 0, **changes: Any) -> None:
        """Fills; `maker` and `taker` (dicts) change the orders, `maker_role` and `taker_role` the signers.
        The taker's legs are signed as they are, but never sent."""
        maker = replace(self.maker, **changes.get("maker", {}))
        taker = replace(self.taker, **changes.get("taker", {}))
        signatures = [
            self.sign(maker, changes.get("maker_role", "maker")),
            self.sign(taker, changes.get("taker_role", "taker")),
        ]
        terms = fill_arguments(
            maker, signatures[0], taker, signatures[1], units, price, changes.get("prices", [PRICE]), nonce
        )
        evidence = changes.get("evidence", (HEADROOM, HEADROOM))
        options = {"sender": changes["sender"]} if "sender" in changes else {}
        self.exchange.fill(*terms, *evidence, changes.get("statement", NO_STATEMENT), **options)

    def package(self, legs: tuple[Leg, ...], price: int, **changes: Any) -> "Pair":
        """The same pair over several legs, the taker's mirrored, limits at the price of a unit."""
        changes = {"max_fee": 100 * WAD, **changes}
        maker = replace(self.maker, legs=legs, limit=price, **changes)
        return replace(
            self, maker=maker, taker=replace(self.taker, legs=mirrored(legs), limit=-price, **changes)
        )


@pytest.fixture(scope="module")
def deployed():
    venue = boa.load("contracts/mocks/MockVenue.vy")
    venue.set_spot(1, SPOT8)
    venue.set_spot(2, OTHER_SPOT8)
    venue.set_limits(LIMITS, BAND)
    venue.set_owner(MAKER, address_for(key_of("maker")))
    venue.set_owner(TAKER, address_for(key_of("taker")))
    exchange = boa.load(
        "contracts/exchange/Exchange.vy", venue.address, venue.address, venue.address, MAKER_RATE, TAKER_RATE
    )
    return exchange, venue


@pytest.fixture
def pair(deployed):
    exchange, venue = deployed
    expiry = boa.env.evm.patch.timestamp + 60
    with boa.env.anchor():
        yield Pair(
            exchange,
            venue,
            maker=Order(MAKER, (Leg(CALL, LEG),), 10, CASH, WAD, nonce_of(3, 5), expiry),
            taker=Order(TAKER, (Leg(CALL, -LEG),), 4, -CASH, WAD, nonce_of(0, 0), expiry),
        )


@pytest.fixture(scope="module")
def order():
    """Internals of `order.vy`."""
    return boa.load("contracts/exchange/order.vy").internal
