"""What an operator sees of a fall and a liquidation on a real chain: the canary's alarms, margin calls,
account statements, audits and the start-up check."""

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from eth_utils.crypto import keccak

from keeper.app.build import notices_of
from keeper.app.canary import Canary, build_canary
from keeper.app.config import load
from keeper.app.process import Keeper
from keeper.chain.node import Node
from keeper.observability import names
from keeper.store import notice_store
from keeper.store.database import Database
from keeper.units.constants import WAD
from tests.integration.test_keeper_liquidator import Fall, about_to_fall
from tests.support.command_line import run as run_command
from tests.support.keepers import EXPIRY, USDC
from tests.support.listeners import Hook, Mailbox, open_for, served


@dataclass
class Story:
    """A town before, during and after a liquidation, with a canary and readers of margin calls."""

    fall: Fall
    canary: Canary
    hook: Hook
    mailbox: Mailbox
    alarms: dict[str, dict[str, str]] = field(default_factory=dict)
    unflagged: dict[str, float] = field(default_factory=dict)
    bodies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.fall.place.folder / "proposer"

    @property
    def config(self) -> Path:
        return self.folder / "plimsoll.toml"

    def look(self, step: str) -> None:
        """Canary and notices look at the chain once; what they say stays under `step`."""
        self.canary.tick()
        assert self.canary.problem == "" and self.canary.leaves_problem == ""
        proposer = self.fall.proposer
        assert proposer.notices is not None
        proposer.notices.tick(proposer.desk.view())
        self.alarms[step] = dict(self.canary.alarms)
        self.unflagged[step] = self.canary.metrics.value(names.CANARY_UNFLAGGED)
        self.bodies[step] = [body for body in self.hook.bodies if "account" in body]


def subscriptions(folder: Path, victim: int, hook: Hook, mailbox: Mailbox) -> Path:
    path = folder / "subscriptions.toml"
    path.write_text(
        f'alarms = [{json.dumps(hook.url)}]\n[[accounts]]\naccount = {victim}\nname = "desk"\n'
        f"urls = [{json.dumps(hook.url)}, {json.dumps(mailbox.url)}]\nlevels = [1.5, 1.2]\n"
    )
    return path


def subscribed(proposer: Keeper, path: Path) -> Keeper:
    """The same keeper with readers."""
    toml = path.parent / "plimsoll.toml"
    toml.write_text(toml.read_text() + '[notices]\nsubscriptions = "subscriptions.toml"\n')
    proposer.notices = notices_of(load(toml), proposer)
    return proposer


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    hook, mailbox = Hook(), Mailbox()
    with (
        open_for(hook),
        open_for(mailbox),
        about_to_fall(tmp_path_factory.mktemp("town")) as fall,
        served(fall.proposer.application()) as url,
    ):
        folder = fall.place.folder / "canary"
        folder.mkdir()
        readers = subscriptions(fall.place.folder / "proposer", fall.victim, hook, mailbox)
        subscribed(fall.proposer, readers)
        (folder / "plimsoll.toml").write_text(
            f'[keeper]\nroles=["canary"]\n[chain]\nrpc="{fall.place.devnet.url}"\n'
            f'deployment="../proposer/deployment.json"\n[source]\nvenues=["binance"]\n[api]\nport=8600\n'
            f'[canary]\nkeepers=["{url}"]\nmax_auction_seconds=60\n'
            f'[notices]\nsubscriptions="../proposer/subscriptions.toml"\n'
        )
        canary = build_canary(load(folder / "plimsoll.toml"))
        told = Story(fall, canary, hook, mailbox)
        happen(told)
        yield told
        canary.close()


def happen(story: Story) -> None:
    """Calm, a fall that nobody acts on, a flag, a bid that takes its time."""
    fall, place = story.fall, story.fall.place
    story.look("before")
    fall.borrow()
    place.post_epoch(fall.proposer)
    story.look("calm")
    fall.fall(9_200)
    story.look("fallen")
    place.pass_time(4)
    story.look("four blocks later")
    fall.tick("flag")
    story.look("flagged")
    place.post_epoch(fall.proposer)
    fall.tick("update")
    place.pass_time(120)
    story.look("standing")
    fall.tick("bid")
    place.pass_time(5, 1)
    fall.tick("mined")
    place.post_epoch(fall.proposer)
    story.look("sold")


class Answer(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Answer]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        code = run_command(*arguments)
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return call


# The canary


def test_canary__step_by_step__alarms_when_something_stands_and_not_after(story: Story) -> None:
    assert {step: sorted(alarms) for step, alarms in story.alarms.items()} == {
        "before": [],
        "calm": [],
        "fallen": [],
        "four blocks later": ["unflagged"],
        "flagged": [],
        "standing": ["auction"],
        "sold": [],
    }
    assert f"account {story.fall.victim} (" in story.alarms["four blocks later"]["unflagged"]


def test_canary__account_that_may_be_flagged__seen_before_anybody_acts(story: Story) -> None:
    assert story.unflagged["calm"] == 0 and story.unflagged["flagged"] == 0
    assert story.unflagged["fallen"] == story.unflagged["four blocks later"] == 1


def test_canary__each_alarm__told_once_when_raised_and_once_when_over(story: Story) -> None:
    told = [(b["alarm"], b["state"]) for b in story.hook.bodies if b.get("alarm") in ("unflagged", "auction")]
    assert told == [
        ("unflagged", "raised"),
        ("unflagged", "cleared"),
        ("auction", "raised"),
        ("auction", "cleared"),
    ]
    assert story.canary.metrics.value(names.NOTICES, kind="alarm", result="sent") == len(told)


def test_canary__its_node_is_down__not_ready_and_the_last_look_stays_what_it_was(story: Story) -> None:
    canary = story.canary
    before, protocol = canary.metrics.value(names.CANARY_TIME), canary.reader.protocol
    node, protocol.node = protocol.node, Node("http://127.0.0.1:1")
    try:
        canary.tick()
        status = canary.status()
        assert not status["ready"] and "does not answer" in status["reason"]
        assert canary.metrics.value(names.READY) == 0
        assert canary.metrics.value(names.CANARY_TIME) == before
    finally:
        protocol.node = node
    canary.tick()
    assert canary.status()["ready"]


# Margin calls


def test_notices__step_by_step__once_for_a_crossing_by_webhook_and_mail(story: Story) -> None:
    counts = {step: len(bodies) for step, bodies in story.bodies.items()}
    assert counts["before"] == counts["calm"] - len(story.bodies["calm"]) == 0
    assert counts["fallen"] == counts["four blocks later"] == counts["sold"] >= 1
    last = story.bodies["fallen"][-1]
    assert last["account"] == story.fall.victim and last["health"] < 1 and "1.2" in last["levels"]
    assert "below its maintenance margin" in last["text"]
    assert int(last["equity"]) < int(last["maintenance_margin"])
    subjects = [message["subject"] for message in story.mailbox.messages]
    assert subjects == [body["title"] for body in story.bodies["sold"]]


def test_notices__keeper_starts_again__tells_nobody_twice(story: Story) -> None:
    before = len(story.hook.bodies), len(story.mailbox.messages)
    again = notices_of(load(story.config), story.fall.proposer)
    assert again is not None
    again.tick(story.fall.proposer.desk.view())
    assert (len(story.hook.bodies), len(story.mailbox.messages)) == before
    with story.fall.proposer.database.read() as connection:
        rows = notice_store.notices_of(connection, story.fall.victim, "desk")
    assert all(row.sent_at is not None for row in rows.values()) and rows


# Statements


def stated(run: Run, story: Story, account: int, *options: object) -> dict[str, Any]:
    answer = run("statement", account, "-c", story.config, "--json", *options)
    assert answer.code == 0, answer.err
    found: dict[str, Any] = json.loads(answer.out)
    return found


def exact(text: str) -> int:
    """WAD of a decimal text."""
    sign, (whole, _, part) = (-1 if text.startswith("-") else 1), text.lstrip("-").partition(".")
    return sign * (int(whole) * WAD + int(part.ljust(18, "0") or 0))


@pytest.mark.parametrize("who", ["victim", "bidder", "debtor", "maker"])
def test_statement__every_account__adds_up_to_the_chain_to_the_wei(run: Run, story: Story, who: str) -> None:
    fall = story.fall
    account = fall.place.accounts[1] if who == "maker" else getattr(fall, who)
    found = stated(run, story, account)
    opening, closing = exact(found["opening"]), exact(found["closing"])
    assert opening + sum(exact(e["amount"]) for e in found["entries"]) == closing
    assert closing == fall.place.backend.call(fall.place.deployment["Clearinghouse"], "account", account)[6]
    assert [line["text"].endswith("the chain says the same") for line in found["compared_with_chain"]] == [
        True
    ]
    kinds = {entry["kind"] for entry in found["entries"]}
    expected = {
        "victim": {"deposit", "trade", "fee", "liquidation"},
        "bidder": {"deposit", "liquidation"},
        "debtor": {"deposit", "trade", "fee"},
        "maker": {"deposit", "trade"},
    }[who]
    assert expected <= kinds
    assert sum(exact(v) for v in found["totals"].values()) == closing - opening


def test_statement__seller_and_buyer_of_a_share__name_each_other(run: Run, story: Story) -> None:
    sold, bought = (
        next(e for e in stated(run, story, account)["entries"] if e["kind"] == "liquidation")
        for account in (story.fall.victim, story.fall.bidder)
    )
    assert (sold["counterparty"], bought["counterparty"]) == (str(story.fall.bidder), str(story.fall.victim))
    assert exact(sold["amount"]) == -exact(bought["amount"]) and sold["transaction"] == bought["transaction"]


def test_statement__part_of_the_time__opening_and_closing_are_the_chains_then(run: Run, story: Story) -> None:
    entries = stated(run, story, story.fall.victim)["entries"]
    trade = next(e for e in entries if e["kind"] == "trade")
    assert trade["instrument"] == f"ETH-{EXPIRY}"
    found = stated(run, story, story.fall.victim, "--from", trade["time"], "--to", entries[-1]["time"])
    assert exact(found["opening"]) == 2_000 * WAD
    compared = [line["text"] for line in found["compared_with_chain"]]
    assert len(compared) == 2 and all(text.endswith("the chain says the same") for text in compared)
    assert found["entries"][-1]["balance"] == found["closing"]


def test_statement__csv__the_same_lines_between_opening_and_closing(run: Run, story: Story) -> None:
    entries = stated(run, story, story.fall.victim)["entries"]
    answer = run("statement", story.fall.victim, "-c", story.config, "--csv")
    opening, *rows, closing = csv.DictReader(io.StringIO(answer.out))
    assert rows == entries and (opening["kind"], closing["kind"]) == ("opening", "closing")
    assert closing["balance"] == entries[-1]["balance"]


def test_statement__table__a_person_can_read_it(run: Run, story: Story) -> None:
    answer = run("statement", story.fall.victim, "-c", story.config)
    assert answer.code == 0 and "2,000.00" in answer.out and "closing" in answer.out
    assert "the chain says the same" in answer.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["99"], "account 99 is not open"),
        (["1", "--csv", "--json"], "--csv or --json, not both"),
        (["1", "--from", "2025-05-01", "--to", "2025-04-01"], "--from must be before --to"),
        (["1", "--from", "yesterday"], "yesterday"),
    ],
)
def test_statement__asked_wrongly__one_sentence(
    run: Run, story: Story, options: list[str], said: str
) -> None:
    answer = run("statement", *options, "-c", story.config)
    assert answer.code == 1 and said in answer.err and len(answer.err.splitlines()) == 1


def test_statement__an_event_is_missing__refused(run: Run, story: Story, tmp_path: Path) -> None:
    copy = tmp_path / "proposer"
    copy.mkdir()
    with story.fall.proposer.database.begin() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql(f"VACUUM INTO '{copy}/keeper.sqlite'")
        connection.exec_driver_sql("BEGIN")
    for path in story.folder.iterdir():
        if ".sqlite" not in path.name:
            shutil.copy(path, copy)
    broken = Database(f"sqlite:///{copy}/keeper.sqlite")
    with broken.begin() as connection:
        connection.exec_driver_sql("DELETE FROM event WHERE name = 'Deposited'")
    broken.close()
    answer = run("statement", story.fall.victim, "-c", copy / "plimsoll.toml")
    assert answer.code == 1 and "the chain says" in answer.err


# Audits


def test_audit__every_epoch_that_was_posted__agrees_with_the_chain_to_the_bit(run: Run, story: Story) -> None:
    last = story.fall.proposer.desk.view().header.number
    for number in {1, last // 2, last}:
        answer = run("audit", number, "-c", story.config, "--json")
        assert answer.code == 0, answer.err
        found = json.loads(answer.out)
        assert found["agrees"] and {line["agrees"] for line in found["compared"]} == {True}
        lines = {line["name"]: line["text"] for line in found["compared"]}
        assert {"snapshot hash", "market root", "margin root", "posting", "spots", "oracle"} <= set(lines)
        assert lines["signatures"].startswith("2 of 3, 2 needed: 0x")


def test_audit__liquidation__flag_and_bid_follow_from_what_was_kept(run: Run, story: Story) -> None:
    answer = run("audit", "--auction", story.fall.victim, "-c", story.config, "--json")
    assert answer.code == 0, answer.err
    lines = {line["name"]: line["agrees"] for line in json.loads(answer.out)["compared"]}
    for name in (
        "epoch margin root",
        "leaf",
        "path",
        "equity",
        "initial margin",
        "maintenance margin",
        "below",
    ):
        assert lines[name] is True, name
    assert lines[f"bid of account {story.fall.bidder}"] is True
    table = run("audit", "--auction", story.fall.victim, "-c", story.config)
    assert table.code == 0 and all(line.startswith("ok  ") for line in table.out.splitlines())


def test_audit__kept_market_differs_by_one__first_difference_and_exit_code(
    run: Run, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from another release, or a keeper that lies about what it had."""
    from keeper.jobs.statements import Statements

    honest = Statements.pair

    def changed(self: Statements, number: int) -> Any:
        snapshot, statement = honest(self, number)  # type: ignore[misc]
        return snapshot, replace(statement, epoch=replace(statement.epoch, margin_root=b"\x01" * 32))

    monkeypatch.setattr(Statements, "pair", changed)
    answer = run("audit", 1, "-c", story.config)
    assert answer.code == 1
    assert answer.err.startswith(f"plimsoll: audit: margin root: 0x{'01' * 32} here, 0x")
    assert "FAIL margin root" in answer.out and "FAIL signatures" in answer.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["99999"], "epoch 99999 was never posted"),
        (["--auction", "1"], "account 1 never was in an auction"),
        ([], "name the number of an epoch, or --auction ACCOUNT"),
    ],
)
def test_audit__nothing_to_audit__one_sentence(run: Run, story: Story, options: list[str], said: str) -> None:
    answer = run("audit", *options, "-c", story.config)
    assert answer.code == 1 and said in answer.err and len(answer.err.splitlines()) == 1


# The check


def test_check__running_deployment__each_line_and_json(run: Run, story: Story) -> None:
    table = run("check", "-c", story.config)
    lines = [line.split()[1] for line in table.out.splitlines()]
    expected = "deployment node contracts interfaces methodology key balance source database clock disk"
    assert lines == expected.split()
    assert table.code == 0, table.out
    found = json.loads(run("check", "-c", story.config, "--json").out)
    assert found["ok"] and [c["name"] for c in found["checks"]] == lines
    assert "revision 000" in next(c["text"] for c in found["checks"] if c["name"] == "database")


def test_check__code_or_interface_differs_from_the_record__named(run: Run, story: Story) -> None:
    record = story.folder / "deployment.json"
    honest = record.read_text()
    content = json.loads(honest)
    code = bytes.fromhex(
        story.fall.place.devnet.rpc("eth_getCode", content["contracts"]["Markets"]["address"], "latest")[2:]
    )
    try:
        content["contracts"]["Markets"]["code_hash"] = "0x" + keccak(code).hex()
        content["contracts"]["Vault"]["code_hash"] = "0x" + "12" * 32
        content["contracts"]["RiskOracle"]["abi"] = []
        record.write_text(json.dumps(content))
        found = run("check", "-c", story.config)
    finally:
        record.write_text(honest)
    assert found.code == 1
    assert "FAIL contracts    other code than recorded at Vault\n" in found.out
    assert "FAIL interfaces   RiskOracle as deployed has no " in found.out


def test_deposit_after_all__statement_of_later__has_it(run: Run, story: Story) -> None:
    place = story.fall.place
    place.deposit(story.fall.victim, 7 * USDC)
    story.fall.proposer.desk.view()
    last = stated(run, story, story.fall.victim)["entries"][-1]
    assert (last["kind"], last["amount"]) == ("deposit", "7")


def test_canary__pause_and_other_guardian__alarm_metric_and_notice(story: Story) -> None:
    """The last one: the pause stays."""
    place, canary = story.fall.place, story.canary
    place.backend.send(place.deployment["Clearinghouse"], "pause", 3_600)
    canary.tick()
    assert "another 3600 s" in canary.alarms["pause"]
    assert canary.metrics.value(names.CANARY_PAUSED, contract="Clearinghouse") == 1
    assert canary.seen is not None
    canary.seen = replace(canary.seen, powers={**canary.seen.powers, "guardian": "0x" + "12" * 20})
    canary.tick()
    assert canary.metrics.value(names.CANARY_CHANGES, what="guardian") == 1
    assert story.hook.bodies[-1]["what"] == "guardian"
