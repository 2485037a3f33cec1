"""Holds as the store keeps them: placed with a reason, lifted by themselves when the reason is gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Connection

from connector.errors import ConnectorError, OutcomeUnknown, Rejected, RetryLater
from connector.flows.desk import Desk
from connector.model.charge import Charge, ChargeState, Hold
from connector.model.guards import Reason
from connector.store import charges, holds


def hold(desk: Desk, charge: Charge, reasons: Sequence[Reason]) -> None:
    """The charge's holds are exactly these; one that waited is held."""
    with desk.store.begin() as tx:
        stored = charges.get(tx, charge.id)
        if stored is not None and stored.state is ChargeState.WAITING:
            charges.update(tx, charge.id, state=ChargeState.HELD, now=desk.now())
        replace(tx, charge.id, reasons, desk.now())


def note(desk: Desk, charge: Charge, reasons: Sequence[Reason]) -> None:
    """The same for a charge that is released already: its state stays."""
    with desk.store.begin() as tx:
        if reasons or holds.active(tx, charge.id):
            replace(tx, charge.id, reasons, desk.now())


def names(desk: Desk, charge: Charge) -> frozenset[str]:
    with desk.store.read() as tx:
        return frozenset(h.name for h in holds.active(tx, charge.id))


def replace(tx: Connection, charge: str, reasons: Sequence[Reason], now: datetime) -> None:
    named = [Hold(charge=charge, name=r.name, message=r.message, way_on=r.way_on, since=now) for r in reasons]
    holds.replace(tx, charge, named, now=now)


@dataclass(kw_only=True, slots=True)
class Patience:
    """One charge that a partner has no answer for keeps back no other; one that is down is not asked a hundred times."""

    limit: int = 3
    in_a_row: int = 0

    def fails(self) -> bool:
        """Once more without an answer. True when that is enough."""
        self.in_a_row += 1
        return self.in_a_row >= self.limit


log = structlog.get_logger(__name__)


def guarded(desk: Desk, charge: Charge, act: Callable[[], object], patience: Patience) -> str:
    """Why a partner refused this one charge, which is then held; "" when all went well. The others go on.

    RetryLater, OutcomeUnknown: the partner has no answer for several in a row.
    """
    try:
        act()
    except (OutcomeUnknown, RetryLater) as error:
        if isinstance(error, OutcomeUnknown):
            hold(desk, charge, (_refused(error),))
        if patience.fails():
            raise
        return f"{charge.id}: {error}"
    except Rejected as error:
        hold(desk, charge, (_refused(error),))
        return f"{charge.id}: {error}"
    except ConnectorError:
        raise
    except Exception as error:  # a defect of ours in one charge must not keep back the others' money
        log.exception("charge failed unexpectedly", charge=charge.id)
        said = f"unexpected {type(error).__name__}; the log has the details"
        hold(desk, charge, (Reason(name="failed", message=said, way_on="report it; it is tried again each cycle"),))
        return f"{charge.id}: {said}"
    patience.in_a_row = 0
    return ""


def _refused(error: ConnectorError) -> Reason:
    return Reason(name="refused", message=str(error), way_on="correct it at the partner; it is tried again each cycle")
