"""The same bits with and without the processor's wide instructions, in which library functions differ."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]
WIDE = "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL"

PROGRAM = """
from eth_utils.crypto import keccak
from keeper.markets.instrument import Kind, Leg
from keeper.risk.collateral import Collateral
from keeper.risk.margin import account_margin, build_table, unit_margins
from keeper.risk.methodology import Methodology
from keeper.sources.recorded import RecordedSource
from keeper.sources.source import market_of
from keeper.markets.instrument import Instrument

now = 1_743_850_000
expiries = [now + days * 86_400 for days in (1, 9, 80)]
observed = RecordedSource("binance").observe(now, {u: expiries for u in (1, 2, 3)})
market = market_of(observed, observed.spots)
universe = sorted(
    Instrument(u.underlying, e, u.effective * percent // 100, kind).pack()
    for u in market.underlyings
    for e in expiries
    for percent in (50, 80, 95, 100, 107, 130, 300)
    for kind in (Kind.CALL, Kind.PUT)
)
table = build_table(market, Methodology.default(), universe)
coins = (Collateral(1, 2, 1_000, 500, 7 * 10**18), Collateral(2, 1, 1_500, 700, 10**17))
# the numbers before they are rounded to quanta, which would hide most differences
found = [group.profit.tobytes() for _, group in sorted(table.groups.items())]
found += [sorted(table.units.items()), unit_margins(table, universe)]
for start in range(12):
    signs = [1 if 17 * (start + n) % 41 > 20 else -1 for n in range(len(universe))]
    legs = [Leg(i, sign * 10**18) for i, sign in zip(universe[start::12], signs)]
    found.append(account_margin(legs, table, start % 4, coins if start % 2 else ()))
print(keccak(repr(found).encode()).hex())
"""


def digest(disabled: str) -> str:
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": disabled, "PYTHONWARNINGS": "ignore"}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=ROOT, env=environment, check=True
    )
    return run.stdout.strip()


def test_margins__without_wide_instructions__same_bits() -> None:
    plain = digest("")
    assert len(plain) == 64
    assert digest(WIDE) == plain
