"""ConnectWise PSA as the core's `Psa`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta

from adapters.connectwise import translate, wire
from adapters.connectwise.agreements import AgreementReader
from adapters.connectwise.client import Client, Record
from adapters.connectwise.mapped import MAPPING
from adapters.connectwise.payments import PaymentWriter
from adapters.connectwise.settings import ConnectWiseSettings
from adapters.http import Http
from connector.errors import ConfigError, Rejected
from connector.mapping.spec import FieldMapping
from connector.model.agreement import Agreement, AgreementRef, Payer, Unchanged, Unusable
from connector.model.invoice import PaidRecord, PaidState, PsaInvoice, PsaInvoiceKind, Received, UnreadableInvoice
from connector.ports import AdapterSpec, Capability, Context, Role

NAME = translate.NAME
ONE_DAY = timedelta(days=1)


class ConnectWise:
    """`connector.ports.Psa`. Opens no connection before the first call."""

    def __init__(self, settings: ConnectWiseSettings, context: Context, *, http: Http | None = None) -> None:
        self._context = context
        self._given_up = frozenset(name.strip().casefold() for name in settings.written_off_statuses)
        self._mapping = _given(context.mapping)
        self._client = Client(settings, context=context, http=http)
        self._reader = AgreementReader(
            client=self._client,
            mapping=self._mapping,
            currency=context.currency,
            salt=_fingerprint(self._mapping),
        )
        self._payments = PaymentWriter(
            client=self._client, currency=context.currency, member=settings.api_member, tools=settings.sync_members
        )

    @property
    def name(self) -> str:
        return NAME

    @property
    def can(self) -> frozenset[Capability]:
        writes = {Capability.PARTIAL_SETTLEMENT, Capability.REVERSAL}
        return frozenset(writes | {Capability.PUBLISH_ENROLMENT} if self._places() else writes)

    def ping(self) -> None:
        self._client.ping()

    def close(self) -> None:
        self._client.close()

    def agreements(self, known: Mapping[str, str]) -> Iterator[Agreement | Unchanged | Unusable]:
        """Read to the end before the first is given: half a read never looks like missing agreements."""
        now = self._context.clock.now()
        yield from self._reader.read(known, now=now, today=now.astimezone(self._context.time_zone).date())

    def invoices(self, agreements: Collection[AgreementRef], *, since: date) -> Iterator[PsaInvoice | UnreadableInvoice]:
        # One day more is asked for: a date compares in ways of its own on some servers (psa.md 2A.6).
        dated = f"date > [{since - ONE_DAY - ONE_DAY}T00:00:00Z]"
        ids = [int(ref.id) for ref in agreements if ref.psa == NAME]
        rows = list(self._client.among("/finance/invoices", "agreement/id", ids, also=dated))
        found = [translate.invoice_or_why(row, self._context.currency, given_up=self._given_up) for row in rows]
        yield from (one for one in found if isinstance(one, UnreadableInvoice) or one.dated >= since)

    def other_invoices(self, payers: Collection[str], *, since: date) -> Iterator[PsaInvoice]:
        wanted = f'balance > 0 and type != "Agreement" and date > [{since - ONE_DAY - ONE_DAY}T00:00:00Z]'
        companies = {(payer.psa, payer.id) for payer in map(Payer.of_key, payers)}
        ids = sorted(int(id) for psa, id in companies if psa == NAME and id.isdigit())
        rows = self._client.among("/finance/invoices", "billToCompany/id", ids, also=wanted)
        found = [self._invoice(row) for row in map(translate.read_invoice, rows) if row.date >= since]
        yield from (invoice for invoice in found if invoice.kind is PsaInvoiceKind.OTHER and invoice.balance.minor > 0)

    def invoice(self, id: str) -> PsaInvoice | None:
        record = self._client.get(f"/finance/invoices/{id}")
        return None if record is None else self._invoice(translate.read_invoice(record))

    def _invoice(self, found: wire.Invoice) -> PsaInvoice:
        return translate.invoice(found, self._context.currency, given_up=self._given_up)

    def received(self, invoice: str) -> Sequence[Received]:
        """One request."""
        return self._payments.received(invoice)

    def record_paid(self, invoice: str, paid: PaidState) -> PaidRecord:
        """Also Rejected when what is read back is not what was meant, with the figures."""
        return self._payments.record(invoice, paid)

    def publish_enrolment(self, payer: Payer, *, link: str, state: str) -> bool:
        """The custom fields go back as the entire array, as ConnectWise wants it. Rejected when the company lacks the field."""
        places = self._places()
        values = {caption: text for field, text in (("link", link), ("state", state)) if (caption := places.get(field))}
        if not values:
            return False
        path = f"/company/companies/{payer.id}"
        company = self._client.get(path)
        if company is None:
            raise Rejected(f"{payer.name} (company {payer.id}) is no longer in ConnectWise.", code="company_gone")
        wanted = _with_values(company, values, payer)
        if wanted == company.get("customFields"):
            return False
        self._client.patch(path, {"customFields": wanted})
        self._check_written(path, wanted, payer)
        return True

    def _check_written(self, path: str, wanted: list[Record], payer: Payer) -> None:
        """Some patches are answered with success and change nothing."""
        after = self._client.get(path) or {}
        shown = {field.get("id"): field.get("value") for field in after.get("customFields") or ()}
        if any(field.get("value") != shown.get(field["id"]) for field in wanted):
            raise Rejected(
                f"{payer.name} (company {payer.id}): ConnectWise did not keep the custom fields as written."
                " Check that they are text fields, long enough for a link, and not read-only.",
                code="not_kept",
            )

    def _places(self) -> dict[str, str]:
        fields = self._mapping.section("enrolment").read({})
        return {name: caption for name, caption in fields.items() if caption}


def _with_values(company: Record, values: Mapping[str, str], payer: Payer) -> list[Record]:
    fields = [dict(field) for field in company.get("customFields") or ()]
    by_caption = {str(field.get("caption", "")).strip().casefold(): field for field in fields}
    for caption, text in values.items():
        field = by_caption.get(caption.strip().casefold())
        if field is None:
            raise Rejected(
                f"{payer.name} (company {payer.id}) has no custom field {caption!r} in ConnectWise. Add it for companies under"
                " System > Setup Tables > Custom Fields, or change section 'enrolment' of the mapping.",
                code="no_custom_field",
            )
        if text or field.get("value"):
            field["value"] = text
    return fields


def _fingerprint(mapping: FieldMapping) -> str:
    """Of the rules, the same in every process: an edited mapping must not leave agreements as they were read before.

    Neither the addresses of objects in memory nor the rules' places in the file belong to it.
    """
    rules = re.sub(r" at 0x[0-9a-f]+|place='[^']*'", "", repr(mapping))
    return hashlib.sha256(rules.encode()).hexdigest()


def _given(mapping: FieldMapping | None) -> FieldMapping:
    if mapping is None:
        raise ConfigError("the ConnectWise adapter needs a field mapping: set psa.mapping, e.g. to mappings/connectwise.yaml")
    return mapping


ADAPTER = AdapterSpec(name=NAME, role=Role.PSA, settings=ConnectWiseSettings, mapping=MAPPING, build=ConnectWise)
