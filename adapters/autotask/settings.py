"""What stands under `settings:` of the Autotask adapter in the configuration."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from connector.config.secret import Secret


class AutotaskSettings(BaseModel):
    """One Autotask database. Times are in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str = Field(
        default="https://webservices2.autotask.net",
        description="where the zone of the database is asked for; the zone itself is found by the agent",
    )
    user_name: str = Field(min_length=3, description="user name of the API user, whose licence is *API User (system)*")
    secret: Secret = Field(description="its password, which Autotask calls the secret")
    integration_code: Secret = Field(description="the tracking identifier that the API user is bound to")
    budget_share_percent: int = Field(
        default=30, ge=1, le=70, description="percent of the requests an hour, which all tools of the tenant share, that are ours"
    )
    records_payments: bool = Field(
        default=True,
        description="false where write_back.psa_payments is accounting_sync: then it does not matter that the paid date of an "
        "invoice may not be written",
    )
    connect_timeout_s: float = Field(default=5, gt=0, le=60, description="seconds until a connection must be there")
    read_timeout_s: float = Field(default=90, gt=0, le=300, description="seconds until an answer must come")
    total_timeout_s: float = Field(default=120, gt=0, le=600, description="seconds until an answer must be complete")

    @field_validator("base_url")
    @classmethod
    def _reachable_with_keys(cls, given: str) -> str:
        url = re.sub(r"(?i)/atservicesrest(/.*)?$", "", given.rstrip("/"))
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or not host or parts.username or parts.query:
            raise ValueError("base_url must look like https://webservices2.autotask.net")
        if parts.scheme == "http" and not _inside(host):
            raise ValueError(f"base_url must begin with https://: over http:// the secret to {host} could be read on the way")
        return url


def _inside(host: str) -> bool:
    """This machine, or a name without a dot: a container beside us."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return "." not in host
