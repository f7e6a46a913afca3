"""Groups of parameters of the margin model. Ratios are integers in parts per million (`_ppm`)."""

from dataclasses import dataclass

PPM = 10**6


@dataclass(frozen=True)
class ScanParameters:
    """The scan: spot grid, vol states, tails, twist and skew.

    Attributes:
        grid_steps: nodes on each side of zero; node j is a move of j / grid_steps of the underlying's range.
        decay_seconds: time that passes in every scenario.
        offset_ppm: share of a gain that offsets the losses of other underlyings of the same offset group.
        vol_up_ppm, vol_down_ppm: relative vol shocks at the reference tenor, scaled by (reference / days) **
            power.
        vol_floor_ppm: least vol in the up state.
        short_power_ppm, long_power_ppm: the power at or below, and above, the reference tenor.
        tails_ppm: extreme spot moves, weighted by tail_share * range / move, at most 1.
        twist_ppm: relative vol move at the ends of the term structure: clip(ln(days / reference) /
            ln(twist_scale)).
        skew_ppm: relative vol move per unit of log-moneyness, which is clipped to [-1, 1].
    """

    grid_steps: int
    decay_seconds: int
    offset_ppm: int
    vol_up_ppm: int
    vol_down_ppm: int
    vol_floor_ppm: int
    vol_reference_days: int
    vol_min_days: int
    short_power_ppm: int
    long_power_ppm: int
    tails_ppm: tuple[int, ...]
    tail_share_ppm: int
    twist_ppm: int
    twist_scale: int
    skew_ppm: int


@dataclass(frozen=True)
class GreeksParameters:
    """The Greeks charge.

    Attributes:
        horizon_seconds: margin period of risk, and the least tenor of gamma, vega, theta and of the
            correlations.
        expiry_base_ppm: correlation of deltas between the most distant expiries; nearer ones have base + (1 -
            base) * shorter / longer tenor.
        vega_weight_ppm: relative vol move at the reference tenor, scaled by (reference / days) ** power.
        vega_reference_days, vega_min_days: reference tenor; the least tenor the scale is taken at.
        short_power_ppm, long_power_ppm: the power at or below, and above, the reference tenor.
        wing_ppm: an option whose out-of-the-money delta is smaller belongs to its wing's bucket.
        bucket_ppm: correlation of vegas between the buckets of one expiry.
        tenor_base_ppm, tenor_decay_ppm: correlation of vegas between expiries: base + (1 - base) * (shorter /
            longer tenor) ** decay.
        curvature_linear_ppm, curvature_root_ppm: weights of the sum and of the root in the curvature charge:
            the squared 99.5 % quantile of the normal distribution, and one less.
        delta_vega_ppm: correlation of the delta and the vega charge.
        high_factor_ppm, low_factor_ppm: correlation sets across underlyings beside the base g: min(1, high *
            g) and max(2 g - 1, low * g).
        reach_ppm: an account at or near the concentration threshold may add this share of its net delta (of
            the threshold, where that is more) before it needs a new leaf.
    """

    horizon_seconds: int
    expiry_base_ppm: int
    vega_weight_ppm: int
    vega_reference_days: int
    vega_min_days: int
    short_power_ppm: int
    long_power_ppm: int
    wing_ppm: int
    bucket_ppm: int
    tenor_base_ppm: int
    tenor_decay_ppm: int
    curvature_linear_ppm: int
    curvature_root_ppm: int
    delta_vega_ppm: int
    high_factor_ppm: int
    low_factor_ppm: int
    reach_ppm: int


@dataclass(frozen=True)
class CorrelationParameters:
    """Correlation of spot moves: between two majors, between any others, and of named pairs.

    Attributes:
        pairs: (underlying, underlying, ppm).
    """

    majors_ppm: int
    others_ppm: int
    pairs: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class RollParameters:
    """Basis and roll charge per expiry: |dollar delta| * max(flat, per_year * years)."""

    flat_ppm: int
    per_year_ppm: int


@dataclass(frozen=True)
class ExpectedShortfallParameters:
    """The expected shortfall.

    Attributes:
        scenarios: hash of the scenario set, 0x hex.
        tail_ppm: share of the worst scenarios that is averaged; var_ppm: tail of the reported value at risk.
        stressed_ppm: share of the stressed days' expected shortfall that counts.
        decay_seconds: time that passes in every scenario.
        scale_low_ppm, scale_high_ppm: limits of the volatility scale.
        scale_floor_ppm: least scale, as a share of its mean over a year.
        volatility_decay_ppm: decay of the exponentially weighted volatility.
        vol_least_ppm: what is left of a vol in any scenario, at least.
        proxy, proxy_ppm: symbol whose moves, times this, stand for an underlying without its own.
    """

    scenarios: str
    tail_ppm: int
    var_ppm: int
    stressed_ppm: int
    decay_seconds: int
    scale_low_ppm: int
    scale_high_ppm: int
    scale_floor_ppm: int
    volatility_decay_ppm: int
    vol_least_ppm: int
    proxy: str
    proxy_ppm: int


@dataclass(frozen=True)
class AddonParameters:
    """Add-ons that grow in proportion to the book.

    Attributes:
        naked_ppm: of spot, per option net short at its strike.
        perp_ppm: of the notional of perpetuals: a day's funding and a move away from the index.
        confidence_ppm: confidence of a price below which the missing share of the notional is charged.
        depeg_from_ppm, depeg_factor_ppm: price of the settlement coin below which the factor of the initial
            margin rises, and by how much per unit of price.
    """

    naked_ppm: int
    perp_ppm: int
    confidence_ppm: int
    depeg_from_ppm: int
    depeg_factor_ppm: int


@dataclass(frozen=True)
class LiquidityParameters:
    """The cost of closing a book: half-spreads, and impact that grows with the root of the size.

    Attributes:
        perp_ppm, future_ppm: half-spread of the notional; delta_ppm: of an option's dollar delta.
        vega_ppm: half-spread of an option in relative vol; wing_ppm: factor on it in the wings.
        linear_depth_ppm, option_depth_ppm: half-spread cost of a bucket at which its impact costs as much
            again, as a share of the underlying's concentration threshold.
        most_ppm: impact is at most this share of the half-spreads.
        of_maintenance_ppm: share of the add-on in the maintenance margin.
    """

    perp_ppm: int
    future_ppm: int
    delta_ppm: int
    vega_ppm: int
    wing_ppm: int
    linear_depth_ppm: int
    option_depth_ppm: int
    most_ppm: int
    of_maintenance_ppm: int


@dataclass(frozen=True)
class SizeParameters:
    """Marginal tiers on the core margin.

    Attributes:
        tiers: (core margin in USD, share of what is above it, ppm), ascending in both.
        reach_ppm: an account may add this share of its core margin (of the first tier, where that is more)
            before it needs a new leaf.
    """

    tiers: tuple[tuple[int, int], ...]
    reach_ppm: int


@dataclass(frozen=True)
class MaintenanceParameters:
    """MM = max(of_core * (Core + size add-on) + its share of liquidity, of_initial * IM)."""

    of_core_ppm: int
    of_initial_ppm: int


@dataclass(frozen=True)
class SpotParameters:
    """Spot risk of one underlying.

    Attributes:
        range_ppm: largest move of the scan's grid.
        weight_ppm: move of the delta charge: one day, 99.5 %.
        threshold_usd: net delta, USD per 1 % of spot, above which a position is concentrated.
    """

    range_ppm: int
    weight_ppm: int
    threshold_usd: int


@dataclass(frozen=True)
class UnderlyingParameters:
    """One underlying: its spot risk, and how it goes with others. Underlyings of one offset group above 0
    offset each other in the scan, group 0 offsets nothing.
    """

    underlying: int
    symbol: str
    spot: SpotParameters
    offset_group: int
    major: bool
