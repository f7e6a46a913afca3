"""Proposers in turn, and a change of the attester set, on a real chain: epochs go on."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from keeper.app.process import Keeper
from keeper.chain.keys import signer_of
from keeper.jobs import propose, rota
from keeper.jobs.propose import Proposer
from keeper.jobs.rota import Rota, order
from keeper.network.client import Gathered
from keeper.sources.source import Observation
from keeper.store.lease import PROPOSER, Lease
from tests.support.keepers import PROPOSER_KEY, Room, Town, town
from tests.support.keys import key_of

SECOND_KEY = key_of("second proposer")
PROPOSERS = {signer_of(key).address: key for key in (PROPOSER_KEY, SECOND_KEY)}
HEARTBEAT = 30
STAGE_SECONDS = 600  # more than these tests ever wait for anything else
COMING = tuple(key_of(f"coming attester {i}") for i in (0, 1, 2))


@pytest.fixture(autouse=True)
def _nobody_holds_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens when two act at once is seen only where they do."""
    monkeypatch.setattr(rota, "HOLD_SECONDS", 0.0)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("town")) as found:
        yield found


@pytest.fixture(scope="module")
def attesters(place: Town) -> Iterator[list[Keeper]]:
    """Each with its key of the set in force and the one of the coming set."""
    keys = [place.member_key(i) for i in (0, 1, 2)]
    found = [
        place.keeper(f"attester{i}", "attester", keys=(key, coming))
        for i, (key, coming) in enumerate(zip(keys, COMING, strict=True))
    ]
    yield found
    for keeper in found:
        keeper.close()


@pytest.fixture(scope="module")
def proposers(place: Town, attesters: list[Keeper]) -> Iterator[dict[str, Keeper]]:
    """Two, each with a database of its own, by address."""
    listed = ", ".join(f'"{address}"' for address in PROPOSERS)
    terms = f"proposers=[{listed}]\nstage_seconds={STAGE_SECONDS}"
    found = {}
    for address, key in PROPOSERS.items():
        room = Room([keeper.attester for keeper in attesters], signer=signer_of(key))
        found[address] = place.proposer(room, name=f"proposer-{address}", keys=(key,), terms=terms)
    yield found
    for keeper in found.values():
        keeper.close()


def number(place: Town) -> int:
    return int(place.backend.call(place.deployment["RiskOracle"], "header")[0])


def grow_old(place: Town, age: int) -> None:
    """The latest epoch is `age` seconds old; a node's clock also runs by itself while keepers compute."""
    posted = int(place.backend.call(place.deployment["RiskOracle"], "header")[2])
    place.pass_time(max(posted + age - place.time(), 4))


def in_turn(place: Town, proposers: dict[str, Keeper]) -> list[Keeper]:
    """On duty first, then the back-up."""
    return [proposers[address] for address in order(list(proposers), number(place))]


def test_tick__two_proposers__only_the_one_on_duty_acts(place: Town, proposers: dict[str, Keeper]) -> None:
    for _ in range(4):
        duty, backup = in_turn(place, proposers)
        before = number(place)
        grow_old(place, HEARTBEAT + STAGE_SECONDS // 2)
        assert backup.tick() is None and number(place) == before
        assert backup.proposer.status.last_error == ""
        assert duty.tick() is not None and number(place) > before
        assert backup.tick() is None, "the epoch is there: nothing is due"


def test_tick__duty_is_away__back_up_posts_a_stage_later(place: Town, proposers: dict[str, Keeper]) -> None:
    _, backup = in_turn(place, proposers)
    before = number(place)
    grow_old(place, HEARTBEAT + STAGE_SECONDS - 60)
    assert backup.tick() is None and number(place) == before
    grow_old(place, HEARTBEAT + STAGE_SECONDS)
    assert backup.tick() is not None and number(place) > before


class Slow:
    """Asks as the room does; then, before the signatures are used, something else happens."""

    def __init__(self, room: Room, meanwhile: Callable[[], Any]) -> None:
        self.room, self.meanwhile = room, meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self.room, name)

    def gather(self, *asked: Any) -> Gathered:
        found = self.room.gather(*asked)
        self.meanwhile()
        return found


@pytest.mark.parametrize("looks_again", [True, False])
def test_tick__two_at_once__one_post_and_the_other_dies_for_free(
    place: Town, proposers: dict[str, Keeper], monkeypatch: pytest.MonkeyPatch, looks_again: bool
) -> None:
    """Both have a quorum's signatures, under different numbers; the second dies before or in simulation."""
    duty, backup = in_turn(place, proposers)
    before = number(place)
    grow_old(place, HEARTBEAT + STAGE_SECONDS)

    def overtake() -> None:
        assert backup.tick() is not None and number(place) > before

    monkeypatch.setattr(duty.proposer, "_attesters", Slow(duty.proposer._attesters, overtake))
    if not looks_again:
        monkeypatch.setattr(duty.proposer, "_is_still_latest", lambda _number: True)
    nonce = duty.desk.protocol.node.nonce(duty.signer.address)
    duty.tick()
    said = duty.proposer.status.last_error
    assert (said == "") == looks_again, "being second is nothing to put right"
    assert looks_again or "oracle: " in said, said
    duty.tick()
    assert duty.proposer.status.last_error == ""
    assert duty.desk.protocol.node.nonce(duty.signer.address) == nonce, "it cost nothing"
    posted = number(place)
    assert posted == backup.desk.view().header.number > before


def test_tick__two_processes_over_one_database__one_of_them_at_a_time(
    place: Town, proposers: dict[str, Keeper]
) -> None:
    """The same key and the same database: while one gathers, the other does not even ask."""
    duty, _ = in_turn(place, proposers)
    first, desk = duty.proposer, duty.desk
    grow_old(place, HEARTBEAT + STAGE_SECONDS)
    own = Rota(duty.signer.address, list(PROPOSERS), STAGE_SECONDS)
    lease = Lease(duty.database, PROPOSER, "another process", 60)
    asked = first._attesters
    second = Proposer(desk, duty.database, asked, duty.sender, first._trigger, own, lease)
    before, found = number(place), []
    first._attesters = Slow(asked, lambda: found.append((len(asked.asked), second.tick(), len(asked.asked))))
    try:
        assert first.tick() is not None
    finally:
        first._attesters = asked
    duty.tick()
    duty.tick()
    ((earlier, reason, later),) = found
    assert reason is None and earlier == later and second.status.last_error == ""
    assert number(place) > before and not first._lease.held, "free again for whoever comes next"


def test_tick__fails_on_one_block__attempts_grow_rare_until_the_next(
    place: Town, proposers: dict[str, Keeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt uses up a number and the attesters' time."""
    post(place, proposers)
    duty, _ = in_turn(place, proposers)
    grow_old(place, HEARTBEAT + STAGE_SECONDS)
    moment, nobody = [0.0], Room()
    monkeypatch.setattr(propose, "time", SimpleNamespace(monotonic=lambda: moment[0]))
    monkeypatch.setattr(duty.proposer, "_attesters", nobody)
    for second in range(200):
        moment[0] = float(second)
        assert duty.proposer.tick() is None
    assert len(nobody.asked) == 9, "after 0, 1, 3, 7, 15, 31, 63, 123 and 183 seconds"
    place.pass_time(4, 1)
    duty.proposer.tick()
    assert len(nobody.asked) == 10, "another block, another attempt"


def test_tick__market_data_is_old__no_epoch_gets_a_new_time(
    place: Town, proposers: dict[str, Keeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    duty, _ = in_turn(place, proposers)
    before = number(place)
    grow_old(place, HEARTBEAT + STAGE_SECONDS)
    seen = duty.desk.observe_market

    def old(now: int, listed: dict[int, list[int]]) -> Observation:
        return replace(seen(now, listed), age=duty.desk.tolerance.max_age_seconds + 1)

    monkeypatch.setattr(duty.desk, "observe_market", old)
    assert duty.tick() is None and number(place) == before
    assert duty.proposer.status.last_error == "no epoch: the market data is 3601 seconds old"


def test_tick__set_changes_by_timelock__epochs_go_on_under_the_new_one(
    place: Town, proposers: dict[str, Keeper], attesters: list[Keeper]
) -> None:
    """No keeper is restarted; what the old set signed dies in simulation, the next epoch is the new one's."""
    coming = [signer_of(key).address for key in COMING]
    fresh = place.backend.deploy("AttesterQuorum", coming, 2)
    execute = place.govern("RiskOracle", "set_quorum", fresh.address)
    for _ in range(place.delay // 60 + 1):
        assert post(place, proposers) > 0
    old = attesters[0].desk.view().block.hash
    assert set(attesters[0].desk.quorum(old).signers).isdisjoint(coming)

    duty, _ = in_turn(place, proposers)
    place.pass_time(60)
    asked = duty.proposer._attesters
    duty.proposer._attesters = Slow(asked, execute)
    duty.tick()
    duty.proposer._attesters = asked
    assert "quorum: " in duty.proposer.status.last_error, duty.proposer.status.last_error

    before = number(place)
    for _ in range(3):
        assert post(place, proposers) > before
        before = number(place)
    head = attesters[0].desk.view().block.hash
    assert attesters[0].desk.quorum(head).address == fresh.address
    assert place.deployment.address("AttesterQuorum") != fresh.address, "the deployment's file is as it was"
    assert attesters[0].attester.callers(()) == set(coming)


def test_report__after_the_change__signed_by_the_new_set(place: Town, proposers: dict[str, Keeper]) -> None:
    post(place, proposers)
    latest = number(place)
    keeper = next(p for p in proposers.values() if p.desk.statements.get(latest) is not None)
    keeper.desk.view()
    place.trade(keeper, keeper.desk.statements.latest().instruments[-1].instrument)
    assert keeper.desk.view().rows[place.accounts[0]].positions


def post(place: Town, proposers: dict[str, Keeper]) -> int:
    """Time passes and whoever is on duty posts; the chain's latest number."""
    before = number(place)
    place.pass_time(60)
    for keeper in in_turn(place, proposers):
        keeper.tick()
        keeper.tick()
    assert number(place) > before, [p.proposer.status.last_error for p in proposers.values()]
    return number(place)
