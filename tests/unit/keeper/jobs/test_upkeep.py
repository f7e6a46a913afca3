"""Funding rates once an hour of the clock; debts when they are new, old, or paid back."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from keeper.chain.liquidation import Valuation
from keeper.jobs import decide_upkeep
from keeper.jobs.decide_upkeep import DEBT_SECONDS, Owed, decide_funding, decide_notes, perps_held
from keeper.jobs.observe import ChainView
from keeper.jobs.upkeep import Upkeep
from keeper.liquidation.debts import Debt
from keeper.markets.instrument import Instrument, Kind
from keeper.store.transaction_store import State
from keeper.units.constants import WAD
from tests.unit.keeper.jobs.stage import CALL, EPOCH, LEAVES, NOW, Stage
from tests.unit.keeper.jobs.test_liquidate import Outbox, Place

BUFFER, NOTHING = 10 * WAD, Debt()
PERP = Instrument(1, 0, 0, Kind.PERP).pack()
HOUR = NOW // 3_600 * 3_600
ADDRESSES = {"Funding": "0x" + "fd" * 20, "CollateralSale": "0x" + "ab" * 20}


@dataclass(frozen=True)
class Told:
    """An epoch whose only leaf is the perp's."""

    epoch: Any

    def instrument(self, instrument: int) -> Any:
        assert instrument == PERP
        return LEAVES[CALL]

    def instrument_proof(self, instrument: int) -> list[bytes]:
        return [instrument.to_bytes(32, "big")]


@dataclass
class Site:
    """One perp that is held, one debtor, and what the chain says of them."""

    place: Place
    outbox: Outbox = field(default_factory=Outbox)
    epochs: dict[int, int] = field(default_factory=lambda: {1: EPOCH - 2})  # of the last updates
    debt: Debt = Debt()

    def upkeep(self) -> Upkeep:
        """A new process over the same database."""
        told = {
            EPOCH: Told(SimpleNamespace(number=EPOCH, timestamp=HOUR + 3_600)),
            EPOCH - 2: Told(SimpleNamespace(number=EPOCH - 2, timestamp=HOUR)),
        }
        desk: Any = SimpleNamespace(
            statements=SimpleNamespace(latest=lambda: told[EPOCH], get=told.get),
            protocol=SimpleNamespace(
                calldata=lambda *arguments: arguments, deployment=SimpleNamespace(addresses=ADDRESSES)
            ),
        )
        found = Upkeep(desk, self.outbox)  # type: ignore[arg-type]
        found._reader = SimpleNamespace(  # type: ignore[assignment]
            funding_epochs=lambda _at, asked: {u: self.epochs[u] for u in asked if u in self.epochs},
            debts=lambda _at, asked: dict.fromkeys(asked, self.debt),
        )
        found._books = SimpleNamespace(  # type: ignore[assignment]
            liquid=lambda _at, asked: {n: self.place.stage.states[n].cash for n in asked},
            valuations=lambda _at, books: [Valuation() for _ in books],
            terms=lambda _at: SimpleNamespace(buffer=BUFFER),
        )
        return found

    def view(self, number: int = EPOCH) -> ChainView:
        return self.place.view(number)


@pytest.fixture
def site() -> Site:
    """Account 1 is long a perp; account 2 owes a hundred against a coin."""
    stage = Stage()
    stage.short(1, 350 * WAD)
    stage.trade(1, PERP, WAD, 0)
    stage.flat(2, -100 * WAD)
    stage.states[2] = replace(stage.states[2], collateral={1: WAD})
    return Site(Place(stage))


def owed(liquid: int, debt: Debt = NOTHING, **value: Any) -> dict[int, Owed]:
    return {4: Owed(liquid * WAD, Valuation(**value), debt)}


def test_perps_held__options_beside_them__underlyings_of_the_perps_alone(site: Site) -> None:
    assert perps_held(site.view().accounts) == [1]
    assert perps_held([]) == []


@pytest.mark.parametrize(
    ("seconds", "epoch", "due"),
    [
        (0, EPOCH - 1, ()),
        (3_599, EPOCH - 1, ()),
        (3_600, EPOCH - 1, (1,)),
        (3_600, EPOCH, ()),  # this very epoch was used
        (3_600, EPOCH + 1, ()),  # somebody was faster, and the chain goes on
    ],
)
def test_decide_funding__clock__once_in_every_hour(seconds: int, epoch: int, due: tuple[int, ...]) -> None:
    assert decide_funding(HOUR + seconds, EPOCH, {1: (epoch, HOUR)}) == due


def test_decide_funding__last_update_before_this_keeper_s_time__due() -> None:
    assert decide_funding(HOUR, EPOCH, {2: (0, 0), 1: (3, HOUR)}) == (2,)


@pytest.mark.parametrize(
    ("known", "due"),
    [
        (owed(-11), (4,)),
        (owed(-10), ()),  # within the buffer
        (owed(-20, linear_high=9 * WAD), (4,)),
        (owed(-20, linear_high=10 * WAD), ()),
        (owed(-11, expired=True), ()),
        (owed(-1, Debt(WAD, WAD, NOW - DEBT_SECONDS)), (4,)),
        (owed(-1, Debt(WAD, WAD, NOW - DEBT_SECONDS + 1)), ()),
        (owed(-11, Debt(0, WAD, 0)), (4,)),  # a trade has drawn it: interest waits for a note
        (owed(0, Debt(WAD, WAD, NOW)), (4,)),  # paid back: frees the caps
        (owed(0, Debt(0, WAD, 0)), (4,)),
        (owed(0), ()),
    ],
)
def test_decide_notes__debt__new_or_old_or_gone(known: dict[int, Owed], due: tuple[int, ...]) -> None:
    assert decide_notes(NOW, known, BUFFER) == due


def test_debtors__frozen_or_without_collateral__left_out(site: Site) -> None:
    assert [row.account for row in decide_upkeep.debtors(site.view())] == [2]
    site.place.stage.states[2] = replace(site.place.stage.states[2], frozen=True)
    assert decide_upkeep.debtors(site.view()) == []


def test_tick__rate_and_debt_due__one_transaction_each(site: Site) -> None:
    assert site.upkeep().tick(site.view()) == 2

    rate, note = site.outbox.intents[f"funding:1:{EPOCH}"], site.outbox.intents[f"debt:2:{EPOCH}"]
    path = [PERP.to_bytes(32, "big")]
    assert rate.calldata == ("Funding", "update", 1, LEAVES[CALL].values(), path, EPOCH)
    assert note.calldata == ("CollateralSale", "note_debt", 2, [])
    assert (rate.target, note.target) == (ADDRESSES["Funding"], ADDRESSES["CollateralSale"])


def test_tick__restarted_and_again__nothing_twice(site: Site) -> None:
    first = site.upkeep()
    assert (first.tick(site.view()), first.tick(site.view())) == (2, 0)
    assert site.upkeep().tick(site.view()) == 0
    assert len(site.outbox.intents) == 2


def test_tick__epoch_is_not_known_here__nothing_and_said(site: Site) -> None:
    upkeep = site.upkeep()
    assert upkeep.tick(site.view(EPOCH + 1)) == 0
    assert upkeep.status() == {"funded": 0, "noted": 0, "last_error": f"epoch {EPOCH + 1} is not known here"}
    assert upkeep.tick(site.view(EPOCH)) == 2
    assert upkeep.status() == {"funded": 1, "noted": 1, "last_error": ""}


def test_tick__before_the_first_epoch__nothing(site: Site) -> None:
    assert site.upkeep().tick(site.view(0)) == 0


def test_tick__refused_in_simulation__said_and_not_counted(site: Site) -> None:
    site.outbox.refusal = "funding: epoch used already"
    upkeep = site.upkeep()
    assert upkeep.tick(site.view()) == 0
    assert (upkeep.funded, upkeep.noted) == (0, 0)
    assert upkeep.last_error == f"debt:2:{EPOCH}: funding: epoch used already"
    assert {intent.state for intent in site.outbox.intents.values()} == {State.DROPPED}


def test_tick__market_that_pays_no_funding__left_alone(site: Site) -> None:
    site.epochs = {}
    assert site.upkeep().tick(site.view()) == 1
