"""How long the rest of a bag lasts: volume left by the rate at which it runs.

Computed from one report of a channel; the pump's own weight comes before the patient's, because it
is what the pump turned a weight-based rate into mL with.
"""

from __future__ import annotations

from streamproc.core.dose import exact, ml_per_min
from streamproc.core.finding import Finding, found, unknown
from streamproc.core.infusion import Channel
from streamproc.core.sight import Of, sight
from streamproc.core.terms import Drug

SECONDS_PER_MINUTE = 60


def lasts_less_than(limit_s: int, channel: Channel, drug: Drug, weight_kg: float | None) -> Finding:
    """Whether an infusing channel's bag runs empty sooner than the limit; one without a volume tells nothing
    and is not asked."""
    status = channel.status
    name, saw = f"bag of channel {status.channel}", sight(Of.CHANNEL, status.channel)
    limit_min = limit_s / SECONDS_PER_MINUTE
    if status.volume_remaining_ml is None:
        return found(name, False, value="no volume reported", limit=limit_min, unit="min", saw=saw)
    rate = ml_per_min(status, drug, weight_kg)
    if rate is None:
        return unknown(name, "its rate in mL/h cannot be told", saw=saw)
    volume, enough = exact(status.volume_remaining_ml), limit_s * rate / SECONDS_PER_MINUTE
    channel.bag_asked_ml = float(enough)
    short, left_min = volume < enough, float(volume / rate) if rate else "does not flow"
    return found(name, short, value=left_min, limit=limit_min, unit="min", saw=saw)
