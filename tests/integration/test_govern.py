"""`ape run govern`: from a call as a person writes it to a change, and what it refuses on the way."""

from collections.abc import Iterator

import pytest

from tests.support.governed import ANYONE, DELAY, OPS, Governed, governed

FEES = ("--call", "Exchange.set_fees(200000000000000, 300000000000000)")
SHOWN = "Exchange.set_fees(200000000000000, 300000000000000)"
GRACE = 14 * 86_400


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Governed]:
    with governed(tmp_path_factory.mktemp("deployments")) as found:
        yield found


@pytest.fixture
def shell(town: Governed) -> Iterator[Governed]:
    with town.undone():
        yield town


def fees(shell: Governed) -> list[int]:
    return list(shell.backend.call(shell.deployment["Exchange"], "fee_rates"))


def test_govern__scheduled_and_due__changes_the_parameter(shell: Governed) -> None:
    made = shell.answer("govern", "schedule", *OPS, *FEES, "--yes")
    assert (made["state"], made["calls"]) == ("waiting", [SHOWN])
    (shown,) = shell.answer("govern", "show")["operations"]
    assert (shown["id"], shown["state"]) == (made["id"], "waiting")

    early = shell.refusal("govern", "execute", *ANYONE, "--id", made["id"], "--yes")
    assert "is waiting, executable from" in early
    shell.wait(DELAY)
    assert shell.answer("govern", "execute", *ANYONE, "--id", made["id"][:10], "--yes")["done"] == "execute"

    assert fees(shell) == [2 * 10**14, 3 * 10**14]
    assert shell.answer("govern", "show")["operations"] == []
    again = shell.refusal("govern", "schedule", *OPS, *FEES, "--yes")
    assert "already scheduled" in again
    shell.answer("govern", "schedule", *OPS, *FEES, "--salt", "again", "--yes")


def test_govern__batch__is_made_whole_with_names_for_addresses(shell: Governed) -> None:
    calls = ("--call", 'Clearinghouse.set_module("Exchange", false)', *FEES)
    made = shell.answer("govern", "schedule", *OPS, *calls, "--delay", str(2 * DELAY), "--yes")
    exchange = shell.deployment.address("Exchange")
    assert made["calls"] == [f"Clearinghouse.set_module(Exchange {exchange.lower()}, false)", SHOWN]
    shell.wait(2 * DELAY)
    shell.answer("govern", "execute", *ANYONE, "--id", made["id"], "--yes")
    assert not shell.backend.call(shell.deployment["Clearinghouse"], "modules", exchange)
    assert fees(shell) == [2 * 10**14, 3 * 10**14]


def test_govern__without_yes__sends_nothing_and_says_what_would_fail(shell: Governed) -> None:
    before = shell.devnet.rpc("eth_blockNumber")
    done = shell.run("govern", "schedule", *OPS, *FEES, "--call", "Exchange.set_fees(0, 1000000000000000000)")
    assert done.returncode == 0, done.stderr
    assert f"  {SHOWN}" in done.stdout
    assert "alone and now it would be refused" in done.stdout
    assert "nothing is sent without --yes" in done.stdout
    assert shell.devnet.rpc("eth_blockNumber") == before


def test_govern__cancelled__cannot_be_executed(shell: Governed) -> None:
    made = shell.answer("govern", "schedule", *OPS, *FEES, "--yes")
    assert "missing role" in shell.refusal("govern", "cancel", *ANYONE, "--id", made["id"], "--yes")
    shell.answer("govern", "cancel", *OPS, "--id", made["id"], "--yes")
    shell.wait(DELAY)
    refused = shell.refusal("govern", "execute", *ANYONE, "--id", made["id"], "--yes")
    assert "0 scheduled operations begin with" in refused
    assert shell.answer("govern", "schedule", *OPS, *FEES, "--yes")["state"] == "waiting"


def test_govern__two_weeks_late__has_lapsed(shell: Governed) -> None:
    made = shell.answer("govern", "schedule", *OPS, *FEES, "--yes")
    shell.wait(DELAY + GRACE + 1)
    assert "is lapsed" in shell.refusal("govern", "execute", *ANYONE, "--id", made["id"], "--yes")
    assert shell.answer("govern", "show")["operations"][0]["state"] == "lapsed"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "no call given"),
        (("--call", "Exchange.set_fees"), "is not Contract.function(arguments)"),
        (("--call", "Nothing.set_fees(1)"), "Nothing is not in the record"),
        (("--call", "Exchange.set_fee(1)"), "Exchange has no function set_fee"),
        (("--call", "Exchange.set_fees(1)"), "takes 2 arguments, not 1"),
        (("--call", "Exchange.set_fees(1, x)"), "are not JSON"),
        (("--call", "InsuranceFund.set_cooldown(-1)"), "InsuranceFund.set_cooldown(-1)"),
        (("--call", 'Exchange.transfer_ownership("Nobody")'), "neither an address nor a contract"),
        ((*FEES, "--delay", str(DELAY - 1)), "below the least"),
    ],
)
def test_govern__bad_call__is_refused_in_one_sentence(
    shell: Governed, arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in shell.refusal("govern", "schedule", *OPS, *arguments, "--yes")


def test_govern__stranger__may_not_schedule(shell: Governed) -> None:
    assert "missing role" in shell.refusal("govern", "schedule", *ANYONE, *FEES, "--yes")


def test_govern__without_an_operation__asks_which(shell: Governed) -> None:
    assert "which operation?" in shell.refusal("govern", "execute", *ANYONE, "--yes")
