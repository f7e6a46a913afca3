"""What `plimsoll check` looks at: each check is one line, good or bad, and sends nothing."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from keeper.app.config import Config
from keeper.app.sources import open_sources, rules_of
from keeper.chain import deployment as deployments
from keeper.chain.contracts import Protocol
from keeper.chain.deployment import Deployment
from keeper.chain.keys import open_keystore
from keeper.chain.liquidation import LiquidationReader
from keeper.chain.node import Node
from keeper.risk.methodology import Methodology
from keeper.sources.consensus import combine, gather
from keeper.sources.verdicts import Verdict

_MAX_SKEW_SECONDS = 60
_DEVNETS = (1337, 31337)  # their clock runs as the driver pleases


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
        self._node = Node(config.chain.rpc[0], config.chain.timeout_seconds)
        self._deployment: Deployment | None = None
        self.results: list[Result] = []

    def run(self) -> list[Result]:
        """All results, in order."""
        self._try("deployment", self._check_deployment)
        self._try("node", self._check_node)
        self._try("contracts", self._check_contracts)
        self._try("methodology", self._check_methodology)
        if self._config.needs_key:
            self._try("key", self._check_key)
        if self._config.has("liquidator"):
            self._try("account", self._check_account)
        self._try("clock", self._check_clock)
        self._try("source", self._check_source)
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
        chain_id = self._node.chain_id()
        if self._deployment is not None and chain_id != self._deployment.chain_id:
            raise RuntimeError(f"node is on chain {chain_id}, the deployment on {self._deployment.chain_id}")
        return f"block {self._node.head().number}"

    def _check_contracts(self) -> str:
        protocol = self._protocol()
        addresses = protocol.deployment.addresses
        empty = [name for name, address in addresses.items() if not self._node.code(address)]
        if empty:
            raise RuntimeError(f"no code at {', '.join(empty)}")
        head = self._node.head()
        quorum = protocol.read(head.hash, "RiskOracle", "quorum")
        if quorum.lower() != protocol.deployment.quorum.lower():
            raise RuntimeError(
                f"the oracle's quorum is {quorum}, the deployment's {protocol.deployment.quorum}"
            )
        return f"threshold {protocol.threshold(head.hash)} of {len(protocol.signers(head.hash))}"

    def _check_methodology(self) -> str:
        path = self._config.methodology
        methodology = Methodology.load(path) if path else Methodology.default()
        text = "0x" + methodology.hash().hex()
        if not self._protocol().is_registered(self._node.head().hash, methodology.hash()):
            raise RuntimeError(f"methodology {text} is not registered on chain")
        return text

    def _check_key(self) -> str:
        keeper = self._config.keeper
        assert keeper.keystore is not None and keeper.password_file is not None  # checked when loaded
        signer = open_keystore(keeper.keystore, keeper.password_file)
        if self._config.has("attester"):
            members = self._protocol().signers(self._node.head().hash)
            if signer.address not in members:
                raise RuntimeError(f"{signer.address} is no member of the quorum")
            return f"{signer.address} is attester {members.index(signer.address)}"
        balance = self._node.balance(signer.address)
        if balance == 0:
            raise RuntimeError(f"{signer.address} has no coins to pay for gas")
        return f"{signer.address} holds {balance / 10**18:.4f} coins"

    def _check_account(self) -> str:
        """The liquidator's own: it is there, and the key may act for it."""
        keeper, account = self._config.keeper, self._config.liquidator.account
        assert keeper.keystore is not None and keeper.password_file is not None  # checked when loaded
        signer, protocol = open_keystore(keeper.keystore, keeper.password_file), self._protocol()
        reader, at = LiquidationReader(protocol), self._node.head().hash
        if account > protocol.account_count(at):
            raise RuntimeError(f"account {account} is not open")
        if not reader.may_act(at, account, signer.address):
            raise RuntimeError(f"{signer.address} may not act for account {account}")
        cash = reader.liquid(at, [account])[account]
        return f"account {account} holds {cash / 10**18:.2f} in cash"

    def _check_clock(self) -> str:
        skew = self._node.head().timestamp - int(time.time())
        chain_id = self._deployment.chain_id if self._deployment else 0
        if abs(skew) > _MAX_SKEW_SECONDS and chain_id not in _DEVNETS:
            raise RuntimeError(f"the chain's clock is {skew} seconds off ours")
        return f"{skew:+d} seconds from ours"

    def _check_source(self) -> str:
        """Every underlying's spot by all sources together, and which of them could not be believed."""
        head = self._node.head()
        symbols = self._protocol().symbols(head.hash)
        path = self._config.methodology
        methodology = Methodology.load(path) if path else Methodology.default()
        sources = open_sources(self._config.source, self._node, symbols, methodology)
        listed: dict[int, list[int]] = {underlying: [] for underlying in symbols}
        try:
            observations, failures = gather(sources.all, head.timestamp, listed)
            found, report = combine(observations, listed, rules_of(self._config.source), failures)
        finally:
            sources.close()
        spots = ", ".join(f"{symbols[u]} {spot / 10**8:.2f}" for u, spot in sorted(found.spots.items()))
        names = sorted({e.source for e in report.entries if e.verdict == Verdict.USED})
        rejected = "; ".join(map(str, report.rejected))
        return f"{spots} of {', '.join(names)}" + (f"; not used: {rejected}" if rejected else "")
