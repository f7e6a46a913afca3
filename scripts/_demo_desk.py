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
from keeper.exchange.order import Leg, Order, nonce_of
from keeper.markets.instrument import Instrument
from keeper.units.constants import WAD
from scripts import _trading as trading
from scripts._artifacts import artifact
from scripts._demo_network import Keepers
from scripts._devnet import CHAIN_ID, MNEMONIC
from scripts._protocol import Deployment

TOKEN_UNIT = 10**6
_TICKS = {1: WAD // 10, 2: WAD // 100}  # BTC, ETH
_GAS = 8_400_000
_ORDER_SECONDS = 7_200
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

    def contract(self, name: str) -> Any:
        """web3's object of a deployed contract."""
        address = Web3.to_checksum_address(self.deployment.address(name))
        return self.web3.eth.contract(address=address, abi=artifact(name).abi)

    def trader(self, name: str, index: int) -> Trader:
        """The `index`-th key of the public test phrase."""
        Account.enable_unaudited_hdwallet_features()
        return Trader(name, Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}"))

    def fund(self, trader: Trader, dollars: int) -> None:
        """Faucet, approval, a new account, and the deposit."""
        amount = dollars * TOKEN_UNIT
        token, clearing = self.contract("MockToken"), self.contract("Clearinghouse")
        self.send(trader, token.functions.mint(trader.key.address, amount))
        self.send(trader, token.functions.approve(clearing.address, amount))
        receipt = self.send(trader, clearing.functions.open_account(trader.key.address), "open_account")
        opened = clearing.events.AccountOpened().process_receipt(receipt)
        trader.account = opened[0]["args"]["account"]
        self.send(trader, clearing.functions.deposit(trader.account, token.address, amount), "deposit")

    def mark(self, epoch: int, instrument: int) -> int:
        """The attested mark, WAD, rounded to the instrument's tick, at least one tick."""
        leaf = self.keepers.client.instrument(epoch, instrument)["leaf"]
        tick = _TICKS[Instrument.unpack(instrument).underlying]
        return max(round(int(leaf["mark"]) / tick), 1) * tick

    def trade(self, maker: Trader, taker: Trader, instrument: int, quantity: int, way: str) -> None:
        """The taker buys `quantity` (WAD, signed) from the maker at the mark.

        The maker passes by headroom, the taker by `way`; without a record of this epoch it shows its leaf.
        """
        epoch = self.keepers.client.latest_epoch()["number"]
        price = self.mark(epoch, instrument)
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
        call = exchange.functions.fill(
            maker_order.values(),
            self._sign(maker, maker_order),
            taker_order.values(),
            self._sign(taker, taker_order),
            units,
            unit_price,
            [price],
            self.trades,
            *evidence,
            statement.encoded(),
        )
        self.send(taker, call, f"trade_{way.replace('-', '_')}")
        self.trades += 1
        for trader, signed in ((maker, -quantity), (taker, quantity)):
            trader.book[instrument] = trader.book.get(instrument, 0) + signed
            if not trader.book[instrument]:
                del trader.book[instrument]

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
        if way == "worst-case":
            after = trading.book_after(trader.book, [Leg(instrument, quantity)])
            return trading.worst_case_evidence(after), statement
        if way == "report":
            action = trading.fill_action(*fill, self.trades, [side], counted=True)
            answer = self.keepers.client.report(action)
            trader.epoch = epoch
            return trading.report_evidence(answer, 0), trading.with_reports(answer, statement)
        if trader.epoch != epoch:
            answer = self.keepers.client.account(epoch, trader.account)
            trader.epoch = epoch
            return trading.leaf_evidence(answer, sorted(trader.book)), statement
        return NO_EVIDENCE, statement

    def _order(self, trader: Trader, instrument: int, quantity: int, units: int, limit: int) -> Order:
        trader.orders += 1
        now = self.web3.eth.get_block("latest")["timestamp"]
        nonce = nonce_of(trader.orders % 256, trader.orders // 256)
        legs = (Leg(instrument, quantity),)
        return Order(trader.account, legs, units, limit, _NO_LIMIT_FEE, nonce, now + _ORDER_SECONDS)

    def _sign(self, trader: Trader, order: Order) -> tuple[bytes, int]:
        domain = domain_separator(CHAIN_ID, self.contract("Exchange").address)
        return sign(digest(domain, order.struct_hash()), bytes(trader.key.key))

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
