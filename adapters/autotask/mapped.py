"""What the field mapping of Autotask may set: our fields, and the records that its paths are read from."""

from __future__ import annotations

from connector.mapping.spec import FieldSpec, FieldType, MappingSpec, SectionSpec
from connector.model.agreement import LineBilling
from connector.model.period import Cycle, Timing

TEXT, DATE, DECIMAL, BOOLEAN = FieldType.TEXT, FieldType.DATE, FieldType.DECIMAL, FieldType.BOOLEAN

AGREEMENT = SectionSpec(
    name="agreement",
    filtered=True,
    doc="the contract, with `company` (the company served), `payer` (its bill-to company), `labels` (the words for its "
    "contractType, contractCategory, status and for the period of its services), `firstPeriod` and `renews`",
    fields=(
        FieldSpec(name="name", type=TEXT, required=True, doc="what the payer reads on the charge"),
        FieldSpec(name="kind", type=TEXT, doc="the contract category, by name"),
        FieldSpec(name="company_name", type=TEXT, required=True, doc="the company served"),
        FieldSpec(name="group", type=TEXT, doc="contracts of one payer with the same group are billed together; default: alone"),
        FieldSpec(name="cycle", type=TEXT, required=True, choices=tuple(Cycle), doc="how often it is billed"),
        FieldSpec(name="timing", type=TEXT, required=True, choices=tuple(Timing), doc="billed before or after the period"),
        FieldSpec(name="anchor", type=DATE, required=True, doc="a day on which a period begins"),
        FieldSpec(name="starts", type=DATE, required=True, doc="first day in force"),
        FieldSpec(name="ends", type=DATE, required=True, doc="last day in force"),
        FieldSpec(name="base", type=DECIMAL, required=True, doc="flat amount per cycle, before tax"),
        FieldSpec(name="base_tax_treatment", type=TEXT, required=True, doc="taxable or exempt"),
        FieldSpec(name="collect", type=BOOLEAN, required=True, doc="whether the payer was opted in"),
        FieldSpec(name="collect_from", type=DATE, doc="nothing dated earlier is charged"),
        FieldSpec(name="charge_date", type=TEXT, doc="overrides charging.date: due_date, invoice_date or a day of the month"),
        FieldSpec(name="renews", type=TEXT, doc="id of the contract that this one continues"),
        FieldSpec(name="location", type=TEXT, doc="the location of the payer that pays for it by a method of its own"),
    ),
)

PAYER = SectionSpec(
    name="payer",
    doc="the bill-to company, with `contact` (its contact for bills) and `contacts` (all active ones)",
    fields=(
        FieldSpec(name="name", type=TEXT, required=True, doc="the payer's name"),
        FieldSpec(name="email", type=TEXT, doc="where receipts and the enrolment link go"),
        FieldSpec(name="books_id", type=TEXT, doc="the customer's id in the books"),
        FieldSpec(name="books_name", type=TEXT, doc="the customer's name in the books, if it differs"),
        FieldSpec(name="gateway_customer", type=TEXT, doc="the customer's id at the gateway, for `connector adopt`"),
    ),
)

LINE = SectionSpec(
    name="line",
    doc="a service or service bundle on the contract, as the contract has it, with `product` (the service or bundle), "
    "`productKey`, `units`, `price` (of one) and `contract`",
    fields=(
        FieldSpec(name="product", type=TEXT, required=True, doc="stable identifier of the product"),
        FieldSpec(name="name", type=TEXT, required=True, doc="what the payer reads"),
        FieldSpec(name="tax_treatment", type=TEXT, required=True, doc="taxable or exempt"),
        FieldSpec(name="billing", type=TEXT, required=True, choices=tuple(LineBilling), doc="whether it is charged"),
    ),
)

ENROLMENT = SectionSpec(
    name="enrolment",
    doc="user-defined fields of the payer's company where the agent writes; by their name",
    fields=(
        FieldSpec(name="link", type=TEXT, doc="name of the user-defined field for the enrolment link"),
        FieldSpec(name="state", type=TEXT, doc="name of the user-defined field for the enrolment state"),
    ),
)

MAPPING = MappingSpec(adapter="autotask", sections=(AGREEMENT, PAYER, LINE, ENROLMENT))
