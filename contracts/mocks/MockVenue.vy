# pragma version 0.4.3
"""
@title Everything an Exchange talks to, in one test double
@license AGPL-3.0-only
@notice Plays the Clearinghouse, the Markets and the RiskOracle; remembers the last trade.
"""
from ..interfaces import IAttestation
from ..interfaces import IClearinghouse
from ..interfaces import IRiskOracle

spot8: public(uint256)
tradable: public(bool)
trades: public(uint256)
owners: HashMap[uint256, address]
operators: HashMap[uint256, HashMap[address, bool]]
_last: IClearinghouse.Trade


@deploy
def __init__(spot8: uint256):
    self.spot8 = spot8
    self.tradable = True


@external
def set_owner(account: uint256, owner: address):
    self.owners[account] = owner


@external
def set_operator(account: uint256, operator: address, allowed: bool):
    self.operators[account][operator] = allowed


@external
def set_tradable(tradable: bool):
    self.tradable = tradable


@external
@view
def may_act(account: uint256, actor: address) -> bool:
    return (actor == self.owners[account] or self.operators[account][actor])


@external
@view
def account(account: uint256) -> IClearinghouse.Account:
    answer: IClearinghouse.Account = empty(IClearinghouse.Account)
    answer.owner = self.owners[account]
    return answer


@external
def trade(
    trade: IClearinghouse.Trade,
    evidence: DynArray[IAttestation.Evidence, 2],
    statement: IAttestation.Statement,
):
    self.trades += 1
    self._last = trade


@external
@view
def last() -> IClearinghouse.Trade:
    return self._last


@external
@view
def require_tradable(instrument: uint128, quantity: int256, price: uint256) -> bool:
    assert self.tradable, "markets: not tradable"
    return True


@external
@view
def spot(underlying: uint16) -> IRiskOracle.Spot:
    return IRiskOracle.Spot(
        posted=self.spot8,
        effective=self.spot8,
        tenAnchor=self.spot8,
        hourAnchor=self.spot8,
    )
