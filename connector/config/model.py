"""The configuration: strict, frozen, every setting with its meaning (config/README.md is checked against it)."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
    model_validator,
)

from connector.config.secret import Secret
from connector.model.money import exponent


def _address(value: Any) -> Any:
    if value is None or (isinstance(value, str) and urlsplit(value).scheme in ("http", "https") and urlsplit(value).hostname):
        return value
    raise ValueError("should be an address like https://billing.example.com")


def _calendar_date(value: Any) -> Any:
    # Left alone, a number would be taken for seconds since 1970, and a first day in 1970 collects everything.
    if isinstance(value, str) and re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", value):
        return str(value)
    raise ValueError("should be a date like 2026-01-31")


Address = Annotated[str, BeforeValidator(_address)]
CalendarDate = Annotated[date, BeforeValidator(_calendar_date)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        # Left alone, `port: true` would be port 1.
        if isinstance(value, bool) and info.field_name and cls.model_fields[info.field_name].annotation is not bool:
            raise ValueError(f"should not be {str(value).lower()}")
        return value


class Company(Part):
    name: str = Field(min_length=1, description="Your company's name, as customers read it.")
    time_zone: str = Field(description="Your company's time zone, e.g. America/New_York. Dates of payments are its dates.")
    currency: str = Field(description="Your company's currency, e.g. USD. Limits below are in it.")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("should be a time zone like America/New_York") from None
        return value

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, value: str) -> str:
        exponent(value)
        return value


class Secrets(Part):
    key: Secret = Field(description="Encrypts the tokens in the store. Several keys, comma-separated: the first one encrypts.")


class Connection(Part):
    """One partner. `settings` are the adapter's own; they are checked against its model when the file is loaded."""

    adapter: str = Field(description="Name of the adapter.")
    settings: SerializeAsAny[BaseModel] = Field(description="The adapter's own settings, see below.")


class MappedConnection(Connection):
    mapping: Path = Field(description="The field mapping: a file, or shipped:NAME for the one that comes with the agent.")


class BooksAccounts(Part):
    """Accounts in the books, by id: a name may change."""

    clearing: str | None = Field(None, description="Stands for the gateway's balance, with method: clearing_account.")
    bank: str | None = Field(None, description="The bank account to which the gateway pays out.")
    fees: str | None = Field(None, description="The gateway's fees (an expense account).")
    disputed: str | None = Field(
        None, description="Money withdrawn for a card dispute that is not decided yet. null: the invoice is open again at once."
    )
    reserves: str | None = Field(None, description="Money that the gateway holds back. null: its payouts wait for you.")
    foreign: str | None = Field(None, description="What on the gateway's account is not ours, with foreign: book.")


class BooksConnection(MappedConnection):
    """The books, and how the gateway's money is entered there."""

    method: Literal["clearing_account", "undeposited_funds", "payments_only"] = Field(
        "payments_only",
        description="How the gateway's money is entered, see 'The gateway's money in your books'. payments_only: no payouts.",
    )
    accounts: BooksAccounts = Field(BooksAccounts(), description="Accounts that the method needs.")
    foreign: Literal["wait", "book"] = Field(
        "wait", description="A payout with money in it that is not ours (a web shop): it waits with a list, or is booked."
    )

    @model_validator(mode="after")
    def _needs(self) -> BooksConnection:
        needed = {"clearing_account": ("clearing", "bank", "fees"), "undeposited_funds": ("bank", "fees"), "payments_only": ()}
        missing = [name for name in needed[self.method] if not getattr(self.accounts, name)]
        if self.foreign == "book" and not self.accounts.foreign:
            missing.append("foreign")
        if missing:
            raise ValueError(
                f"accounts: {', '.join(missing)} missing, which method: {self.method} and foreign: {self.foreign} need"
            )
        return self


Approve = Literal["first_periods", "always", "never"]


class OwnCharging(Part):
    """What differs for one payer or one agreement. What is not named is as for everybody; null takes a limit away."""

    date: Literal["due_date", "invoice_date", "day_of_month"] | None = Field(None, description="As charging.date.")
    day: int | None = Field(None, ge=1, le=31, description="As charging.day.")
    cap_per_charge: Decimal | None = Field(None, gt=0, description="As charging.cap_per_charge.")
    max_change_percent: Decimal | None = Field(None, ge=0, description="As charging.max_change_percent.")
    max_change_amount: Decimal | None = Field(None, ge=0, description="As charging.max_change_amount.")
    mandate_maximum: Decimal | None = Field(None, gt=0, description="As charging.mandate_maximum.")
    approve: Approve | None = Field(None, description="As charging.approve.")
    second_person_above: Decimal | None = Field(None, gt=0, description="As charging.second_person_above.")


class Charging(Part):
    date: Literal["due_date", "invoice_date", "day_of_month"] = Field(
        "due_date", description="When a charge is collected: on its invoice's due date, its invoice date, or a day of the month."
    )
    day: int | None = Field(None, ge=1, le=31, description="The day of the month, with date: day_of_month.")
    missing_invoice: Literal["hold", "computed"] = Field(
        "hold", description="A period without an invoice in the PSA: hold the charge, or collect the computed amount before tax."
    )
    release: Literal["agent", "automatic"] = Field(
        "agent",
        description="Who lets a charge go. automatic: a draft that the agent has not stopped within the hour, for it was down,"
        " is charged by the gateway alone, unchecked; see 'When the agent is down'.",
    )
    supplementary: Literal["hold", "release"] = Field(
        "hold", description="A period that was charged and is billed again: hold the additional charge until approved, or not."
    )
    invoice_early_days: int = Field(25, ge=0, le=62, description="How many days before its bill date an invoice may be dated.")
    max_data_age_hours: int = Field(24, ge=1, le=720, description="Nothing is released on PSA data older than this.")
    cap_per_charge: Decimal | None = Field(None, gt=0, description="A charge above this amount is held. null: no cap.")
    max_change_percent: Decimal | None = Field(
        None, ge=0, description="A charge is held that differs from the last period's by more than this and max_change_amount."
    )
    max_change_amount: Decimal | None = Field(None, ge=0, description="See max_change_percent; both must be exceeded.")
    mandate_maximum: Decimal | None = Field(
        None, gt=0, description="The most that payers have authorised for one debit; more is held until they authorise more."
    )
    approve: Approve = Field(
        "first_periods",
        description="Which charges wait until a person approves them (`connector billing-run`): those of an agreement's first"
        " periods, all, or none.",
    )
    approve_periods: int = Field(2, ge=1, le=24, description="How many periods approve: first_periods means.")
    run_days_ahead: int = Field(3, ge=0, le=30, description="So many days ahead the coming run is listed for approval.")
    second_person_above: Decimal | None = Field(
        None, gt=0, description="Above this amount a second person has to approve, or overrule a hold, too. null: one is enough."
    )
    payers: dict[str, OwnCharging] = Field({}, description="Own limits or an own day of single payers, by the company's id.")
    agreements: dict[str, OwnCharging] = Field({}, description="The same for single agreements, by the agreement's id.")

    @model_validator(mode="after")
    def _together(self) -> Charging:
        if problem := _inconsistent(self):
            raise ValueError(problem)
        for part, own in (("payers", self.payers), ("agreements", self.agreements)):
            for id, given in own.items():
                if problem := _inconsistent(self.merged(given)):
                    raise ValueError(f"{part}.{id}: together with what is set for everybody, {problem}")
        return self

    def merged(self, own: OwnCharging) -> Charging:
        """With what is set for one payer or agreement laid over it. Not checked for what goes together."""
        given = {name: getattr(own, name) for name in own.model_fields_set}
        if given.get("approve") is None:
            given.pop("approve", None)
        if given.get("date") is None:
            given.pop("date", None)
        elif given["date"] != "day_of_month":
            given["day"] = None
        return self.model_copy(update={**given, "payers": {}, "agreements": {}})


def _inconsistent(charging: Charging) -> str:
    if (charging.date == "day_of_month") != (charging.day is not None):
        return "'date: day_of_month' and 'day' go together"
    if (charging.max_change_percent is None) != (charging.max_change_amount is None):
        return "max_change_percent and max_change_amount go together"
    return ""


class OtherInvoices(Part):
    """Which invoices that no agreement's period owns are collected. All false: none, they are only listed."""

    project: bool = Field(False, description="Project invoices: progress billing, milestones, work on a project.")
    time_and_materials: bool = Field(False, description="Time and materials: tickets, expenses.")
    product: bool = Field(False, description="Products sold.")


class OtherPayer(Part):
    cap: Decimal = Field(gt=0, description="An invoice above this amount is held.")
    since: CalendarDate | None = Field(
        None, description="Invoices dated earlier are not collected. null: the day on which the agent first reads this setting."
    )


class Collect(Part):
    other_invoices: OtherInvoices = Field(
        OtherInvoices(), description="Which invoices beside the agreements' are collected, of the payers below."
    )
    payers: dict[str, OtherPayer] = Field(
        {}, description="The payers who agreed to it, by the company's id. Nobody else's other invoices are collected."
    )


class DunningConfig(Part):
    """When a payment that fails is tried no longer. The gateway retries on its own schedule and writes its own mails."""

    card_attempts: int | None = Field(
        None,
        ge=1,
        le=20,
        description="After so many failed attempts of a card the gateway is told to stop. null: its number.",
    )
    ach_attempts: int = Field(
        3, ge=1, le=3, description="The same for a bank debit; more than two further attempts are not allowed."
    )
    days: int = Field(30, ge=1, le=180, description="So many days after its release a charge that fails is tried no longer.")


class WriteBack(Part):
    psa_payments: Literal["connector", "accounting_sync"] | None = Field(
        None, description="Who writes payments to the PSA. Has no default: until it is chosen the agent writes none there."
    )
    books: Literal["connector", "psa_sync", "off"] = Field(
        "connector",
        description="Who writes payments to the books. psa_sync: the PSA's own sync (or another tool) brings them from the PSA;"
        " the agent writes none there and tells when one does not arrive. off: nobody that the agent knows of.",
    )
    wait_days: int = Field(
        5,
        ge=0,
        le=60,
        description="How long a payment waits for its invoice in the books before it is posted unapplied, and how long another"
        " writer may take for it before it needs attention.",
    )

    @model_validator(mode="after")
    def _one_begins(self) -> WriteBack:
        if self.psa_payments == "accounting_sync" and self.books == "psa_sync":
            raise ValueError(
                "books: psa_sync and psa_payments: accounting_sync each wait for the other, so no payment would be written"
                " anywhere; one of them should be connector"
            )
        return self


class LimitsConfig(Part):
    cancels_percent: Decimal = Field(
        Decimal(10), ge=0, le=100, description="More cancelled subscriptions than this in one plan need a person."
    )
    changes_percent: Decimal = Field(
        Decimal(60), ge=0, le=100, description="More changed subscriptions than this in one plan need a person."
    )
    always_allowed: int = Field(2, ge=0, description="So many of each are always allowed, however few subscriptions there are.")


class Schedule(Part):
    mirror_s: int = Field(300, ge=1, description="Seconds between two reads of the PSA's agreements.")
    release_s: int = Field(300, ge=1, description="Seconds between two looks at drafts and released charges.")
    collect_s: int = Field(60, ge=1, description="Seconds between two reads of the gateway's events.")
    deliver_s: int = Field(30, ge=1, description="Seconds between two rounds of write-back.")
    payouts_s: int = Field(900, ge=1, description="Seconds between two looks at the gateway's balance and payouts.")
    reconcile_s: int = Field(21_600, ge=1, description="Seconds between two three-way checks.")
    lease_s: int = Field(45, ge=2, description="Seconds after which a replica takes over from one that fell silent.")


class Serve(Part):
    host: str = Field("127.0.0.1", description="Address on which health, metrics and the status page are served.")
    port: int = Field(8080, ge=0, le=65535, description="Its port.")
    public_url: Address | None = Field(
        None, description="Under which address customers reach /enrol/ (through your reverse proxy). null: links of 24 hours."
    )


class SandboxConfig(Part):
    url: Address | None = Field(None, description="Address of a sandbox; its clock is used. null for real partners.")


class StoreConfig(Part):
    keep_days: int = Field(
        400, ge=100, description="Days until what is of no more use leaves the database; see 'What is kept, and how long'."
    )


class Config(Part):
    """The whole file. Relative paths are relative to it."""

    instance: str = Field(description="Owner marker on everything that the agent makes. Never change it.")
    company: Company = Field(description="Your company.")
    database: str = Field(
        "sqlite:///connector.db",
        repr=False,  # it may hold a password
        description="sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME; with a password as {file: PATH} or {env: NAME}.",
    )
    store: StoreConfig = Field(StoreConfig(), description="What is kept in the database.")
    secrets: Secrets = Field(description="Keys of the agent itself.")
    mode: Literal["live", "shadow"] = Field(
        "live", description="shadow: compute and compare everything, write nothing anywhere; see `connector go-live-report`."
    )
    collect_from: CalendarDate = Field(description="Nothing dated earlier is charged.")
    psa: MappedConnection = Field(description="The source of truth for agreements.")
    gateway: Connection = Field(description="Where payments are collected.")
    books: BooksConnection | None = Field(None, description="Where payments are booked. null: nowhere.")
    charging: Charging = Field(Charging(), description="When and what is collected.")
    collect: Collect = Field(Collect(), description="Project, time and materials, and product invoices.")
    dunning: DunningConfig = Field(DunningConfig(), description="How long a payment that fails is tried.")
    write_back: WriteBack = Field(WriteBack(), description="Who writes payments where.")
    limits: LimitsConfig = Field(LimitsConfig(), description="How much one plan may change without a person.")
    schedule: Schedule = Field(Schedule(), description="How often each flow runs.")
    serve: Serve = Field(Serve(), description="Health and status page.")
    sandbox: SandboxConfig = Field(SandboxConfig(), description="For trying the agent out.")

    @model_validator(mode="after")
    def _payments_of_the_method(self) -> Config:
        if self.books is not None and self.write_back.books == "psa_sync" and self.books.method != "payments_only":
            raise ValueError(
                f"write_back.books: psa_sync does not go with books.method: {self.books.method}, which books payouts from"
                " payments that the agent wrote; use payments_only"
            )
        return self

    @field_validator("instance")
    @classmethod
    def _plain_marker(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z0-9-]{3,40}", value):
            raise ValueError("should be 3 to 40 small letters, digits and dashes")
        return value

    @field_validator("database")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if not value.startswith(("sqlite:///", "postgresql://")):
            raise ValueError("should begin with sqlite:/// or postgresql://")
        if value in ("sqlite:///", "sqlite:///:memory:"):
            raise ValueError("should name a file: what the agent remembers must outlive it")
        return value
