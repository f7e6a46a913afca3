"""The reader of price feeds on a real chain."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from eth_abi.abi import encode

from keeper.chain.node import Node
from keeper.chain.price_feed import Feed, PriceFeedSource
from scripts._artifacts import artifact
from scripts._devnet import Devnet, start_anvil
from tests.support.flat_market import NOW

ETH = 2
LISTED = {1: [], ETH: [NOW + 86_400]}
DEPLOYER = "0x" + "42" * 20


@dataclass
class Aggregator:
    """A mock feed on the chain."""

    chain: Devnet
    address: str

    def say(
        self,
        answer: int = 3_000 * 10**8,
        updated_at: int = NOW - 40,
        round_id: int = 7,
        answered_in: int = 7,
        started_at: int = NOW - 50,
    ) -> None:
        """Set the latest round."""
        values = (round_id, answer, started_at, updated_at, answered_in)
        types = ("uint80", "int256", "uint256", "uint256", "uint80")
        selector = artifact("MockAggregator").selectors[f"set_round({','.join(types)})"]
        data = selector + encode(types, values).hex()
        send(self.chain, to=self.address, data=data)


def send(chain: Devnet, **fields: str) -> dict[str, str]:
    """A transaction of the deployer, and its receipt."""
    sent = chain.rpc("eth_sendTransaction", {"from": DEPLOYER, "gas": hex(3_000_000), **fields})
    deadline = time.monotonic() + 10
    receipt: dict[str, str] | None = None
    while receipt is None and time.monotonic() < deadline:
        receipt = chain.rpc("eth_getTransactionReceipt", sent)
    assert receipt is not None and receipt["status"] == "0x1"
    return receipt


def deploy(chain: Devnet, decimals: int) -> Aggregator:
    """A new feed."""
    code = artifact("MockAggregator").bytecode + encode(["uint8"], [decimals]).hex()
    return Aggregator(chain, send(chain, data=code)["contractAddress"])


@pytest.fixture(scope="module")
def chain() -> Iterator[Devnet]:
    with start_anvil(genesis_timestamp=NOW - 10_000) as found:
        found.rpc("anvil_impersonateAccount", DEPLOYER)
        found.rpc("anvil_setBalance", DEPLOYER, hex(10**20))
        yield found


@pytest.fixture
def feed(chain: Devnet) -> Aggregator:
    return deploy(chain, 8)


def source(feed: Aggregator, sequencer: Aggregator | None = None) -> PriceFeedSource:
    return PriceFeedSource(
        Node(feed.chain.url),
        Feed("chainlink ETH", ETH, feed.address, sequencer.address if sequencer else None),
    )


def test_observe__good_round__spot_and_age(feed: Aggregator) -> None:
    feed.say()
    found = source(feed).observe(NOW, LISTED)
    assert (found.venue, found.spots, found.age, found.expiries) == (
        "chainlink ETH",
        {ETH: 3_000 * 10**8},
        40,
        {},
    )


@pytest.mark.parametrize(("decimals", "answer"), [(18, 3_000 * 10**18 + 1), (6, 3_000 * 10**6), (0, 3_000)])
def test_observe__other_decimals__same_price(chain: Devnet, decimals: int, answer: int) -> None:
    feed = deploy(chain, decimals)
    feed.say(answer=answer)
    assert source(feed).observe(NOW, LISTED).spots == {ETH: 3_000 * 10**8}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"answer": 0}, "its answer is 0"),
        ({"answer": -5}, "its answer is -5"),
        ({"updated_at": 0}, "round 7 is not complete"),
        ({"answered_in": 6}, "round 7 carries the answer of round 6"),
        ({"updated_at": NOW + 100}, "100 seconds ahead"),
    ],
)
def test_observe__faulty_round__said(feed: Aggregator, fault: dict[str, int], reason: str) -> None:
    feed.say(**fault)
    with pytest.raises(LookupError, match=f"chainlink ETH: .*{reason}"):
        source(feed).observe(NOW, LISTED)


def test_observe__price_below_the_unit__refused(chain: Devnet) -> None:
    feed = deploy(chain, 18)
    feed.say(answer=10**9)
    with pytest.raises(LookupError, match="below the smallest price"):
        source(feed).observe(NOW, LISTED)


def test_observe__old_round__age_is_told(feed: Aggregator) -> None:
    feed.say(updated_at=NOW - 90_000)
    assert source(feed).observe(NOW, LISTED).age == 90_000


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({"answer": 1}, "the sequencer is down"),
        ({"answer": 0, "started_at": NOW - 3_600}, "runs for 3600 seconds only"),
        ({"answer": 0, "started_at": 0}, "status is not known"),
        ({"answer": 0, "started_at": NOW - 3_601}, None),
    ],
)
def test_observe__sequencer__must_have_run_for_a_while(
    chain: Devnet, feed: Aggregator, status: dict[str, int], reason: str | None
) -> None:
    feed.say()
    sequencer = deploy(chain, 0)
    sequencer.say(**status)
    made = source(feed, sequencer)
    if reason is None:
        assert made.observe(NOW, LISTED).spots == {ETH: 3_000 * 10**8}
    else:
        with pytest.raises(LookupError, match=reason):
            made.observe(NOW, LISTED)


def test_observe__nothing_at_the_address__said(chain: Devnet) -> None:
    lost = Aggregator(chain, "0x" + "11" * 20)
    with pytest.raises(LookupError, match="no latestRoundData at its address: is it a feed"):
        source(lost).observe(NOW, LISTED)


def test_observe__no_node__one_sentence() -> None:
    with pytest.raises(LookupError, match="chainlink ETH: node http://127.0.0.1:9 does not answer"):
        PriceFeedSource(Node("http://127.0.0.1:9"), Feed("chainlink ETH", ETH, DEPLOYER)).observe(NOW, LISTED)


def test_observe__underlying_not_listed__knows_nothing(feed: Aggregator) -> None:
    assert source(feed).observe(NOW, {1: []}).spots == {}
