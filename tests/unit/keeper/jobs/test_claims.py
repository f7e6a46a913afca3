"""Claims: the changes between a leaf's book and now, no more and no less."""

import pytest

from keeper.clearing import book_hash as hashes
from keeper.jobs.claims import claim_of, history_of
from keeper.liquidation.claim import ClaimError
from keeper.units.constants import MAX_CHANGES, WAD
from tests.unit.keeper.jobs.stage import CALL, EPOCH, LEAVES, PUT, Stage, Told


@pytest.fixture
def stage() -> Stage:
    found = Stage()
    found.short(1, 350 * WAD)
    return found


def history(stage: Stage):
    return history_of(Told(tuple(stage.leaves.values())), stage.row(1), stage.links[1])


def test_history_of__nothing_since__needs_no_links(stage: Stage) -> None:
    found = history_of(Told(tuple(stage.leaves.values())), stage.row(1), ())

    assert (found.changes, found.units) == ((), ())


def test_history_of__trades_since__netted_and_only_those_after_the_leaf(stage: Stage) -> None:
    stage.trade(1, PUT, 3 * WAD, WAD)
    stage.trade(1, CALL, WAD, 2 * WAD)
    stage.trade(1, PUT, -WAD, WAD)
    found = history(stage)

    assert [change.quantity for change in found.changes] == [3 * WAD, WAD, -WAD]
    assert found.effect.nets == {PUT: 2 * WAD, CALL: WAD}
    assert found.units == (LEAVES[CALL], LEAVES[PUT])


def test_history_of__more_changes_than_fit__refused(stage: Stage) -> None:
    for _ in range(MAX_CHANGES):
        stage.trade(1, PUT, 10**10, 0)
    assert len(history(stage).changes) == MAX_CHANGES
    stage.trade(1, PUT, 10**10, 0)

    with pytest.raises(ClaimError, match="too many changes"):
        history(stage)


def test_history_of__a_link_is_missing__refused(stage: Stage) -> None:
    stage.trade(1, PUT, WAD, WAD)
    stage.trade(1, PUT, WAD, WAD)
    del stage.links[1][1]

    with pytest.raises(ClaimError, match="do not lead to the book"):
        history(stage)


def test_claim_of__leaf_of_an_empty_book__everything_since_the_beginning(stage: Stage) -> None:
    stage.flat(1, WAD)
    assert stage.leaves[1].book_hash == hashes.EMPTY
    stage.trade(1, CALL, WAD, 5 * WAD)
    claim = claim_of(Told(tuple(stage.leaves.values())), stage.row(1), stage.links[1])

    assert (claim.account, claim.epoch, claim.instruments) == (1, EPOCH, (CALL,))
    assert claim.values()[7] == [(1, CALL, WAD, 5 * WAD)]
    assert claim.unit_paths == ((CALL.to_bytes(32, "big"),),)


def test_claim_of__unknown_account__lookup_error(stage: Stage) -> None:
    with pytest.raises(LookupError, match="no margin leaf of account 1"):
        claim_of(Told(()), stage.row(1), ())
