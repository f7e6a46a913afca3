"""The chain: connections, typed contracts, the index of events, keys and transactions. The only package
with web3."""
