"""The loop in small, with real processes: three attesters and a proposer on a fresh chain."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from keeper.markets.instrument import Instrument, Kind
from scripts import _trading
from tests.support.loop import USDC, Loop, Opening, running

GENESIS = 1_743_984_000  # 2025-04-07 00:00 UTC, inside the recorded market
EXPIRY = GENESIS + 7 * 86_400
SOON = GENESIS + 2_700


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    with running(tmp_path, Opening(GENESIS, (SOON, EXPIRY))) as found:
        yield found


def test_loop__attesters_fall__goes_on_then_stops_and_worst_case_still_withdraws(loop: Loop) -> None:
    account = loop.open_account(1_000 * USDC)
    loop.start()

    assert loop.next_epoch(), loop.logs()
    started = time.monotonic()
    for _ in range(5):
        assert loop.next_epoch(), loop.logs()
    print(f"seconds per epoch: {(time.monotonic() - started) / 5:.3f}")

    number = loop.number()
    assert loop.serves_latest(), loop.logs()
    leaf = loop.get(f"/v1/epochs/{number}/accounts/{account}")
    oracle = loop.deployment["RiskOracle"]
    assert leaf["proof"] and leaf["leaf"]["account"] == str(account)
    perp = loop.get("/v1/epochs/latest")["instruments"][0]
    assert loop.get(f"/v1/instruments/{perp}")["epoch"] == number
    assert loop.backend.call(oracle, "is_fresh")

    loop.kill("attester0")
    assert loop.next_epoch(), "one attester killed: the loop goes on\n" + loop.logs()

    report = _withdrawal_report(loop, account)
    assert len(report["signatures"]["compact"]) == 2

    loop.kill("attester1")
    assert not loop.next_epoch(4), "two killed: no epoch may come"
    _withdraw_worst_case(loop, account)


def test_loop__future_and_option_traded_by_report__settled_at_the_average(loop: Loop) -> None:
    maker, taker = loop.open_account(20_000 * USDC), loop.open_account(20_000 * USDC)
    loop.start()
    assert loop.next_epoch(), loop.logs()
    for instrument in (Instrument(2, SOON, 0, Kind.FUTURE), Instrument(2, SOON, 1_500 * 10**8, Kind.CALL)):
        assert loop.serves_latest(), loop.logs()
        loop.trade(maker, taker, instrument.pack())
    assert loop.account(maker)["legCount"] == 2

    while loop.time() < SOON + 100:
        assert loop.next_epoch(pass_seconds=100), loop.logs()
    settled = loop.wait(lambda: loop.nudge() or loop.account(maker)["legCount"] == 0, 60)
    assert settled, loop.logs()
    assert loop.wait(lambda: loop.account(taker)["legCount"] == 0, 60), loop.logs()
    price = loop.backend.call(loop.deployment["RiskOracle"], "settlement_price", 2, SOON)
    assert price > 0
    cash = loop.account(maker)["cash"] + loop.account(taker)["cash"] + loop.struct("totals")["fees"]
    assert cash == 40_000 * 10**18, "conserved to the wei"


def _withdrawal_report(loop: Loop, account: int) -> Any:
    action = {
        "kind": "withdrawal",
        "account": str(account),
        "token": loop.deployment.address("MockToken"),
        "amount": str(USDC),
        "recipient": loop.backend.deployer,
        "nonce": "0",
    }
    response = httpx.post(loop.url("proposer") + "/v1/reports", json={"action": action}, timeout=10)
    assert response.status_code == 200, response.text
    return response.json()


def _withdraw_worst_case(loop: Loop, account: int) -> None:
    token, vault = loop.deployment["MockToken"], loop.deployment["Vault"]
    evidence, statement = _trading.worst_case_evidence([]), _trading.Statement().encoded()
    before = loop.backend.call(token, "balanceOf", loop.backend.deployer)
    recipient = loop.backend.deployer
    loop.backend.send(vault, "withdraw", account, token.address, 100 * USDC, recipient, evidence, statement)
    assert loop.backend.call(token, "balanceOf", loop.backend.deployer) == before + 100 * USDC
