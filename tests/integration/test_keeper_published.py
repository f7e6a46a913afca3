"""Whoever has the chain and one honest keeper's API can fetch an epoch, prove it, and flag who is below."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from keeper.app.process import Keeper
from keeper.attestation.epoch import EpochStatement
from keeper.attestation.merkle import root_from
from keeper.attestation.typed_data import leaf
from keeper.network.leaf_reader import LeafReader
from keeper.network.server import create_app
from keeper.risk.methodology import Methodology
from tests.integration.test_keeper_liquidator import Fall, about_to_fall
from tests.support.serving import serving


class Liar:
    """Serves the honest epoch with one margin lowered, under the honest root."""

    def __init__(self, keeper: Keeper) -> None:
        self.keeper = keeper

    def get(self, number: int) -> EpochStatement | None:
        found = self.keeper.desk.statements.get(number)
        if found is None:
            return None
        *rest, last = found.margins
        return replace(found, margins=(*rest, replace(last, maintenance_margin=0)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.keeper.desk.statements, name)


@pytest.fixture(scope="module")
def fallen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fall]:
    """An account is below its margin, and every keeper that knows it does nothing about it."""
    with about_to_fall(tmp_path_factory.mktemp("town")) as fall:
        fall.borrow()
        fall.fall(9_200)
        yield fall


@pytest.fixture(scope="module")
def urls(fallen: Fall) -> Iterator[tuple[str, str, str]]:
    """Of a keeper that is away, of a liar, and of the honest one."""
    honest = fallen.keepers[1]
    honest.tick()
    first = create_app(Liar(honest), honest.status)  # type: ignore[arg-type]
    second = create_app(honest.desk.statements, honest.status)
    with serving(first) as liar, serving(second) as port:
        yield "http://127.0.0.1:1", f"http://127.0.0.1:{liar}", f"http://127.0.0.1:{port}"


def test_tick__outsider__takes_the_leaves_of_the_honest_one_and_flags(
    fallen: Fall, urls: tuple[str, str, str]
) -> None:
    """Without the methodology, so nothing but the leaves is of use; it believes only the chain's roots."""
    place = fallen.place
    outsider = place.keeper(
        "outsider", "liquidator", account=fallen.bidder, keys=(place.member_key(0),), keepers=urls
    )
    outsider.desk.methodology = other_methodology()
    try:
        for _ in range(3):
            outsider.tick()
            assert outsider.problem == ""
            place.pass_time(5, 1)
        number = outsider.desk.view().header.number
        known = outsider.desk.statements.get(number)
        assert known is not None and known.tables is None
        assert known.root == fallen.proposer.desk.statements.get(number).root
        auction = place.backend.call(place.deployment["AuctionHouse"], "auction", fallen.victim)
        assert auction[0] == number, "the victim is in auction, by this epoch"
    finally:
        outsider.close()


def other_methodology() -> Methodology:
    found = Methodology.default()
    return replace(found, scan=replace(found.scan, offset_ppm=found.scan.offset_ppm // 2))


def test_leaves__in_small_pages__every_leaf_proves_itself_to_the_root_on_the_chain(
    fallen: Fall, urls: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keeper.network.leaf_reader._PAGE", 2)
    view = fallen.proposer.desk.view()
    number = view.header.number
    honest = fallen.proposer.desk.statements.get(number)
    assert honest is not None
    reader = LeafReader(urls[2:], path="/v1/epochs")
    found = reader.leaves(number, "margins", honest.epoch.margin_root)
    assert tuple(found) == tuple(honest.margins) and len(found) > 2
    oracle = fallen.place.deployment["RiskOracle"]
    for margin in found:
        hashed, path = leaf(margin.struct_hash()), honest.account_proof(margin.account)
        assert root_from(hashed, path) == honest.root
        fallen.place.backend.call(oracle, "require_in_epoch", number, hashed, path)


def test_leaves__nobody_serves_that_root__each_is_named(urls: tuple[str, str, str], fallen: Fall) -> None:
    number = fallen.proposer.desk.view().header.number
    with pytest.raises(LookupError) as caught:
        LeafReader(urls, path="/v1/epochs").leaves(number, "margins", b"\x01" * 32)
    assert all(url in str(caught.value) for url in urls) and "serves another root" in str(caught.value)


def test_sign_epoch__before_the_signature_is_out__its_leaves_are_served(fallen: Fall, tmp_path: Path) -> None:
    """At the moment a key is used, whoever asks this attester gets what it is used for."""
    attester, seen = fallen.keepers[1], []
    app = create_app(attester.desk.statements, attester.status)
    with serving(app) as port:
        (real,) = attester.attester._signers

        class Watched:
            address = real.address

            def sign(self, preimage: bytes) -> Any:
                number = attester.desk.statements.highest()
                answer = httpx.get(f"http://127.0.0.1:{port}/v1/epochs/{number}/leaves/margins", timeout=10)
                seen.append((answer.status_code, len(answer.json()["rows"])))
                return real.sign(preimage)

        attester.attester._signers = (Watched(),)
        try:
            fallen.place.post_epoch(fallen.proposer)
        finally:
            attester.attester._signers = (real,)
    accounts = len(fallen.proposer.desk.view().states)
    assert seen == [(200, accounts)]
