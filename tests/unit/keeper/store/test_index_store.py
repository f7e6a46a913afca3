"""Versions of accounts and positions: drafted in memory, written in bulk, and taken back."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from keeper.store import index_store, versions
from keeper.store.database import Database
from keeper.store.draft import Draft
from keeper.store.index_store import AccountRow, BlockRow, EventRow
from keeper.store.schema import OF_A_BLOCK, VERSIONED

Change = Callable[[Draft], None]


def _block(number: int, fork: str = "a") -> BlockRow:
    return BlockRow(number, f"{fork}{number}", f"{fork}{number - 1}", 1_000 + number)


def write(database: Database, *changes: Change) -> None:
    """All changes in one draft."""
    with database.begin() as connection:
        draft = Draft(connection, ("Clearinghouse", "RiskOracle"))
        draft.load(connection, range(10))
        for change in changes:
            change(draft)
        draft.flush(connection)


def accounts(database: Database, number: int, some: list[int] | None = None) -> list[AccountRow]:
    with database.read() as connection:
        return index_store.accounts_at(connection, number, some)


def everything(database: Database) -> dict[str, Any]:
    """Every row of the index."""
    with database.read() as connection:
        return {
            table.name: sorted(map(str, connection.execute(select(table)).all()))
            for table in (*VERSIONED, *OF_A_BLOCK)
        }


def test_put_position__several_blocks__past_blocks_stay_readable(database: Database) -> None:
    write(
        database,
        lambda d: d.put_account(1, 7, {"owner": "0xowner"}),
        lambda d: d.put_account(2, 7, {"cash": -(10**30)}),
        lambda d: d.put_position(2, 7, 2**127 + 1, 5),
        lambda d: d.put_position(4, 7, 2**127 + 1, 0),
    )
    (second,), (last,) = accounts(database, 3), accounts(database, 4)
    assert accounts(database, 0) == []
    assert (second.owner, second.cash, second.positions) == ("0xowner", -(10**30), ((2**127 + 1, 5),))
    assert last.positions == ()


def test_accounts_at__some__only_these(database: Database) -> None:
    opened = [lambda d, n=n: d.put_account(1, n, {"owner": f"0x{n}"}) for n in (1, 2, 3)]
    write(database, *opened, lambda d: d.put_position(2, 3, 9, 4))
    assert [(a.account, a.positions) for a in accounts(database, 2, [3, 1, 8])] == [(1, ()), (3, ((9, 4),))]


def test_accounts_changed__position_or_cash_or_collateral__once_each(database: Database) -> None:
    write(database, *(lambda d, n=n: d.put_account(1, n, {"owner": "0x"}) for n in (1, 2, 3, 4)))
    write(
        database,
        lambda d: d.put_position(2, 1, 9, 4),
        lambda d: d.put_account(3, 1, {"cash": 4}),
        lambda d: d.put_collateral(3, 2, 1, 4),
        lambda d: d.put_account(4, 4, {"cash": 4}),
    )
    with database.read() as connection:
        assert index_store.accounts_changed(connection, 1, 3) == [1, 2]
        assert index_store.accounts_changed(connection, 2, 4) == [1, 2, 4]
        assert index_store.accounts_changed(connection, 4, 9) == []


def test_roll_back__reorg__state_is_that_of_the_ancestor(database: Database) -> None:
    write(
        database,
        *(lambda d, n=n: d.add_block(_block(n)) for n in (1, 2, 3)),
        lambda d: d.put_account(1, 1, {"owner": "0xowner", "cash": 1}),
        lambda d: d.put_position(1, 1, 9, 100),
    )
    before = accounts(database, 1)
    write(
        database,
        lambda d: d.put_account(3, 1, {"cash": 3}),
        lambda d: d.put_position(3, 1, 9, 300),
        lambda d: d.put_account(3, 2, {"owner": "0xother"}),
        lambda d: d.add_event(EventRow(3, 0, "Clearinghouse", 1, "Deposited", "0x", {"seq": 1})),
    )
    with database.begin() as connection:
        versions.roll_back(connection, 2)
    assert accounts(database, 3) == before
    with database.read() as connection:
        assert index_store.head(connection) == _block(2)
        assert Draft(connection, ("Clearinghouse",)).last_seq("Clearinghouse") == 0


@pytest.mark.parametrize("drafts", [1, 2], ids=["one draft", "two drafts"])
def test_put_position__twice_in_a_block__the_last_stands(database: Database, drafts: int) -> None:
    write(database, lambda d: d.put_account(1, 1, {"owner": "0xowner"}), lambda d: d.put_position(1, 1, 9, 7))
    changes: list[Change] = [lambda d: d.put_position(2, 1, 9, 100), lambda d: d.put_position(2, 1, 9, 250)]
    for part in [changes] if drafts == 1 else [[change] for change in changes]:
        write(database, *part)
    assert [accounts(database, n)[0].positions for n in (1, 2)] == [((9, 7),), ((9, 250),)]


def test_add_event__sequence_twice__refused(database: Database) -> None:
    row = EventRow(1, 0, "RiskOracle", 1, "LimitsSet", "0x", {"seq": 1})
    again = EventRow(2, 0, "RiskOracle", 1, "LimitsSet", "0x", {"seq": 1})
    with pytest.raises(IntegrityError):
        write(database, lambda d: d.add_event(row), lambda d: d.add_event(again))


Step = tuple[int, int, int, int]  # what changes, of which account, which instrument, to what


@settings(max_examples=15, deadline=None)
@given(
    blocks=st.lists(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.integers(1, 2), st.integers(0, 3))),
        min_size=1,
        max_size=8,
    ),
    cuts=st.sets(st.integers(1, 8)),
    ancestor=st.integers(0, 8),
)
def test_draft__any_changes_in_any_chunks__rows_as_block_by_block_and_back_again(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[list[Step]], cuts: set[int], ancestor: int
) -> None:
    """The rows do not depend on how blocks were grouped, and a rollback leaves those of the blocks below."""
    folder = tmp_path_factory.mktemp("drafts")
    chunked, single, short = (Database(f"sqlite:///{folder}/{name}.sqlite") for name in "abc")
    numbered = list(enumerate(blocks, start=1))
    chunks: list[list[Change]] = [[]]
    for number, steps in numbered:
        changes = [_change(number, step) for step in steps]
        write(single, lambda d, n=number: d.add_block(_block(n)), *changes)
        if number <= ancestor:
            write(short, lambda d, n=number: d.add_block(_block(n)), *changes)
        chunks[-1] += [lambda d, n=number: d.add_block(_block(n)), *changes]
        if number in cuts:
            chunks.append([])
    for chunk in chunks:
        write(chunked, *chunk)
    assert everything(chunked) == everything(single)
    for database in (chunked, single):
        with database.begin() as connection:
            versions.roll_back(connection, ancestor)
        assert everything(database) == everything(short)
        database.close()


def _change(number: int, step: Step) -> Change:
    what, account, instrument, value = step
    if what == 0:
        return lambda d: d.put_account(number, account, {"owner": "0x", "cash": value})
    if what == 1:
        return lambda d: d.put_position(number, account, instrument, value)
    return lambda d: d.put_collateral(number, account, instrument, value)
