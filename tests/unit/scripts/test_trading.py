"""Answers of a keeper's API as contract arguments."""

from eth_abi.abi import decode

from keeper.attestation.evidence import encode_evidence
from keeper.attestation.typed_data import InstrumentLeaf
from keeper.exchange.order import Leg, Order
from keeper.units.constants import WAY_LEAF, WAY_REDUCE_REPORT, WAY_REPORT, WAY_WORST_CASE
from scripts import _trading as trading

HASH = "0x" + "ab" * 32
LEAF = {
    **dict.fromkeys(("account", "addedIM", "addedMark"), "7"),
    "bookHash": HASH,
    **dict.fromkeys(("markToMarket", "initialMargin", "maintenanceMargin", "markPosted"), "-3"),
    **dict.fromkeys(("maintenancePosted", "marginal", "maxAddedIM"), "9"),
    "breakdownHash": HASH,
}
LEAF["initialMargin"] = LEAF["maintenanceMargin"] = "5"
SIGNED = {"bitmap": "5", "compact": [{"r": HASH, "vs": "11"}, {"r": HASH, "vs": "12"}]}
REPORT = {"epoch": 4, "deadline": 99, "signatures": SIGNED, "margins": [LEAF], "instruments": [["3", "8"]]}
_INSTRUMENT = "(uint128,uint128,uint128,uint128,uint128,uint128)"
STATEMENT = f"(uint64,uint64,(uint256,(bytes32,uint256)[]),{_INSTRUMENT}[],bytes32[][])"


def instrument(code):
    names = ("instrument", "mark", "imLong", "mmLong", "imShort", "mmShort")
    leaf = dict(zip(names, map(str, range(code, code + 6)), strict=True))
    return {"epoch": 4, "leaf": leaf, "proof": [HASH] * (code % 3)}


def test_statement__nothing_shared__is_no_bytes():
    assert trading.Statement().encoded() == b""


def test_statement__reports_on_two_legs__shows_signatures_and_both_leaves():
    shown = trading.with_reports(REPORT, trading.with_instruments(instrument(10), instrument(20)))
    (found,) = decode([STATEMENT], shown.encoded())

    word = bytes.fromhex("ab" * 32)
    leaves = tuple(InstrumentLeaf(*range(code, code + 6)).values() for code in (10, 20))
    assert found == (4, 99, (5, ((word, 11), (word, 12))), leaves, ((word,), (word,) * 2))


def test_evidence__of_every_way__carries_book_and_leaf():
    leaf, word = trading.margin_leaf(LEAF), bytes.fromhex("ab" * 32)
    assert (leaf.account, leaf.book_hash, leaf.mark_posted, leaf.max_added_im) == (7, word, -3, 9)

    answer = {"leaf": LEAF, "proof": [HASH]}
    assert trading.leaf_evidence(answer, [1, 2]) == encode_evidence(WAY_LEAF, [1, 2], leaf, [word])
    assert trading.report_evidence(REPORT, 0) == encode_evidence(WAY_REPORT, [3, 8], leaf)
    reduced = trading.report_evidence(REPORT, 0, WAY_REDUCE_REPORT)
    assert reduced == encode_evidence(WAY_REDUCE_REPORT, [3, 8], leaf)
    assert trading.worst_case_evidence([5]) == encode_evidence(WAY_WORST_CASE, [5])


def test_fill_action__package__states_every_leg_and_price():
    legs = (Leg(3, 10), Leg(8, -10))
    maker = Order(7, legs, units=5, limit=-2, max_fee=1, nonce=3, expiry=9)
    action = trading.fill_action(maker, maker, 2, -2, 6, ["maker"], counted=True, prices=[4, 5])

    assert action["maker"]["legs"] == [
        {"instrument": "3", "quantity": "10"},
        {"instrument": "8", "quantity": "-10"},
    ]
    assert (action["price"], action["prices"], action["units"]) == ("-2", ["4", "5"], "2")


def test_book_after__package__adds_and_closes():
    before = {3: 5, 9: 1}
    assert trading.book_after(before, [Leg(3, -1), Leg(8, 2)], 5) == [8, 9]
    assert before == {3: 5, 9: 1}
