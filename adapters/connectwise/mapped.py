"""What the field mapping of ConnectWise may set: our fields, and the records that its paths are read from."""

from __future__ import annotations

from connector.mapping.spec import FieldSpec, FieldType, MappingSpec, SectionSpec
from connector.model.agreement import LineBilling
from connector.model.period import Cycle, Timing

TEXT, DATE, DECIMAL, BOOLEAN = FieldType.TEXT, FieldType.DATE, FieldType.DECIMAL, FieldType.BOOLEAN

AGREEMENT = SectionSpec(
    name="agreement",
    filtered=True,
    doc="the agreement, with `payer` (its bill-to company), `parent` (the parent agreement) and `cycle` (its billing cycle)",
    fields=(
        FieldSpec(name="name", type=TEXT, required=True, doc="what the payer reads on the charge"),
        FieldSpec(name="kind", type=TEXT, doc="the agreement type, by name"),
        FieldSpec(name="company_name", type=TEXT, required=True, doc="the company served"),
        FieldSpec(
            name="group", type=TEXT, doc="agreements of one payer with the same group are billed together; default: bundles"
        ),
        FieldSpec(name="cycle", type=TEXT, required=True, choices=tuple(Cycle), doc="how often it is billed"),
        FieldSpec(name="timing", type=TEXT, required=True, choices=tuple(Timing), doc="billed before or after the period"),
        FieldSpec(name="anchor", type=DATE, required=True, doc="a day on which a period begins"),
        FieldSpec(name="starts", type=DATE, required=True, doc="first day in force"),
        FieldSpec(name="ends", type=DATE, doc="last day in force"),
        FieldSpec(
            name="cancelled", type=DATE, doc="last day in force when it was cancelled; the earlier of this and ends counts"
        ),
        FieldSpec(name="base", type=DECIMAL, required=True, doc="flat amount per cycle, before tax"),
        FieldSpec(name="base_tax_treatment", type=TEXT, required=True, doc="taxable or exempt"),
        FieldSpec(name="collect", type=BOOLEAN, required=True, doc="whether the payer was opted in"),
        FieldSpec(name="collect_from", type=DATE, doc="nothing dated earlier is charged"),
        FieldSpec(name="charge_date", type=TEXT, doc="overrides charging.date: due_date, invoice_date or a day of the month"),
        FieldSpec(name="renews", type=TEXT, doc="id of the agreement that this one continues"),
        FieldSpec(name="location", type=TEXT, doc="the location of the payer that pays for it by a method of its own"),
    ),
)

PAYER = SectionSpec(
    name="payer",
    doc="the bill-to company",
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
    doc="the addition, with `agreement` (its agreement)",
    fields=(
        FieldSpec(name="id", type=TEXT, required=True, doc="the addition's id"),
        FieldSpec(name="product", type=TEXT, required=True, doc="stable identifier of the product"),
        FieldSpec(name="name", type=TEXT, required=True, doc="what the payer reads"),
        FieldSpec(name="quantity", type=DECIMAL, required=True, doc="the quantity that is billed, after what is included"),
        FieldSpec(name="unit_price", type=DECIMAL, required=True, doc="price of one, before tax"),
        FieldSpec(name="tax_treatment", type=TEXT, required=True, doc="taxable or exempt"),
        FieldSpec(name="billing", type=TEXT, required=True, choices=tuple(LineBilling), doc="whether it is charged"),
        FieldSpec(name="starts", type=DATE, doc="first day in force"),
        FieldSpec(name="ends", type=DATE, doc="last day in force"),
    ),
)

ENROLMENT = SectionSpec(
    name="enrolment",
    doc="custom fields of the payer's company where the agent writes; named by their caption",
    fields=(
        FieldSpec(name="link", type=TEXT, doc="caption of the custom field for the enrolment link"),
        FieldSpec(name="state", type=TEXT, doc="caption of the custom field for the enrolment state"),
    ),
)

MAPPING = MappingSpec(adapter="connectwise", sections=(AGREEMENT, PAYER, LINE, ENROLMENT))
