"""`ape run unstake`: out of the insurance fund, by request, cooldown and exit."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from scripts._wallet import (
    Command,
    Sentence,
    Wallet,
    amount_of,
    emit,
    guarded,
    is_confirmed,
    options,
    plain,
    signer_of,
)


@dataclass(frozen=True)
class Stake:
    """What a staker has in the fund. Amounts in the token's decimals, shares in the vault's, times unix."""

    staker: str
    decimals: int
    shares: int
    worth: int
    requested: int
    # of the requested shares, when they were requested
    quoted: int
    matures: int
    expires: int
    # assets that may leave now
    payable: int
    now: int

    @property
    def state(self) -> str:
        """none, cooling, open (for an exit), blocked (by an insolvent auction) or expired."""
        if not self.requested:
            return "none"
        if self.now < self.matures:
            return "cooling"
        if self.now > self.expires:
            return "expired"
        return "open" if self.payable else "blocked"


@click.command(cls=Command)
@options("account", "json", "yes")
@click.option("--amount", help="Request to leave with as many dollars.")
@click.option("--all", "everything", is_flag=True, help="Request to leave with everything.")
@click.option("--finish", is_flag=True, help="Use a request whose cooldown is over.")
@click.option("--cancel", is_flag=True, help="Withdraw the request.")
@click.option("--status", is_flag=True, help="Show the stake and the request.")
@guarded
def cli(
    provider: Any,
    alias: str | None,
    as_json: bool,
    yes: bool,
    amount: str | None,
    everything: bool,
    finish: bool,
    cancel: bool,
    status: bool,
) -> None:
    """Leave the insurance fund: request, wait for the cooldown, finish within two days.

    An exit pays the lower of the values at request and at exit. A second request replaces the first, and its
    cooldown starts anew. While an insolvent auction is open nobody leaves.

    \b
    Examples:
      ape run unstake --account TEST::3 --amount 1000
      ape run unstake --account TEST::3 --status
      ape run unstake --account TEST::3 --finish
      ape run unstake --account TEST::3 --cancel
    """
    chosen = [amount is not None, everything, finish, cancel, status]
    if sum(chosen) != 1:
        raise Sentence("give one of --amount, --all, --finish, --cancel, --status")
    wallet = Wallet(provider)
    signer = signer_of(alias, wallet.is_devnet)
    stake = _stake(wallet, str(signer.address))
    if finish:
        done = _finish(wallet, signer, stake, yes)
    elif cancel:
        done = _cancel(wallet, signer, stake, yes)
    elif status:
        done = True
    else:
        done = _request(wallet, signer, stake, amount, yes)
    if done:
        _show(as_json, _stake(wallet, stake.staker))


def _stake(wallet: Wallet, staker: str) -> Stake:
    shares = wallet.read("InsuranceFund", "balanceOf", staker)
    requested, quoted, matures, expires = wallet.read("InsuranceFund", "exit_of", staker)
    return Stake(
        staker,
        wallet.token.functions.decimals().call(),
        shares,
        wallet.read("InsuranceFund", "convertToAssets", shares),
        requested,
        quoted,
        matures,
        expires,
        wallet.read("InsuranceFund", "maxWithdraw", staker),
        wallet.now(),
    )


def _request(wallet: Wallet, signer: Any, stake: Stake, amount: str | None, yes: bool) -> bool:
    if not stake.shares:
        raise Sentence(f"{stake.staker} has nothing in the insurance fund")
    shares = stake.shares
    if amount is not None:
        units = amount_of(amount, stake.decimals)
        if units > stake.worth:
            raise Sentence(
                f"{stake.staker} has {plain(stake.worth, stake.decimals)} there, less than {amount}"
            )
        # one more, because the value of the shares is rounded down
        shares = min(shares, wallet.read("InsuranceFund", "convertToShares", units) + 1)
    if not is_confirmed(wallet, yes, f"request to leave the insurance fund with {amount or 'everything'}"):
        return False
    wallet.send(signer, wallet.contract("InsuranceFund"), "request_exit", shares)
    return True


def _finish(wallet: Wallet, signer: Any, stake: Stake, yes: bool) -> bool:
    if stake.state == "none":
        raise Sentence(f"{stake.staker} has not requested to leave: give --amount first")
    if stake.state == "cooling":
        raise Sentence(f"the request is cooling down until {_moment(stake.matures)}")
    if stake.state == "expired":
        raise Sentence(f"the request expired on {_moment(stake.expires)}: request again")
    if stake.state == "blocked":
        raise Sentence("nothing can leave now: an insolvent auction is open, or the shares are worth nothing")
    paid = plain(stake.payable, stake.decimals)
    if not is_confirmed(wallet, yes, f"leave the insurance fund with {paid}"):
        return False
    fund = wallet.contract("InsuranceFund")
    wallet.send(signer, fund, "redeem", stake.requested, stake.staker, stake.staker)
    return True


def _cancel(wallet: Wallet, signer: Any, stake: Stake, yes: bool) -> bool:
    if stake.state == "none":
        raise Sentence(f"{stake.staker} has no request to cancel")
    if not is_confirmed(wallet, yes, "cancel the request to leave the insurance fund"):
        return False
    wallet.send(signer, wallet.contract("InsuranceFund"), "cancel_exit")
    return True


def _show(as_json: bool, stake: Stake) -> None:
    worth, quoted = plain(stake.worth, stake.decimals), plain(stake.quoted, stake.decimals)
    shown = {
        "staker": stake.staker,
        "shares": str(stake.shares),
        "worth": worth,
        "exit": stake.state,
        "requested": str(stake.requested),
        "quoted": quoted,
        "matures": stake.matures,
        "expires": stake.expires,
    }
    text = f"{stake.staker} has {worth} in the insurance fund"
    if stake.state != "none":
        between = f"from {_moment(stake.matures)} to {_moment(stake.expires)}"
        text += f"; at most {quoted} may leave {between}, now: {stake.state}"
    emit(as_json, shown, text)


def _moment(time: int) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M} UTC"
