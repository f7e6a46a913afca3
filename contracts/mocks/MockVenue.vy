# pragma version 0.4.3
"""
@title Everything an Exchange talks to, in one test double
@license AGPL-3.0-only
@notice Plays the Clearinghouse, the Markets and the RiskOracle; remembers the last trades.
"""
from ..interfaces import IAttestation
from ..interfaces import IClearinghouse
from ..interfaces import IRiskOracle

SEQ: constant(uint64) = 100  # of the last event, before any trade

trades: public(uint256)
closed: bool
limits: uint256
band: uint256
owners: HashMap[uint256, address]
scopes: HashMap[uint256, HashMap[address, uint8]]
spots: HashMap[uint16, uint256]
refused: HashMap[bytes32, bool]
positions: HashMap[uint256, HashMap[uint128, int256]]
_last: DynArray[IClearinghouse.Trade, 8]
_maker_evidence: IAttestation.Evidence
_taker_evidence: IAttestation.Evidence
_statement: Bytes[6656]


@external
def set_owner(account: uint256, owner: address):
    self.owners[account] = owner


@external
def set_operator(account: uint256, operator: address, scopes: uint8):
    self.scopes[account][operator] = scopes


@external
def set_position(account: uint256, instrument: uint128, quantity: int256):
    self.positions[account][instrument] = quantity


@external
def close():
    self.closed = True


@external
def set_spot(underlying: uint16, price8: uint256):
    self.spots[underlying] = price8


@external
def set_limits(limits: uint256, band: uint256):
    self.limits = limits
    self.band = band


@external
def refuse(instrument: uint128, quantity: int256, price: uint256):
    self.refused[keccak256(abi_encode(instrument, quantity, price))] = True


@external
@view
def may_act(account: uint256, actor: address, scope: uint8) -> bool:
    return self._may_act(account, actor, scope)


@internal
@view
def _may_act(account: uint256, actor: address, scope: uint8) -> bool:
    return actor == self.owners[account] or self.scopes[account][actor] & scope != 0


@external
@view
def account(account: uint256) -> IClearinghouse.Account:
    answer: IClearinghouse.Account = empty(IClearinghouse.Account)
    answer.owner = self.owners[account]
    return answer


@external
@view
def position(account: uint256, instrument: uint128) -> IClearinghouse.Position:
    return IClearinghouse.Position(quantity=self.positions[account][instrument], entryIndex=0)


@external
def trade(
    trade: IClearinghouse.Trade,
    makerEvidence: IAttestation.Evidence,
    takerEvidence: IAttestation.Evidence,
    statement: Bytes[6656],
) -> uint64:
    self._last = []
    self._book(trade)
    self._maker_evidence = makerEvidence
    self._taker_evidence = takerEvidence
    self._statement = statement
    return SEQ + convert(self.trades, uint64)


@external
def trade_many(
    trades: DynArray[IClearinghouse.Trade, 8],
    takerEvidence: IAttestation.Evidence,
    statement: Bytes[6656],
) -> uint64:
    self._last = []
    for trade: IClearinghouse.Trade in trades:
        self._book(trade)
    self._taker_evidence = takerEvidence
    self._statement = statement
    return SEQ + convert(self.trades, uint64)


@internal
def _book(trade: IClearinghouse.Trade):
    assert not self.closed, "clearing: paused"
    assert self._may_act(trade.maker, trade.makerSigner, 1), "clearing: signer may not trade"
    assert self._may_act(trade.taker, trade.takerSigner, 1), "clearing: signer may not trade"
    self.trades += 1
    self._last.append(trade)
    for fill: IClearinghouse.Fill in trade.fills:
        self.positions[trade.maker][fill.instrument] += fill.quantity
        self.positions[trade.taker][fill.instrument] -= fill.quantity


@external
@view
def last() -> IClearinghouse.Trade:
    return self._last[len(self._last) - 1]


@external
@view
def batch() -> DynArray[IClearinghouse.Trade, 8]:
    return self._last


@external
@view
def shown() -> (IAttestation.Evidence, IAttestation.Evidence, Bytes[6656]):
    return self._maker_evidence, self._taker_evidence, self._statement


@external
@view
def require_tradable(instrument: uint128, quantity: int256, price: uint256) -> (uint256, uint256):
    assert not self.refused[keccak256(abi_encode(instrument, quantity, price))], "markets: not tradable"
    return self.limits, self.band


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
