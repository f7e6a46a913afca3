import boa
import pytest

from keeper.units import constants as c
from tests.support.clearing import CALL, PUT, USDC, WAD, Deal, Side, auction_house, deploy, source
from tests.support.halves import Halves
from tests.support.house import events

ZERO = "0x" + "00" * 20
OTHER = "0x" + "11" * 20


def test_collect_fees__owner__pays_whole_units_and_keeps_the_rest(pair):
    house, recipient = pair.house, boa.env.generate_address()
    house.hold(pair.maker, pair.taker, Deal(CALL, fees=(2 * WAD + 1, 3 * WAD)))
    held = house.vault.held(house.contracts.token.address)
    house.vault.set_fee_recipient(recipient, sender=house.contracts.owner)

    assert house.vault.collect_fees(sender=boa.env.generate_address("anyone")) == 5 * USDC

    (event,) = events(house.vault, "FeesCollected")
    assert (event.recipient, event.amount) == (recipient, 5 * USDC)
    assert event.seq == house.vault.seq()
    assert house.clearing.totals().fees == 1
    assert house.vault.held(house.contracts.token.address) == held - 5 * USDC
    assert house.contracts.token.balanceOf(recipient) == 5 * USDC
    with boa.reverts("vault: no fees"):
        house.vault.collect_fees()


def test_collect_fees__no_recipient__reverts(house):
    with boa.reverts("vault: zero address"):
        house.vault.set_fee_recipient(ZERO, sender=house.contracts.owner)
    with boa.reverts("vault: no fee recipient"):
        house.vault.collect_fees()


def test_set_fee_recipient__owner__is_recorded(house):
    house.vault.set_fee_recipient(OTHER, sender=house.contracts.owner)

    (event,) = events(house.vault, "FeeRecipientSet")
    assert (event.recipient, event.seq) == (OTHER, house.vault.seq())
    assert house.vault.fee_recipient() == OTHER


def test_set_module__owner__is_recorded(house):
    module, owner = house.contracts.token.address, house.contracts.owner
    house.clearing.set_module(module, True, sender=owner)

    (event,) = events(house.clearing, "ModuleSet")
    assert (event.module, event.allowed, event.seq) == (module, True, house.clearing.totals().seq)
    assert house.clearing.modules(module)
    house.clearing.set_module(module, False, sender=owner)
    assert not house.clearing.modules(module)


def test_set_module__no_contract__reverts(house):
    with boa.reverts("clearing: not a contract"):
        house.clearing.set_module(OTHER, True, sender=house.contracts.owner)
    house.clearing.set_module(OTHER, False, sender=house.contracts.owner)


def test_set_vault__owner__once(house):
    gate, oracle, extension = house.clearing.gate(), house.clearing.oracle(), house.clearing.EXTENSION()
    first = source("clearing/Clearinghouse").deploy(gate, oracle, extension)
    clearing = Halves(first, source("clearing/ClearinghouseExtension"))

    clearing.set_vault(OTHER)

    (event,) = events(clearing, "VaultSet")
    assert (event.vault, event.seq, clearing.vault()) == (OTHER, clearing.totals().seq, OTHER)
    with boa.reverts("clearing: vault is set"):
        clearing.set_vault(OTHER)


def test_deploy__extension_without_code__reverts(house):
    with boa.reverts("clearing: not a contract"):
        source("clearing/Clearinghouse").deploy(house.clearing.gate(), house.clearing.oracle(), OTHER)


def test_set_gate__owner__is_recorded(house):
    oracle, valuer = house.contracts.oracle.address, house.contracts.valuer.address
    gate = source("risk/MarginGate").deploy(oracle, valuer).address

    house.clearing.set_gate(gate, oracle, sender=house.contracts.owner)

    (event,) = events(house.clearing, "GateSet")
    assert (event.gate, event.oracle, event.seq) == (gate, oracle, house.clearing.totals().seq)
    assert (house.clearing.gate(), house.clearing.oracle()) == (gate, oracle)


@pytest.mark.parametrize(
    ("contract", "function", "event", "field"),
    [
        ("clearing", "set_funding", "FundingSet", "funding"),
        ("clearing", "set_risk_manager", "RiskManagerSet", "riskManager"),
    ],
)
def test_set_contract__owner__is_recorded(house, contract, function, event, field):
    target = getattr(house, contract)

    getattr(target, function)(OTHER, sender=house.contracts.owner)

    (told,) = events(target, event)
    seq = target.totals().seq if contract == "clearing" else target.seq()
    assert (getattr(told, field), told.seq) == (OTHER, seq)
    assert getattr(target, function.removeprefix("set_"))() == OTHER


def test_set_auction_house__owner__is_recorded(house):
    auctions = auction_house()

    house.clearing.set_auction_house(auctions, sender=house.contracts.owner)

    (told,) = events(house.clearing, "AuctionHouseSet")
    assert (told.auctionHouse, told.seq) == (auctions, house.clearing.totals().seq)
    assert house.clearing.auction_house() == auctions


def test_set_auction_house__while_one_auctions__reverts(house):
    owner, busy, idle = house.contracts.owner, auction_house(), auction_house()
    open_auctions = source("mocks/MockAuctionHouse").at(busy).set_open
    open_auctions(1)
    with boa.reverts("clearing: open auctions"):
        house.clearing.set_auction_house(busy, sender=owner)
    open_auctions(0)
    house.clearing.set_auction_house(busy, sender=owner)
    open_auctions(1)
    with boa.reverts("clearing: open auctions"):
        house.clearing.set_auction_house(idle, sender=owner)


@pytest.mark.parametrize("account", [ZERO, OTHER])
def test_set_auction_house__that_cannot_answer__reverts(house, account):
    with boa.reverts():
        house.clearing.set_auction_house(account, sender=house.contracts.owner)


@pytest.mark.parametrize("account", [ZERO, OTHER])
def test_set_insurance_fund__no_contract__reverts(house, account):
    with boa.reverts("vault: not a contract"):
        house.vault.set_insurance_fund(account, sender=house.contracts.owner)


def test_set_outflow_share__owner__is_recorded(house):
    house.vault.set_outflow_share(WAD, sender=house.contracts.owner)

    (event,) = events(house.vault, "OutflowShareSet")
    assert (event.share, event.seq) == (WAD, house.vault.seq())
    assert house.vault.outflow(house.contracts.token.address).share == WAD


def test_deploy__vault__tells_its_token_and_limit(contracts):
    with boa.env.anchor():
        vault = source("clearing/Vault").deploy(contracts.clearing.address, contracts.token.address, 6, WAD)
        (token,) = events(vault, "SettlementTokenSet")
        (share,) = events(vault, "OutflowShareSet")

        assert (token.token, token.decimals, token.seq) == (contracts.token.address, 6, 1)
        assert (share.share, share.seq) == (WAD, vault.seq())
        assert vault.settlement_token() == contracts.token.address
        assert vault.CLEARINGHOUSE() == contracts.clearing.address
        assert vault.owner() == boa.env.eoa


@pytest.mark.parametrize("zero", [0, 1])
def test_deploy__vault_with_a_zero_address__reverts(zero):
    addresses = [OTHER, OTHER]
    addresses[zero] = ZERO

    with boa.reverts("vault: zero address"):
        source("clearing/Vault").deploy(*addresses, 6, WAD)


@pytest.mark.parametrize("share", [0, WAD + 1])
def test_set_outflow_share__out_of_range__reverts(house, share):
    with boa.reverts("custody: bad outflow share"):
        house.vault.set_outflow_share(share, sender=house.contracts.owner)


def test_outflow__another_token__holds_nothing(house):
    house.open("maker", 5)

    assert (house.vault.outflow(OTHER).level, house.vault.outflow(OTHER).limit) == (0, 0)
    assert house.vault.held(OTHER) == 0


def test_deploy__more_than_18_decimals__reverts():
    with boa.env.anchor(), boa.reverts("vault: more than 18 decimals"):
        deploy(19)


@pytest.mark.parametrize(
    ("contract", "function", "arguments"),
    [
        ("clearing", "set_module", (OTHER, True)),
        ("clearing", "set_gate", (OTHER, OTHER)),
        ("clearing", "set_vault", (OTHER,)),
        ("clearing", "set_auction_house", (OTHER,)),
        ("clearing", "unpause", ()),
        ("vault", "set_outflow_share", (WAD,)),
        ("vault", "set_insurance_fund", (OTHER,)),
        ("vault", "list_collateral", (OTHER, (0, 18, 1, 0, 0, 1))),
        ("vault", "set_fee_recipient", (OTHER,)),
        ("vault", "rescue", (OTHER, OTHER)),
    ],
)
def test_administration__guardian__reverts(house, contract, function, arguments):
    with boa.reverts("ownable: caller is not the owner"):
        getattr(getattr(house, contract), function)(*arguments, sender=house.contracts.guardian)


def test_outflow__gain_beyond_the_exempt_part__fills_and_drains(pair):
    """A gain is paid within the limit, 5 % of what is held an hour; what was deposited leaves freely."""
    house, token = pair.house, pair.house.contracts.token.address
    house.hold(pair.maker, pair.taker, Deal(PUT, 50 * WAD, 10 * WAD), Deal(PUT, -50 * WAD, 2_000 * WAD))
    worst, exempt = Side(c.WAY_WORST_CASE), house.state(pair.maker).exempt // 10**12
    house.withdraw(pair.maker, exempt, worst)
    assert house.vault.outflow(token).level == 0
    limit = house.vault.outflow(token).limit
    assert limit == house.vault.held(house.contracts.token.address) // 20

    with boa.reverts("custody: outflow limit"):
        house.withdraw(pair.maker, limit + 1, worst)
    house.withdraw(pair.maker, limit, worst)
    with boa.reverts("custody: outflow limit"):
        house.withdraw(pair.maker, 1, worst)
    boa.env.evm.patch.timestamp += 3_600
    house.withdraw(pair.maker, house.vault.outflow(token).limit // 4, worst)
