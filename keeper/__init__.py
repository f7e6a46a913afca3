"""Plimsoll's keeper: values every account off-chain, signs and posts what the chain then enforces."""
