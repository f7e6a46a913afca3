"""A keeper's claim as the argument of the auction house, and books that change hands in auctions."""

import pytest
from eth_abi.abi import decode
from eth_abi.exceptions import EncodingError

from keeper.network.schemas import plain
from scripts._liquidation import claim_bytes
from scripts._wallet import Wallet, moved_of
from tests.support.claims import CLAIM_FIELDS

HASH = bytes.fromhex("ab" * 32)
LEAF = (2, 10, -3, HASH, -7, 5, 4, -8, 6, 10**18, 11, HASH)
CLAIM = (
    (3, 8),
    1,
    LEAF,
    (HASH, HASH),
    4,
    0,
    (5, ((HASH, 11), (HASH, 12))),
    ((0, 8, -(10**18), 5), (3, 1, 7, 0)),
    ((8, 1, 2, 3, 4, 5),),
    ((HASH,),),
)
_LEAF = "(uint256,uint128,int128,bytes32,int128,uint128,uint128,int128,uint128,uint64,uint128,bytes32)"
_UNIT = "(uint128,uint128,uint128,uint128,uint128,uint128)"
TYPE = (
    f"(uint128[],uint8,{_LEAF},bytes32[],uint64,uint64,(uint256,(bytes32,uint256)[]),"
    f"(uint8,uint128,int256,uint256)[],{_UNIT}[],bytes32[][])"
)


@pytest.fixture
def answer():
    """The claim as the API writes it."""
    return {name: plain(value) for name, value in zip(CLAIM_FIELDS, CLAIM, strict=True)}


def test_claim_bytes__answer_of_the_api__is_the_encoded_struct(answer):
    assert decode([TYPE], claim_bytes(answer)) == (CLAIM,)


@pytest.mark.parametrize(
    "change",
    [
        {"leaf": ["1"] * 11},
        {"path": [7]},
        {"signatures": None},
        {"instruments": ["ETH-PERP"]},
        {"changes": 3},
        {"changes": [["0", "8", "1"]]},
        {"way": "300"},
    ],
)
def test_claim_bytes__malformed__raises(answer, change):
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError, EncodingError)):
        claim_bytes({**answer, **change})


@pytest.mark.parametrize("quantity", [1, -1, 2**96, -(2**96)])
def test_moved_of__either_sign__reads_what_the_event_packs(quantity):
    assert moved_of((9 << 128) | (quantity % 2**128)) == (9, quantity)


class Logs:
    """The events of one kind, as web3 hands them out."""

    def __init__(self, name, *events):
        self.name, self.events = name, events

    def __call__(self):
        return self

    def get_logs(self, from_block, argument_filters):
        wanted = argument_filters.items()
        found = [e for e in self.events if all(e.get(name) == value for name, value in wanted)]
        return [{"event": self.name, "args": event} for event in found]


class Clearing:
    """Account 1 holds 10 of one instrument and -4 of another; account 2 gets half, and buys one more. What is
    left of the other is settled.
    """

    words = ((7 << 128) | 5, (8 << 128) | (2**128 - 2))
    events = type(
        "Events",
        (),
        {
            "PositionChanged": Logs(
                "PositionChanged",
                {"account": 1, "instrument": 7, "quantity": 10, "seq": 1},
                {"account": 1, "instrument": 8, "quantity": -4, "seq": 2},
                {"account": 2, "instrument": 7, "quantity": 1, "seq": 4},
            ),
            "AccountSettled": Logs("AccountSettled", {"account": 1, "words": ((8 << 128) | 3,), "seq": 5}),
            "ShareTransferred": Logs("ShareTransferred", {"seller": 1, "buyer": 2, "words": words, "seq": 3}),
        },
    )


@pytest.mark.parametrize(("account", "book"), [(1, {7: 5}), (2, {7: 6, 8: -2}), (3, {})])
def test_book__after_an_auction__both_sides_have_their_share(account, book, monkeypatch):
    wallet = object.__new__(Wallet)
    monkeypatch.setattr(wallet, "contract", lambda name: Clearing, raising=False)

    assert wallet.book(account) == book
