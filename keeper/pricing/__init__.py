"""Option pricing and volatility surfaces: pure arithmetic, the same bits on every machine."""
