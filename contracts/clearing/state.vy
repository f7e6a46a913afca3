# pragma version 0.4.3
"""
@title What both halves of the Clearinghouse keep beside accounts and positions
@license AGPL-3.0-only
@notice Clearinghouse.vy and ClearinghouseExtension.vy run over the same storage: they initialise the same modules in the same
        order and declare no variables of their own.
"""

from ..interfaces import IClearinghouse
from ..interfaces import IMarginGate
from ..interfaces import IRiskOracle
from ..risk import record as records

LOW_128: constant(uint256) = 2**128 - 1
LOW_64: constant(uint256) = 2**64 - 1
SEQ: constant(uint256) = 1 << 128
IMPAIRED: constant(uint256) = 1 << 192
PAUSE_SHIFT: constant(uint256) = 193

# Number of accounts; identifiers start at 1
_account_count: uint256
# paused until (40) << 193 | cash is worth less than its face (1) << 192 | seq (64) << 128 | fees (128, WAD)
_running: uint256
# Packed by the gate, see risk/record.vy
_records: HashMap[uint256, uint256[3]]
# Contracts that may trade for accounts, by their owners' signed orders
modules: public(HashMap[address, bool])
# Stateless checks, and the oracle they speak of
gate: public(IMarginGate)
oracle: public(IRiskOracle)
# May freeze accounts and sell what they hold
auction_house: public(address)
# Keeps the tokens behind cash, and collateral
vault: public(address)
# Sets funding rates
funding: public(address)
# Sets credit tiers
risk_manager: public(address)


@deploy
def __init__():
    pass


@internal
def _set_gate(gate: IMarginGate, oracle: IRiskOracle):
    assert staticcall gate.require_succeeds(oracle.address, self.oracle.address)
    self.gate = gate
    self.oracle = oracle
    log IClearinghouse.GateSet(gate=gate.address, oracle=oracle.address, seq=self._next_seq())


@internal
def _extend_record(account: uint256, linear: int256, expiry: uint256):
    """
    @notice What an addition to the book does to the record.
    @param linear To the lower bound of perps and futures, WAD.
    @param expiry Earliest of what was added, unix seconds; 2**40 - 1: none.
    """
    word: uint256 = self._records[account][2]
    changed: uint256 = records._extended(word, linear, expiry)
    if changed != word:
        self._records[account][2] = changed


@internal
def _change_fees(change: int256):
    """
    @notice Adds to the fees, or takes from them; reverts below zero.
    """
    running: uint256 = self._running
    fees: uint256 = convert(convert(running & LOW_128, int256) + change, uint256)
    self._running = (running & ~LOW_128) | convert(convert(fees, uint128), uint256)


@internal
def _next_seq() -> uint64:
    running: uint256 = self._running + SEQ
    self._running = running
    return convert((running >> 128) & LOW_64, uint64)


@internal
@view
def _seq() -> uint64:
    return convert((self._running >> 128) & LOW_64, uint64)


@internal
@view
def _paused_until() -> uint256:
    """
    @notice Unix seconds.
    """
    return self._running >> PAUSE_SHIFT
