"""An attester on a real chain signs what it can reproduce, and names the first thing that it cannot."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from keeper.app.process import Keeper
from keeper.attestation.epoch import EpochStatement, build
from keeper.attestation.snapshot import Snapshot, market_from_text, market_text
from keeper.attestation.typed_data import recover
from keeper.chain.keys import signer_of
from keeper.chain.node import BlockRef
from keeper.jobs.compose import snapshot_of
from keeper.markets.instrument import Leg
from keeper.network.peers import Peer, domain_of, signed_by
from keeper.network.schemas import EpochMessage, EpochProposal, ProposalsAnswer, SignatureAnswer
from keeper.network.server import Refusal, Unavailable
from keeper.observability.names import LOG_GAPS
from keeper.pricing.market import Market, UnderlyingMarket
from keeper.risk.methodology import Methodology
from keeper.store import statement_store
from tests.support.keepers import PROPOSER_KEY, Room, Town, town

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


@dataclass
class Liar:
    """A proposer that computes correctly on what is not the chain's, and serves the leaves of that."""

    statement: EpochStatement

    def leaves(self, _number: int, kind: str, _root: bytes) -> Any:
        return getattr(self.statement, kind)


def changed(
    attester: Keeper, proposal: EpochProposal, change: Callable[[Snapshot], Snapshot], number: int = 0
) -> EpochProposal:
    """What a proposer asks who computes correctly on a changed snapshot; the attester can read its leaves."""
    snapshot = change(snapshot_behind(attester, proposal))
    statement = build(snapshot, METHODOLOGY, number or proposal.number)
    attester.attester._leaves = Liar(statement)
    return EpochProposal(
        patience_seconds=5, market=market_text(snapshot.market), epoch=EpochMessage.of(statement.epoch)
    )


def snapshot_behind(attester: Keeper, proposal: EpochProposal) -> Snapshot:
    """What an honest keeper computes a proposal from."""
    attester.desk.sync()
    row = attester.desk.index.block(proposal.epoch.block_number)
    view = attester.desk.view_at(BlockRef(row.number, row.hash, row.parent, row.timestamp))
    return snapshot_of(view, market_from_text(proposal.market), METHODOLOGY)


def peers_domain(keeper: Keeper) -> bytes:
    deployment = keeper.desk.protocol.deployment
    return domain_of(deployment.chain_id, deployment.oracle)


def asking(keeper: Keeper, proposal: EpochProposal, key: bytes = PROPOSER_KEY) -> Peer:
    """Who asks, as a server finds out."""
    return Room(domain=peers_domain(keeper)).peer(proposal, signer_of(key))


def sign(keeper: Keeper, proposal: EpochProposal, key: bytes = PROPOSER_KEY) -> SignatureAnswer:
    return keeper.attester.sign_epoch(proposal, asking(keeper, proposal, key))


def with_underlying(change: Callable[[UnderlyingMarket], UnderlyingMarket]) -> Callable[[Snapshot], Snapshot]:
    """Changes the last underlying, ETH."""

    def apply(snapshot: Snapshot) -> Snapshot:
        *rest, last = snapshot.market.underlyings
        return replace(snapshot, market=Market(snapshot.market.timestamp, (*rest, change(last))))

    return apply


def refusal(keeper: Keeper, proposal: EpochProposal, key: bytes = PROPOSER_KEY) -> str:
    with pytest.raises(Refusal) as caught:
        sign(keeper, proposal, key)
    assert keeper.attester.last_refusal == str(caught.value)
    return str(caught.value)


def with_epoch(proposal: EpochProposal, **changes: Any) -> EpochProposal:
    """The same market under other claims."""
    return proposal.model_copy(update={"epoch": proposal.epoch.model_copy(update=changes)})


def test_sign_epoch__honest__signature_recovers_and_again_the_same(
    attester: Keeper, proposal: EpochProposal
) -> None:
    answer = sign(attester, proposal)
    message = bytes.fromhex(answer.digest[2:])
    assert recover(message, bytes.fromhex(answer.r[2:]), int(answer.vs)) == attester.signer.address
    assert sign(attester, proposal) == answer


def test_sign_epoch__signed__its_leaves_are_served(attester: Keeper, proposal: EpochProposal) -> None:
    sign(attester, proposal)
    served = attester.desk.statements.get(proposal.number)
    assert served is not None and served.epoch == proposal.epoch.to_epoch()


def test_sign_epoch__spot_beyond_tolerance__names_it_and_both_figures(
    attester: Keeper, proposal: EpochProposal
) -> None:
    def move(listed: UnderlyingMarket) -> UnderlyingMarket:
        far = listed.posted * 101 // 100  # tolerance is half a percent; inside the minute's band
        expiries = tuple(replace(e, forward=e.forward * 101 // 100) for e in listed.expiries)
        return replace(listed, posted=far, effective=far, expiries=expiries)

    posted = market_from_text(proposal.market).underlyings[1].posted
    said = refusal(attester, changed(attester, proposal, with_underlying(move)))
    assert said.startswith(f"market: spot of 2 is {posted * 101 // 100}, ours ")


@pytest.mark.parametrize("off", [-1, 1])
def test_sign_epoch__effective_spot_one_unit_off__refused(
    attester: Keeper, proposal: EpochProposal, off: int
) -> None:
    right = market_from_text(proposal.market).underlyings[1].effective
    tampered = changed(attester, proposal, with_underlying(lambda u: replace(u, effective=right + off)))
    assert refusal(attester, tampered) == f"market: effective spot of 2: {right} here, {right + off} there"


def test_sign_epoch__band_edge_overrun__edge_is_named(attester: Keeper, proposal: EpochProposal) -> None:
    """Spot and effective both jump: a spot beyond the bands has its edge as effective spot, not itself."""
    jumped = with_underlying(lambda u: replace(u, posted=u.posted * 2, effective=u.effective * 2))
    said = refusal(attester, changed(attester, proposal, jumped))
    doubled = market_from_text(proposal.market).underlyings[1].effective * 2
    assert said.startswith("market: effective spot of 2: ") and said.endswith(f" here, {doubled} there")


@pytest.mark.parametrize("name", ["mark_to_market", "initial_margin", "added_im"])
def test_sign_epoch__leaf_off_by_one_wei__account_and_field_named(
    attester: Keeper, proposal: EpochProposal, name: str
) -> None:
    honest = build(snapshot_behind(attester, proposal), METHODOLOGY, proposal.number)
    first, second, *rest = honest.margins
    right = getattr(second, name)
    margins = (first, replace(second, **{name: right + 1}), *rest)
    tampered = replace(honest, margins=margins)
    attester.attester._leaves = Liar(tampered)
    root = "0x" + tampered.margin_tree.root.hex()
    said = refusal(attester, with_epoch(proposal, margin_root=root))
    assert said == f"margin {second.account} {name}: {right} here, {right + 1} there"


def test_sign_epoch__leaves_of_another_root_served__only_the_root_is_named(
    attester: Keeper, proposal: EpochProposal
) -> None:
    honest = build(snapshot_behind(attester, proposal), METHODOLOGY, proposal.number)
    attester.attester._leaves = Liar(replace(honest, margins=honest.margins[:1]))
    said = refusal(attester, with_epoch(proposal, margin_root="0x" + "77" * 32))
    assert said.startswith("epoch margin_root: 0x") and said.endswith(f"0x{'77' * 32} there")


@pytest.mark.parametrize("field", ["snapshot_hash", "spots_hash", "market_root"])
def test_sign_epoch__other_claim__field_named(attester: Keeper, proposal: EpochProposal, field: str) -> None:
    attester.attester._leaves = None
    said = refusal(attester, with_epoch(proposal, **{field: "0x" + "77" * 32}))
    assert said.startswith(f"epoch {field}: 0x") and said.endswith(f"0x{'77' * 32} there")


def test_sign_epoch__one_account_left_out__refused(attester: Keeper, proposal: EpochProposal) -> None:
    tampered = changed(attester, proposal, lambda s: replace(s, accounts=s.accounts[:1]))
    assert refusal(attester, tampered) == "margin leaves: 2 here, 1 there"


def test_sign_epoch__wrong_book__account_and_field_named(attester: Keeper, proposal: EpochProposal) -> None:
    def more(snapshot: Snapshot) -> Snapshot:
        first, *rest = snapshot.accounts
        legs = tuple(Leg(leg.instrument, leg.quantity + 10**10) for leg in first.legs)
        assert legs, "the first account has traded"
        return replace(snapshot, accounts=(replace(first, legs=legs), *rest))

    assert refusal(attester, changed(attester, proposal, more)).startswith("margin 1 ")


def test_sign_epoch__instrument_left_out__refused(attester: Keeper, proposal: EpochProposal) -> None:
    tampered = changed(attester, proposal, lambda s: replace(s, instruments=s.instruments[:-1]))
    assert refusal(attester, tampered).startswith("instrument leaves: ")


def test_sign_epoch__number_not_above_the_chains__refused(attester: Keeper, proposal: EpochProposal) -> None:
    said = refusal(attester, with_epoch(proposal, number=1))
    assert said == "epoch 1 is not above the latest on chain, 1"


def test_sign_epoch__number_far_above__refused(attester: Keeper, proposal: EpochProposal) -> None:
    """Nobody may use up the numbers: after the greatest one there would be no epoch any more."""
    assert "too far above" in refusal(attester, with_epoch(proposal, number=2**63 - 1))


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "1e999", '"' + "x" * 100, "[" * 5_000])
def test_sign_epoch__market_that_is_none__refused(
    attester: Keeper, proposal: EpochProposal, text: str
) -> None:
    refusal(attester, proposal.model_copy(update={"market": text}))


def test_sign_epoch__other_methodology__both_named(attester: Keeper, proposal: EpochProposal) -> None:
    said = refusal(attester, with_epoch(proposal, methodology_hash="0x" + "11" * 32))
    assert said == f"epoch methodology_hash: 0x{METHODOLOGY.hash().hex()} here, 0x{'11' * 32} there"


def test_sign_epoch__block_too_far_back_or_ahead__refused(attester: Keeper, proposal: EpochProposal) -> None:
    for distance in (-65, 1):
        number = proposal.epoch.block_number + distance
        assert "is not among the last 64 of head" in refusal(
            attester, with_epoch(proposal, block_number=number)
        )


def test_sign_epoch__time_is_not_the_blocks__named(attester: Keeper, proposal: EpochProposal) -> None:
    right = proposal.epoch.timestamp
    said = refusal(attester, with_epoch(proposal, timestamp=right + 15))
    assert said == f"epoch timestamp: {right} here, {right + 15} there"


def test_sign_epoch__patience_over__not_signed_but_again_in_time(
    attester: Keeper, proposal: EpochProposal
) -> None:
    assert refusal(attester, hasty(proposal)).startswith("too late: ")
    assert sign(attester, proposal).signer == attester.signer.address


@pytest.mark.parametrize(("skew", "refused"), [(-11.0, True), (11.0, True), (-5.0, False), (1.0, False)])
def test_sign_epoch__clocks_differ__refused_beyond_ten_seconds(
    attester: Keeper, proposal: EpochProposal, skew: float, refused: bool
) -> None:
    peer = replace(asking(attester, proposal), skew=skew)
    if refused:
        with pytest.raises(Refusal, match="clock: "):
            attester.attester.sign_epoch(proposal, peer)
    else:
        assert attester.attester.sign_epoch(proposal, peer).signer == attester.signer.address


def hasty(proposal: EpochProposal) -> EpochProposal:
    """From a proposer that does not wait."""
    return proposal.model_copy(update={"patience_seconds": 1e-9})


def other_spot(attester: Keeper, proposal: EpochProposal, number: int = 0) -> EpochProposal:
    """Another honest epoch: one unit of price8 away."""
    up = with_underlying(lambda u: replace(u, posted=u.posted + 1, effective=u.effective + 1))
    return changed(attester, proposal, up, number)


def test_sign_epoch__same_number_other_content__refused_even_after_a_restart(
    place: Town, other: Keeper, proposal: EpochProposal
) -> None:
    sign(other, proposal)
    tampered, another = other_spot(other, proposal), bytes([7]) * 32
    said = f"epoch {proposal.number} is signed already with other content"
    assert refusal(other, tampered, another) == said
    again = place.keeper("attester1", "attester", venue="hyperliquid")
    try:
        assert refusal(again, tampered, another) == said
        assert sign(again, proposal).signer == other.signer.address
        higher = other_spot(again, proposal, proposal.number + 1)
        assert sign(again, higher).signer == other.signer.address
    finally:
        again.close()
    accused = signer_of(another).address.lower()
    assert ("second_content", accused, proposal.number) in evidence(other)


def evidence(keeper: Keeper) -> dict[tuple[str, str, int], str]:
    """What is kept, by kind, accused and number."""
    with keeper.database.begin() as connection:
        rows = statement_store.kept_evidence(connection)
    return {(row["kind"], row["accused"], row["number"]): row["content"] for row in rows}


def test_sign_epoch__proposer_says_two_things__refused_and_its_signatures_kept(
    attester: Keeper, proposal: EpochProposal
) -> None:
    """Even before anything is signed under the number."""
    key = bytes([8]) * 32
    assert refusal(attester, hasty(other_spot(attester, proposal)), key).startswith("too late: ")
    said = refusal(attester, proposal, key)
    accused = signer_of(key).address
    assert said == f"epoch {proposal.number} was proposed by {accused} with other content, too"
    content = json.loads(evidence(attester)[("equivocation", accused.lower(), proposal.number)])
    assert len({item["body"] for item in content}) == len(content) == 2
    assert all(signer(attester, item) == accused for item in content)


def signer(keeper: Keeper, item: dict[str, str]) -> str:
    """Who signed a piece of evidence, as anybody can check."""
    domain = peers_domain(keeper)
    return signed_by(domain, "POST", "/v1/epochs", item["body"].encode(), item["authorization"])[0]


def test_compare__proposer_tells_each_attester_something_else__found_between_them(
    attester: Keeper, other: Keeper, proposal: EpochProposal
) -> None:
    key = bytes([9]) * 32
    sign(other, proposal, key)
    refusal(attester, hasty(other_spot(attester, proposal)), key)
    answer = other.attester.proposals(proposal.number)
    domain = peers_domain(attester)
    accused = signer_of(key).address.lower()
    assert attester.attester._proposals.compare(domain, answer, 0) == [accused]
    assert ("equivocation", accused, proposal.number) in evidence(attester)


def test_compare__forged_proposal__convicts_nobody(attester: Keeper, proposal: EpochProposal) -> None:
    """Whoever answers cannot put words into a proposer's mouth."""
    key = bytes([10]) * 32
    sign(attester, proposal, key)
    true = attester.attester.proposals(proposal.number).proposals
    mine = next(p for p in true if p.proposer == signer_of(key).address.lower())
    body = other_spot(attester, proposal).model_dump_json()
    forged = ProposalsAnswer(proposals=[mine.model_copy(update={"body": body, "digest": "0x" + "00" * 32})])
    assert attester.attester._proposals.compare(peers_domain(attester), forged, 0) == []


def test_sign_epoch__block_reorged_away__refused_and_the_new_one_signed(
    place: Town, room: Room, attester: Keeper, proposer: Keeper, proposal: EpochProposal
) -> None:
    attester.desk.sync()
    place.devnet.rpc("anvil_reorg", 2, [])
    place.pass_time(8, 1)
    assert refusal(attester, proposal) == f"block {proposal.epoch.block_number} has another hash here"
    assert place.post_epoch(proposer) > proposal.number


@pytest.mark.parametrize("can_read_again", [True, False])
def test_sign_epoch__index_holds_another_book__signs_once_it_is_right_and_not_before(
    place: Town, proposal: EpochProposal, monkeypatch: pytest.MonkeyPatch, can_read_again: bool
) -> None:
    fresh = place.keeper("attester2", "attester", venue="bybit")
    try:
        fresh.desk.sync()
        with fresh.database.begin() as connection:
            connection.exec_driver_sql("UPDATE account_version SET added_im = '1' WHERE account = 1")
        if can_read_again:
            sign(fresh, proposal)
            assert fresh.desk.metrics.value(LOG_GAPS, result="read again") == 1
            return
        monkeypatch.setattr(fresh.desk.index, "reread", lambda _since: False)
        with pytest.raises(Unavailable, match="index: added IM of account 1 differs from the chain's"):
            sign(fresh, proposal)
    finally:
        fresh.close()
