"""Versions of accounts and positions, and their way back."""

from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from keeper.store import index_store, versions
from keeper.store.database import Database
from keeper.store.index_store import BlockRow, EventRow


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path}/index.sqlite")


def _block(number: int, fork: str = "a") -> BlockRow:
    return BlockRow(number, f"{fork}{number}", f"{fork}{number - 1}", 1_000 + number)


def test_put_position__several_blocks__past_blocks_stay_readable(database: Database) -> None:
    with database.begin() as connection:
        index_store.put_account(connection, 1, 7, {"owner": "0xowner"})
        index_store.put_account(connection, 2, 7, {"cash": -(10**30)})
        index_store.put_position(connection, 2, 7, 2**127 + 1, 5)
        index_store.put_position(connection, 4, 7, 2**127 + 1, 0)
        (second,) = index_store.accounts_at(connection, 3)
        (last,) = index_store.accounts_at(connection, 4)
        assert index_store.accounts_at(connection, 0) == []
    assert (second.owner, second.cash, second.positions) == ("0xowner", -(10**30), ((2**127 + 1, 5),))
    assert last.positions == ()


def test_roll_back__reorg__state_is_that_of_the_ancestor(database: Database) -> None:
    with database.begin() as connection:
        for number in (1, 2, 3):
            index_store.add_block(connection, _block(number))
        index_store.put_account(connection, 1, 1, {"owner": "0xowner", "cash": 1})
        index_store.put_position(connection, 1, 1, 9, 100)
        before = index_store.accounts_at(connection, 1)
        index_store.put_account(connection, 3, 1, {"cash": 3})
        index_store.put_position(connection, 3, 1, 9, 300)
        index_store.put_account(connection, 3, 2, {"owner": "0xother"})
        index_store.add_event(connection, EventRow(3, 0, "Clearinghouse", 1, "Deposited", "0x", {"seq": 1}))
        versions.roll_back(connection, 2)
        assert index_store.accounts_at(connection, 3) == before
        assert index_store.head(connection) == _block(2)
        assert index_store.last_seq(connection, "Clearinghouse") == 0


def test_put_position__twice_in_a_block__the_last_stands(database: Database) -> None:
    with database.begin() as connection:
        index_store.put_account(connection, 1, 1, {"owner": "0xowner"})
        index_store.put_position(connection, 1, 1, 9, 100)
        index_store.put_position(connection, 1, 1, 9, 250)
        (account,) = index_store.accounts_at(connection, 1)
    assert account.positions == ((9, 250),)


def test_add_event__sequence_twice__refused(database: Database) -> None:
    row = EventRow(1, 0, "RiskOracle", 1, "LimitsSet", "0x", {"seq": 1})
    with pytest.raises(IntegrityError), database.begin() as connection:
        index_store.add_event(connection, row)
        index_store.add_event(connection, EventRow(2, 0, "RiskOracle", 1, "LimitsSet", "0x", {"seq": 1}))
