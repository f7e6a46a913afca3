"""What leaves the protocol, and what nobody can stop."""

from keeper.clearing import headroom, ways
from keeper.clearing.account import Account
from tests.stateful.orders import REPORT, WORST_CASE, Side
from tests.stateful.protocol import Protocol
from tests.stateful.truth import health
from tests.stateful.world import WINDOW

UNIT = 10**12  # WAD of the settlement token's smallest unit


def no_withdrawal_leaves_an_account_short(p: Protocol) -> None:
    """Invariant 3: afterwards equity is at initial margin or above by the exact methodology, and settled
    cash at zero or above.
    """
    while p.withdrawn:
        number, way = p.withdrawn.pop()
        account = p.account(number)
        bounds = p.predictor.bounds(account)
        if way == WORST_CASE:
            assert account.cash + (bounds.worst_case or 0) >= 0
            continue
        views = p.world.views(p.epoch.words) if way == REPORT else p.epoch.views
        linear = bounds.linear if way == REPORT else account.record.linear
        assert account.cash + linear >= 0
        if way == REPORT or _is_exact(p, number, account):
            stands = health(p, account, views)
            assert stands.equity_initial + p.indivisible.get(number, 0) >= stands.initial


def deposits_settlement_and_covered_withdrawals_need_nobody(p: Protocol) -> None:
    """Invariant 8: paused or without fresh epochs, every account can still put cash in, settle, and take out
    what its worst case does not need. That reductions at the mark pass is the model's to say.
    """
    if p.world.contracts.oracle.is_fresh() and not p.predictor.is_paused:
        return
    accounts = sorted(p.ledger.accounts)
    number = accounts[p.world.chain.calls % len(accounts)]
    with p.world.chain.undone():
        assert p.world.deposit(number, 1) == ""
    if p.predictor.payoffs(number):
        with p.world.chain.undone():
            book = sorted(p.account(number).positions)
            assert p.world.clearing.attempt("settle", number, book) == ""
    if _may_take_a_unit(p, number):
        side = Side(number, WORST_CASE, sorted(p.account(number).positions))
        with p.world.chain.undone():
            reason = p.world.withdraw(side, 0, 1, b"")
            assert reason == "", reason
        p.summary["covered withdrawal without keepers"] += 1


def _is_exact(p: Protocol, number: int, account: Account) -> bool:
    record = account.record
    in_window = record.earliest_expiry <= p.now + WINDOW
    is_present = record.epoch == p.epoch.number and number in p.exact
    return is_present and not in_window and headroom.holds(account, p.now)


def _may_take_a_unit(p: Protocol, number: int) -> bool:
    """Its own deposit, not needed in the worst case, and cash worth its face."""
    account = p.account(number)
    after = p.predictor.withdrawn(account, 0, 1)
    covered = ways.worst_case_refusal(after, p.predictor.bounds(after)) is None
    return covered and account.exempt >= UNIT and not account.frozen and p.predictor.paid(1) == 1


def check_all(p: Protocol) -> None:
    no_withdrawal_leaves_an_account_short(p)
    deposits_settlement_and_covered_withdrawals_need_nobody(p)
