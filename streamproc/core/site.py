"""What the site calls its diluents, routes and fluids: the lists of `config/drugs.yaml`.

Never guesses: a word that stands in no list is of no kind, and the rules say so.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SiteWords:
    """The site's words by what they mean, each as `spelled` writes it."""

    dextrose_diluents: frozenset[str]
    central_routes: frozenset[str]
    peripheral_routes: frozenset[str]
    balanced_fluids: frozenset[str]
    saline_fluids: frozenset[str]
    other_crystalloids: frozenset[str]

    def has_dextrose(self, diluent: str) -> bool:
        """Whether a diluent is one that the site lists as containing dextrose."""
        return spelled(diluent) in self.dextrose_diluents

    def is_peripheral(self, route: str | None) -> bool | None:
        """Whether a route is peripheral (True) or central (False); None for any other word."""
        word = spelled(route or "")
        if word in self.peripheral_routes:
            return True
        return False if word in self.central_routes else None

    def is_balanced(self, fluid: str | None) -> bool:
        """Whether a fluid is a balanced crystalloid."""
        return spelled(fluid or "") in self.balanced_fluids

    def is_saline(self, fluid: str | None) -> bool:
        """Whether a fluid is normal saline."""
        return spelled(fluid or "") in self.saline_fluids

    def is_crystalloid(self, fluid: str | None) -> bool:
        """Whether a fluid counts as crystalloid; blood and albumin do not."""
        return (
            self.is_balanced(fluid)
            or self.is_saline(fluid)
            or spelled(fluid or "") in self.other_crystalloids
        )


def spelled(word: str) -> str:
    """A word as the lists hold it: lower case, blanks and hyphens as underscores."""
    return word.strip().casefold().replace(" ", "_").replace("-", "_")
