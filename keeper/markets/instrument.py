"""Instruments and book words, bit for bit as `contracts/markets/instrument.vy`.

    instrument = underlying (16) | expiry (40) | strike (64) | kind (8)
    word       = instrument (128) | quantity (128, two's complement)

Expiries are unix seconds, strikes 1e-8 USD, quantities WAD and positive for a long position.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from keeper.units import constants

_UNDERLYING_SHIFT = 112
_EXPIRY_SHIFT = 72
_STRIKE_SHIFT = 8
_INSTRUMENT_SHIFT = 128
_UNDERLYING_BITS = 16
_EXPIRY_BITS = 40
_STRIKE_BITS = 64
KIND_BITS = 8
_QUANTITY_MASK = 2**128 - 1
_QUANTITY_SIGN = 2**127


class Kind(IntEnum):
    """What an instrument is."""

    PERP = constants.PERP
    FUTURE = constants.FUTURE
    CALL = constants.CALL
    PUT = constants.PUT


@dataclass(frozen=True, order=True, slots=True)
class Instrument:
    """One contract; ordered as its packed form.

    underlying: identifier from 1; expiry: unix seconds, 0 for a perp; strike: 1e-8 USD, 0 for perps and
    futures.
    """

    underlying: int
    expiry: int
    strike: int
    kind: Kind

    def pack(self) -> int:
        """The packed instrument. ValueError if a field does not fit."""
        _require_fits(self.underlying, _UNDERLYING_BITS, "underlying")
        _require_fits(self.expiry, _EXPIRY_BITS, "expiry")
        _require_fits(self.strike, _STRIKE_BITS, "strike")
        return (
            self.underlying << _UNDERLYING_SHIFT
            | self.expiry << _EXPIRY_SHIFT
            | self.strike << _STRIKE_SHIFT
            | self.kind
        )

    @classmethod
    def unpack(cls, packed: int) -> Self:
        """The fields of a packed instrument. ValueError for an unknown kind or more than 128 bits."""
        _require_fits(packed, _INSTRUMENT_SHIFT, "instrument")
        return cls(
            underlying=packed >> _UNDERLYING_SHIFT,
            expiry=packed >> _EXPIRY_SHIFT & (1 << _EXPIRY_BITS) - 1,
            strike=packed >> _STRIKE_SHIFT & (1 << _STRIKE_BITS) - 1,
            kind=Kind(packed & (1 << KIND_BITS) - 1),
        )

    def require_valid(self) -> None:
        """ValueError, with the chain's reason, unless the fields make sense together."""
        if not 0 < self.underlying <= constants.MAX_UNDERLYINGS:
            raise ValueError("instrument: unknown underlying")
        if (self.expiry == 0) != (self.kind == Kind.PERP):
            raise ValueError("instrument: bad expiry")
        if self.kind <= Kind.FUTURE:
            if self.strike != 0:
                raise ValueError("instrument: linear with a strike")
        elif not 0 < self.strike <= constants.MAX_PRICE:
            raise ValueError("instrument: bad strike")


@dataclass(frozen=True, order=True, slots=True)
class Leg:
    """A quantity of an instrument: packed instrument, signed WAD."""

    instrument: int
    quantity: int


def word(instrument: int, quantity: int) -> int:
    """The book word of a leg. ValueError if the quantity does not fit 128 bits with sign."""
    _require_fits(instrument, _INSTRUMENT_SHIFT, "instrument")
    if not -_QUANTITY_SIGN <= quantity < _QUANTITY_SIGN:
        raise ValueError("instrument: quantity too large")
    return instrument << _INSTRUMENT_SHIFT | quantity & _QUANTITY_MASK


def leg_of(packed: int) -> Leg:
    """The leg of a book word."""
    low = packed & _QUANTITY_MASK
    return Leg(packed >> _INSTRUMENT_SHIFT, low - ((low & _QUANTITY_SIGN) << 1))


def _require_fits(value: int, bits: int, name: str) -> None:
    if not 0 <= value < 1 << bits:
        raise ValueError(f"instrument: {name} too large")
