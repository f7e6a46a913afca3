"""What `plimsoll check` looks at: each check is one line, good or bad, and sends nothing."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eth_utils.crypto import keccak

from keeper.app.config import Config
from keeper.app.keys import open_signer
from keeper.app.sources import open_sources, rules_of
from keeper.chain import abi_codec
from keeper.chain import deployment as deployments
from keeper.chain.contracts import Protocol
from keeper.chain.deployment import DEVNETS, Deployment
from keeper.chain.keys import Signer
from keeper.chain.liquidation import LiquidationReader
from keeper.chain.node import Node
from keeper.chain.quorum import Quorums
from keeper.risk.methodology import Methodology
from keeper.sources.consensus import combine, gather
from keeper.sources.source import Observation
from keeper.sources.verdicts import Report, Verdict
from keeper.store.revision import revision_of

_LAG = 5  # blocks that one endpoint may be behind another


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the report."""

    name: str
    ok: bool
    text: str


class Checks:
    """Runs every check, even after one has failed."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._nodes = [Node(url, config.chain.timeout_seconds) for url in config.chain.rpc]
        self._node = self._nodes[0]
        self._deployment: Deployment | None = None
        self._signer: Signer | None = None
        self.results: list[Result] = []

    def run(self) -> list[Result]:
        """All results, in order."""
        config = self._config
        self._try("deployment", self._check_deployment)
        self._try("node", self._check_node)
        self._try("contracts", self._check_contracts)
        self._try("interfaces", self._check_interfaces)
        if not config.has("canary"):
            self._try("methodology", self._check_methodology)
        if config.needs_key:
            self._try("key", self._check_key)
        if config.sends:
            self._try("balance", self._check_balance)
        if config.has("liquidator"):
            self._try("account", self._check_account)
        if not config.has("canary"):
            self._try("source", self._check_source)
            self._try("database", self._check_database)
        self._try("clock", self._check_clock)
        self._try("disk", self._check_disk)
        return self.results

    def _try(self, name: str, check: Callable[[], str]) -> None:
        try:
            self.results.append(Result(name, True, check()))
        except Exception as error:  # noqa: BLE001  whatever it is, it is this check's answer
            self.results.append(Result(name, False, str(error) or type(error).__name__))

    def _protocol(self) -> Protocol:
        if self._deployment is None:
            raise RuntimeError("not checked: no deployment")
        return Protocol(self._node, self._deployment)

    def _check_deployment(self) -> str:
        self._deployment = deployments.load(self._config.chain.deployment)
        return f"{len(self._deployment.addresses)} contracts on chain {self._deployment.chain_id}"

    def _check_node(self) -> str:
        """Every endpoint: its chain, and how far it is behind the others."""
        chain = self._deployment.chain_id if self._deployment else None
        heads: dict[str, int] = {}
        for node in self._nodes:
            found = node.chain_id()
            if chain not in (None, found):
                raise RuntimeError(f"node {node.url} is on chain {found}, the deployment on {chain}")
            heads[node.url] = node.head().number
        highest = max(heads.values())
        behind = [
            f"{url} is {highest - number} blocks behind"
            for url, number in heads.items()
            if number + 5 < highest
        ]
        if behind:
            raise RuntimeError("; ".join(behind))
        agree = f", {self._config.chain.agree} must agree" if len(heads) > 1 else ""
        return f"block {highest} at {len(heads)} endpoint{'s' * (len(heads) > 1)}{agree}"

    def _check_contracts(self) -> str:
        """Code at every address, the same as recorded where the record says which; the quorum in force."""
        protocol = self._protocol()
        deployment = protocol.deployment
        codes = {name: self._node.code(address) for name, address in deployment.addresses.items()}
        empty = [name for name, code in codes.items() if not code]
        if empty:
            raise RuntimeError(f"no code at {', '.join(empty)}")
        wrong = [n for n, h in deployment.code_hashes.items() if "0x" + keccak(codes[n]).hex() != h.lower()]
        if wrong:
            raise RuntimeError(f"other code than recorded at {', '.join(wrong)}")
        head = self._node.head()
        found = Quorums(protocol).at(head.hash)
        changed = "" if found.address == deployment.quorum else f" at {found.address}, changed since"
        hashes = f", {len(deployment.code_hashes)} with the recorded code" if deployment.code_hashes else ""
        return f"threshold {found.threshold} of {len(found.signers)}{changed}{hashes}"

    def _check_interfaces(self) -> str:
        """Every function that this keeper calls is in the recorded interface."""
        deployment = self._protocol().deployment
        for name, recorded in sorted(deployment.selectors.items()):
            try:
                ours = abi_codec.load(name).functions.values()
            except FileNotFoundError:
                continue  # a contract that keepers do not call
            missing = [f.name for f in ours if "0x" + f.selector.hex() not in recorded]
            if missing and name != "Clearinghouse":  # a part of it is in its extension's record
                raise RuntimeError(f"{name} as deployed has no {', '.join(missing)}: update this keeper")
        count = len(deployment.selectors)
        return f"{count} contracts speak this release's interface" if count else "the record holds none"

    def _check_methodology(self) -> str:
        methodology = self._methodology()
        text = "0x" + methodology.hash().hex()
        if not self._protocol().is_registered(self._node.head().hash, methodology.hash()):
            raise RuntimeError(f"methodology {text} is not registered on chain")
        return text

    def _check_key(self) -> str:
        """It opens; an attester's, or that of the coming set, is in the quorum in force."""
        self._signer = signer = open_signer(self._config.keeper)
        if not self._config.has("attester"):
            return signer.address
        coming = self._config.keeper.next
        ours = [signer.address] + ([open_signer(coming).address] if coming else [])
        members = Quorums(self._protocol()).at(self._node.head().hash).signers
        found = [address for address in ours if address in members]
        if not found:
            raise RuntimeError(f"{' and '.join(ours)} is no member of the quorum")
        return f"{found[0]} is attester {members.index(found[0])}"

    def _check_balance(self) -> str:
        """Of every key that pays for transactions: the process's and those of lanes."""
        least, lines = self._config.operations.minimum_balance, []
        for address in self._payers():
            balance = self._node.balance(address)
            if balance == 0:
                raise RuntimeError(f"{address} has no coins to pay for gas")
            lines.append(f"{address} holds {balance / 10**18:.4f} coins")
            if balance < least * 10**18:
                raise RuntimeError(f"{lines[-1]}, less than operations.minimum_balance of {least:g}")
        return "; ".join(lines)

    def _payers(self) -> list[str]:
        lanes = self._config.transactions.lanes.by_name().values()
        keys = [lane.key for lane in lanes if lane.key is not None]
        own = [self._opened().address] if len(keys) < len(lanes) else []
        return list(dict.fromkeys([*own, *(open_signer(key).address for key in keys)]))

    def _check_account(self) -> str:
        """The liquidator's own: it is there, and the key may act for it."""
        account, signer, protocol = self._config.liquidator.account, self._opened(), self._protocol()
        reader, at = LiquidationReader(protocol), self._node.head().hash
        if account > protocol.account_count(at):
            raise RuntimeError(f"account {account} is not open")
        if not reader.may_act(at, account, signer.address):
            raise RuntimeError(f"{signer.address} may not act for account {account}")
        cash = reader.liquid(at, [account])[account]
        return f"account {account} holds {cash / 10**18:.2f} in cash"

    def _check_source(self) -> str:
        """Every underlying's spot by all sources together, and which of them could not be believed."""
        symbols = self._protocol().symbols(self._node.head().hash)
        found, report = self._observe(symbols)
        spots = ", ".join(f"{symbols[u]} {spot / 10**8:.2f}" for u, spot in sorted(found.spots.items()))
        names = sorted({e.source for e in report.entries if e.verdict == Verdict.USED})
        rejected = "; ".join(map(str, report.rejected))
        return f"{spots} of {', '.join(names)}" + (f"; not used: {rejected}" if rejected else "")

    def _check_database(self) -> str:
        """It opens, and is not of a newer release; nothing is changed."""
        found, ours = revision_of(self._config.keeper.database)
        if found is None:
            return f"new: revision {ours} will be made"
        if found > ours:
            raise RuntimeError(f"revision {found} is newer than this keeper's {ours}: update the keeper")
        return f"revision {found}" + ("" if found == ours else f", will be brought to {ours} after a copy")

    def _check_clock(self) -> str:
        """Against the latest block; a devnet's time is its driver's affair."""
        skew = self._node.head().timestamp - int(time.time())
        chain_id = self._deployment.chain_id if self._deployment else 0
        if abs(skew) > self._config.operations.max_clock_skew_seconds and chain_id not in DEVNETS:
            raise RuntimeError(f"the chain's clock is {skew} seconds off ours")
        return f"the latest block is {skew:+d} seconds from ours"

    def _check_disk(self) -> str:
        url = self._config.keeper.database
        folder = Path(url.removeprefix("sqlite:///")).parent if url.startswith("sqlite:///") else Path()
        free, least = shutil.disk_usage(folder).free, self._config.operations.minimum_disk_bytes
        if free < least:
            raise RuntimeError(
                f"{free / 1e9:.2f} GB free at {folder}, less than {least / 1e9:.2f}: make room"
            )
        return f"{free / 1e9:.1f} GB free"

    def _opened(self) -> Signer:
        if self._signer is None:
            raise RuntimeError("not checked: no key")
        return self._signer

    def _methodology(self) -> Methodology:
        path = self._config.methodology
        return Methodology.load(path) if path else Methodology.default()

    def _observe(self, symbols: dict[int, str]) -> tuple[Observation, Report]:
        """All sources at the chain's moment. LookupError if too few can be believed."""
        section = self._config.source
        sources = open_sources(section, self._node, symbols, self._methodology())
        listed: dict[int, list[int]] = {underlying: [] for underlying in symbols}
        try:
            observations, failures = gather(sources.all, self._node.head().timestamp, listed)
            return combine(observations, listed, rules_of(section), failures)
        finally:
            sources.close()
