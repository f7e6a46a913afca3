"""Numbers in the format that Prometheus reads."""

import pytest

from keeper.observability.metrics import Metrics


def test_text__counter_and_gauge__by_name_with_help_and_type() -> None:
    metrics = Metrics()
    metrics.gauge("open", "Open now.")
    metrics.counter("bids_total", "Bids sent.")
    metrics.count("bids_total")
    metrics.count("bids_total", 2)
    metrics.set("open", 4)

    assert metrics.text() == (
        "# HELP bids_total Bids sent.\n# TYPE bids_total counter\nbids_total 3\n"
        "# HELP open Open now.\n# TYPE open gauge\nopen 4\n"
    )


def test_text__nothing_declared__empty() -> None:
    assert Metrics().text() == ""


def test_declare__twice__keeps_the_value() -> None:
    metrics = Metrics()
    metrics.counter("bids_total", "Bids sent.")
    metrics.count("bids_total")
    metrics.counter("bids_total", "Bids sent.")

    assert metrics.value("bids_total") == 1


def test_set__undeclared__refused() -> None:
    with pytest.raises(KeyError):
        Metrics().set("open", 1)
    with pytest.raises(KeyError):
        Metrics().count("open")
