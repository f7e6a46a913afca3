"""Which tokens are collateral, and on what terms."""

import boa
import pytest

from keeper.units import constants as c
from tests.support.clearing import BANDS, SPOT, WAD
from tests.support.coins import bring, list_coin, spec
from tests.support.house import events

ZERO, OTHER = "0x" + "00" * 20, "0x" + "11" * 20


def listed(house, token, **terms):
    return house.vault.list_collateral(token, spec(**terms), sender=house.contracts.owner)


@pytest.mark.parametrize(
    ("decimals", "underlying", "haircuts", "cap"),
    [(18, 1, (1_000, 500), 10**24), (8, 1, (10_000, 10_000), 2**128 - 1), (0, 1, (0, 0), 0)],
)
def test_list_collateral__owner__is_told_and_kept(house, decimals, underlying, haircuts, cap):
    assert listed(house, OTHER, decimals=decimals, underlying=underlying, haircuts=haircuts, cap=cap) == 1

    (event,) = events(house.vault, "CollateralListed")
    assert (event.token, event.seq) == (OTHER, house.vault.seq())
    kept = house.vault.collateral(OTHER)
    assert kept == event.collateral
    assert (kept.index, kept.decimals, kept.underlying, kept.cap) == (1, decimals, underlying, cap)
    assert (kept.initialHaircut, kept.maintenanceHaircut) == haircuts
    assert house.vault.collaterals() == [OTHER]


def test_list_collateral__as_many_as_there_are_bits__and_no_more(house):
    tokens = [boa.env.generate_address() for _ in range(c.MAX_COLLATERALS)]
    assert [listed(house, token) for token in tokens] == list(range(1, c.MAX_COLLATERALS + 1))

    with boa.reverts("vault: too many tokens"):
        listed(house, OTHER)
    assert listed(house, tokens[3], cap=7) == 4
    assert house.vault.collaterals() == tokens
    assert house.vault.collateral(tokens[3]).cap == 7


def test_list_collateral__again__changes_haircuts_and_cap_for_balances_there_are(house):
    """A listing is never taken away: with a cap of zero nothing comes in, and what is there still counts."""
    account, coin = house.open("maker"), list_coin(house)
    bring(house, account, coin, WAD)

    listed(house, coin.address, haircuts=(2_500, 2_000), cap=0)

    value = house.contracts.valuer.collateral_value(house.clearing.standing(account, False).collateral)
    assert tuple(value) == (2_000 * WAD, 1_500 * WAD, 1_600 * WAD)
    with boa.reverts("vault: collateral above its cap"):
        bring(house, account, coin, 1)


def test_list_collateral__again__keeps_underlying_and_decimals(house):
    """Else a balance would change its price or its size."""
    house.contracts.oracle.add_underlying(SPOT, BANDS, sender=house.contracts.owner)
    listed(house, OTHER)

    with boa.reverts("vault: other underlying"):
        listed(house, OTHER, underlying=2)
    with boa.reverts("vault: other decimals"):
        listed(house, OTHER, decimals=8)


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"decimals": 19}, "vault: more than 18 decimals"),
        ({"underlying": 0}, "vault: no underlying"),
        ({"underlying": 2}, "vault: no underlying"),
        ({"haircuts": (500, 501)}, "vault: maintenance haircut above initial"),
        ({"haircuts": (10_001, 0)}, "vault: haircut above 1"),
    ],
)
def test_list_collateral__bad_terms__reverts(house, terms, reason):
    with boa.reverts(reason):
        listed(house, OTHER, **terms)


@pytest.mark.parametrize("which", ["zero", "settlement token"])
def test_list_collateral__not_a_collateral_token__reverts(house, which):
    token = ZERO if which == "zero" else house.contracts.token.address

    with boa.reverts("vault: not a collateral token"):
        listed(house, token)


def test_collateral__not_listed__is_empty(house):
    assert tuple(house.vault.collateral(OTHER)) == (0,) * 6
