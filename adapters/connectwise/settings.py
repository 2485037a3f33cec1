"""What stands under `settings:` of the ConnectWise adapter in the configuration."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from connector.config.secret import Secret

ROOT = "/v4_6_release/apis/3.0"


class ConnectWiseSettings(BaseModel):
    """One ConnectWise company. Times are in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str = Field(description="e.g. https://api-na.myconnectwise.net, or the address of a self-hosted site")
    company_id: str = Field(min_length=1, description="the company id of the login page")
    public_key: Secret = Field(description="the public key of the API member")
    private_key: Secret = Field(description="its private key")
    client_id: str = Field(description="the integration's clientId, a GUID")
    api_version: str = Field(default="2025.1", pattern=r"^\d{4}\.\d{1,2}$", description="of ConnectWise's API")
    api_member: str = Field(
        default="",
        description="identifier of the API member that the keys belong to: payments that it recorded are known as ours even "
        "when the answer to a write was lost",
    )
    sync_members: tuple[str, ...] = Field(
        default=(),
        description="identifiers of the API members by which other tools bring payments from the books; those with the name of "
        "Wise-Sync, Gozynta Mobius or Alternative Payments (AltPay) in them are known without this",
    )
    written_off_statuses: tuple[str, ...] = Field(
        default=("Void", "Voided", "Written Off", "Write Off", "Cancelled", "Canceled"),
        description="names of the invoice statuses that say that what is open on an invoice is not collected any more; not "
        "'Closed', which ConnectWise gives to every invoice that was exported",
    )
    connect_timeout_s: float = Field(default=5, gt=0, le=60, description="seconds until a connection must be there")
    read_timeout_s: float = Field(default=60, gt=0, le=300, description="seconds until an answer must come")
    total_timeout_s: float = Field(default=120, gt=0, le=600, description="seconds until an answer must be complete")

    @field_validator("base_url")
    @classmethod
    def _reachable_with_keys(cls, given: str) -> str:
        url = given.rstrip("/").removesuffix(ROOT)
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or not host or parts.username or parts.query:
            raise ValueError("base_url must look like https://api-na.myconnectwise.net")
        if re.fullmatch(r"(?!api-).+\.myconnectwise\.net", host):
            raise ValueError(f"base_url must begin with api- for ConnectWise's cloud: write https://api-{host}")
        if parts.scheme == "http" and not _inside(host):
            raise ValueError(f"base_url must begin with https://: over http:// the keys to {host} could be read on the way")
        return url

    @field_validator("client_id")
    @classmethod
    def _guid(cls, given: str) -> str:
        if not re.fullmatch(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", given.strip()):
            raise ValueError("client_id must be a GUID, as developer.connectwise.com shows it under 'ClientID'")
        return given.strip()


def _inside(host: str) -> bool:
    """This machine, or a name without a dot: a container beside us."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return "." not in host
