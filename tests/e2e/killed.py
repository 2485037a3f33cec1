"""An agent that dies just then, in tests, and is started again on the same store."""

from __future__ import annotations

import pytest

from connector.agent import opened
from connector.config.load import load_config
from tests.e2e.msp import Msp
from tests.simulation.mortal import Crash, Mortal


def killed_at_lost_reply(m: Msp, *flows: str, **where: str) -> None:
    """The request has its effect; the process dies before it hears of it, and is started again."""
    m.stack.close()
    mortal = Mortal(m.world)
    m.agent = m.stack.enter_context(opened(load_config(m.folder / "connector.yaml"), clock=mortal, sleep=mortal.sleep))
    m.fault("reply_lost", "", **where)
    mortal.dies_at_next_fault()
    with pytest.raises(Crash):
        m.run(*flows)
    m.restart()
