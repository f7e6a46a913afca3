"""One running network, and one thing wrong at a time: it goes on while it is wrong, whoever was struck
catches up afterwards, and nothing was lost or done twice."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.chaos.checks import assert_index, assert_safe
from tests.chaos.network import EXPIRY, FUTURE, PATIENCE, PROPOSERS, Network, network
from tests.chaos.wire import Exchange, delayed
from tests.support.faults import (
    Changed,
    Drip,
    Fault,
    Garbage,
    Hang,
    Latency,
    LyingSend,
    Refused,
    Reset,
    Stale,
    Status,
    Truncated,
    duplicate_logs,
    missing_logs,
    null_receipts,
    reordered_logs,
    syncing,
    wrong_chain,
)
from tests.support.loop import ATTESTERS

STRUCK = ("proposer", "attester2")


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with network(tmp_path_factory.mktemp("network")) as found:
        yield found
        for name in PROPOSERS:
            assert found.processes[name].poll() is None, found.logs()
        assert_index(found)


def recovered(net: Network, *names: str) -> None:
    """Epochs come, the struck follow the head, and all that must hold holds."""
    assert net.advances(), net.logs()
    for name in names:
        assert net.follows(name), f"{name}: {net.status(name)}\n{net.logs()}"
    assert_safe(net)


RPC_FAULTS: dict[str, Callable[[], tuple[Fault, ...]]] = {
    "no answer": lambda: (Hang(),),
    "stumbling": lambda: (
        Reset(share=0.3),
        Status(code=500, share=0.3, seed=1),
        Status(code=429, share=0.3, seed=2),
        Latency(seconds=0.3, share=0.3, seed=3),
    ),
    "nonsense": lambda: (
        Truncated(share=0.4),
        Garbage(share=0.4, seed=1),
        Garbage(body=b"{}", share=0.3, seed=2),
        Drip(share=0.2, seed=3),
    ),
    "stale": lambda: (Stale(behind=50),),
    "syncing": lambda: (syncing(),),
    "another chain": lambda: (wrong_chain(1),),
    "transactions swallowed": lambda: (LyingSend(),),
    "no receipts": lambda: (null_receipts(),),
    "no estimates": lambda: (Refused(("eth_estimateGas",), message="internal error"),),
    "estimates too low": lambda: (
        Changed(("eth_estimateGas",), change=lambda _p, gas: hex(int(gas, 16) // 2)),
    ),
}


@pytest.mark.parametrize("case", RPC_FAULTS)
def test_node_of_one_keeper_each__fails__the_others_go_on_and_it_returns(net: Network, case: str) -> None:
    faults = {name: RPC_FAULTS[case]() for name in STRUCK}
    with ExitStack() as stack:
        for name in STRUCK:
            stack.enter_context(net.proxies[name].fault(*faults[name]))
        assert net.advances(), f"{case}: the others have their own nodes\n{net.logs()}"
    struck = [fault.hits for found in faults.values() for fault in found]
    assert any(struck) or case in ("transactions swallowed", "no receipts"), "nothing was struck"
    recovered(net, *STRUCK)


LOG_FAULTS = {"missing": missing_logs, "twice": duplicate_logs, "in another order": reordered_logs}


@pytest.mark.parametrize("case", LOG_FAULTS)
def test_logs__wrong__nothing_of_them_is_kept(net: Network, case: str) -> None:
    """An attester whose node does not give the chain's events signs nothing, or ends for its supervisor."""
    with net.proxies["attester2"].fault(LOG_FAULTS[case]()):
        net.open_account(7 * 10**6)
        assert net.advances(), net.logs()
    if net.processes["attester2"].poll() is not None:
        net.restart("attester2")
    recovered(net, "attester2")
    assert_index(net, "attester2")


def test_nodes_of_everybody__gone_for_a_while__no_epoch_then_epochs(net: Network) -> None:
    number = net.number()
    for proxy in net.proxies.values():
        proxy.down()
    net.tick()
    assert not net.wait(lambda: net.number() > number, 2)
    for proxy in net.proxies.values():
        proxy.up()
    recovered(net, *net.names)


def test_base_fee__a_thousandfold_then_blocks_without_room__posted_once_it_fits(net: Network) -> None:
    net.devnet.rpc("anvil_setNextBlockBaseFeePerGas", hex(2_000 * 10**9))
    number = net.number()
    net.tick()
    assert not net.wait(lambda: net.number() > number, 2), "more than any epoch may cost"
    net.devnet.rpc("anvil_mine", hex(12), hex(1))  # an eighth less with each
    assert net.advances(), net.logs()
    limit = net.devnet.rpc("eth_getBlockByNumber", "latest", False)["gasLimit"]
    net.devnet.rpc("evm_setBlockGasLimit", hex(60_000))
    number = net.number()
    for _ in range(3):
        net.tick()
    assert net.number() == number, "no block has room for an epoch"
    net.devnet.rpc("evm_setBlockGasLimit", limit)
    net.devnet.rpc("anvil_setNextBlockBaseFeePerGas", "0x0")
    recovered(net, *PROPOSERS)


# Attesters


def test_attesters__one_stands_still__two_go_on_then_none_signs_alone(net: Network) -> None:
    net.pause("attester0")
    assert net.advances(2), net.logs()
    net.pause("attester1")
    number = net.number()
    for _ in range(3):
        net.tick()
        assert not net.wait(lambda: net.number() > number, 1), "one signature is not enough"
    net.resume("attester0", "attester1")
    recovered(net, "attester0", "attester1")


HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
MALFORMED: tuple[dict[str, object], ...] = (
    {"vs": str(HALF_ORDER + 1)},  # the mirrored one
    {"r": "0x" + "ff" * 32},  # no point of the curve
    {"r": "0x" + "00" * 32, "vs": "0"},
    {"r": "0x" + "ab" * 31},
    {"vs": str(2**257)},
    {"vs": "-1"},
    {"r": None},
    {"signer": "0x" + "00" * 20, "vs": str(2**255)},
)


def malformed() -> Callable[[Exchange], Exchange]:
    """Each of them in turn."""
    turns = itertools.cycle(MALFORMED)
    return lambda found: found.with_answer(200, **next(turns)) if found.status == 200 else found


def test_answers_of_one_attester__malformed__the_other_two_make_the_quorum(net: Network) -> None:
    seen = len(net.wires["attester1"].exchanges)
    with net.wires["attester1"].spoiled(malformed()):
        assert net.advances(4), net.logs()
    assert len(net.wires["attester1"].exchanges) > seen
    recovered(net)


def test_answers_of_one_attester__later_than_anybody_waits__the_other_two_make_the_quorum(
    net: Network,
) -> None:
    with net.wires["attester1"].spoiled(delayed(PATIENCE + 2)):
        assert net.advances(), net.logs()
    recovered(net)


def of_another_epoch(exchange: Exchange, old: Exchange) -> Exchange:
    """A valid signature of the same member, over what it was not asked for now."""
    return old if exchange.status == 200 else exchange


def test_answers_of_two_attesters__of_old_epochs__no_epoch_until_they_are_right(net: Network) -> None:
    names = "attester0", "attester1"
    old = [next(x for x in net.wires[name].exchanges if x.status == 200) for name in names]
    number = net.number()
    with (
        net.wires["attester0"].spoiled(lambda found: of_another_epoch(found, old[0])),
        net.wires["attester1"].spoiled(lambda found: of_another_epoch(found, old[1])),
    ):
        for _ in range(3):
            net.tick()
            assert not net.wait(lambda: net.number() > number, 1)
        told = [net.status(name)["proposer"] for name in PROPOSERS]
    assert any("another digest" in text for found in told for text in found["refusals"].values()), told
    assert sum(len(net.kept(name, "SELECT * FROM evidence WHERE kind = 'dissent'")) for name in PROPOSERS)
    recovered(net)


# Clocks and blocks


@pytest.mark.parametrize("seconds", [-600, 60])
def test_clock_of_one_attester__wrong__it_signs_nothing_and_says_why(net: Network, seconds: int) -> None:
    before = sum(found[0] == net.signers["attester2"].address for found in net.wires["attester2"].signed)
    net.shift_clock("attester2", seconds)
    try:
        assert net.advances(), net.logs()
        after = sum(found[0] == net.signers["attester2"].address for found in net.wires["attester2"].signed)
        assert after == before
        wire = net.wires["attester2"]
        assert net.wait(lambda: wire.exchanges[-1].status in (401, 409), 30), wire.exchanges[-1]
    finally:
        net.shift_clock("attester2", 0)
    recovered(net, "attester2")


def test_clocks__steps_of_seconds_back_and_forth__nobody_minds(net: Network) -> None:
    for seconds in (5, -5, 1, -1):
        for name in net.names:
            net.shift_clock(name, seconds if name in ATTESTERS else 0)
        assert net.advances(), net.logs()
    for name in net.names:
        net.shift_clock(name, 0)
    recovered(net, *net.names)


def test_blocks__empty_ones_then_an_hour_later_then_a_burst__epochs_go_on(net: Network) -> None:
    for _ in range(20):
        net.devnet.rpc("evm_mine")
    net.pass_time(3_600, 1)
    assert net.advances(), net.logs()
    net.pass_time(80 * 60, 1)
    net.devnet.rpc("anvil_mine", hex(100), hex(1))
    recovered(net, *net.names)


# Operations


def test_proposer__its_coins_are_gone__says_so_and_the_other_posts(net: Network) -> None:
    net.devnet.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    address = net.signers["proposer"].address
    balance = net.devnet.rpc("eth_getBalance", address, "latest")
    net.devnet.rpc("anvil_setBalance", address, "0x0")
    assert net.advances(2, 2 * 14), net.logs()
    net.devnet.rpc("anvil_setBalance", address, balance)
    net.devnet.rpc("anvil_setNextBlockBaseFeePerGas", "0x0")
    recovered(net)


def test_traffic__trades_and_deposits_while_nodes_stumble__all_counted_once(net: Network) -> None:
    stumbling = [Status(code=503, share=0.03, seed=i) for i in range(len(net.names))]
    for name, fault in zip(net.names, stumbling, strict=True):
        net.proxies[name].add(fault)
    opened = net.open_account(9 * 10**6)
    assert net.advances(), net.logs()
    for name, fault in zip(net.names, stumbling, strict=True):
        net.proxies[name].remove(fault)
    recovered(net, *net.names)
    assert net.serves_latest(), net.logs()
    net.trade(1, 2, FUTURE)
    recovered(net, *net.names)
    assert net.position(1, FUTURE) == -net.position(2, FUTURE) == 10**18
    leaf = net.get(f"/v1/epochs/{net.number()}/accounts/{opened}")["leaf"]
    assert int(leaf["account"]) == opened and net.time() < EXPIRY
