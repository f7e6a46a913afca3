"""Transactions of a keeper on a real chain: each intent has at most one effect, and none is left behind."""

import time
from collections.abc import Iterator

import pytest

from keeper.chain.node import Node
from keeper.chain.outbox_rows import Relay
from keeper.chain.transactions import Lane, Sender
from keeper.observability.names import GAS_SPENT, TX_BUMP_LIMITED, TX_BUMPS, TX_CONFIRMED, TX_ERRORS
from keeper.store import transaction_store as store
from keeper.store.database import Database
from keeper.store.transaction_store import State
from scripts._devnet import Devnet, start_anvil
from tests.support import postgres
from tests.support.fault_proxy import FaultProxy
from tests.support.faults import DroppedTransactions, GethPool, LyingSend, Refused, null_receipts
from tests.support.sending import COUNTER, GWEI, REVERTER, TARGET, USD, Bench

ORACLE, LIQUIDATE, HOUSEKEEPING = Lane
ON_BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(scope="module")
def devnet() -> Iterator[Devnet]:
    with start_anvil() as found:
        yield found


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One for all tests: to make a new one takes longer than most of them."""
    if getattr(request, "param", "sqlite") == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('sender')}/tx.sqlite"
    else:
        url = postgres.server().create()  # skips where this machine has none
    made = Database(url)
    yield made
    made.close()


@pytest.fixture
def bench(devnet: Devnet, database: Database) -> Iterator[Bench]:
    snapshot = devnet.rpc("evm_snapshot")
    made = Bench(devnet, database)
    made.base_fee(0)
    yield made
    with database.begin() as connection:
        for table in ("intent", "attempt", "gas_ledger", "lease"):
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608
    devnet.rpc("anvil_dropAllTransactions")
    devnet.rpc("evm_revert", snapshot)


@pytest.fixture
def geth(devnet: Devnet) -> Iterator[Node]:
    """The same chain behind a pool with geth's rules."""
    with FaultProxy(devnet.url) as proxy:
        proxy.add(GethPool())
        yield Node(proxy.url)


@ON_BOTH
def test_submit__mined__confirmed_then_final_and_booked_once(bench: Bench) -> None:
    sender = bench.sender(final_blocks=3)
    assert bench.submit(sender, 1).state == State.BROADCAST
    assert bench.submit(sender, 1).state == State.BROADCAST, "the same id is the same intent"
    bench.mine()
    assert sender.advance() == [] and bench.state(sender, "epoch:1") == State.CONFIRMED
    for _ in range(4):
        bench.mine()
        sender.advance()
    assert bench.state(sender, "epoch:1") == State.FINAL
    assert bench.count(1) == 1 and bench.nonce() == 1
    found = sender.find("epoch:1")
    assert found is not None and found.gas_used
    with bench.database.read() as connection:
        spent = store.spent(connection, bench.now() // 86_400, found.sender, "oracle")
    assert spent >= found.gas_used * GWEI
    assert bench.metrics.value(GAS_SPENT, lane="oracle") == spent / 10**18
    assert bench.metrics.value(TX_CONFIRMED, lane="oracle", result="confirmed") == 1


def test_submit__would_revert__never_sent(bench: Bench) -> None:
    bench.devnet.rpc("anvil_setCode", TARGET, REVERTER)
    sender = bench.sender()
    assert bench.submit(sender, 1).state == State.DROPPED
    assert sender.advance() == [] and bench.nonce() == 0 and bench.attempts("epoch:1") == []


def test_dry_run__says_what_and_sends_nothing(bench: Bench) -> None:
    sender = bench.sender(dry_run=True)
    found = bench.submit(sender, 1)
    assert (found.state, found.nonce) == (State.DROPPED, None) and "dry_run" in found.error
    bench.mine()
    assert bench.nonce() == 0


# Fees


@ON_BOTH
def test_stuck__replaced_by_geths_rule_and_mined_once(bench: Bench, geth: Node) -> None:
    bench.base_fee(10)
    sender = bench.sender(geth, tip=GWEI, replace_after_blocks=2)
    bench.submit(sender, 1)
    bench.base_fee(100)  # from here on the first attempt is too cheap
    sender.advance()
    assert len(bench.attempts("epoch:1")) == 1
    bench.base_fee(100)
    sender.advance()
    newest, first = bench.attempts("epoch:1")
    assert newest.max_fee * 8 >= first.max_fee * 9 and newest.tip * 8 >= first.tip * 9
    assert newest.nonce == first.nonce and newest.broadcast
    bench.settle(sender)
    assert bench.count(1) == 1 and bench.state(sender, "epoch:1") == State.CONFIRMED
    assert bench.metrics.value(TX_BUMPS, lane="oracle") == 1


def test_base_fee_beyond_the_cap__waits_without_a_nonce_until_it_falls(bench: Bench) -> None:
    sender = bench.sender(max_fee=50 * GWEI)
    bench.base_fee(400)
    assert bench.submit(sender, 1).state == State.SIMULATED
    assert bench.nonce() == 0 and bench.attempts("epoch:1") == []
    bench.base_fee(10)
    bench.settle(sender)
    assert bench.count(1) == 1


def test_value_at_risk__buys_what_a_constant_cap_refuses(bench: Bench) -> None:
    sender = bench.sender(max_fee=50 * GWEI, lanes={LIQUIDATE: 1})
    bench.base_fee(400)
    cheap = bench.submit(sender, 1)
    dear = bench.submit(sender, 2, kind="flag", value_at_risk=1_000_000 * USD)
    small = bench.submit(sender, 3, kind="flag", value_at_risk=10 * USD)
    assert (cheap.state, dear.state, small.state) == (State.SIMULATED, State.BROADCAST, State.SIMULATED)
    assert "too dear" in cheap.error and "too dear" in small.error
    bench.mine()
    sender.advance()
    assert bench.count(2) == 1 and bench.count(1) == bench.count(3) == 0


def test_one_key__a_cheap_one_in_front_is_worth_what_waits_behind_it(bench: Bench, geth: Node) -> None:
    bench.base_fee(20)
    sender = bench.sender(geth, max_fee=60 * GWEI, replace_after_blocks=1)
    bench.submit(sender, 1, kind="settle")
    bench.base_fee(200)
    sender.advance()
    assert bench.metrics.value(TX_BUMPS, lane="housekeeping") <= 1
    bench.submit(sender, 2, kind="flag", value_at_risk=1_000_000 * USD)
    for _ in range(6):
        bench.base_fee(200)
        sender.advance()
    assert bench.count(1) == bench.count(2) == 1, "both are out"


def test_budget_of_attempts_spent__stays_in_flight_at_its_last_price(bench: Bench, geth: Node) -> None:
    bench.base_fee(10)
    sender = bench.sender(geth, max_attempts=3, replace_after_blocks=1, max_fee=10**5 * GWEI)
    bench.submit(sender, 1)
    for gwei in (100, 400, 1_600, 1_600, 1_600, 1_600):
        bench.base_fee(gwei)
        sender.advance()
    assert len(bench.attempts("epoch:1")) == 3 and bench.state(sender, "epoch:1") == State.BROADCAST
    assert bench.metrics.value(TX_BUMP_LIMITED, lane="oracle") == 1
    bench.base_fee(1)
    bench.settle(sender)
    assert bench.count(1) == 1


@ON_BOTH
def test_gas_of_the_day_spent__waits_for_tomorrow(bench: Bench) -> None:
    bench.base_fee(10)
    sender = bench.sender(gas_per_day=(("housekeeping", 1_200_000 * GWEI),))
    assert bench.submit(sender, 1, kind="settle").state == State.BROADCAST
    waiting = bench.submit(sender, 2, kind="settle")
    assert waiting.state == State.SIMULATED, "what is out counts at its worst"
    assert bench.submit(sender, 3).state == State.BROADCAST, "other lanes have budgets of their own"
    bench.mine()
    sender.advance()
    bench.devnet.rpc("evm_increaseTime", 86_400)
    bench.settle(sender)
    assert [bench.count(n) for n in (1, 2, 3)] == [1, 1, 1]


# Deadlines


def test_deadline_passed_in_the_queue__dropped(bench: Bench) -> None:
    bench.base_fee(400)
    sender = bench.sender(max_fee=GWEI)
    bench.submit(sender, 1, deadline=bench.now() + 5)
    bench.devnet.rpc("evm_increaseTime", 60)
    bench.mine()
    assert sender.advance() == [] and bench.state(sender, "epoch:1") == State.DROPPED


def test_deadline_passed_in_the_pool__cancelled_by_a_transfer_to_ourselves(bench: Bench, geth: Node) -> None:
    bench.base_fee(10)
    sender = bench.sender(geth)
    bench.submit(sender, 1, deadline=bench.now() + 5)
    bench.devnet.rpc("evm_increaseTime", 60)
    bench.base_fee(100)
    sender.advance()
    assert bench.attempts("epoch:1")[0].broadcast and len(bench.attempts("epoch:1")) == 2
    bench.submit(sender, 2)
    bench.settle(sender)
    assert bench.count(1) == 0 and bench.state(sender, "epoch:1") == State.CANCELLED
    assert bench.count(2) == 1 and bench.nonce() == 2


def test_deadline_passed__the_payload_was_mined_first__confirmed(bench: Bench) -> None:
    sender = bench.sender()
    bench.submit(sender, 1, deadline=bench.now() + 5)
    bench.devnet.rpc("evm_increaseTime", 60)
    bench.mine()
    assert sender.advance() == [] and bench.state(sender, "epoch:1") == State.CONFIRMED
    assert bench.count(1) == 1


# Nonces


def test_foreign_transaction_took_the_nonce__lost_with_alarm_and_the_next_goes_on(bench: Bench) -> None:
    sender = bench.sender()
    bench.submit(sender, 1)
    bench.devnet.rpc("anvil_dropAllTransactions")
    hash = bench.foreign(0, 5)
    bench.mine(4)
    assert sender.advance() == []
    found = sender.find("epoch:1")
    assert found is not None and found.state == State.LOST and hash in found.error
    assert bench.metrics.value(TX_ERRORS, lane="oracle", cause="foreign_nonce") == 1
    bench.submit(sender, 2)
    bench.settle(sender)
    assert bench.count(1) == 0 and bench.count(2) == 1


def test_receipts_withheld__not_taken_for_lost(bench: Bench) -> None:
    with FaultProxy(bench.devnet.url) as proxy:
        sender = bench.sender(Node(proxy.url))
        bench.submit(sender, 1)
        proxy.add(null_receipts())
        for _ in range(6):
            bench.mine()
            sender.advance()
        assert bench.state(sender, "epoch:1") == State.BROADCAST
        proxy.clear()
        assert sender.advance() == [] and bench.state(sender, "epoch:1") == State.CONFIRMED
    assert bench.count(1) == 1


@ON_BOTH
def test_hole_below_ours__filled_at_start(bench: Bench) -> None:
    sender = bench.sender()
    for counter in (1, 2, 3):
        bench.submit(sender, counter)
    bench.devnet.rpc("anvil_dropTransaction", bench.attempts("epoch:1")[0].hash)
    with bench.database.begin() as connection:  # as a crash in an earlier release might have left it
        store.change(connection, "epoch:1", state=State.DROPPED, nonce=None)
    sender.leases[0].release()
    again = bench.sender()
    bench.settle(again)
    assert [bench.count(n) for n in (1, 2, 3)] == [0, 1, 1] and bench.nonce() == 3


def test_unknown_pending_transaction_at_our_nonce__outbid(bench: Bench, geth: Node) -> None:
    bench.base_fee(10)
    bench.foreign(0, 9, node=geth)  # too cheap to be mined, in the way all the same
    sender = bench.sender(geth, tip=8 * GWEI)
    bench.submit(sender, 1)
    for _ in range(4):
        bench.base_fee(10)
        sender.advance()
    assert bench.count(1) == 1 and bench.nonce() == 1
    assert bench.metrics.value(TX_ERRORS, lane="oracle", cause="underpriced") >= 1


def test_pool_forgets_or_lies__sent_again_as_it_was(bench: Bench) -> None:
    with FaultProxy(bench.devnet.url) as proxy:
        sender = bench.sender(Node(proxy.url), replace_after_blocks=2)
        for counter, fault in enumerate((LyingSend(times=1), DroppedTransactions(times=1)), start=1):
            proxy.add(fault)
            bench.submit(sender, counter)
            bench.settle(sender)
            assert fault.hits == 1 and bench.count(counter) == 1
            assert len(bench.attempts(f"epoch:{counter}")) == 1, "no higher fees for a lost message"


def test_pool_is_full__the_same_bytes_later(bench: Bench) -> None:
    with FaultProxy(bench.devnet.url) as proxy:
        sender = bench.sender(Node(proxy.url))
        full = Refused(("eth_sendRawTransaction",), message="txpool is full")
        with proxy.fault(full):
            assert bench.submit(sender, 1).state == State.SIGNED
            bench.mine()
            sender.advance()
        bench.settle(sender)
        assert full.hits == 2 and len(bench.attempts("epoch:1")) == 1 and bench.count(1) == 1


def test_too_few_coins__held_at_its_price_until_there_are(bench: Bench) -> None:
    bench.base_fee(10)
    sender = bench.sender(replace_after_blocks=1)
    bench.submit(sender, 1)
    bench.devnet.rpc("anvil_dropAllTransactions")
    address = bench.signer().address
    balance = bench.devnet.rpc("eth_getBalance", address, "latest")
    bench.devnet.rpc("anvil_setBalance", address, hex(1))
    for _ in range(4):
        bench.base_fee(50)
        sender.advance()
    assert bench.state(sender, "epoch:1") == State.HELD and len(bench.attempts("epoch:1")) <= 2
    tries = len(bench.attempts("epoch:1"))
    assert bench.metrics.value(TX_ERRORS, lane="oracle", cause="insufficient_funds") == 1
    bench.devnet.rpc("anvil_setBalance", address, balance)
    bench.base_fee(1)
    sender.advance()
    bench.settle(sender)
    assert bench.count(1) == 1 and len(bench.attempts("epoch:1")) == tries


# Failures


def test_node_in_trouble__tried_again_after_a_while_then_dropped(bench: Bench) -> None:
    with FaultProxy(bench.devnet.url) as proxy:
        sender = bench.sender(Node(proxy.url), max_attempts=3, cooldown_seconds=10)
        trouble = Refused(("eth_call",), message="internal error", code=-32603)
        proxy.add(trouble)
        bench.submit(sender, 1)
        sender.advance()
        assert trouble.hits == 1 and bench.state(sender, "epoch:1") == State.QUEUED, "not at once"
        for _ in range(2):
            bench.devnet.rpc("evm_increaseTime", 50)
            bench.mine()
            sender.advance()
        assert trouble.hits == 3 and bench.state(sender, "epoch:1") == State.DROPPED
        assert bench.nonce() == 0


@ON_BOTH
def test_mined_and_reverted__the_next_of_its_kind_waits_longer_each_time(bench: Bench) -> None:
    sender = bench.sender(cooldown_seconds=30)
    gaps = []
    for number in range(3):
        started = bench.now()
        bench.submit(sender, 1, id=f"bid:7:{number}", kind="bid")
        while bench.state(sender, f"bid:7:{number}") == State.QUEUED:
            bench.devnet.rpc("evm_increaseTime", 10)
            bench.mine()
            sender.advance()
        gaps.append(bench.now() - started)
        bench.devnet.rpc("anvil_setCode", TARGET, REVERTER)
        bench.mine()
        sender.advance()
        assert bench.state(sender, f"bid:7:{number}") == State.REVERTED
        bench.devnet.rpc("anvil_setCode", TARGET, COUNTER)
    assert gaps[0] < 10 and gaps[1] >= 40 and gaps[2] >= 100
    assert bench.submit(sender, 1, id="bid:8:0", kind="bid").state == State.BROADCAST, "another one does not"


def test_poison_intent__holds_up_no_other(bench: Bench) -> None:
    with FaultProxy(bench.devnet.url) as proxy:
        sender = bench.sender(Node(proxy.url))
        proxy.add(Refused(("eth_call",), message="internal error", code=-32603, times=1))
        bench.submit(sender, 1)
        assert bench.submit(sender, 2).state == State.BROADCAST
        bench.devnet.rpc("evm_increaseTime", 60)
        bench.settle(sender)
        assert bench.count(1) == bench.count(2) == 1


# Lanes, relay, lease


def test_lanes__keys_of_their_own_are_not_held_up(bench: Bench) -> None:
    bench.base_fee(10)
    sender = bench.sender(lanes={ORACLE: 0, LIQUIDATE: 1, HOUSEKEEPING: 2}, max_fee=30 * GWEI)
    bench.submit(sender, 1, kind="settle")
    bench.base_fee(100)
    bench.submit(sender, 2, kind="flag", value_at_risk=10**6 * USD)
    bench.mine()
    sender.advance()
    assert (bench.count(1), bench.count(2)) == (0, 1)
    assert (bench.nonce(0), bench.nonce(1), bench.nonce(2)) == (0, 1, 0)
    assert sender.addresses[LIQUIDATE] == bench.signer(1).address


def test_lanes__one_key__urgent_ones_take_their_nonce_first_and_find_room(bench: Bench) -> None:
    sender = bench.sender(max_in_flight=8)
    for counter in range(1, 15):
        bench.submit(sender, counter, kind="settle")
    states = [bench.state(sender, f"settle:{n}") for n in range(1, 15)]
    assert states.count(State.BROADCAST) == 6 and states.count(State.QUEUED) == 8
    assert bench.submit(sender, 50, kind="flag").state == State.BROADCAST
    bench.settle(sender)
    assert all(bench.count(n) == 1 for n in (*range(1, 15), 50))


def test_relay__alone_at_first_then_everybody(bench: Bench) -> None:
    with FaultProxy(bench.devnet.url) as relay, FaultProxy(bench.devnet.url) as public:
        relay.add(LyingSend())
        route = Relay(Node(relay.url), public_after_blocks=3, minimum_value=1_000 * USD)
        sender = bench.sender(Node(public.url), relay=route, replace_after_blocks=9)
        bench.submit(sender, 1, kind="flag", value_at_risk=10**6 * USD)
        bench.submit(sender, 2, kind="flag", value_at_risk=10 * USD)
        sent = "eth_sendRawTransaction"
        assert (relay.calls[sent], public.calls[sent]) == (1, 1)
        for _ in range(2):
            bench.mine()
            sender.advance()
        assert public.calls[sent] == 1
        bench.settle(sender, 20)
        assert bench.count(1) == bench.count(2) == 1


@ON_BOTH
def test_two_processes_one_key__the_second_waits_and_takes_over(bench: Bench) -> None:
    first, second = bench.sender(lease_seconds=1), bench.sender(lease_seconds=1)
    bench.submit(first, 1)
    assert bench.submit(second, 2).state == State.QUEUED, "kept, and sent by whoever holds the lease"
    assert second.leases[0].owner() is not None and not second.leases[0].held
    bench.mine()
    first.advance()
    assert bench.state(first, "epoch:2") == State.BROADCAST
    first.leases[0].release()
    assert bench.submit(second, 3).state == State.BROADCAST
    first.advance()
    assert not first.leases[0].held
    bench.settle(second)
    assert [bench.count(n) for n in (1, 2, 3)] == [1, 1, 1] and bench.nonce() == 3


@ON_BOTH
def test_holder_was_asleep__writes_and_sends_nothing_any_more(bench: Bench) -> None:
    slow, fresh = bench.sender(lease_seconds=1000), bench.sender(lease_seconds=1)
    bench.submit(slow, 1)
    with bench.database.begin() as connection:  # its lease has run out while it slept
        connection.exec_driver_sql("UPDATE lease SET expires_at = 0")
    bench.submit(fresh, 2)
    bench.devnet.rpc("anvil_dropAllTransactions")
    bench.mine(5)
    slow.advance()
    assert len(bench.devnet.rpc("txpool_content")["pending"]) == 0, "it sent nothing"
    bench.settle(fresh)
    assert bench.count(1) == bench.count(2) == 1


# Reorgs


@ON_BOTH
def test_block_reorged_away__sent_again_and_what_waits_behind_it_is_mined(bench: Bench) -> None:
    sender = bench.sender()
    bench.submit(sender, 1)
    bench.mine()
    sender.advance()
    assert bench.state(sender, "epoch:1") == State.CONFIRMED
    bench.submit(sender, 2)
    bench.devnet.rpc("anvil_rollback", 1)
    assert bench.count(1) == 0
    bench.settle(sender)
    assert bench.count(1) == bench.count(2) == 1
    first, second = sender.find("epoch:1"), sender.find("epoch:2")
    assert first is not None and second is not None
    assert (first.nonce, second.nonce, first.attempts) == (0, 1, 1), "the same bytes, no second payment"


def test_submit__reorg_not_noticed_yet__takes_no_nonce_that_is_needed_again(bench: Bench) -> None:
    sender = bench.sender()
    for counter in (1, 2):
        bench.submit(sender, counter)
    bench.mine()
    sender.advance()
    bench.devnet.rpc("anvil_rollback", 1)
    time.sleep(0.3)  # so that the chain is looked at again
    assert bench.submit(sender, 3).nonce == 2
    bench.settle(sender)
    assert [bench.count(n) for n in (1, 2, 3)] == [1, 1, 1]
    assert bench.metrics.value(TX_ERRORS, lane="oracle", cause="foreign_nonce") == 0


@pytest.mark.parametrize("depth", [1, 2, 8, 40])
def test_deep_reorg__every_intent_once_in_the_end(bench: Bench, depth: int) -> None:
    sender = bench.sender()
    bench.mine(depth)
    for counter in (1, 2, 3):
        bench.submit(sender, counter)
        bench.mine()
        sender.advance()
    bench.mine(depth - 1)
    sender.advance()
    bench.devnet.rpc("anvil_reorg", depth, [])
    bench.settle(sender)
    assert [bench.count(n) for n in (1, 2, 3)] == [1, 1, 1] and bench.nonce() == 3


def test_new_blocks_on_top__confirmed_stays_confirmed(bench: Bench) -> None:
    sender: Sender = bench.sender()
    bench.submit(sender, 1)
    for _ in range(3):
        bench.mine()
        sender.advance()
        assert bench.state(sender, "epoch:1") == State.CONFIRMED
    assert sender.counts() == {"confirmed": 1}
