"""The site's switch for patient profiles: what is off is refused at the door."""

from __future__ import annotations

import pytest

from streamproc.config import ConfigError, load
from streamproc.core.events import Profile
from streamproc.shell.intake import decoder_from


def test_children_and_anaphylaxis_are_off_as_shipped() -> None:
    """C12: their figures read like another drug's, so a site has to want them."""
    on = decoder_from(load()).profiles
    assert on == {Profile.GENERAL, Profile.SEPTIC_SHOCK, Profile.HEPATORENAL}


def test_a_site_turns_a_profile_on() -> None:
    settings = load(None, ["profiles=[general, pediatric]"])
    assert decoder_from(settings).profiles == {Profile.GENERAL, Profile.PEDIATRIC}
    assert settings.ruleset() != load().ruleset()


@pytest.mark.parametrize("profiles", ["[]", "[septic_shock]", "[general, general]", "[general, sepsis]"])
def test_profiles_are_known_each_once_and_general_among_them(profiles: str) -> None:
    with pytest.raises(ConfigError, match="profiles"):
        load(None, [f"profiles={profiles}"])
