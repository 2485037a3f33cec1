"""A change that the gateway refuses each time: tried a few times, then parked for a person. It keeps back no other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import structlog

from connector.errors import ConnectorError, OutcomeUnknown, Rejected, RetryLater
from connector.flows.desk import Desk
from connector.flows.holding import Patience
from connector.model.subscription import Cancel, Change, Update
from connector.store import stuck
from connector.store.stuck import StuckKind

log = structlog.get_logger(__name__)


def unit_of(change: Change) -> str:
    return change.old.subscription.unit if isinstance(change, Update | Cancel) else change.new.unit


def not_parked(desk: Desk, changes: Sequence[Change]) -> list[Change]:
    """Without those that were refused often enough: they are tried again when they change, or a person says so."""
    with desk.store.read() as tx:
        given_up = {one.subject: one.tried for one in stuck.parked(tx, StuckKind.SUBSCRIPTION)}
    return [change for change in changes if given_up.get(unit_of(change)) != _tried(change)]


def guarded(desk: Desk, change: Change, act: Callable[[], object], patience: Patience) -> str:
    """Why this one change failed, "" when it went well. RetryLater: the gateway has no answer for several in a row."""
    try:
        act()
    except OutcomeUnknown as error:
        return str(error)
    except RetryLater as error:
        if patience.fails():
            raise
        return str(error)
    except Rejected as error:
        return _failed(desk, change, str(error))
    except ConnectorError:
        raise
    except Exception as error:  # a defect of ours in one change must not keep back the others
        log.exception("change could not be carried out", unit=unit_of(change))
        return _failed(desk, change, f"unexpected {type(error).__name__}; the log has the details")
    patience.in_a_row = 0
    _worked(desk, change)
    return ""


def _failed(desk: Desk, change: Change, why: str) -> str:
    with desk.store.begin() as tx:
        stuck.failed(tx, StuckKind.SUBSCRIPTION, unit_of(change), why=why, tried=_tried(change), now=desk.now())
    return why


def _worked(desk: Desk, change: Change) -> None:
    with desk.store.begin() as tx:
        stuck.worked(tx, StuckKind.SUBSCRIPTION, unit_of(change))


def _tried(change: Change) -> str:
    """What it would make of the subscription, the same each round as long as nobody changes the agreement."""
    aim = f"cancel on {change.on}" if isinstance(change, Cancel) else repr(change.new)
    return f"{type(change).__name__} {hashlib.sha256(aim.encode()).hexdigest()[:16]}"
