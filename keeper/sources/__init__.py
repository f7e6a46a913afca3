"""Market data in: recorded tables behind one protocol, aggregation and the attesters' tolerance check."""
