"""What stands under `settings:` of the QuickBooks connection."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from connector.config.secret import Secret

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class QuickBooksSettings(BaseModel):
    """One QuickBooks company and the app that is connected to it.

    `refresh_token` is the first one, as the connection gave it; later values are kept in the store, because it rotates.
    After reconnecting, put the new value here: it takes the stored one's place.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    realm_id: str = Field(pattern=r"^\d+$", description="The company's id, digits only")
    client_id: str = Field(min_length=1)
    client_secret: Secret
    refresh_token: Secret
    base_url: str = "https://quickbooks.api.intuit.com"
    discovery_url: str = "https://developer.intuit.com/.well-known/openid_configuration/"
    connect_timeout_s: float = Field(default=5, gt=0)
    read_timeout_s: float = Field(default=120, gt=0)

    @field_validator("base_url", "discovery_url")
    @classmethod
    def _secure(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            return url
        raise ValueError("must begin with https:// (http:// is allowed on this machine only)")
