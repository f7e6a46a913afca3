"""Dissent of attesters."""

import pytest

from keeper.analysis.anomaly_quorum import Round, scan_dissent

WHY = "market: spot of 2 is 1, ours 2"


def rounds(*answers: str) -> list[Round]:
    """One letter per attester and round: y signs, n refuses, - was not asked."""
    said = {"y": "", "n": WHY}
    return [
        Round(t, {name: said[a] for name, a in zip("abc", row, strict=True) if a != "-"})
        for t, row in enumerate(answers)
    ]


def test_scan__one_refuses_often__found_from_its_first_refusal() -> None:
    found = scan_dissent(rounds("yyy", "yyn", "yyn", "yyy", "yyn"))
    assert [(f.kind, f.subject, f.time, f.score) for f in found] == [("dissent", "c", 1, 0.6)]
    assert WHY in found[0].explanation and found[0].widen == 1.0


@pytest.mark.parametrize(
    "answers",
    [
        ("yyn", "yyn", "yyy"),  # twice only
        ("yyn", "yyn", "yyn", *["yyy"] * 13),  # three of sixteen
        ("nnn", "nnn", "nnn"),  # nobody signs: the proposal is wrong
        ("yy-", "yy-", "yy-"),
        (),
    ],
)
def test_scan__not_remarkable__nothing(answers: tuple[str, ...]) -> None:
    assert scan_dissent(rounds(*answers)) == []
