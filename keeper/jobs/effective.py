"""Effective spots: the edge of the oracle's bands, from its state at one block. Pure. Prices are 1e-8 USD."""

from collections.abc import Mapping, Sequence

from keeper.attestation.bands import Ages, Anchors, Bands, effective_spot
from keeper.chain.contracts import Header, Spot


def effective_spots(
    header: Header,
    spots: Sequence[Spot],
    bands: Sequence[tuple[int, int, int]],
    posted: Mapping[int, int],
    now: int,
) -> dict[int, int]:
    """The spot inside the bands per underlying, were `posted` the next epoch and `now` its time.

    Raises:
        ValueError: a posted spot is no price.
    """
    ages, elapsed = Ages(header.ten_age, header.hour_age), now - header.timestamp
    found = {}
    for underlying, (spot, budget) in enumerate(zip(spots, bands, strict=True), start=1):
        anchors = Anchors(spot.effective, spot.ten_anchor, spot.hour_anchor)
        found[underlying], _ = effective_spot(posted[underlying], anchors, ages, elapsed, Bands(*budget))
    return found
