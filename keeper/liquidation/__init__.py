"""When an account may be flagged, and what a share of it costs in an auction, bit for bit as on-chain."""
