"""The liquidator's tick: once per thing, one bid at a time, and a restart in between changes nothing."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from keeper.attestation.evidence import encode_evidence, encode_statement
from keeper.chain.contracts import Header, Limits, Spot
from keeper.chain.liquidation import Auction
from keeper.chain.node import BlockRef
from keeper.jobs.decide_liquidations import book_after
from keeper.jobs.liquidate import Liquidator, Mandate
from keeper.jobs.observe import ChainView
from keeper.observability.metrics import Metrics
from keeper.observability.names import BELOW_MAINTENANCE, BIDS, FLAGS, OPEN_AUCTIONS
from keeper.store.transaction_store import UNRESOLVED, Intent, State
from keeper.units.constants import WAD, WAY_LEAF
from tests.unit.keeper.jobs.stage import BIDDER, CALL, EPOCH, NOW, PUT, SPOT, TERMS, Stage, Told, auction

HOUSE = "0x" + "aa" * 20
SALE = "0x" + "ab" * 20
MANDATE = Mandate(BIDDER, 3 * WAD // 100)


@dataclass
class Outbox:
    """A sender that keeps what it is given; simulation fails with `refusal`."""

    intents: dict[str, Intent] = field(default_factory=dict)
    refusal: str = ""

    def submit(self, id: str, kind: str, target: str, calldata: Any, now: int, **limits: int) -> Intent:
        assert (limits["value_at_risk"] > 0) == (kind != "funding") and limits["deadline"] > now
        state = State.DROPPED if self.refusal else State.BROADCAST
        self.intents[id] = Intent(
            id, kind, target, calldata, state, 1, 0, self.refusal, now, block_number=None, gas_used=None
        )
        return self.intents[id]

    def find(self, id: str) -> Intent | None:
        return self.intents.get(id)

    def unresolved(self) -> list[Intent]:
        return [intent for intent in self.intents.values() if intent.state in UNRESOLVED]

    def confirm_all(self) -> None:
        self.intents = {i: replace(intent, state=State.CONFIRMED) for i, intent in self.intents.items()}


@dataclass
class Place:
    """A chain that stands still, and a liquidator on it."""

    stage: Stage
    auctions: dict[int, Auction] = field(default_factory=dict)
    outbox: Outbox = field(default_factory=Outbox)
    metrics: Metrics = field(default_factory=Metrics)
    liquid_asked: list[int] = field(default_factory=list)
    now: int = NOW

    def liquidator(self) -> Liquidator:
        """A new process over the same database."""
        desk = SimpleNamespace(
            statements=SimpleNamespace(latest=lambda: Told(tuple(self.stage.leaves.values()))),
            index=SimpleNamespace(
                auctions=lambda _n: [SimpleNamespace(account=n) for n in self.auctions],
                changes=lambda account, _n: self.stage.links[account],
                conversions=lambda _n: [],
            ),
            protocol=SimpleNamespace(
                calldata=lambda *arguments: arguments,
                deployment=SimpleNamespace(addresses={"AuctionHouse": HOUSE, "CollateralSale": SALE}),
            ),
        )
        found = Liquidator(desk, self.outbox, MANDATE, self.metrics)  # type: ignore[arg-type]
        found._reader = Reader(self)  # type: ignore[assignment]
        return found

    def tick(self, number: int = EPOCH) -> int:
        return self.liquidator().tick(self.view(number))

    def view(self, number: int = EPOCH) -> ChainView:
        return ChainView(
            chain_id=1,
            block=BlockRef(100, "0x1", "0x0", self.now),
            header=Header(number, number - 1, NOW - 30, 90, 91, 0, 0),
            limits=Limits(120, 180, 600, 4),
            spots=(Spot(SPOT, SPOT, SPOT, SPOT),),
            bands=((200, 500, 1_000),),
            listings=(),
            accounts=tuple(self.stage.row(n) for n in sorted(self.stage.states)),
            windows={},
            prices={},
        )


@dataclass
class Reader:
    """The chain's answers."""

    place: Place

    def terms(self, _at: str) -> Any:
        return TERMS

    def rate(self, _at: str) -> int:
        return WAD

    def auctions(self, _at: str, accounts: list[int]) -> dict[int, Auction]:
        return {n: self.place.auctions[n] for n in accounts}

    def liquid(self, _at: str, accounts: list[int]) -> dict[int, int]:
        self.place.liquid_asked = accounts
        return {n: self.place.stage.states[n].cash for n in accounts}

    def valuations(self, _at: str, books: list[Any]) -> list[Any]:
        stage = self.place.stage
        known = {stage.row(n).positions: value for n, value in stage.values.items()}
        return [known[book] for book in books]


@pytest.fixture
def place() -> Place:
    stage = Stage()
    stage.short(1, 349 * WAD)
    stage.short(2, 350 * WAD)
    stage.flat(BIDDER, 10_000 * WAD)
    return Place(stage)


def test_tick__somebody_below__flagged_once(place: Place) -> None:
    assert (place.tick(), place.tick()) == (1, 0)

    (intent,) = place.outbox.intents.values()
    assert (intent.id, intent.kind, intent.target) == (f"flag:1:{EPOCH}", "flag", HOUSE)
    assert intent.calldata[:3] == ("AuctionHouse", "flag", 1)
    assert [place.metrics.value(name) for name in (FLAGS, BIDS, OPEN_AUCTIONS, BELOW_MAINTENANCE)] == [
        1,
        0,
        0,
        1,
    ]


def test_tick__same_block_again__nothing_is_asked(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    liquidator = place.liquidator()
    liquidator.tick(place.view())
    monkeypatch.delattr(Reader, "terms")

    assert liquidator.tick(place.view()) == 0


def test_tick__refused_in_simulation__tried_again_with_the_next_epoch_only(place: Place) -> None:
    place.outbox.refusal = "auction: grace after a gap"
    liquidator = place.liquidator()
    assert liquidator.tick(place.view()) == 0
    assert liquidator.last_error == f"flag:1:{EPOCH}: auction: grace after a gap"
    place.outbox.refusal = ""

    assert place.tick() == 0
    assert place.metrics.value(FLAGS) == 0


def test_tick__epoch_is_not_known_here__nothing(place: Place) -> None:
    liquidator = place.liquidator()

    assert liquidator.tick(place.view(EPOCH + 1)) == 0
    assert liquidator.last_error == f"epoch {EPOCH + 1} is not known here"
    assert place.outbox.intents == {}


def test_tick__auction_worth_it__bids_by_its_own_leaf(place: Place) -> None:
    place.auctions = {2: auction()}
    place.tick()

    bid = place.outbox.intents[f"bid:2:{EPOCH}:{NOW // 30}"].calldata
    assert bid[:4] == ("AuctionHouse", "bid", 2, BIDDER)
    fraction, limit, instruments, evidence, statement = bid[4:]
    assert (limit, instruments) == (2_225 * WAD // 10, [CALL])
    leaf, path = place.stage.leaves[BIDDER], [BIDDER.to_bytes(32, "big")]
    assert evidence == encode_evidence(WAY_LEAF, [CALL], leaf, path)
    assert statement == encode_statement(epoch=EPOCH)
    assert 0 < fraction < WAD
    assert place.metrics.value(BIDS) == 1


@pytest.mark.parametrize(
    ("held", "fraction", "expected"),
    [
        ({}, WAD // 2, [CALL]),
        ({PUT: WAD}, WAD // 2, sorted([CALL, PUT])),
        ({CALL: WAD // 2}, WAD // 2, []),  # what is bought closes what is held
        ({PUT: WAD}, 1, [PUT]),  # too little of the call to move
    ],
)
def test_book_after__purchase__what_is_held_then(
    place: Place, held: dict[int, int], fraction: int, expected: list[int]
) -> None:
    place.stage.states[BIDDER] = replace(place.stage.states[BIDDER], positions=held)

    assert book_after(place.stage.row(BIDDER), place.stage.row(2), fraction) == expected


def test_tick__killed_while_a_bid_is_on_its_way__no_second_one(place: Place) -> None:
    place.auctions = {1: auction(), 2: auction()}
    place.tick()
    place.now += 60  # another period: only the bid under way keeps the next one back
    place.tick()
    assert _bids(place) == 1
    place.outbox.confirm_all()
    place.tick()

    assert _bids(place) == 2


def test_tick__auction_of_an_older_epoch__updated_before_anybody_bids(place: Place) -> None:
    place.auctions = {2: auction(epoch=EPOCH - 1)}
    place.tick()

    assert f"update:2:{EPOCH}:{NOW - 450}" in place.outbox.intents
    assert _bids(place) == 0


def test_tick__collateral_behind_missing_cash__put_on_sale(place: Place) -> None:
    state = replace(place.stage.states[2], cash=-100 * WAD, collateral={1: WAD})
    place.stage.states[2] = state
    place.stage.enrich(2)
    place.tick()

    sale = place.outbox.intents[f"convert:2:{EPOCH}"]
    assert sale.calldata == ("CollateralSale", "start_conversion", 2, [CALL])
    assert sale.target == SALE


def test_tick__perps_held__funding_is_asked_for(place: Place) -> None:
    place.tick()
    assert place.liquid_asked == []
    place.stage.trade(1, 1 << 112, WAD, 0)
    place.tick()
    assert place.liquid_asked == [1]


def test_status__after_a_flag__counts(place: Place) -> None:
    liquidator = place.liquidator()
    liquidator.tick(place.view())

    assert liquidator.status() == {
        "account": BIDDER,
        "flags": 1,
        "bids": 0,
        "open_auctions": 0,
        "below_maintenance": 1,
        "last_error": "",
    }


def _bids(place: Place) -> int:
    return sum(intent.kind == "bid" for intent in place.outbox.intents.values())
