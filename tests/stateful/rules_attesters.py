"""Epochs, silence, expiries, pauses: what happens to everybody."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.stateful.deployment import LOT, NO_CAPS
from tests.stateful.rules_base import DAY, Rules, moves

WINDOW = 1_800
rarely = st.integers(0, 5)


class AttesterRules(Rules):
    """Attesters, the guardian, the owner and time."""

    @rule(move=st.tuples(moves, moves), seconds=st.integers(12, 90))
    def post_epoch(self, move: tuple[int, int], seconds: int) -> None:
        self.next_epoch(move, seconds)

    @rule(move=st.tuples(st.integers(-900, 900), moves))
    def leave_the_band(self, move: tuple[int, int]) -> None:
        """One underlying jumps further than the effective spot follows."""
        self.next_epoch(move, 15)

    @rule(underlying=st.sampled_from((1, 2)), per_day=st.integers(-300, 300))
    def set_funding_rate(self, underlying: int, per_day: int) -> None:
        """Up to three per cent of the spot a day, either way."""
        spot = self.spots[underlying - 1] * 10**10
        self.protocol.set_funding_rate(underlying, spot * per_day // 10_000 // DAY)

    @rule(underlying=st.sampled_from((1, 2)), lots=st.tuples(*[st.integers(0, 80)] * 3), ramp=rarely)
    def set_limits(self, underlying: int, lots: tuple[int, int, int], ramp: int) -> None:
        """Mostly none; now and then so few that positions are beyond them."""
        caps = tuple(count * LOT for count in lots) if ramp == 0 else NO_CAPS[:3]
        self.protocol.set_limits(underlying, (*caps, 0))

    @precondition(lambda self: self.pending is None)
    @rule(move=st.tuples(moves, moves), seconds=st.integers(12, 30))
    def propose_epoch(self, move: tuple[int, int], seconds: int) -> None:
        """What happens between the snapshot and the post is what headroom is for."""
        self.tick(move, seconds)
        self.pending = self.protocol.propose(self.spots)

    @precondition(lambda self: self.pending is not None)
    @rule()
    def publish_epoch(self) -> None:
        assert self.pending is not None
        self.protocol.publish(self.pending)
        self.pending = None

    @rule(kind=st.sampled_from(("silence", "pause", "fees")), seconds=st.integers(60, 7_200))
    def duty(self, kind: str, seconds: int) -> None:
        """Keepers fall silent, the guardian pauses, the owner collects."""
        if kind == "silence":
            self.protocol.world.chain.mine(seconds // 12, seconds)
            self.pending = None
        elif kind == "pause":
            self.protocol.pause(0 if self.protocol.predictor.is_paused else seconds)
        else:
            self.protocol.collect_fees()

    @precondition(lambda self: self.unexpired())
    @rule(move=st.tuples(moves, moves), silent=st.booleans(), chance=rarely)
    def expire(self, move: tuple[int, int], silent: bool, chance: int) -> None:
        """The next expiry passes, with an epoch every 100 seconds through its settlement window, or with
        none for a day, after which the last spot settles it.
        """
        if chance:
            return
        self.pending = None
        chain, expiry = self.protocol.world.chain, self.unexpired()[0]
        if silent or not self.whole_window_ahead():
            chain.mine(7_200, expiry + DAY + 1 - chain.timestamp)
        else:
            wait = max(0, expiry - WINDOW - 300 - chain.timestamp)
            chain.mine(wait // 12 + 1, wait)
            while chain.timestamp <= expiry:
                self.next_epoch((move[0] // 10, move[1] // 10), 80)
        self.finalize(expiry)
        for number in self.numbers[:2]:
            self.settle_all(number)

    def whole_window_ahead(self) -> bool:
        return bool(self.unexpired()) and self.unexpired()[0] - self.protocol.now > WINDOW + 300
