"""Option pricing and volatility surfaces: pure arithmetic, the same bits on every machine."""

from time import time_ns

# sources written later than this are not what runs here
IMPORTED_AT = time_ns()
