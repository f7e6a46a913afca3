"""Units, protocol bounds and fixed-point arithmetic, bit for bit as on-chain."""
