"""Autotask PSA as the core's `Psa`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date

from adapters.autotask import translate
from adapters.autotask.client import Client, Record
from adapters.autotask.invoices import InvoiceReader
from adapters.autotask.mapped import MAPPING
from adapters.autotask.paid import PaidWriter
from adapters.autotask.scan import ContractReader
from adapters.autotask.settings import AutotaskSettings
from connector.errors import ConfigError, Rejected
from connector.mapping.spec import FieldMapping
from connector.model.agreement import Agreement, AgreementRef, Payer, Unchanged, Unusable
from connector.model.invoice import PaidRecord, PaidState, PsaInvoice, Received, UnreadableInvoice
from connector.ports import AdapterSpec, Capability, Context, Role

NAME = translate.NAME


class Autotask:
    """`connector.ports.Psa`. Opens no connection before the first call."""

    def __init__(self, settings: AutotaskSettings, context: Context) -> None:
        self._context = context
        self._settings = settings
        self._mapping = _given(context.mapping)
        self._client = Client(settings, context=context)
        self._contracts = ContractReader(client=self._client, mapping=self._mapping, currency=context.currency)
        self._invoices = InvoiceReader(client=self._client, contracts=self._contracts, currency=context.currency)
        self._paid = PaidWriter(client=self._client)

    @property
    def name(self) -> str:
        return NAME

    @property
    def can(self) -> frozenset[Capability]:
        """Not PARTIAL_SETTLEMENT: a paid date is all that an invoice can hold."""
        return frozenset({Capability.REVERSAL} | ({Capability.PUBLISH_ENROLMENT} if self._places() else set()))

    def ping(self) -> None:
        """Also Unauthorized when the agent records payments and the paid date of invoices may not be written."""
        if self._settings.records_payments:
            self._paid.check_writable()
        self._client.count("Contracts", [{"op": "eq", "field": "id", "value": 0}])

    def close(self) -> None:
        self._client.close()

    def agreements(self, known: Mapping[str, str]) -> Iterator[Agreement | Unchanged | Unusable]:
        """Read to the end before the first is given: half a read never looks like missing contracts."""
        now = self._context.clock.now()
        yield from self._contracts.read(known, now=now, today=now.astimezone(self._context.time_zone).date())

    def invoices(self, agreements: Collection[AgreementRef], *, since: date) -> Iterator[PsaInvoice | UnreadableInvoice]:
        ids = [int(ref.id) for ref in agreements if ref.psa == NAME and ref.id.isdigit()]
        yield from self._invoices.of_contracts(ids, since)

    def other_invoices(self, payers: Collection[str], *, since: date) -> Iterator[PsaInvoice]:
        companies = {(payer.psa, payer.id) for payer in map(Payer.of_key, payers)}
        ids = sorted(int(id) for psa, id in companies if psa == NAME and id.isdigit())
        yield from self._invoices.open_others(ids, since)

    def invoice(self, id: str) -> PsaInvoice | None:
        return self._invoices.one(id)

    def received(self, invoice: str) -> Sequence[Received]:
        """All that Autotask knows is the day on which all of it was paid."""
        return self._invoices.received(invoice)

    def record_paid(self, invoice: str, paid: PaidState) -> PaidRecord:
        """`recorded` is 0 while the invoice is not paid in full: Autotask cannot hold a part."""
        return self._paid.record(invoice, paid)

    def publish_enrolment(self, payer: Payer, *, link: str, state: str) -> bool:
        """Only the fields named in the mapping are sent. Rejected when the company lacks one."""
        places = self._places()
        values = {name: text for field, text in (("link", link), ("state", state)) if (name := places.get(field))}
        if not values:
            return False
        company = self._company(payer)
        _check_places(company, values, payer)
        if _noted(company, values) == values:
            return False
        fields = [{"name": name, "value": text} for name, text in values.items()]
        self._client.patch("Companies", {"id": company["id"], "userDefinedFields": fields})
        if _noted(self._company(payer), values) != values:
            raise Rejected(
                f"{payer.name} (company {payer.id}): Autotask did not keep the user-defined fields as written."
                " Check that they are text fields, long enough for a link.",
                code="not_kept",
            )
        return True

    def _company(self, payer: Payer) -> Record:
        company = self._client.get("Companies", payer.id)
        if company is None:
            raise Rejected(f"{payer.name} (company {payer.id}) is no longer in Autotask.", code="company_gone")
        return company

    def _places(self) -> dict[str, str]:
        fields = self._mapping.section("enrolment").read({})
        return {name: place for name, place in fields.items() if place}


def _udfs(company: Record) -> dict[str, str]:
    return {str(field.get("name")): str(field.get("value") or "") for field in company.get("userDefinedFields") or ()}


def _noted(company: Record, values: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in _udfs(company).items() if name in values}


def _check_places(company: Record, values: Mapping[str, str], payer: Payer) -> None:
    for name in values.keys() - _udfs(company).keys():
        raise Rejected(
            f"{payer.name} (company {payer.id}) has no user-defined field {name!r} in Autotask. Add it for companies (Admin >"
            " User-Defined Fields), spelled like this, or change section 'enrolment' of the mapping.",
            code="no_custom_field",
        )


def _given(mapping: FieldMapping | None) -> FieldMapping:
    if mapping is None:
        raise ConfigError("the Autotask adapter needs a field mapping: set psa.mapping, e.g. to mappings/autotask.yaml")
    return mapping


ADAPTER = AdapterSpec(name=NAME, role=Role.PSA, settings=AutotaskSettings, mapping=MAPPING, build=Autotask)
