# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title AccountLens
@license AGPL-3.0-only
@notice The whole state and health of an account in one call. Reads only.
@custom:security Holds nothing and is trusted by nothing.
@custom:kill None needed: deploy another.
"""

from ..interfaces import IBookValuer
from ..interfaces import IClearinghouse
from ..interfaces import IMarginGate
from ..interfaces import IRiskOracle
from ..units import constants as c

MAX_ACCOUNTS: constant(uint256) = 256
LOW_128: constant(uint256) = 2**128 - 1

CLEARINGHOUSE: public(immutable(IClearinghouse))


# What an account holds and what the chain makes of it. WAD; the margins are those of the record.
struct View:
    account: IClearinghouse.Account
    record: IMarginGate.Record
    # of each instrument asked for
    quantities: DynArray[int256, 128]
    # funding accrued to now
    funding: int256
    # bounds of the book at the latest effective spots; zeros where the instruments asked for are not the whole book
    valuation: IBookValuer.Valuation
    complete: bool
    # whether the record's epoch passes now
    usable: bool
    # mark-to-market by the record and fills since
    mark: int256
    # cash, funding and mark, without collateral
    equity: int256
    collateral: IBookValuer.CollateralValue


# What an index checks its own books against.
struct Summary:
    legCount: uint256
    cash: int256
    addedIM: uint256
    addedMark: int256
    bookHash: bytes32


@deploy
def __init__(clearinghouse: IClearinghouse):
    """
    @param clearinghouse What it reads.
    """
    assert clearinghouse.address != empty(address), "lens: zero address"
    CLEARINGHOUSE = clearinghouse


@external
@view
def view_account(account: uint256, instruments: DynArray[uint128, 128]) -> View:
    """
    @notice State and health of an account.
    @param account Account; zeros where it does not exist.
    @param instruments What it holds, ascending.
    """
    gate: IMarginGate = IMarginGate(staticcall CLEARINGHOUSE.gate())
    oracle: IRiskOracle = IRiskOracle(staticcall CLEARINGHOUSE.oracle())
    result: View = empty(View)
    result.account = staticcall CLEARINGHOUSE.account(account)
    standing: IMarginGate.Standing = staticcall CLEARINGHOUSE.standing(account, True)
    result.record = staticcall gate.unpack(standing.record)
    result.funding = standing.liquid - result.account.cash
    book: DynArray[uint256, 128] = []
    previous: uint256 = 0
    ascending: bool = True
    for instrument: uint128 in instruments:
        held: IClearinghouse.Position = staticcall CLEARINGHOUSE.position(account, instrument)
        result.quantities.append(held.quantity)
        key: uint256 = convert(instrument, uint256)
        ascending = ascending and key > previous
        previous = key
        if held.quantity != 0:
            low: uint256 = (convert(convert(held.quantity, bytes32), uint256) & LOW_128)
            book.append((key << 128) | low)
    result.complete = ascending and len(book) == result.account.legCount
    if result.complete:
        valuer: IBookValuer = IBookValuer(staticcall gate.valuer())
        result.valuation = staticcall valuer.value(book)
    result.usable = staticcall oracle.is_usable(result.record.epoch)
    result.mark = result.record.markBase + result.account.addedMark
    result.equity = standing.liquid + result.mark
    if len(standing.collateral) != 0:
        result.collateral = staticcall IBookValuer(staticcall gate.valuer()).collateral_value(standing.collateral)
    return result


@external
@view
def summaries(accounts: DynArray[uint256, MAX_ACCOUNTS]) -> DynArray[Summary, MAX_ACCOUNTS]:
    """
    @notice What an index needs to know that its books are the chain's.
    """
    result: DynArray[Summary, MAX_ACCOUNTS] = []
    for id: uint256 in accounts:
        account: IClearinghouse.Account = staticcall CLEARINGHOUSE.account(id)
        result.append(
            Summary(
                legCount=account.legCount,
                cash=account.cash,
                addedIM=account.addedIM,
                addedMark=account.addedMark,
                bookHash=account.bookHash,
            )
        )
    return result
