# pragma version 0.4.3
"""
@title Everything an Exchange talks to, in one test double
@license AGPL-3.0-only
@notice Plays the Clearinghouse, the Markets and the RiskOracle; remembers the last trade.
"""
from ..interfaces import IAttestation
from ..interfaces import IClearinghouse
from ..interfaces import IRiskOracle

trades: public(uint256)
closed: bool
owners: HashMap[uint256, address]
operators: HashMap[uint256, HashMap[address, bool]]
spots: HashMap[uint16, uint256]
refused: HashMap[bytes32, bool]
_last: IClearinghouse.Trade
_maker_evidence: IAttestation.Evidence
_taker_evidence: IAttestation.Evidence
_statement: Bytes[6656]


@external
def set_owner(account: uint256, owner: address):
    self.owners[account] = owner


@external
def set_operator(account: uint256, operator: address, allowed: bool):
    self.operators[account][operator] = allowed


@external
def close():
    self.closed = True


@external
def set_spot(underlying: uint16, price8: uint256):
    self.spots[underlying] = price8


@external
def refuse(instrument: uint128, quantity: int256, price: uint256):
    self.refused[keccak256(abi_encode(instrument, quantity, price))] = True


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
    makerEvidence: IAttestation.Evidence,
    takerEvidence: IAttestation.Evidence,
    statement: Bytes[6656],
):
    assert not self.closed, "clearing: paused"
    self.trades += 1
    self._last = trade
    self._maker_evidence = makerEvidence
    self._taker_evidence = takerEvidence
    self._statement = statement


@external
def trade_nothing():
    nothing: IClearinghouse.Trade = empty(IClearinghouse.Trade)
    evidence: IAttestation.Evidence = empty(IAttestation.Evidence)
    extcall IClearinghouse(self).trade(nothing, evidence, evidence, b"")


@external
@view
def last() -> IClearinghouse.Trade:
    return self._last


@external
@view
def shown() -> (IAttestation.Evidence, IAttestation.Evidence, Bytes[6656]):
    return self._maker_evidence, self._taker_evidence, self._statement


@external
@view
def require_tradable(instrument: uint128, quantity: int256, price: uint256) -> bool:
    assert not self.refused[keccak256(abi_encode(instrument, quantity, price))], "markets: not tradable"
    return True


@external
@view
def spot(underlying: uint16) -> IRiskOracle.Spot:
    price8: uint256 = self.spots[underlying]
    return IRiskOracle.Spot(
        posted=price8,
        effective=price8,
        tenAnchor=price8,
        hourAnchor=price8,
    )
