"""Collateral of the accounts of a house: tokens beside the settlement token."""

from dataclasses import dataclass, replace
from typing import Any

from keeper.attestation.typed_data import Withdrawal
from keeper.clearing import account as accounts
from keeper.clearing.account import Account
from keeper.clearing.collateral import Listing
from tests.support.clearing import Side, source
from tests.support.house import House

NO_CAP = 2**128 - 1


@dataclass(frozen=True)
class Coin:
    """A listed token; amounts are in its own decimals unless WAD is said."""

    token: Any
    listing: Listing

    @property
    def address(self) -> str:
        """Of the token."""
        return str(self.token.address)


def spec(
    decimals: int = 18, underlying: int = 1, haircuts: tuple[int, int] = (1_000, 500), cap: int = NO_CAP
) -> Any:
    """IVault.Collateral, its index left to the vault."""
    return 0, decimals, underlying, *haircuts, cap


def list_coin(house: House, decimals: int = 18, token_name: str = "MockToken", **terms: Any) -> Coin:
    """A new token, listed by the owner; 10 % and 5 % of haircut unless said otherwise."""
    token = source(f"mocks/{token_name}").deploy(decimals)
    values = spec(decimals, **terms)
    index = house.vault.list_collateral(token.address, values, sender=house.contracts.owner)
    return Coin(token, Listing(index, *values[1:]))


def bring(house: House, account: int, coin: Coin, amount: int, payer: str | None = None) -> None:
    """Freshly minted, put in by the owner or another payer."""
    payer = payer or house.owners[account]
    coin.token.mint(payer, amount)
    coin.token.approve(house.vault.address, amount, sender=payer)
    house.vault.deposit(account, coin.address, amount, sender=payer)


def take(house: House, account: int, coin: Coin, amount: int, side: Side, statement: Any = b"") -> None:
    """Taken out by the owner."""
    owner = house.owners[account]
    house.vault.withdraw(account, coin.address, amount, owner, side.evidence(), statement, sender=owner)


def taken(house: House, account: int, coin: Coin, amount: int, **stated: Any) -> tuple[Side, Any]:
    """A report on the account after collateral was taken out, and the statement that carries it."""
    state, owner = state_of(house, account, coin), house.owners[account]
    after = accounts.collateral_withdrawn(state, coin.listing.index, coin.listing.amount(amount))
    side = house.report(account, after, **stated)
    action = Withdrawal(account, coin.address, amount, owner, state.withdraw_nonce).struct_hash()
    return side, house.statement(side, action=action)


def state_of(house: House, account: int, *coins: Coin) -> Account:
    """The account with its balances, read from the chain."""
    held = {coin.listing.index: balance(house, account, coin) for coin in coins}
    return replace(
        house.state(account), collateral={index: amount for index, amount in held.items() if amount}
    )


def balance(house: House, account: int, coin: Coin) -> int:
    """WAD."""
    return int(house.vault.collateral_balance(account, coin.address))
