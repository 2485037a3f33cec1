"""What each entity has: which properties a client may send, which can be searched for, and what kind of value they hold."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Value(Enum):
    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    TIME = "time"
    BOOLEAN = "boolean"
    REF = "ref"
    ID = "id"  # only = and IN


@dataclass(frozen=True, kw_only=True)
class Shape:
    """`writable`: kept as the client sends it. `derived`: ours to compute, ignored when sent. `searchable`: in WHERE, ORDERBY."""

    name: str
    writable: frozenset[str]
    derived: frozenset[str] = frozenset()
    searchable: dict[str, Value]
    transaction: bool = False
    deletable: bool = False

    def knows(self, name: str) -> bool:
        return name in self.writable or name in self.derived or name in COMMON


COMMON = frozenset("Id SyncToken MetaData domain sparse status CustomField AttachableRef LinkedTxn".split())
_TXN = (
    "DocNumber TxnDate DepartmentRef CurrencyRef ExchangeRate PrivateNote TxnStatus Line TxnTaxDetail TxnSource"
    " TransactionLocationType GlobalTaxCalculation"
)
_SALES = (
    " CustomerRef CustomerMemo BillAddr ShipAddr ClassRef SalesTermRef DueDate ShipMethodRef ShipDate TrackingNum"
    " ApplyTaxAfterDiscount PrintStatus EmailStatus BillEmail ARAccountRef PaymentMethodRef PaymentRefNum DepositToAccountRef"
    " DeliveryInfo ShipFromAddr TaxExemptionRef"
)
_INVOICE = (
    " BillEmailCc BillEmailBcc Deposit AllowIPNPayment AllowOnlinePayment AllowOnlineCreditCardPayment AllowOnlineACHPayment"
    " EInvoiceStatus ECloudStatusTimeStamp InvoiceLink"
)
_SEARCH = {
    "Id": Value.ID,
    "SyncToken": Value.TEXT,
    "MetaData.CreateTime": Value.TIME,
    "MetaData.LastUpdatedTime": Value.TIME,
}
_TXN_SEARCH = {**_SEARCH, "DocNumber": Value.TEXT, "TxnDate": Value.DATE, "TotalAmt": Value.NUMBER}
_LIST_SEARCH = {**_SEARCH, "Active": Value.BOOLEAN}


def _words(*texts: str) -> frozenset[str]:
    return frozenset(" ".join(texts).split())


_ALL = (
    Shape(
        name="Customer",
        writable=_words(
            "DisplayName Title GivenName MiddleName FamilyName Suffix CompanyName PrintOnCheckName Active PrimaryPhone",
            "AlternatePhone Mobile Fax PrimaryEmailAddr WebAddr DefaultTaxCodeRef Taxable BillAddr ShipAddr Notes Job",
            "BillWithParent ParentRef SalesTermRef PaymentMethodRef ARAccountRef CurrencyRef PreferredDeliveryMethod",
            "ResaleNum TaxExemptionReasonId IsProject PrimaryTaxIdentifier OpenBalanceDate OtherAddr ContactName",
            "AltContactName CreditLimit OverDueBalance TotalRevenue TotalExpense CustomerTypeRef AcctNum",
        ),
        derived=_words("FullyQualifiedName Level Balance BalanceWithJobs ClientEntityId"),
        searchable={
            **_LIST_SEARCH,
            "DisplayName": Value.TEXT,
            "CompanyName": Value.TEXT,
            "GivenName": Value.TEXT,
            "FamilyName": Value.TEXT,
            "FullyQualifiedName": Value.TEXT,
            "PrintOnCheckName": Value.TEXT,
            "PrimaryEmailAddr": Value.TEXT,
            "Balance": Value.NUMBER,
        },
    ),
    Shape(
        name="Account",
        writable=_words(
            "Name Active AccountType AccountSubType Classification AcctNum CurrencyRef Description ParentRef SubAccount",
            "TaxCodeRef",
        ),
        derived=_words("FullyQualifiedName CurrentBalance CurrentBalanceWithSubAccounts"),
        searchable={
            **_LIST_SEARCH,
            "Name": Value.TEXT,
            "AccountType": Value.TEXT,
            "AccountSubType": Value.TEXT,
            "Classification": Value.TEXT,
            "FullyQualifiedName": Value.TEXT,
        },
    ),
    Shape(
        name="PaymentMethod",
        writable=_words("Name Active Type"),
        searchable={**_LIST_SEARCH, "Name": Value.TEXT, "Type": Value.TEXT},
    ),
    Shape(
        name="Invoice",
        writable=_words(_TXN, _SALES, _INVOICE),
        derived=_words("TotalAmt Balance HomeBalance HomeTotalAmt FreeFormAddress"),
        searchable={**_TXN_SEARCH, "CustomerRef": Value.REF, "DueDate": Value.DATE, "Balance": Value.NUMBER},
        transaction=True,
        deletable=True,
    ),
    Shape(
        name="CreditMemo",
        writable=_words(_TXN, _SALES),
        derived=_words("TotalAmt Balance RemainingCredit HomeBalance HomeTotalAmt FreeFormAddress"),
        searchable={**_TXN_SEARCH, "CustomerRef": Value.REF},
        transaction=True,
        deletable=True,
    ),
    Shape(
        name="Payment",
        writable=_words(
            _TXN,
            "CustomerRef TotalAmt ARAccountRef DepositToAccountRef PaymentMethodRef PaymentRefNum ProcessPayment",
            "CreditCardPayment TaxExemptionRef",
        ),
        derived=_words("UnappliedAmt"),
        searchable={
            **_TXN_SEARCH,
            "CustomerRef": Value.REF,
            "DepositToAccountRef": Value.REF,
            "PaymentMethodRef": Value.REF,
            "PaymentRefNum": Value.TEXT,
        },
        transaction=True,
        deletable=True,
    ),
    Shape(
        name="Deposit",
        writable=_words(_TXN, "DepositToAccountRef CashBack"),
        derived=_words("TotalAmt HomeTotalAmt"),
        searchable={**_TXN_SEARCH, "DepositToAccountRef": Value.REF},
        transaction=True,
        deletable=True,
    ),
    Shape(
        name="RefundReceipt",
        writable=_words(_TXN, _SALES),
        derived=_words("TotalAmt Balance"),
        searchable={**_TXN_SEARCH, "CustomerRef": Value.REF, "PaymentRefNum": Value.TEXT},
        transaction=True,
        deletable=True,
    ),
    Shape(
        name="JournalEntry",
        writable=_words(_TXN, "Adjustment"),
        derived=_words("TotalAmt"),
        searchable=_TXN_SEARCH,
        transaction=True,
        deletable=True,
    ),
    Shape(
        name="Transfer",
        writable=_words(
            "FromAccountRef ToAccountRef Amount TxnDate PrivateNote CurrencyRef ExchangeRate TransactionLocationType"
        ),
        searchable={**_SEARCH, "TxnDate": Value.DATE, "Amount": Value.NUMBER},
        transaction=True,
        deletable=True,
    ),
    Shape(name="CompanyInfo", writable=frozenset(), searchable=_SEARCH),
    Shape(name="Preferences", writable=frozenset(), derived=_words("AccountingInfoPrefs"), searchable=_SEARCH),
)

SHAPES: dict[str, Shape] = {shape.name: shape for shape in _ALL}
BY_PATH: dict[str, Shape] = {shape.name.lower(): shape for shape in _ALL}
