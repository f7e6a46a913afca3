"""Parameters from prices: known correlations are found, files are read back."""

import json
from datetime import date, timedelta

import numpy as np
import pytest

from keeper.analysis.calibration import calibrate
from keeper.analysis.history import PriceHistory, recorded
from keeper.presets import plimsoll
from keeper.risk.correlation import exceeds
from keeper.risk.methodology import Methodology

DEFAULT = Methodology.default()
FOUND = calibrate(recorded(), DEFAULT)


def test_calibrate__simulated_correlation__found_by_both_estimates() -> None:
    # long enough for the stressed windows, which are dates
    count, first, rho = 2_400, date(2018, 10, 1), 0.6
    draws = np.random.default_rng(3).standard_normal((count, 2))
    second = rho * draws[:, 0] + np.sqrt(1 - rho**2) * draws[:, 1]
    closes = 100.0 * np.exp(np.cumsum(0.03 * np.column_stack([draws[:, 0], second]), axis=0))
    days = tuple(first + timedelta(n) for n in range(count))
    found = calibrate(PriceHistory(days, ("BTC", "ETH"), closes, ""), DEFAULT)
    assert found.rank["BTC", "ETH"] == pytest.approx(rho, abs=0.03)
    assert found.weighted["BTC", "ETH"] == pytest.approx(rho, abs=0.08)
    # |N| at 99.5 %: 2.807 standard deviations of 3 %
    assert found.moves["BTC"] == pytest.approx(2.807 * 0.03, rel=0.1)


def test_calibrate__recorded_prices__valid_matrix_of_high_correlations() -> None:
    assert exceeds(FOUND.correlations, 50_000)
    assert 0.75 < FOUND.correlations[0][1] / 1e6 < 0.9
    assert 0.5 < FOUND.correlations[1][2] / 1e6 < 0.8


def test_calibrate__scenarios__end_on_the_last_day() -> None:
    assert FOUND.scenarios.labels[FOUND.scenarios.filtered - 1] == "2025-04-30"
    assert (FOUND.scenarios.filtered, FOUND.scenarios.stressed) == (500, 250)


def test_parameters__as_a_file__methodology_with_the_estimates() -> None:
    text = json.dumps(FOUND.parameters(plimsoll.load_parameters()))
    read = Methodology.from_json(text, FOUND.scenarios)
    assert read.correlation_sets[0][1] == FOUND.correlations
    assert read.expected_shortfall.scenarios == "0x" + FOUND.scenarios.hash().hex()


def test_parameters__underlying_that_is_not_listed__refused() -> None:
    with pytest.raises(LookupError, match="no underlying BTC"):
        FOUND.parameters({"underlyings": [], "correlations": {}, "expected_shortfall": {}})
