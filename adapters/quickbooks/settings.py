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
    client_id: str = Field(min_length=1, description="Of the app at developer.intuit.com that is connected to the company")
    client_secret: Secret = Field(description="Of the same app")
    refresh_token: Secret = Field(description="The first one, as the connection gave it; later ones are kept in the database")
    base_url: str = Field(default="https://quickbooks.api.intuit.com", description="Another address only for a sandbox")
    discovery_url: str = Field(
        default="https://developer.intuit.com/.well-known/openid_configuration/",
        description="Where Intuit says which addresses serve its sign-in",
    )
    connect_timeout_s: float = Field(default=5, gt=0, description="Seconds until a connection must be there")
    read_timeout_s: float = Field(default=120, gt=0, description="Seconds until an answer must come")
    total_timeout_s: float = Field(default=120, gt=0, le=600, description="Seconds until an answer must be complete")

    @field_validator("base_url", "discovery_url")
    @classmethod
    def _secure(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            return url
        raise ValueError("must begin with https:// (http:// is allowed on this machine only)")
