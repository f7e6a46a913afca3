"""Findings: identity, acknowledgement, order, action."""

import json

import pytest

from keeper.analysis.anomalies import Finding, open_findings, widened


def finding(subject: str = "a", time: int = 1, score: float = 2.0) -> Finding:
    return Finding("return", subject, time, score, 1.0, "text")


def test_id__same_finding__same_everywhere() -> None:
    assert finding().id == finding(score=9.0).id == "ad9ac95b57db"  # sha256 of "return|a|1"
    assert len({finding().id, finding(time=2).id, finding("b").id}) == 3


def test_fields__json_ready_with_the_id() -> None:
    fields = finding().fields()
    assert json.loads(json.dumps(fields)) == fields and fields["id"] == finding().id


def test_open_findings__one_acknowledged__only_it_is_silent() -> None:
    first, second, third = finding("a"), finding("b", score=5.0), finding("a", time=2)
    shown = open_findings([first, second, third, second], {first.id})
    assert shown == [second, third]


@pytest.mark.parametrize(("excess", "factor"), [(1.0, 1.0), (2.25, 1.5), (100.0, 2.0), (0.5, 1.0)])
def test_widened__excess__square_root_at_most_two(excess: float, factor: float) -> None:
    assert widened(excess) == (f"widen by {factor:g} and alert", factor)
