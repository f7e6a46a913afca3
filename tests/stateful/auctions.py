"""Auctions, offers and bids as the model sees them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Auction:
    """One auction as last touched, field for field as on chain."""

    epoch: int
    elapsed: int
    touched: int
    insolvent: bool
    initial: int
    maintenance: int
    mark: int
    linear: int
    earliest: int
    added: int


@dataclass(frozen=True)
class Offer:
    """What is for sale at this moment; `asked` below zero: what a buyer is paid for all."""

    worth: int
    asked: int
    largest: int
    auction: Auction  # with its clock moved on


@dataclass(frozen=True)
class Bid:
    """An attempt to buy."""

    account: int
    bidder: int
    fraction: int
    limit: int
    way: int
