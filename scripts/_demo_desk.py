"""Traders on a devnet: they deposit, sign orders, fill them, and remember what each transaction cost."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.contract.contract import ContractFunction
from web3.types import TxReceipt

from keeper.attestation.evidence import NO_EVIDENCE, Evidence
from keeper.attestation.typed_data import digest, domain_separator, sign
from keeper.exchange.order import Leg, Order, fill_arguments, nonce_of, signature_bytes
from keeper.markets.instrument import Instrument
from keeper.units.constants import SCOPE_TRADE, WAD, WAY_REDUCE_REPORT, WAY_REPORT
from scripts import _demo_story as story
from scripts import _trading as trading
from scripts._artifacts import artifact
from scripts._demo_network import COLLATERAL, Keepers
from scripts._devnet import CHAIN_ID, MNEMONIC
from scripts._protocol import Deployment

TOKEN_UNIT = 10**6
_TICKS = {1: WAD // 10, 2: WAD // 100}  # BTC, ETH
_REPORTS = {"report": WAY_REPORT, "reduce-report": WAY_REDUCE_REPORT}
_GAS = 8_400_000
_ORDER_SECONDS = 7_200
_DAY = 86_400
_NO_LIMIT_FEE = 10**6 * WAD


@dataclass
class Trader:
    """One account: its key, and its book as it has traded it."""

    name: str
    key: LocalAccount
    account: int = 0
    book: dict[int, int] = field(default_factory=dict)
    orders: int = 0
    epoch: int = 0  # of the record that headroom is measured from


@dataclass
class Desk:
    """Sends traders' transactions; gas by kind."""

    web3: Web3
    deployment: Deployment
    keepers: Keepers
    gas: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    trades: int = 0
    _contracts: dict[str, Any] = field(default_factory=dict)
    _times: dict[int, int] = field(default_factory=dict)

    def contract(self, name: str) -> Any:
        """web3's object of a deployed contract."""
        if name not in self._contracts:
            address = Web3.to_checksum_address(self.deployment.address(name))
            abi = artifact(self.deployment[name].name).abi
            self._contracts[name] = self.web3.eth.contract(address=address, abi=abi)
        return self._contracts[name]

    def time_of(self, block: int) -> int:
        """Timestamp of a mined block."""
        if block not in self._times:
            self._times[block] = self.web3.eth.get_block(block)["timestamp"]
        return self._times[block]

    def trader(self, name: str, index: int) -> Trader:
        """The `index`-th key of the public test phrase."""
        Account.enable_unaudited_hdwallet_features()
        return Trader(name, Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}"))

    def fund(self, trader: Trader, dollars: int, isolated: tuple[int, int] | None = None) -> None:
        """A new account with settlement tokens from the faucet.

        isolated: the underlying and the expiry that it is confined to, 0: any.
        """
        clearing, owner = self.contract("Clearinghouse"), trader.key.address
        functions = clearing.functions
        opened = functions.open_isolated(owner, *isolated) if isolated else functions.open_account(owner)
        receipt = self.send(trader, opened, "open account")
        trader.account = clearing.events.AccountOpened().process_receipt(receipt)[0]["args"]["account"]
        self._deposit(trader, "MockToken", dollars * TOKEN_UNIT, "deposit")

    def pledge(self, trader: Trader, coins: int) -> None:
        """ETH from the faucet as collateral."""
        self._deposit(trader, COLLATERAL.name, coins * WAD, "deposit collateral")

    def stake(self, trader: Trader, dollars: int) -> None:
        """Puts dollars from the faucet into the insurance fund."""
        fund = self.contract("InsuranceFund")
        self._mint(trader, "MockToken", dollars * TOKEN_UNIT, fund.address)
        self.send(trader, fund.functions.deposit(dollars * TOKEN_UNIT, trader.key.address), "stake")

    def appoint(self, trader: Trader, operator: str) -> None:
        """Lets another address trade for an account, and nothing else, until the end of the story."""
        grant = self.contract("Clearinghouse").functions.set_operator
        self.send(trader, grant(trader.account, operator, SCOPE_TRADE, story.END + _DAY), "set operator")

    def fund_assets(self) -> float:
        """Assets of the insurance fund, USD."""
        return int(self.contract("InsuranceFund").functions.totalAssets().call()) / TOKEN_UNIT

    def _deposit(self, trader: Trader, token: str, amount: int, kind: str) -> None:
        vault = self.contract("Vault")
        self._mint(trader, token, amount, vault.address)
        address = self.contract(token).address
        self.send(trader, vault.functions.deposit(trader.account, address, amount), kind)

    def _mint(self, trader: Trader, token: str, amount: int, spender: str) -> None:
        found = self.contract(token)
        self.send(trader, found.functions.mint(trader.key.address, amount))
        self.send(trader, found.functions.approve(spender, amount))

    def mark(self, epoch: int, instrument: int) -> int:
        """The attested mark, WAD, rounded to the instrument's tick, at least one tick."""
        leaf = self.keepers.client.instrument(epoch, instrument)["leaf"]
        tick = _TICKS[Instrument.unpack(instrument).underlying]
        return max(round(int(leaf["mark"]) / tick), 1) * tick

    def trade(self, maker: Trader, taker: Trader, instrument: int, quantity: int, way: str) -> None:
        """The taker buys `quantity` (WAD, signed) from the maker at the mark.

        The maker passes by headroom, the taker by `way`; without a record of this epoch it shows its leaf.
        """
        epoch = self.epoch()
        price = self.mark(epoch, instrument)
        for trader in (maker, taker):
            trader.book = self.book_of(trader.account)
        if way == "reduce-report":
            self._refresh(taker, epoch)
        lot = WAD // 1000
        lot = lot if quantity > 0 else -lot
        units = quantity // lot
        maker_order = self._order(maker, instrument, -lot, units, -price * lot // WAD)
        taker_order = self._order(taker, instrument, lot, units, price * lot // WAD)
        unit_price = -price * lot // WAD
        shown = trading.with_instruments(self.keepers.client.instrument(epoch, instrument))
        evidence, statement = [], shown
        for side, trader, signed in (("maker", maker, -quantity), ("taker", taker, quantity)):
            chosen = way if side == "taker" else "headroom"
            found, statement = self._evidence(
                trader,
                side,
                chosen,
                signed,
                instrument,
                epoch,
                (maker_order, taker_order, units, unit_price),
                statement,
            )
            evidence.append(found)
        exchange = self.contract("Exchange")
        signatures = self._sign(maker, maker_order), self._sign(taker, taker_order)
        terms = fill_arguments(
            maker_order, signatures[0], taker_order, signatures[1], units, unit_price, [price], self.trades
        )
        call = exchange.functions.fill(*terms, *evidence, statement.encoded())
        self.send(taker, call, f"trade, {way.replace('-', ' ')}")
        self.trades += 1
        for trader, signed in ((maker, -quantity), (taker, quantity)):
            trader.book[instrument] = trader.book.get(instrument, 0) + signed

    def _refresh(self, trader: Trader, epoch: int) -> None:
        """Records the epoch's leaf: what a reduction is measured against."""
        answer = self.keepers.client.account(epoch, trader.account)
        evidence = trading.leaf_evidence(answer, sorted(trader.book))
        statement = trading.Statement(epoch=epoch).encoded()
        refresh = self.contract("Clearinghouse").functions.refresh
        self.send(trader, refresh(trader.account, evidence, statement), "refresh")

    def epoch(self) -> int:
        """Number of the latest epoch on the chain."""
        return int(self.contract("RiskOracle").functions.header().call()[0])

    def book_of(self, account: int) -> dict[int, int]:
        """What an account holds now: instrument -> quantity, WAD."""
        found = self.keepers.client.state(account)["positions"]
        return {int(leg["instrument"]): int(leg["quantity"]) for leg in found}

    def _evidence(
        self,
        trader: Trader,
        side: str,
        way: str,
        quantity: int,
        instrument: int,
        epoch: int,
        fill: tuple[Order, Order, int, int],
        statement: trading.Statement,
    ) -> tuple[Evidence, trading.Statement]:
        after = trading.book_after(trader.book, [Leg(instrument, quantity)])
        if way == "worst-case":
            return trading.worst_case_evidence(after), statement
        if way in _REPORTS:
            action = trading.fill_action(*fill, self.trades, [side], counted=True)
            answer = self.keepers.client.report(action)
            trader.epoch = epoch
            found = trading.report_evidence(answer, 0, _REPORTS[way])
            return found, trading.with_reports(answer, statement)
        if trader.epoch != epoch:
            answer = self.keepers.client.account(epoch, trader.account)
            trader.epoch = epoch
            return trading.leaf_evidence(answer, after), statement
        return NO_EVIDENCE, statement

    def _order(self, trader: Trader, instrument: int, quantity: int, units: int, limit: int) -> Order:
        trader.orders += 1
        now = self.web3.eth.get_block("latest")["timestamp"]
        nonce = nonce_of(trader.orders % 256, trader.orders // 256)
        legs = (Leg(instrument, quantity),)
        return Order(trader.account, legs, units, limit, _NO_LIMIT_FEE, nonce, now + _ORDER_SECONDS)

    def _sign(self, trader: Trader, order: Order) -> bytes:
        domain = domain_separator(CHAIN_ID, self.contract("Exchange").address)
        return signature_bytes(sign(digest(domain, order.struct_hash()), bytes(trader.key.key)))

    def send(self, trader: Trader, call: ContractFunction, kind: str = "") -> TxReceipt:
        """Sends and waits. RuntimeError with the contract's reason if it reverts."""
        fields: Any = {
            "from": trader.key.address,
            "nonce": self.web3.eth.get_transaction_count(trader.key.address),
            "gas": _GAS,
            "maxFeePerGas": 10**9,
            "maxPriorityFeePerGas": 0,
            "chainId": CHAIN_ID,
        }
        transaction: Any = call.build_transaction(fields)
        signed = trader.key.sign_transaction(transaction)
        sent = self.web3.eth.send_raw_transaction(signed.raw_transaction)
        receipt = self.web3.eth.wait_for_transaction_receipt(sent, timeout=30, poll_latency=0.005)
        if not receipt["status"]:
            try:
                call.call({"from": trader.key.address, "gas": _GAS})
            except Exception as error:  # whatever the node answers is the reason
                raise RuntimeError(f"{trader.name}: {kind or call.fn_name}: {error}") from None
            raise RuntimeError(f"{trader.name}: {kind or call.fn_name} reverted")
        if kind:
            self.gas[kind].append(receipt["gasUsed"])
        return receipt
