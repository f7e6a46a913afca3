"""What readers were told, kept so that two processes or a restart tell nobody twice."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keeper.store import notice_store
from keeper.store.database import Database
from keeper.store.notice_store import CLEARED, FAILED, RAISED, SENDING, NoticeRow

ROW = NoticeRow(3, "1.2", "desk", SENDING, 1.1, 1_000, None)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(f"sqlite:///{tmp_path}/keeper.sqlite")
    yield found
    found.close()


def known(database: Database) -> dict[str, NoticeRow]:
    with database.read() as connection:
        return notice_store.notices_of(connection, 3, "desk")


def test_claim__first_and_second__one_of_them(database: Database) -> None:
    assert notice_store.claim(database, ROW)
    assert not notice_store.claim(database, ROW)
    assert known(database) == {"1.2": ROW}


@pytest.mark.parametrize(("state", "may"), [(RAISED, False), (FAILED, True), (CLEARED, True)])
def test_claim__after_it_stood_somewhere__only_if_it_is_to_be_told(
    database: Database, state: str, may: bool
) -> None:
    with database.begin() as connection:
        notice_store.put(connection, replace(ROW, state=state))
    assert notice_store.claim(database, replace(ROW, health=0.9)) is may
    assert known(database)["1.2"].state == (SENDING if may else state)


def test_notices_of__other_readers_and_accounts__apart(database: Database) -> None:
    for row in (ROW, replace(ROW, account=4), replace(ROW, subscriber="night"), replace(ROW, level="1.5")):
        assert notice_store.claim(database, row)
    assert set(known(database)) == {"1.2", "1.5"}
