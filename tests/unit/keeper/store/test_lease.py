"""Leases: one holder, epochs that only grow, and a guard that a stale holder does not pass."""

import time
from types import SimpleNamespace

import pytest
from sqlalchemy import insert, select

from keeper.store import lease as leases
from keeper.store.database import Database
from keeper.store.lease import Lease, LeaseLost
from keeper.store.schema import snapshot


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The database's clock, in seconds."""
    found = SimpleNamespace(now=1_000.0)
    monkeypatch.setattr(leases, "_now", lambda _connection: round(found.now * 10**3))
    return found


def held_by(database: Database, holder: str, seconds: float = 10.0) -> Lease:
    lease = Lease(database, leases.INDEX, holder, seconds)
    assert lease.acquire()
    return lease


def test_acquire__held_by_another__refused_until_it_runs_out(
    database: Database, clock: SimpleNamespace
) -> None:
    first, second = held_by(database, "a"), Lease(database, leases.INDEX, "b")
    assert first.epoch == 1 and first.owner() == ("a", 1, 10.0)
    clock.now += 9.9
    assert not second.acquire() and not second.held
    clock.now += 0.1
    assert second.acquire() and second.epoch == 2
    assert second.owner() == ("b", 2, 10.0)


def test_acquire__ours__renewed_under_the_same_epoch(database: Database, clock: SimpleNamespace) -> None:
    first, second = held_by(database, "a"), Lease(database, leases.INDEX, "b")
    for _ in range(3):
        clock.now += 9
        assert first.acquire() and first.epoch == 1
    assert not second.acquire()


def test_acquire__same_holder_after_a_restart__at_once_and_the_old_one_is_fenced(
    database: Database, clock: SimpleNamespace
) -> None:
    old, new = held_by(database, "a"), held_by(database, "a")
    assert new.epoch == 2
    with pytest.raises(LeaseLost):
        old.renew()


def test_acquire__other_name__free(database: Database, clock: SimpleNamespace) -> None:
    held_by(database, "a")
    assert Lease(database, leases.sender("0xAB"), "b").acquire()
    assert not Lease(database, leases.sender("0xab"), "c").acquire()


def test_release__next_one_enters_at_once(database: Database, clock: SimpleNamespace) -> None:
    first = held_by(database, "a")
    first.release()
    assert not first.held and first.owner() is None
    assert held_by(database, "b").epoch == 2
    first.release()  # not ours: no effect
    assert first.owner() == ("b", 2, 10.0)


def test_guard__ran_out_but_nobody_took_it__still_ours(database: Database, clock: SimpleNamespace) -> None:
    first = held_by(database, "a")
    clock.now += 100
    with first.begin():
        pass
    assert first.acquire() and first.epoch == 1


def test_guard__another_took_over__nothing_is_written(database: Database, clock: SimpleNamespace) -> None:
    first = held_by(database, "a")
    clock.now += 10
    second = held_by(database, "b")
    with pytest.raises(LeaseLost, match="lease index: epoch 1 of a is over, it is 2 now"), first.begin() as c:
        c.execute(insert(snapshot).values(number=1, root="0x", content="stale"))
    assert not first.held
    with second.begin() as connection:
        assert connection.execute(select(snapshot)).all() == []


def test_guard__lost_between_writing_and_the_guard__rolled_back(
    database: Database, clock: SimpleNamespace
) -> None:
    first = held_by(database, "a")
    clock.now += 10
    held_by(database, "b")
    with pytest.raises(LeaseLost), database.begin() as connection:
        connection.execute(insert(snapshot).values(number=1, root="0x", content="stale"))
        first.guard(connection)
    with database.read() as connection:
        assert connection.execute(select(snapshot)).all() == []


def test_guard__never_acquired__refused(database: Database) -> None:
    with pytest.raises(LeaseLost), Lease(database, leases.INDEX, "a").begin():
        pass


def test_new_holder__same_process__never_twice() -> None:
    assert leases.new_holder("proposer") != leases.new_holder("proposer")


def test_owner__real_clock__seconds_left_and_then_nobody(database: Database) -> None:
    lease = held_by(database, "a", seconds=0.2)
    owner = lease.owner()
    assert owner is not None and owner[:2] == ("a", 1) and 0 < owner[2] <= 0.2
    time.sleep(0.25)
    assert lease.owner() is None
    assert held_by(database, "b").epoch == 2
