"""What the parameters of the methodology must satisfy: each rule in words, and whether it holds."""

from typing import TYPE_CHECKING

from keeper.risk.parameters import PPM

if TYPE_CHECKING:
    from keeper.risk.methodology import Methodology


def broken_rules(m: "Methodology") -> list[str]:
    """Rules that do not hold."""
    groups = (
        _general_rules(m),
        _scan_rules(m),
        _greeks_rules(m),
        _shortfall_rules(m),
        _addon_rules(m),
        _size_rules(m),
    )
    return [rule for rules in groups for rule, holds in rules.items() if not holds]


def _general_rules(m: "Methodology") -> dict[str, bool]:
    ratio = m.maintenance.of_core_ppm * PPM // min(m.tiers_ppm, default=1)
    spots = [*(u.spot for u in m.underlyings), m.other]
    return {
        "version must be 3": m.version == 3,
        "quantum must be positive": 0 < m.quantum_e8 <= 10**8,
        # at .80 maintenance would equal initial margin
        "tiers must be at least .85": all(t >= 850_000 for t in m.tiers_ppm) and bool(m.tiers_ppm),
        "maintenance must not exceed initial margin": max(m.maintenance.of_initial_ppm, ratio) <= PPM,
        "added margin must be positive and fit 128 bits": 0 < m.max_added_im < 2**127,
        "underlyings must be distinct": len({u.underlying for u in m.underlyings}) == len(m.underlyings),
        "ranges and weights must lie in (0, 1)": all(
            0 < x < PPM for s in spots for x in (s.range_ppm, s.weight_ppm)
        ),
        "thresholds must be positive": all(s.threshold_usd > 0 for s in spots),
    }


def _scan_rules(m: "Methodology") -> dict[str, bool]:
    scan = m.scan
    shocks = (scan.vol_down_ppm, scan.twist_ppm, scan.skew_ppm)
    return {
        "grid needs at least one step": 1 <= scan.grid_steps <= 100,
        "twist needs the spot moves of half the range": scan.grid_steps % 2 == 0,
        "tails must lie above -1 and differ from 0": all(t > -PPM and t != 0 for t in scan.tails_ppm),
        "the share of tails must lie in (0, 1]": 0 < scan.tail_share_ppm <= PPM,
        "vol must stay positive": all(0 <= x < PPM for x in shocks),
        "offset must lie in [0, 1]": 0 <= scan.offset_ppm <= PPM,
    }


def _greeks_rules(m: "Methodology") -> dict[str, bool]:
    g = m.greeks
    assumed = (m.correlations.majors_ppm, m.correlations.others_ppm)
    pairs = [value for _, _, value in m.correlations.pairs]
    shares = (g.bucket_ppm, g.tenor_base_ppm, g.delta_vega_ppm, g.low_factor_ppm)
    return {
        "horizon must be positive": g.horizon_seconds > 0,
        # below, net delta says too little about the delta charge to bound what concentration adds
        "expiry correlation must lie in [.5, 1)": PPM // 2 <= g.expiry_base_ppm < PPM,
        "correlations must lie in [0, 1]": all(0 <= x <= PPM for x in (*shares, *assumed, *pairs)),
        "vega tenors must be positive": min(g.vega_reference_days, g.vega_min_days) > 0,
        "vega weight and decay must not be negative": min(g.vega_weight_ppm, g.tenor_decay_ppm) >= 0,
        "a wing ends below a delta of .5": 0 <= g.wing_ppm < PPM // 2,
        "curvature needs linear above root weight": g.curvature_linear_ppm > g.curvature_root_ppm >= 0,
        "high correlations are not below the base": g.high_factor_ppm >= PPM,
        "reach must be positive": 0 < g.reach_ppm <= PPM,
    }


def _shortfall_rules(m: "Methodology") -> dict[str, bool]:
    p = m.expected_shortfall
    given = "0x" + m.scenarios.hash().hex()
    return {
        "scenarios must be those that the parameters name": p.scenarios == given,
        "tails must lie in (0, 1)": all(0 < x < PPM for x in (p.tail_ppm, p.var_ppm)),
        "volatility scales must surround one": 0 < p.scale_low_ppm <= PPM <= p.scale_high_ppm <= 10 * PPM,
        "shares must lie in [0, 1]": all(
            0 <= x <= PPM for x in (p.stressed_ppm, p.scale_floor_ppm, p.vol_least_ppm)
        ),
        "volatility must remember": 0 < p.volatility_decay_ppm < PPM,
        "the proxy must have moves": p.proxy in m.scenarios.moves and 0 < p.proxy_ppm <= 10 * PPM,
    }


def _addon_rules(m: "Methodology") -> dict[str, bool]:
    a, q = m.addons, m.liquidity
    spreads = (q.perp_ppm, q.future_ppm, q.delta_ppm, q.vega_ppm, q.most_ppm)
    return {
        "add-ons must lie in [0, 1]": all(
            0 <= x <= PPM for x in (a.naked_ppm, a.perp_ppm, a.confidence_ppm, a.depeg_from_ppm)
        ),
        "a depeg must not lower margins": 0 <= a.depeg_factor_ppm <= 100 * PPM,
        "half-spreads and impact must lie in [0, 1]": all(0 <= x <= PPM for x in spreads),
        "wings must not be more liquid than the body": PPM <= q.wing_ppm <= 100 * PPM,
        "depths must be positive": min(q.linear_depth_ppm, q.option_depth_ppm) > 0,
        "maintenance must not count more than the liquidity add-on": 0 <= q.of_maintenance_ppm <= PPM,
    }


def _size_rules(m: "Methodology") -> dict[str, bool]:
    starts = [start for start, _ in m.sizes.tiers]
    shares = [0, *(share for _, share in m.sizes.tiers)]
    return {
        "size tiers must ascend": all(s > 0 for s in starts) and starts == sorted(set(starts)),
        "size shares must not fall": shares == sorted(shares) and shares[-1] <= 10 * PPM,
        "size reach must be positive": 0 < m.sizes.reach_ppm <= PPM,
    }
