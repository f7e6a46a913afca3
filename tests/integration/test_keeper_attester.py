"""An attester on a real chain signs what it can reproduce, and names the first thing that it cannot."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from keeper.app.process import Keeper
from keeper.attestation.epoch import build
from keeper.attestation.snapshot import Snapshot
from keeper.attestation.typed_data import recover
from keeper.markets.instrument import Leg
from keeper.network.schemas import EpochProposal, texts
from keeper.network.server import Refusal, Unavailable
from keeper.pricing.market import Market, UnderlyingMarket
from keeper.risk.methodology import Methodology
from tests.support.keepers import Room, Town, town

METHODOLOGY = Methodology.default()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("town")) as found:
        yield found


@pytest.fixture(scope="module")
def room() -> Room:
    return Room()


@pytest.fixture(scope="module")
def attester(place: Town) -> Iterator[Keeper]:
    keeper = place.keeper("attester0", "attester", venue="bybit")
    yield keeper
    keeper.close()


@pytest.fixture(scope="module")
def other(place: Town) -> Iterator[Keeper]:
    keeper = place.keeper("attester1", "attester", venue="hyperliquid")
    yield keeper
    keeper.close()


@pytest.fixture(scope="module")
def proposer(place: Town, room: Room, attester: Keeper, other: Keeper) -> Iterator[Keeper]:
    """After a first epoch and a trade of ten ETH perpetuals."""
    room.attesters = [attester.attester, other.attester]
    keeper = place.proposer(room)
    assert place.post_epoch(keeper) == 1
    perp = keeper.desk.statements.latest().instruments[-1].instrument
    place.trade(keeper, perp)
    yield keeper
    keeper.close()


@pytest.fixture
def proposal(place: Town, room: Room, proposer: Keeper) -> EpochProposal:
    """What the proposer would ask now; nobody has seen it."""
    place.pass_time()
    attesters, room.attesters = room.attesters, []
    assert proposer.tick() is None
    room.attesters = attesters
    found = room.asked[-1]
    assert isinstance(found, EpochProposal)
    return found


def changed(
    proposal: EpochProposal, change: Callable[[Snapshot], Snapshot], number: int = 0
) -> EpochProposal:
    """What a proposer asks who computes correctly on a changed snapshot."""
    snapshot = change(Snapshot.from_json(proposal.snapshot))
    statement = build(snapshot, METHODOLOGY, number or proposal.number)
    return EpochProposal(
        number=number or proposal.number,
        snapshot=snapshot.to_json(),
        epoch=texts(statement.epoch.values()),
        margins=[texts(m.values()) for m in statement.margins],
    )


def with_underlying(change: Callable[[UnderlyingMarket], UnderlyingMarket]) -> Callable[[Snapshot], Snapshot]:
    """Changes the last underlying, ETH."""

    def apply(snapshot: Snapshot) -> Snapshot:
        *rest, last = snapshot.market.underlyings
        return replace(snapshot, market=Market(snapshot.market.timestamp, (*rest, change(last))))

    return apply


def refusal(keeper: Keeper, proposal: EpochProposal) -> str:
    with pytest.raises(Refusal) as caught:
        keeper.attester.sign_epoch(proposal)
    assert keeper.attester.last_refusal == str(caught.value)
    return str(caught.value)


def test_sign_epoch__honest__signature_recovers_and_again_the_same(
    attester: Keeper, proposal: EpochProposal
) -> None:
    answer = attester.attester.sign_epoch(proposal)
    message = bytes.fromhex(answer.digest[2:])
    assert recover(message, bytes.fromhex(answer.r[2:]), int(answer.vs)) == attester.signer.address
    assert attester.attester.sign_epoch(proposal) == answer


def test_sign_epoch__spot_beyond_tolerance__names_it_and_both_figures(
    attester: Keeper, proposal: EpochProposal
) -> None:
    def move(listed: UnderlyingMarket) -> UnderlyingMarket:
        far = listed.posted * 101 // 100  # tolerance is half a percent; inside the minute's band
        expiries = tuple(replace(e, forward=e.forward * 101 // 100) for e in listed.expiries)
        return replace(listed, posted=far, effective=far, expiries=expiries)

    posted = Snapshot.from_json(proposal.snapshot).market.underlyings[1].posted
    said = refusal(attester, changed(proposal, with_underlying(move)))
    assert said.startswith(f"market: spot of 2 is {posted * 101 // 100}, ours ")


@pytest.mark.parametrize("off", [-1, 1])
def test_sign_epoch__effective_spot_one_unit_off__refused(
    attester: Keeper, proposal: EpochProposal, off: int
) -> None:
    snapshot = Snapshot.from_json(proposal.snapshot)
    right = snapshot.market.underlyings[1].effective
    tampered = changed(proposal, with_underlying(lambda u: replace(u, effective=right + off)))
    assert refusal(attester, tampered) == f"market: effective spot of 2: {right} here, {right + off} there"


def test_sign_epoch__band_edge_overrun__edge_is_named(attester: Keeper, proposal: EpochProposal) -> None:
    """Spot and effective both jump: a spot beyond the bands has its edge as effective spot, not itself."""
    jumped = with_underlying(lambda u: replace(u, posted=u.posted * 2, effective=u.effective * 2))
    said = refusal(attester, changed(proposal, jumped))
    doubled = Snapshot.from_json(proposal.snapshot).market.underlyings[1].effective * 2
    assert said.startswith("market: effective spot of 2: ") and said.endswith(f" here, {doubled} there")


@pytest.mark.parametrize(("field", "name"), [(4, "mark_to_market"), (5, "initial_margin"), (1, "added_im")])
def test_sign_epoch__leaf_off_by_one_wei__account_and_field_named(
    attester: Keeper, proposal: EpochProposal, field: int, name: str
) -> None:
    margins = [list(values) for values in proposal.margins]
    right = int(margins[1][field])
    margins[1][field] = str(right + 1)
    tampered = proposal.model_copy(update={"margins": margins})
    account = margins[1][0]
    assert refusal(attester, tampered) == f"margin {account} {name}: {right} here, {right + 1} there"


def test_sign_epoch__root_of_another_tree__named_last(attester: Keeper, proposal: EpochProposal) -> None:
    epoch = [*proposal.epoch]
    epoch[7] = "0x" + "77" * 32
    said = refusal(attester, proposal.model_copy(update={"epoch": epoch}))
    assert said.startswith("epoch margin_root: 0x") and said.endswith(f"{epoch[7]} there")


def test_sign_epoch__one_account_left_out__refused(attester: Keeper, proposal: EpochProposal) -> None:
    tampered = changed(proposal, lambda s: replace(s, accounts=s.accounts[:1]))
    assert refusal(attester, tampered) == "snapshot accounts: not the same ones"


def test_sign_epoch__wrong_book__account_and_field_named(attester: Keeper, proposal: EpochProposal) -> None:
    def more(snapshot: Snapshot) -> Snapshot:
        first, *rest = snapshot.accounts
        legs = tuple(Leg(leg.instrument, leg.quantity + 1) for leg in first.legs)
        assert legs, "the first account has traded"
        return replace(snapshot, accounts=(replace(first, legs=legs), *rest))

    assert refusal(attester, changed(proposal, more)) == "snapshot account 1: legs differs"


def test_sign_epoch__instrument_left_out__refused(attester: Keeper, proposal: EpochProposal) -> None:
    tampered = changed(proposal, lambda s: replace(s, instruments=s.instruments[:-1]))
    assert refusal(attester, tampered).startswith("snapshot instruments: ")


def test_sign_epoch__number_not_above_the_chains__refused(attester: Keeper, proposal: EpochProposal) -> None:
    tampered = changed(proposal, lambda s: s, number=1)
    assert refusal(attester, tampered) == "epoch 1 is not above the latest on chain, 1"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 3}', "null", "1e999", '"' + "x" * 100])
def test_sign_epoch__snapshot_that_is_none__refused(
    attester: Keeper, proposal: EpochProposal, text: str
) -> None:
    refusal(attester, proposal.model_copy(update={"snapshot": text}))


def test_sign_epoch__methodology_not_registered__refused(
    place: Town, attester: Keeper, proposal: EpochProposal
) -> None:
    tampered = replace(Snapshot.from_json(proposal.snapshot), methodology_hash=b"\x11" * 32)
    said = refusal(attester, proposal.model_copy(update={"snapshot": tampered.to_json()}))
    assert said.startswith("snapshot methodology_hash: ")


def test_sign_epoch__block_too_far_back_or_ahead__refused(attester: Keeper, proposal: EpochProposal) -> None:
    for distance in (-65, 1):
        tampered = changed(proposal, lambda s, d=distance: replace(s, block_number=s.block_number + d))
        assert "is not among the last 64 of head" in refusal(attester, tampered)


def test_sign_epoch__same_number_other_content__refused_even_after_a_restart(
    place: Town, other: Keeper, proposal: EpochProposal
) -> None:
    other.attester.sign_epoch(proposal)
    tampered = changed(
        proposal, with_underlying(lambda u: replace(u, posted=u.posted + 1, effective=u.effective + 1))
    )
    said = f"epoch {proposal.number} is signed already with other content"
    assert refusal(other, tampered) == said
    again = place.keeper("attester1", "attester", venue="hyperliquid")
    try:
        assert refusal(again, tampered) == said
        assert again.attester.sign_epoch(proposal).signer == other.signer.address
        higher = changed(tampered, lambda s: s, number=proposal.number + 1)
        assert again.attester.sign_epoch(higher).signer == other.signer.address
    finally:
        again.close()


def test_sign_epoch__block_reorged_away__refused_and_the_new_one_signed(
    place: Town, room: Room, attester: Keeper, proposer: Keeper, proposal: EpochProposal
) -> None:
    attester.desk.sync()
    number = Snapshot.from_json(proposal.snapshot).block_number
    place.devnet.rpc("anvil_reorg", 2, [])
    place.pass_time(8, 1)
    assert refusal(attester, proposal) == f"block {number} has another hash here"
    assert place.post_epoch(proposer) > proposal.number


def test_sign_epoch__index_holds_another_book__nothing_can_be_checked(
    place: Town, attester: Keeper, proposal: EpochProposal
) -> None:
    attester.desk.sync()
    with attester.database.begin() as connection:
        connection.exec_driver_sql("UPDATE account_version SET added_im = '1' WHERE account = 1")
    with pytest.raises(Unavailable, match="index: added IM of account 1 differs from the chain's"):
        attester.attester.sign_epoch(proposal)
