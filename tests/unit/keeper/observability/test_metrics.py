"""Numbers in the format that Prometheus reads."""

import re
from pathlib import Path

import pytest

import keeper
from keeper.observability import names
from keeper.observability.metrics import Metrics
from keeper.observability.names import Metric

TABLE = [
    Metric("bids_total", "counter", "Bids sent."),
    Metric("open", "gauge", "Open now.", ("lane",)),
    Metric("took_seconds", "histogram", "Time.", (), (1.0, 2.0)),
]


def test_text__of_each_kind__with_help_type_and_labels() -> None:
    metrics = Metrics(TABLE)
    metrics.count("bids_total")
    metrics.count("bids_total", 2)
    metrics.set("open", 4, lane="oracle")
    metrics.observe("took_seconds", 1.5)

    assert metrics.text() == (
        "# HELP bids_total Bids sent.\n# TYPE bids_total counter\nbids_total 3.0\n"
        '# HELP open Open now.\n# TYPE open gauge\nopen{lane="oracle"} 4.0\n'
        "# HELP took_seconds Time.\n# TYPE took_seconds histogram\n"
        'took_seconds_bucket{le="1.0"} 0.0\ntook_seconds_bucket{le="2.0"} 1.0\n'
        'took_seconds_bucket{le="+Inf"} 1.0\ntook_seconds_count 1.0\ntook_seconds_sum 1.5\n'
    )


def test_text__nothing_declared__empty() -> None:
    assert Metrics().text() == ""


def test_declare__twice__shown_from_the_start_and_keeps_the_value() -> None:
    metrics = Metrics(TABLE)
    metrics.declare("bids_total")
    assert "bids_total 0.0" in metrics.text()
    metrics.count("bids_total")
    metrics.declare("bids_total")

    assert metrics.value("bids_total") == 1


def test_value__never_used__zero_and_of_one_process_only() -> None:
    metrics = Metrics(TABLE)
    Metrics(TABLE).count("bids_total")
    metrics.set("open", 2, lane="oracle")

    assert metrics.value("bids_total") == metrics.value("open", lane="liquidate") == 0


def test_forget__one_series__the_others_stay() -> None:
    metrics = Metrics(TABLE)
    metrics.set("open", 2, lane="oracle")
    metrics.set("open", 3, lane="liquidate")
    metrics.forget("open", lane="oracle")

    assert 'lane="oracle"' not in metrics.text() and 'lane="liquidate"' in metrics.text()


def test_any__not_in_the_table__key_error() -> None:
    with pytest.raises(KeyError):
        Metrics(TABLE).set("closed", 1)
    with pytest.raises(KeyError):
        Metrics(TABLE).declare("closed")
    with pytest.raises(KeyError):
        Metrics(TABLE).value("closed")


@pytest.mark.parametrize("labels", [{}, {"node": "a"}, {"lane": "a", "node": "b"}])
def test_set__other_labels_than_declared__value_error(labels: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        Metrics(TABLE).set("open", 1, **labels)


def test_watch_process__open_files_and_memory__under_the_usual_names() -> None:
    metrics = Metrics()
    metrics.watch_process()

    for name in ("process_open_fds", "process_max_fds", "process_resident_memory_bytes"):
        assert re.search(rf"^{name} [1-9]", metrics.text(), re.MULTILINE)


# The table


def test_table__every_name__once_and_as_prometheus_wants_it() -> None:
    found = [metric.name for metric in names.TABLE]
    assert len(found) == len(set(found))
    for metric in names.TABLE:
        assert re.fullmatch(r"plimsoll_[a-z][a-z0-9_]*", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.help.endswith(".")


def test_table__every_metric__is_used_by_the_keeper() -> None:
    """A name that nothing sets is a blind panel and an alert that never fires."""
    root = Path(keeper.__file__).parent
    text = "\n".join(p.read_text() for p in root.rglob("*.py") if p.name != "names.py")
    constants = {name for name, value in vars(names).items() if isinstance(value, str) and name.isupper()}
    unused = {name for name in constants if not re.search(rf"\b{name}\b", text)}
    assert not unused
