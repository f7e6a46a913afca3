"""Margins that jump, and behaviour unlike that of others."""

from dataclasses import replace

import numpy as np

from keeper.analysis.anomaly_accounts import AccountPoint, scan_behaviour, scan_margins


def crowd(epochs: int = 10, accounts: int = 12, rise: float = 0.0) -> list[AccountPoint]:
    """Accounts like each other; margins of all move together by `rise` an epoch, and a little each alone."""
    rng = np.random.default_rng(5)
    points = []
    for account in range(1, accounts + 1):
        for time in range(epochs):
            gross = 100_000.0 * (1 + 0.3 * rng.random())
            maintenance = gross * 0.05 * (1 + rise) ** time * (1 + 0.005 * rng.normal())
            net, short = 0.2 * rng.normal() * gross, 0.3 * rng.random() * gross
            points.append(
                AccountPoint(account, time, {7: account}, gross, net, short, maintenance, 0.1 * gross)
            )
    return points


def test_scan_margins__calm__nothing() -> None:
    assert scan_margins(crowd()) == []


def test_scan_margins__market_moves_everybody__nothing() -> None:
    assert scan_margins(crowd(rise=0.3)) == []


def test_scan_margins__one_jumps_without_a_trade__found() -> None:
    points = [
        replace(p, maintenance=p.maintenance * 1.5) if (p.account, p.time) == (3, 6) else p for p in crowd()
    ]
    found = scan_margins(points)
    assert [(f.subject, f.time) for f in found] == [("account 3", 6), ("account 3", 7)]  # there and back
    assert "without a change of position" in found[0].explanation


def test_scan_margins__jump_with_a_trade__not_remarkable() -> None:
    points = [
        replace(p, maintenance=p.maintenance * 1.5, positions={7: 99}) if (p.account, p.time) == (3, 6) else p
        for p in crowd()
    ]
    assert scan_margins(points) == []


def test_scan_behaviour__crowd__nothing() -> None:
    assert scan_behaviour(crowd()) == []


def test_scan_behaviour__one_unlike_the_others__its_worst_moment_and_why() -> None:
    odd = [AccountPoint(99, t, {i: 1 for i in range(60)}, 9e8, -8e8, 9e8, 1e6, 4e9) for t in range(3)]
    found = scan_behaviour([*crowd(), *odd])
    assert [f.subject for f in found] == ["account 99"]
    assert found[0].explanation.startswith("unlike the other accounts: ")


def test_scan_behaviour__few_points__says_nothing() -> None:
    assert scan_behaviour(crowd(epochs=2)) == []
