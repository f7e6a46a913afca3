"""A keeper with several sources on a real chain: what it does when one fails, and what it says about it."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from keeper.app.build import build
from keeper.app.checks import Checks
from keeper.app.cli import app
from keeper.app.config import load
from keeper.app.process import Keeper
from keeper.network.server import Unavailable
from keeper.observability.names import ANOMALIES
from keeper.sources.verdicts import Verdict
from keeper.store.anomaly_store import kept_findings
from scripts._protocol import Contract
from tests.support.keepers import EXPIRY, Room, Town, town

ETH = 2
LISTED = {1: [], ETH: [EXPIRY]}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("town")) as found:
        yield found


@pytest.fixture(scope="module")
def feed(place: Town) -> Contract:
    return place.backend.deploy("MockAggregator", 8)


def say(place: Town, feed: Contract, answer: int, updated_at: int) -> None:
    place.backend.send(feed, "set_round", 3, answer, updated_at, updated_at, 3)


def eth(place: Town, keeper: Keeper) -> int:
    """ETH at the first source, price8."""
    return keeper.desk.sources[0].observe(place.time(), LISTED).spots[ETH]


@pytest.fixture
def keeper(place: Town, feed: Contract) -> Iterator[Keeper]:
    """A proposer with two recorded venues and the feed, of which two must agree."""
    place.keeper("proposer", "proposer").close()
    path = place.folder / "proposer" / "plimsoll.toml"
    chainlink = (
        f'[[source.feeds]]\nkind="chainlink"\nsymbol="ETH"\naddress="{feed.address}"\nmax_age_seconds=300\n'
    )
    text = path.read_text().replace(
        'venues=["binance"]', f'venues=["binance","bybit"]\nminimum=2\nwanted=3\n{chainlink}'
    )
    path.write_text(text)
    made = build(load(path))
    yield made
    made.close()


def test_observe__all_agree__feed_counts_for_its_coin(place: Town, feed: Contract, keeper: Keeper) -> None:
    say(place, feed, eth(place, keeper), place.time())
    found = keeper.desk.observe_market(place.time(), LISTED)
    assert found.confidences_ppm[ETH] > 950_000
    assert found.confidences_ppm[1] < 670_000  # two of the three wanted know BTC
    entries = keeper.desk.sources_report.entries
    assert {e.source for e in entries if (e.quantity, e.verdict) == ("spot 2", Verdict.USED)} == {
        "binance",
        "bybit",
        "chainlink ETH",
    }


@pytest.mark.parametrize(
    ("factor", "age", "reason"),
    [(0, 10, "its answer is 0"), (1, 400, "seconds old, at most 300"), (2, 10, "bps from the median")],
)
def test_observe__feed_fails__epoch_from_the_others_and_a_finding(
    place: Town, feed: Contract, keeper: Keeper, factor: int, age: int, reason: str
) -> None:
    say(place, feed, eth(place, keeper) * factor, place.time() - age)
    found = keeper.desk.observe_market(place.time(), LISTED)
    assert found.confidences_ppm[ETH] < 670_000
    (entry,) = keeper.desk.sources_report.rejected
    assert entry.source == "chainlink ETH" and reason in entry.reason
    assert keeper.metrics.value(ANOMALIES) >= 1
    assert f"{ANOMALIES} " in keeper.metrics.text()


def test_observe__too_few_left__says_who_and_why(place: Town, feed: Contract, keeper: Keeper) -> None:
    keeper.desk.rules = replace(keeper.desk.rules, minimum=3)
    say(place, feed, 0, place.time())
    with pytest.raises(
        Unavailable, match="spot 1: 2 of at least 3 sources: binance used; bybit used; chainlink"
    ):
        keeper.desk.observe_market(place.time(), LISTED)


def test_check__one_source_down__named_beside_the_prices(place: Town, feed: Contract, keeper: Keeper) -> None:
    say(place, feed, 0, place.time())
    (line,) = [r for r in Checks(keeper.config).run() if r.name == "source"]
    assert line.ok and "BTC" in line.text and "not used: chainlink ETH failed" in line.text


def test_anomalies__keepers_own_findings__listed_acknowledged_and_silent(
    place: Town, feed: Contract, keeper: Keeper
) -> None:
    say(place, feed, 0, place.time())
    keeper.desk.observe_market(place.time(), LISTED)
    path = str(place.folder / "proposer" / "plimsoll.toml")

    def run(*arguments: str) -> str:
        return CliRunner().invoke(app, ["anomalies", *arguments, "-c", path], catch_exceptions=False).output

    findings = json.loads(run("--json"))["findings"]
    first = next(f for f in findings if f["kind"] == "feed")
    assert "acknowledged by Ada" in run("ack", first["id"], "--by", "Ada", "--note", "feed retired")
    assert first["id"] not in {f["id"] for f in json.loads(run("--json"))["findings"]}


def test_tick__attester_that_differs__dissent_is_found(place: Town) -> None:
    attesters = [place.keeper(f"attester{i}", "attester") for i in (0, 1, 2)]
    attesters[2].desk.tolerance = replace(attesters[2].desk.tolerance, spot_bps=0, forward_bps=0)
    attesters[2].desk.sources = tuple(place.keeper("other", "api", venue="bybit").desk.sources)
    proposer = place.proposer(Room([a.attester for a in attesters]))
    for _ in range(3):
        place.post_epoch(proposer)
    with proposer.database.begin() as connection:
        found = [f for f in kept_findings(connection) if f["kind"] == "dissent"]
    assert [(f["subject"], f["score"]) for f in found] == [("2", 1.0)]
    assert "market: spot of" in found[0]["explanation"]
    for each in (proposer, *attesters):
        each.close()
