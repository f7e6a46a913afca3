"""What proposers have said: kept, compared, and proven by their own signatures."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from keeper.chain.keys import signer_of
from keeper.jobs import proposals as module
from keeper.jobs.proposals import Comparison, Proposals
from keeper.network.peers import Peer, authorize, domain_of
from keeper.network.schemas import EpochMessage, EpochProposal
from keeper.store import statement_store
from keeper.store.database import Database

DOMAIN = domain_of(31_337, "0x" + "11" * 20)
PROPOSER, OTHER = signer_of(b"\x01" * 32), signer_of(b"\x02" * 32)
URL = "http://fellow"


def proposal(number: int = 8, root: str = "00") -> EpochProposal:
    hashes = ("block_hash", "snapshot_hash", "methodology_hash", "market_root", "margin_root", "spots_hash")
    epoch = EpochMessage(
        number=number, timestamp=1, block_number=1, **dict.fromkeys(hashes, "0x" + root * 32)
    )
    return EpochProposal(patience_seconds=5, market="{}", epoch=epoch)


def peer(asked: EpochProposal, signer: object = PROPOSER) -> Peer:
    body = asked.model_dump_json().encode()
    header = authorize(signer, DOMAIN, "POST", "/v1/epochs", body)  # type: ignore[arg-type]
    return Peer(signer.address, 0.0, header, body)  # type: ignore[attr-defined]


def opened(folder: Path) -> Iterator[Proposals]:
    database = Database(f"sqlite:///{folder}/x.sqlite")
    yield Proposals(database)
    database.close()


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[Proposals]:
    yield from opened(tmp_path)


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[Proposals]:
    (tmp_path / "theirs").mkdir()
    yield from opened(tmp_path / "theirs")


def evidence(found: Proposals) -> list[tuple[object, object, object]]:
    with found._database.begin() as connection:
        return [(e["kind"], e["accused"], e["number"]) for e in statement_store.kept_evidence(connection)]


def test_receive__same_again_or_of_another__no_contradiction(ours: Proposals) -> None:
    for _ in range(2):
        assert ours.receive(proposal(), peer(proposal()), 1) is None
    other = proposal(root="01")
    assert ours.receive(other, peer(other, OTHER), 1) is None
    assert len(ours.answer(8).proposals) == 2 and evidence(ours) == []


def test_receive__two_contents__named_kept_and_no_third_is_stored(ours: Proposals) -> None:
    ours.receive(proposal(), peer(proposal()), 1)
    for root in ("01", "02", "03"):
        said = ours.receive(proposal(root=root), peer(proposal(root=root)), 1)
        assert said == f"epoch 8 was proposed by {PROPOSER.address} with other content, too"
    assert len(ours.answer(8).proposals) == 2, "two prove it: nobody fills a disk with more"
    assert evidence(ours) == [("equivocation", PROPOSER.address.lower(), 8)]


def test_receive__very_many_numbers__old_ones_go(ours: Proposals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statement_store, "_PROPOSALS_KEPT", 3)
    for number in range(1, 8):
        ours.receive(proposal(number), peer(proposal(number)), 1)
    kept = [number for number in range(1, 8) if ours.answer(number).proposals]
    assert kept == [5, 6, 7]


def test_comparison__told_something_else__convicted_by_both_signatures(
    ours: Proposals, theirs: Proposals, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours.receive(proposal(), peer(proposal()), 1)
    other = proposal(root="01")
    theirs.receive(other, peer(other), 1)
    asked = []

    def get_text(url: str, timeout: float, limit: int) -> str:
        asked.append(url)
        if "away" in url:
            raise httpx.ConnectError("refused")
        return theirs.answer(8).model_dump_json()

    monkeypatch.setattr(module, "get_text", get_text)
    comparison = Comparison(ours, DOMAIN, ("http://away", URL))
    comparison.note(8)
    assert comparison.tick(1) == [PROPOSER.address.lower()]
    assert asked == ["http://away/v1/proposals/8", f"{URL}/v1/proposals/8"]
    assert evidence(ours) == [("equivocation", PROPOSER.address.lower(), 8)]
    assert comparison.tick(1) == [] and len(asked) == 2, "each number once"


@pytest.mark.parametrize("text", ["", "{}", '{"proposals": 7}', "[" * 10_000])
def test_comparison__nonsense_answered__left_out(
    ours: Proposals, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(module, "get_text", lambda _url, timeout, limit: text)
    ours.receive(proposal(), peer(proposal()), 1)
    comparison = Comparison(ours, DOMAIN, (URL,))
    comparison.note(8)
    assert comparison.tick(1) == [] and evidence(ours) == []


def test_comparison__signed_by_another_deployment__convicts_nobody(
    ours: Proposals, theirs: Proposals
) -> None:
    """The same proposer on another chain, or a key that signs for itself."""
    ours.receive(proposal(), peer(proposal()), 1)
    other = proposal(root="01")
    body = other.model_dump_json().encode()
    elsewhere = authorize(PROPOSER, domain_of(1, "0x" + "11" * 20), "POST", "/v1/epochs", body)
    theirs.receive(other, Peer(PROPOSER.address, 0.0, elsewhere, body), 1)
    assert ours.compare(DOMAIN, theirs.answer(8), 1) == []
