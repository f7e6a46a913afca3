from dataclasses import replace

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.attestation.typed_data import digest, domain_separator
from keeper.exchange.order import Batch, Fill, Leg, Order
from keeper.units.constants import MAX_ORDER_LEGS

from .conftest import MAKER_RATE, TAKER_RATE

WORDS = st.binary(min_size=32, max_size=32)


def unsigned(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


def signed(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
ORDERS = st.builds(
    Order,
    unsigned(256),
    st.lists(st.builds(Leg, unsigned(128), signed(128)), min_size=1, max_size=MAX_ORDER_LEGS).map(tuple),
    unsigned(256),
    signed(256),
    unsigned(256),
    unsigned(64),
    unsigned(64),
    ADDRESSES,
    ADDRESSES,
    unsigned(8),
)
FILLS = st.builds(Fill, WORDS, WORDS, signed(256), signed(256), unsigned(64))


def test_order_hash__any_order__equals_twin(deployed):
    exchange, _ = deployed

    @settings(max_examples=40, deadline=None)
    @given(ORDERS)
    def check(order):
        assert exchange.order_hash(order.values()) == order.struct_hash()
        domain = domain_separator(1, exchange.address)
        assert exchange.digest(order.struct_hash()) == digest(domain, order.struct_hash())

    check()


def test_order_hash__no_legs__reverts(pair):
    with boa.reverts("exchange: no legs"):
        pair.exchange.order_hash(replace(pair.maker, legs=()).values())


def test_fill_hash__any_fill__equals_twin():
    harness = boa.load("contracts/mocks/OrderHarness.vy")

    @settings(max_examples=40, deadline=None)
    @given(FILLS)
    def check(fill):
        assert harness.fill_hash(fill.values()) == fill.struct_hash()

    check()


def test_batch_hash__any_batch__equals_twin(order):
    @settings(max_examples=40, deadline=None)
    @given(st.lists(FILLS, min_size=1, max_size=8))
    def check(fills):
        hashes = [fill.struct_hash() for fill in fills]
        assert order._batch_hash(hashes) == Batch(tuple(fills)).struct_hash()

    check()


@pytest.mark.parametrize(
    ("interface", "known"),
    [("01ffc9a7", True), ("84b0196e", True), ("ffffffff", False), ("00000000", False), ("1626ba7e", False)],
)
def test_supports_interface__erc165__names_itself_and_erc5267(deployed, interface, known):
    exchange, _ = deployed
    assert exchange.supportsInterface(bytes.fromhex(interface)) is known


def test_eip712_domain__deployed__names_the_exchange(deployed):
    exchange, _ = deployed
    assert exchange.eip712Domain()[1:5] == ("Plimsoll", "1", 1, exchange.address)


def test_fee_rates__deployed__maker_then_taker(deployed):
    exchange, _ = deployed
    assert exchange.fee_rates() == (MAKER_RATE, TAKER_RATE)
