"""Signs that are charted now and then: which of them an alert was raised by, and when they are mended.

A sign that is no longer measured stays open; only a later reading of the same sign mends it.
"""

from __future__ import annotations

from collections.abc import Mapping

from streamproc.core.alert import Alert
from streamproc.core.finding import Finding, all_of, found, negated
from streamproc.core.sight import Of, sight

Signs = Mapping[str, Finding]
"""Each sign by the words that tell of it."""

BETWEEN = ", "


def shown_signs(signs: Signs, alert: Alert) -> str:
    """The signs that are there, and of an open alert those that are not known to be mended."""
    told = alert.variant.split(BETWEEN) if alert.open else []
    return BETWEEN.join(name for name, sign in signs.items() if sign.met or (name in told and not sign.known))


def mended(signs: Signs, alert: Alert) -> Finding:
    """Whether none of an open alert's signs is there any more."""
    if not alert.open:
        return found("mended", False, value="no alert is open", saw=sight(Of.ALERTS))
    told = alert.variant.split(BETWEEN)
    return all_of(*(negated(sign) for name, sign in signs.items() if sign.met or name in told))
