"""What stands under `settings:` of the Stripe adapter in the configuration."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from connector.config.secret import Secret


class StripeSettings(BaseModel):
    """One Stripe account. Times are in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret_key: Secret = Field(description="the secret or restricted API key")
    base_url: str = Field(default="https://api.stripe.com", description="another address only for a sandbox")
    connect_timeout_s: float = Field(default=5, gt=0, le=60, description="seconds until a connection must be there")
    read_timeout_s: float = Field(default=30, gt=0, le=120, description="seconds until an answer must come")
    total_timeout_s: float = Field(default=120, gt=0, le=600, description="seconds until an answer must be complete")
    attempts: int = Field(default=4, ge=1, le=10, description="how often a throttled or broken request is sent in all")
    days_until_due: int = Field(default=30, ge=0, le=365, description="on bills to payers without a payment method")
    return_url: str = Field(pattern=r"^https?://", description="your website: where an enrolment page leads when it is done")
    payment_method_types: tuple[str, ...] = Field(
        default=("card", "us_bank_account"), min_length=1, description="what a payer may authorise, in Stripe's words"
    )
