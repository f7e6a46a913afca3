import boa
import pytest

from keeper.units import constants as c
from tests.support.clearing import CALL, HEADROOM, PERP, PUT, USDC, WAD, Deal, Side
from tests.support.house import events

WORST = Side(c.WAY_WORST_CASE)
LONG_PERP = Deal(PERP, WAD, 2_000 * WAD)
EQUITY = 9_000 * WAD  # of a long perp at 2,000 after 1,000 of 10,000 left
TAKEN = 1_000 * USDC


@pytest.fixture
def long_perp(pair):
    """The maker is long one perp at its mark."""
    pair.house.hold(pair.maker, pair.taker, LONG_PERP)
    return pair


def withdraw(pair, way, margin):
    """1,000 USD out, against an initial margin stated by leaf, record or report."""
    house, stated = pair.house, {"mark_to_market": 2_000 * WAD, "initial_margin": margin}
    house.post(house.margin(pair.maker, **stated))
    statement = None
    if way == c.WAY_HEADROOM:
        house.refresh(pair.maker)
        side = HEADROOM
    elif way == c.WAY_LEAF:
        side = house.leaf(pair.maker)
    else:
        side, statement = house.withdrawal(pair.maker, TAKEN, **stated)
    house.withdraw(pair.maker, TAKEN, side, statement)


@pytest.mark.parametrize("way", [c.WAY_HEADROOM, c.WAY_LEAF, c.WAY_REPORT])
@pytest.mark.parametrize("slack", [0, 1])
def test_withdraw__at_initial_margin_or_above__pays(long_perp, way, slack):
    withdraw(long_perp, way, EQUITY - slack)

    assert long_perp.house.state(long_perp.maker).cash == 7_000 * WAD


@pytest.mark.parametrize("way", [c.WAY_HEADROOM, c.WAY_LEAF, c.WAY_REPORT])
def test_withdraw__one_wei_below_initial_margin__reverts(long_perp, way):
    with boa.reverts("gate: below initial margin"):
        withdraw(long_perp, way, EQUITY + 1)


@pytest.mark.parametrize("fee", [0, 1, 2])
def test_withdraw__worst_case__to_the_wei(pair, fee):
    """A short put can cost 2,000: of 10,100 USD, 8,100 leave, less whatever the fees were."""
    house = pair.house
    house.hold(pair.maker, pair.taker, Deal(PUT, -WAD, 100 * WAD, (fee, 0)))
    house.trade(
        Deal(PUT, WAD // 10**8, 100 * WAD, (0, 0)),
        pair.maker,
        pair.taker,
        house.easy(pair.maker, Deal(PUT, WAD // 10**8, 100 * WAD), taker=False),
        house.easy(pair.taker, Deal(PUT, WAD // 10**8, 100 * WAD)),
    )
    # 1e-8 of a put bought back frees 2,000e-8 less its price: 19e-6 USD
    spare = 19 - (fee > 0)

    with boa.reverts("gate: not fully collateralised"):
        house.withdraw(pair.maker, 8_100 * USDC + spare + 1, house.worst(pair.maker))
    house.withdraw(pair.maker, 8_100 * USDC + spare, house.worst(pair.maker))


def test_withdraw__worst_case__pays_and_tells(pair):
    house, recipient = pair.house, boa.env.generate_address()
    token = house.contracts.token

    house.withdraw(pair.maker, 4_000 * USDC, WORST, recipient=recipient)

    (event,) = events(house.vault, "Withdrawn")
    assert (event.account, event.token, event.recipient) == (pair.maker, token.address, recipient)
    assert (event.amount, event.cash) == (4_000 * USDC, 6_000 * WAD)
    assert event.seq == house.vault.seq()
    state = house.state(pair.maker)
    assert (state.cash, state.exempt, state.withdraw_nonce) == (6_000 * WAD, 6_000 * WAD, 1)
    assert token.balanceOf(recipient) == 4_000 * USDC
    assert house.vault.held(token.address) == token.balanceOf(house.vault.address) == 1_006_000 * USDC


def test_withdraw__operator__may(pair):
    house, operator = pair.house, boa.env.generate_address()
    house.clearing.set_operator(
        pair.maker, operator, c.SCOPE_WITHDRAW, 2**40 - 1, sender=house.owners[pair.maker]
    )

    house.withdraw(pair.maker, USDC, WORST, sender=operator)


def test_withdraw__stranger__reverts(pair):
    with boa.reverts("clearing: not authorised"):
        pair.house.withdraw(pair.maker, USDC, WORST, sender=boa.env.generate_address())


def test_withdraw__zero_recipient__reverts(pair):
    with boa.reverts("vault: zero recipient"):
        pair.house.withdraw(pair.maker, USDC, WORST, recipient="0x" + "00" * 20)


def test_withdraw__nothing__reverts(pair):
    with boa.reverts("vault: zero amount"):
        pair.house.withdraw(pair.maker, 0, WORST)


@pytest.mark.parametrize("way", [c.WAY_REDUCE_REPORT, c.WAY_REDUCE_AT_MARK, 255])
def test_withdraw__way_of_a_reduction__reverts(pair, way):
    with boa.reverts("clearing: not a way to withdraw"):
        pair.house.withdraw(pair.maker, USDC, Side(way))


@pytest.mark.parametrize("way", [c.WAY_HEADROOM, c.WAY_REPORT, c.WAY_LEAF])
def test_withdraw__paper_gain__reverts(pair, way):
    """95 calls were paid with 9,500 of the 10,000: only 500 is cash."""
    house = pair.house
    house.hold(pair.maker, pair.taker, Deal(CALL, 95 * WAD))
    stated = {"mark_to_market": 9_500 * WAD}
    house.post(house.margin(pair.maker, **stated))
    house.refresh(pair.maker)
    side, statement = house.withdrawal(pair.maker, 500 * USDC + 1, **stated)
    if way != c.WAY_REPORT:
        side, statement = (house.leaf(pair.maker) if way == c.WAY_LEAF else HEADROOM), None

    with boa.reverts("gate: settled cash below zero"):
        house.withdraw(pair.maker, 500 * USDC + 1, side, statement)


def test_withdraw__report_of_another_amount__reverts(pair):
    side, statement = pair.house.withdrawal(pair.maker, USDC)

    with boa.reverts("quorum: wrong signer"):
        pair.house.withdraw(pair.maker, 2 * USDC, side, statement)


def test_withdraw__report_twice__reverts(pair):
    side, statement = pair.house.withdrawal(pair.maker, USDC)
    pair.house.withdraw(pair.maker, USDC, side, statement)

    with boa.reverts("quorum: wrong signer"):
        pair.house.withdraw(pair.maker, USDC, side, statement)


def test_withdraw__report__leaves_no_record(pair):
    house = pair.house
    side, statement = house.withdrawal(pair.maker, USDC, maintenance_margin=7)
    house.withdraw(pair.maker, USDC, side, statement)

    assert events(house.clearing, "RecordSet") == []
    assert list(house.clearing.standing(pair.maker, True).record) == [0] * 3


def test_withdraw__spot_outside_its_band__only_the_exempt_part(pair):
    """A gain does not leave at a spot that the chain does not believe; deposits do."""
    house = pair.house
    house.hold(pair.maker, pair.taker, Deal(CALL, WAD, 100 * WAD), Deal(CALL, -WAD, 600 * WAD))
    house.post(house.margin(pair.maker), spot=3_000 * 10**8, effective=2_040 * 10**8)
    house.refresh(pair.maker)
    exempt = house.state(pair.maker).exempt // 10**12

    with boa.reverts("gate: spot outside its band"):
        house.withdraw(pair.maker, exempt + 1, HEADROOM)
    house.withdraw(pair.maker, exempt, HEADROOM)
    house.withdraw(pair.maker, USDC, WORST)
