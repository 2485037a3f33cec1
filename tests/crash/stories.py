"""All the stories: what one lacks is in another, so that each write of the ports is in one of them at least."""

from __future__ import annotations

from tests.crash.mended import JOINED, MENDED
from tests.crash.story import AUTOTASK, CARE, MONEY

STORIES = (MONEY, CARE, AUTOTASK, MENDED, JOINED)
