"""`connector run`: the loop with its health server beside it."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime

import structlog

import connector
from connector.agent import Agent, Stopping, enrolment_token
from connector.clock import SystemClock
from connector.errors import ConfigError, RetryLater
from connector.flows import enrol
from connector.loop import run
from connector.overview import ping_all
from connector.serve.app import Server, Sources
from connector.serve.facts import Facts, gather
from connector.store import payers

log = structlog.get_logger(__name__)


def run_forever(agent: Agent) -> None:
    """Until it is told to stop (SIGTERM, SIGINT). ConfigError when the status port is taken."""
    serve = agent.config.serve
    server = Server(_sources(agent), host=serve.host, port=serve.port)
    try:
        server.start()
    except OSError as error:
        raise ConfigError(str(error)) from None
    log.info("running", status=server.url, version=connector.__version__)
    try:
        ping_all(agent.desk)  # so that health knows of every partner from the start
        run(agent)
    except Stopping:
        log.info("stopped")
    finally:
        server.stop()


def _sources(agent: Agent) -> Sources:
    return Sources(
        facts=lambda: facts_of(agent),
        beat=lambda: agent.beat,
        rounds=lambda: agent.cycles,
        enrol=lambda token: _page_for(agent, token),
        company=agent.config.company.name,
        version=connector.__version__,
    )


def facts_of(agent: Agent) -> Facts:
    """Health answers even when the sandbox's clock does not."""
    try:
        now = agent.desk.now()
    except RetryLater:
        now = SystemClock().now()
    return gather(agent.store, now, rounds=agent.cycles, token_days=_token_days(agent, now))


def _token_days(agent: Agent, now: datetime) -> dict[str, int]:
    """Days until the books' authorisation ends, where its tokens say so."""
    if agent.desk.books is None:
        return {}
    name = agent.desk.books.name
    ends = agent.tokens.load(name).get("refresh_expires")
    return {name: (datetime.fromisoformat(ends).astimezone(UTC) - now).days} if ends else {}


def _page_for(agent: Agent, token: str) -> str | None:
    """The page behind a customer's durable link, made when it is opened."""
    with agent.store.read() as tx:
        known = payers.every(tx)
    for row in known:
        if row.customer and hmac.compare_digest(enrolment_token(agent.config, row.key), token):
            return enrol.page_for(agent.desk, row)[0]
    return None
