"""One running network whose chain takes blocks back and whose processes are killed: everybody ends with what
the chain says now, and nothing was done twice.

CHAOS_REORG_DEPTHS=1,2,4,8,16,32,64 takes back more blocks than the suite does.
"""

import os
import random
import signal
from collections.abc import Iterator

import pytest

from tests.chaos.checks import assert_index, assert_safe, mined_by
from tests.chaos.network import FUTURE, PROPOSERS, TICK_BLOCKS, Network, network
from tests.support.loop import ATTESTERS, USDC

DEPTHS = [int(text) for text in os.environ.get("CHAOS_REORG_DEPTHS", "1,2,8").split(",")]
KILLS = int(os.environ.get("CHAOS_KILLS", "3"))


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with network(tmp_path_factory.mktemp("network")) as found:
        yield found
        assert_index(found)


def recovered(net: Network) -> None:
    """Epochs come and all follow the chain as it is now."""
    assert net.advances(), net.logs()
    for name in net.names:
        assert net.follows(name), f"{name}: {net.status(name)}\n{net.logs()}"
    assert_safe(net)


def take_back(net: Network, blocks: int) -> None:
    """The last blocks never were; the chain goes on with others."""
    for name in PROPOSERS:  # what they send meanwhile belongs to neither chain
        net.proxies[name].down()
    net.devnet.rpc("anvil_rollback", blocks)
    for name in PROPOSERS:
        net.proxies[name].up()
    for _ in range(blocks + 1):
        net.tick()


@pytest.mark.parametrize("depth", DEPTHS)
def test_reorg__epochs_and_a_deposit_taken_back__indexes_follow_and_epochs_go_on(
    net: Network, depth: int
) -> None:
    head = int(net.devnet.rpc("eth_blockNumber"), 16)
    deposited = net.deposited
    while (mined := int(net.devnet.rpc("eth_blockNumber"), 16) - head) < depth - 4:
        assert net.advances(), (mined, net.logs())
    account = net.open_account(3_000 * USDC)
    assert net.position(account, FUTURE) == 0
    for name in net.names:
        assert net.follows(name), net.logs()
    take_back(net, depth)
    if net.struct("totals")["accounts"] < account or not net.account(account)["cash"]:
        net.deposited = deposited  # the deposit was among them
    recovered(net)
    assert_index(net)


def test_reorg__post_taken_back_and_a_trade_before_it__margins_are_of_the_new_chain(net: Network) -> None:
    """What was behind the epoch now comes before the next one."""
    assert net.advances() and net.serves_latest(), net.logs()
    number = net.number()
    take_back(net, 1)
    first = net.open_account(5 * USDC)
    recovered(net)
    assert net.advances() and net.number() >= number and net.serves_latest()
    leaf = net.get(f"/v1/epochs/{net.number()}/accounts/{first}")["leaf"]
    assert int(leaf["account"]) == first
    assert_index(net)


def test_kill__proposers_at_any_moment__one_effect_each_and_epochs_go_on(net: Network) -> None:
    chance = random.Random(7)
    for _ in range(KILLS):
        for name in PROPOSERS:
            net.tick()
            net.wait(lambda: False, chance.uniform(0, 0.6))
            net.kill(name)
        net.start(*PROPOSERS)
    recovered(net)


def test_kill__all_attesters_while_they_are_asked__nobody_signs_twice(net: Network) -> None:
    net.tick()
    net.wait(lambda: False, 0.1)
    for name in ATTESTERS:
        net.kill(name)
    net.start(*ATTESTERS)
    recovered(net)


def test_start__second_instance_of_a_proposer__refuses_and_the_first_goes_on(net: Network) -> None:
    first = net.processes["proposer"]
    net._launch("proposer")
    second = net.processes["proposer"]
    net.processes["proposer"] = first
    try:
        assert second.wait(net.start_seconds) != 0
    except TimeoutError:
        second.send_signal(signal.SIGKILL)
        raise
    assert "cannot be served" in (net.folder / "proposer.log").read_text()
    assert first.poll() is None
    recovered(net)


def test_all_down__for_a_day__start_again_over_what_they_left(net: Network) -> None:
    for name in net.names:
        net.kill(name)
    net.pass_time(86_400, 12)
    net.start()
    recovered(net)
    assert_index(net)


def test_proposers__both_due_at_the_same_block__one_epoch_and_the_other_pays_nothing(net: Network) -> None:
    recovered(net)
    before = int(net.devnet.rpc("eth_blockNumber"), 16)
    for _ in range(3):
        number = net.number()
        net.pass_time(60, TICK_BLOCKS)  # both have waited long enough
        assert net.wait(lambda number=number: net.number() > number, 60), net.logs()
        net.wait(lambda: False, 1)
    recovered(net)
    for name in PROPOSERS:
        for hash, block, succeeded in mined_by(net, net.signers[name].address):
            assert succeeded or block <= before, f"{name}: {hash} reverted"
