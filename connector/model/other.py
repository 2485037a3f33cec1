"""Other invoices: project, time and materials, products. No agreement's period owns them; each is charged by itself. Pure.

Such a charge goes the way of every other charge: it stands for a billing unit of its own, made of the one invoice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from connector.model.agreement import Agreement, AgreementRef, BillingUnit, Payer
from connector.model.bills import Bills
from connector.model.charge import Charge
from connector.model.guards import Reason
from connector.model.invoice import OtherSort, PsaInvoice, PsaInvoiceKind
from connector.model.money import Money
from connector.model.period import Cycle, Period, Timing
from connector.model.release import GONE_WAY_ON

PREFIX = "invoice-"  # in the billing unit's key, before the invoice's id in the PSA
OTHER_CAP = "other_cap"
WORDS = {
    OtherSort.PROJECT: "project",
    OtherSort.TIME_AND_MATERIALS: "time and materials",
    OtherSort.PRODUCT: "product",
    None: "other",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherPayer:
    """One payer who agreed to it. `since` None: what is dated on or after the day on which the agent first saw that."""

    cap: Money
    since: date | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherRules:
    """What the configuration says. `payers`: by the company's id in the PSA, or by Payer.key."""

    sorts: frozenset[OtherSort] = frozenset()
    payers: Mapping[str, OtherPayer] = field(default_factory=dict)

    def of(self, payer: str) -> OtherPayer | None:
        return self.payers.get(payer) or self.payers.get(payer.partition(":")[2])


def unit_of(invoice: PsaInvoice) -> str:
    return f"{invoice.payer.partition(':')[0]}:{PREFIX}{invoice.id}"


def is_other(unit: str) -> bool:
    """Whether a billing unit's key stands for one such invoice."""
    return unit.partition(":")[2].startswith(PREFIX)


def named(payer: str, number: str) -> str:
    """For messages and tables."""
    return f"{payer}: invoice {number}"


def period_of(invoice: PsaInvoice) -> Period:
    return Period(invoice.dated, invoice.dated + timedelta(days=1))


def one_off(charge: Charge, invoice: PsaInvoice | None, payer: Payer) -> BillingUnit:
    """The billing unit of one invoice: what it comes to before tax is all that it bills, once."""
    ref, period = AgreementRef(psa=payer.psa, id=charge.unit.partition(":")[2]), charge.period
    word = f" ({WORDS[invoice.sort]})" if invoice is not None and invoice.sort is not None else ""
    agreement = Agreement(
        ref=ref,
        name=f"invoice {charge.psa_number}{word}",
        company_name=payer.name,
        payer=payer,
        group=ref.id,
        cycle=Cycle.MONTHLY,
        timing=Timing.ADVANCE,
        anchor=period.start,
        starts=period.start,
        ends=period.end,
        base=invoice.subtotal if invoice is not None else charge.computed,
        base_tax_treatment="",
        lines=(),
        collect=True,
    )
    return BillingUnit(
        key=charge.unit,
        agreements=(agreement,),
        payer=payer,
        currency=agreement.currency,
        cycle=agreement.cycle,
        timing=agreement.timing,
        anchor=agreement.anchor,
        starts=agreement.starts,
        ends=agreement.ends,
    )


def only_bill(period: Period, invoice: PsaInvoice | None) -> Bills:
    """The invoice, while it is one: gone, voided or turned into something else it bills nothing."""
    if invoice is None or invoice.voided or invoice.kind is not PsaInvoiceKind.OTHER:
        return Bills(by_period={}, unsure=())
    return Bills(by_period={period: (invoice,)}, unsure=())


def refused(rules: OtherRules, invoice: PsaInvoice, *, enrolled: bool, since: date) -> str:
    """Why no charge is made for this open invoice; "" when one is. `since`: the payer's first day."""
    if rules.of(invoice.payer) is None:
        return "the payer is not opted in to it (collect.payers)"
    if invoice.sort is None or invoice.sort not in rules.sorts:
        return f"{WORDS[invoice.sort]} invoices are not collected (collect.other_invoices)"
    if invoice.dated < since:
        return f"dated {invoice.dated.isoformat()}, before {since.isoformat()}, from when they are collected of this payer"
    return "" if enrolled else "the payer has not authorised a payment method yet"


def questions(rules: OtherRules, invoice: PsaInvoice | None, number: str, payer: str) -> tuple[Reason, ...]:
    """Without an answer to these a drafted charge has no amount, or must not go out."""
    if invoice is None or invoice.kind is not PsaInvoiceKind.OTHER:
        return (
            Reason(
                name="missing_invoice",
                message=f"invoice {number} is no longer in the PSA, or bills something else now",
                way_on=f"nothing is collected for it. {GONE_WAY_ON.capitalize()}",
            ),
        )
    if rules.of(payer) is None or invoice.sort not in rules.sorts:
        return (
            Reason(
                name="not_opted_in",
                message=f"{WORDS[invoice.sort]} invoices are no longer collected of this payer (collect in the configuration)",
                way_on="opt the payer in again, or void the draft in the gateway's dashboard",
            ),
        )
    return ()


def cap_hold(rules: OtherRules, invoice: PsaInvoice, payer: str) -> tuple[Reason, ...]:
    """The amount above which the payer is asked first."""
    own = rules.of(payer)
    if own is None or (own.cap.currency == invoice.balance.currency and invoice.balance <= own.cap):
        return ()
    return (
        Reason(
            name=OTHER_CAP,
            message=f"{invoice.balance} is above the payer's cap of {own.cap} for invoices that no agreement bills",
            way_on="overrule it (connector release), raise collect.payers.ID.cap, or collect this one outside autopay",
        ),
    )
