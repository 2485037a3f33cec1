"""The company file: records, what may be done to them, and the balances that follow."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from adapters.sandbox.quickbooks import entries, refusals
from adapters.sandbox.quickbooks.postings import Postings, entities
from adapters.sandbox.quickbooks.refusals import Refused
from adapters.sandbox.quickbooks.shapes import SHAPES, Shape

PACIFIC = ZoneInfo("America/Los_Angeles")
MAX_NUMBER = 21
MAX_NOTE = 4000
UNDEPOSITED = "UndepositedFunds"
INDEXED = {"DisplayName", "DocNumber", "PaymentRefNum", "CustomerRef"}
Record = dict[str, Any]
Clock = Callable[[], datetime]


def stamp(moment: datetime) -> str:
    return moment.astimezone(PACIFIC).isoformat(timespec="seconds")


def amount(value: object, name: str) -> Decimal:
    """Amounts come as JSON numbers, from some clients as strings."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise refusals.invalid_number(f"{name} {value}") from None
    if not number.is_finite():
        raise refusals.invalid_number(f"{name} {value}")
    return number.quantize(Decimal("0.01"))


def ref(record: Mapping[str, Any], name: str) -> str:
    """The id in a reference, "" when it is not there."""
    value = record.get(name)
    return str(value.get("value") or "") if isinstance(value, Mapping) else ""


def links(line: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Type and id of every transaction that a line is linked to."""
    for link in line.get("LinkedTxn") or ():
        yield str(link.get("TxnType") or ""), str(link.get("TxnId") or "")


class Company:
    """Transactions share one sequence of ids, as in QuickBooks; every list of names has its own."""

    def __init__(self, now: Clock, currency: str = "USD") -> None:
        self._now = now
        self.currency = currency
        self.records: dict[str, dict[str, Record]] = {name: {} for name in SHAPES}
        self.postings = Postings(self.records["Account"])
        self.deleted: list[tuple[str, Record]] = []
        self.closed_through: date | None = None
        self.period_closed_code = "5010"  # 6210 is seen as well
        self.warn_duplicate_numbers = True
        self._last_transaction = 0
        self._applied: dict[str, dict[str, Decimal]] = {}  # transaction -> payment -> how much of it
        self._index: dict[tuple[str, str, str], dict[str, None]] = {}  # may name too many; look again

    # What a client or a person does.

    def get(self, kind: str, id: str) -> Record:
        """Raises Refused 610."""
        record = self.records[kind].get(id)
        if record is None:
            raise refusals.not_found()
        return record

    def create(self, kind: str, body: Mapping[str, Any], *, include: str = "") -> Record:
        shape = SHAPES[kind]
        record: Record = {"domain": "QBO", "sparse": False, "SyncToken": "0"}
        record |= self._taken(shape, body)
        self._defaults(shape, record)
        self._check(shape, record, None, include)
        record["Id"] = self._next_id(shape)
        record["MetaData"] = {"CreateTime": stamp(self._now()), "LastUpdatedTime": stamp(self._now())}
        self._put(shape, record)
        return record

    def update(self, kind: str, body: Mapping[str, Any], *, include: str = "") -> Record:
        """Sparse: what is named changes. Full: what is not named is cleared. Lines change all together or not at all."""
        shape = SHAPES[kind]
        old = self._addressed(kind, body)
        record = {
            name: value for name, value in old.items() if body.get("sparse") in (True, "true") or name not in shape.writable
        }
        record |= self._taken(shape, body)
        self._defaults(shape, record, old)
        self._check(shape, record, old, include)
        self._bump(record)
        self._take_back(old)
        self._put(shape, record)
        return record

    def delete(self, kind: str, body: Mapping[str, Any]) -> Record:
        shape = SHAPES[kind]
        if not shape.deletable:
            raise refusals.unsupported("operation=delete")
        record = self._addressed(kind, body)
        self._open_period(record, None)
        self._not_deposited(kind, record)
        self._unlink(kind, record)
        del self.records[kind][record["Id"]]
        self._settle_customers(self.postings.remove(kind, record["Id"]))
        self._bump(record)
        self.deleted.append((kind, record))
        return {"domain": "QBO", "status": "Deleted", "Id": record["Id"]}

    def void(self, kind: str, body: Mapping[str, Any]) -> Record:
        """The amount becomes nothing, the links go, the note says so."""
        record = self._addressed(kind, body)
        self._open_period(record, None)
        self._not_deposited(kind, record)
        self._unlink(kind, record)
        note = str(record.get("PrivateNote") or "")
        record["PrivateNote"] = note if note.startswith("Voided") else f"Voided - {note}".removesuffix(" - ")
        record["TotalAmt"] = Decimal(0)
        record["Line"] = [] if kind == "Payment" else [_nothing(line) for line in record.get("Line", [])]
        record.pop("TxnTaxDetail", None)
        self._bump(record)
        self._put(SHAPES[kind], record)
        return record

    # What others in the sandbox ask.

    def changed_since(self, kind: str, moment: datetime) -> list[Record]:
        """For CDC: records that changed, and stubs of those deleted."""
        changed = [r for r in self.records[kind].values() if _updated(r) >= moment]
        gone = [r for deleted_kind, r in self.deleted if deleted_kind == kind and _updated(r) >= moment]
        stubs = [{"domain": "QBO", "status": "Deleted", "Id": r["Id"], "MetaData": r["MetaData"]} for r in gone]
        return changed + stubs

    def named(self, kind: str, name: str) -> Record:
        """By DisplayName or Name; ValueError when there is none."""
        for record in self.found_by(kind, "DisplayName", [name]) or self.records[kind].values():
            if record.get("DisplayName", record.get("Name")) == name:
                return record
        raise ValueError(f"no {kind} is called {name!r}")

    def undeposited_funds(self) -> Record:
        return next(a for a in self.records["Account"].values() if a.get("AccountSubType") == UNDEPOSITED)

    def deposit_of(self, payment: str) -> str:
        """Id of the deposit that a payment is in, "" when it is in none."""
        for link in self.records["Payment"].get(payment, {}).get("LinkedTxn", ()):
            if link["TxnType"] == "Deposit":
                return str(link["TxnId"])
        return ""

    def move_customer(self, kind: str, id: str, customer: Record, *, gone: str) -> None:
        """A merge gives a transaction another customer without any of the checks."""
        record = self.records[kind][id]
        if "CustomerRef" in record:
            record["CustomerRef"] = {"value": customer["Id"], "name": customer["DisplayName"]}
        for line in record.get("Line", []):
            for entity, name in entities(line):
                if ref(entity, name) == gone:
                    entity[name] = {**entity[name], "value": customer["Id"], "name": customer["DisplayName"]}
        self._bump(record)
        self._take_back(record)
        self._put(SHAPES[kind], record)

    def naming_customer(self, kind: str, customer: str) -> list[str]:
        """Ids of transactions that name the customer, on the whole or on one of their lines."""
        if "CustomerRef" in SHAPES[kind].writable:
            return [record["Id"] for record in self.found_by(kind, "CustomerRef", [customer])]
        named = [(id, entities(line)) for id, record in self.records[kind].items() for line in record.get("Line", [])]
        return list(dict.fromkeys(id for id, found in named if any(ref(e, name) == customer for e, name in found)))

    def found_by(self, kind: str, field: str, values: Iterable[str]) -> list[Record]:
        """Records by one of the INDEXED fields; text is compared without case."""
        found: dict[str, Record] = {}
        for value in values:
            for id in self._index.get((kind, field, value.casefold()), ()):
                record = self.records[kind].get(id)
                if record is not None and _indexed(record, field) == value.casefold():
                    found[id] = record
        return list(found.values())

    def account_balance(self, id: str) -> Decimal:
        """Debits less credits of all time."""
        return self.postings.balance(id)

    # How it is done.

    def _addressed(self, kind: str, body: Mapping[str, Any]) -> Record:
        if not body.get("Id"):
            raise refusals.missing("Id")
        record = self.get(kind, str(body["Id"]))
        if "SyncToken" not in body:
            raise refusals.missing("SyncToken")
        if str(body["SyncToken"]) != record["SyncToken"]:
            raise refusals.stale()
        return record

    def _taken(self, shape: Shape, body: Mapping[str, Any]) -> Record:
        for name in body:
            if not shape.knows(name):
                raise refusals.unsupported(name)
        taken = {name: copy.deepcopy(value) for name, value in body.items() if name in shape.writable and value is not None}
        if not shape.transaction and "Active" in body:
            taken["Active"] = body["Active"] in (True, "true")
        return taken

    def _next_id(self, shape: Shape) -> str:
        if shape.transaction:
            self._last_transaction += 1
            return str(self._last_transaction)
        return str(max((int(id) for id in self.records[shape.name]), default=0) + 1)

    def _bump(self, record: Record) -> None:
        record["SyncToken"] = str(int(record["SyncToken"]) + 1)
        self._touch(record)

    def _touch(self, record: Record) -> None:
        record["MetaData"] = {**record["MetaData"], "LastUpdatedTime": stamp(self._now())}

    def _put(self, shape: Shape, record: Record) -> None:
        self.records[shape.name][record["Id"]] = record
        for field in INDEXED & record.keys():
            self._index.setdefault((shape.name, field, _indexed(record, field)), {})[record["Id"]] = None
        match shape.name:
            case "Payment":
                self._apply(record)
            case "Deposit":
                self._mark_deposited(record)
            case "Invoice" | "CreditMemo":
                self._settle(shape.name, record)
        self._settle_customers(self.postings.enter(shape.name, record))

    def _defaults(self, shape: Shape, record: Record, old: Record | None = None) -> None:
        if not shape.transaction:
            record.setdefault("Active", True)
            if shape.name == "Customer":
                record["FullyQualifiedName"] = record.get("DisplayName")
                record.setdefault("Balance", Decimal(0))
            if shape.name in ("Customer", "Account"):
                record.setdefault("CurrencyRef", self._currency_ref())
            return
        if not record.get("TxnDate"):
            record["TxnDate"] = (old or {}).get("TxnDate") or self._now().astimezone(PACIFIC).date().isoformat()
        record["CurrencyRef"] = self._currency_ref()
        if shape.name == "Payment":
            record["ProcessPayment"] = False
            if not ref(record, "DepositToAccountRef"):
                record["DepositToAccountRef"] = {"value": self.undeposited_funds()["Id"]}

    def _currency_ref(self) -> Record:
        names = {"USD": "United States Dollar"}
        return {"value": self.currency, "name": names.get(self.currency, self.currency)}

    # Checks. Each raises Refused and changes nothing but the amounts' type.

    def _check(self, shape: Shape, record: Record, old: Record | None, include: str) -> None:
        if shape.transaction:
            self._check_transaction(shape, record, old, include)
        match shape.name:
            case "Customer":
                self._check_customer(record, old)
            case "Account" | "PaymentMethod":
                if not record.get("Name"):
                    raise refusals.missing("Name")
            case "Payment":
                self._check_payment(record, old)
            case "Deposit":
                self._check_deposit(record, old)
            case "Invoice" | "CreditMemo" | "RefundReceipt":
                self._check_sale(shape, record, old)
            case "JournalEntry":
                entries.check_journal(record, self._account, self._named, amount)
            case "Transfer":
                entries.check_transfer(record, self._account, amount)

    def _check_transaction(self, shape: Shape, record: Record, old: Record | None, include: str) -> None:
        self._open_period(record, old)
        _short_enough(record, "DocNumber", MAX_NUMBER)
        _short_enough(record, "PaymentRefNum", MAX_NUMBER)
        _short_enough(record, "PrivateNote", MAX_NOTE)
        number = record.get("DocNumber")
        if number and self.warn_duplicate_numbers and "allowduplicatedocnum" not in include:
            for other in self.found_by(shape.name, "DocNumber", [number]):
                if other is not old:
                    raise refusals.duplicate_number(number, shape.name, other["Id"])

    def _open_period(self, record: Record, old: Record | None) -> None:
        days = [_day(record["TxnDate"])] + ([_day(old["TxnDate"])] if old else [])
        if self.closed_through and min(days) <= self.closed_through:
            raise refusals.period_closed(self.period_closed_code, self.closed_through.isoformat())

    def _check_customer(self, record: Record, old: Record | None) -> None:
        name = record.get("DisplayName")
        if not name:
            raise refusals.missing("DisplayName")
        if ":" in name:
            raise Refused("2040", "Invalid String", "DisplayName must not contain a colon", element="DisplayName")
        if any(other is not old for other in self.found_by("Customer", "DisplayName", [name])):
            raise refusals.duplicate_name()

    def _customer(self, record: Record) -> Record:
        customer = self._named(record, "CustomerRef")
        record["CustomerRef"] = {"value": customer["Id"], "name": customer["DisplayName"]}
        return customer

    def _named(self, record: Mapping[str, Any], name: str) -> Record:
        """The active customer that a reference names."""
        id = ref(record, name)
        if not id:
            raise refusals.missing(name)
        customer = self.records["Customer"].get(id)
        if customer is None:
            raise refusals.no_such_reference(name, id)
        if not customer["Active"]:
            raise refusals.not_found()
        return customer

    def _account(self, record: Mapping[str, Any], name: str) -> Record:
        id = ref(record, name)
        account = self.records["Account"].get(id)
        if account is None:
            raise refusals.no_such_reference(name, id)
        if not account["Active"]:
            raise refusals.not_found()
        return account

    def _check_payment(self, record: Record, old: Record | None) -> None:
        customer = self._customer(record)
        if "TotalAmt" not in record:
            raise refusals.missing("TotalAmt")
        record["TotalAmt"] = amount(record["TotalAmt"], "TotalAmt")
        if record["TotalAmt"] < 0:
            raise refusals.business("The amount of a payment cannot be negative.")
        account = self._account(record, "DepositToAccountRef")
        if account["AccountType"] not in ("Bank", "Other Current Asset"):
            raise refusals.business("Select a bank account for this deposit.")
        self._check_method(record)
        self._check_lines(record, customer, old)
        if old and self.deposit_of(old["Id"]) and _deposited_part(record) != _deposited_part(old):
            raise refusals.deposited()

    def _check_method(self, record: Record) -> None:
        method = ref(record, "PaymentMethodRef")
        if method and method not in self.records["PaymentMethod"]:
            raise refusals.no_such_reference("PaymentMethodRef", method)

    def _check_lines(self, record: Record, customer: Record, old: Record | None) -> None:
        record.setdefault("Line", [])
        used = Decimal(0)
        taken: dict[str, Decimal] = {}
        for line in record["Line"]:
            line["Amount"] = amount(line.get("Amount", 0), "Line.Amount")
            kind, id = self._line_target(line)
            target = self.get(kind, id)
            total = self.postings.receivable_of(kind, id, customer["Id"])
            if ref(target, "CustomerRef") != customer["Id"] and not total:
                raise refusals.business("The customer of the payment must be the customer of the linked transaction.")
            taken[id] = taken.get(id, Decimal(0)) + line["Amount"]
            left = abs(total) - self._used(id, customer["Id"], without=(old or {}).get("Id", ""))
            if line["Amount"] < 0 or taken[id] > left:
                raise refusals.business("You cannot apply more than the open balance of the linked transaction.")
            used += line["Amount"] if total > 0 else -line["Amount"]
        if used > record["TotalAmt"]:
            raise refusals.business("The amount applied is more than the amount of the payment.")

    def _line_target(self, line: Record) -> tuple[str, str]:
        targets = list(links(line))
        if len(targets) != 1:
            raise refusals.missing("Line.LinkedTxn")
        kind, id = targets[0]
        if kind not in ("Invoice", "CreditMemo", "JournalEntry"):
            raise refusals.no_such_reference("Line.LinkedTxn.TxnType", kind)
        line["LinkedTxn"] = [{"TxnId": id, "TxnType": kind}]
        return kind, id

    def _check_deposit(self, record: Record, old: Record | None) -> None:
        account = self._account(record, "DepositToAccountRef")
        if account["AccountType"] not in ("Bank", "Other Current Asset"):
            raise refusals.business("Select a bank account for this deposit.")
        if not record.get("Line"):
            raise refusals.missing("Line")
        total = Decimal(0)
        for line in record.get("Line", []):
            line["Amount"] = amount(line.get("Amount", 0), "Line.Amount")
            self._check_deposit_line(line, old)
            total += line["Amount"]
        if total < 0:
            raise refusals.business("Deposit transaction amount must be 0 or greater.")
        record["TotalAmt"] = total

    def _check_deposit_line(self, line: Record, old: Record | None) -> None:
        targets = list(links(line))
        if not targets or line.get("DetailType"):
            # Even with a linked payment a line that names its detail is taken for a fresh deposit into an account.
            entries.check_deposit_detail(line, self._account, self._named)
            return
        for kind, id in targets:
            if kind != "Payment":
                raise refusals.no_such_reference("Line.LinkedTxn.TxnType", kind)
            self._check_depositable(self.get("Payment", id), line, old)

    def _check_depositable(self, payment: Record, line: Record, old: Record | None) -> None:
        into = self.deposit_of(payment["Id"])
        if into and into != (old or {}).get("Id"):
            raise refusals.business("The payment has already been deposited.")
        if ref(payment, "DepositToAccountRef") != self.undeposited_funds()["Id"]:
            raise refusals.business("Only payments in Undeposited Funds can be deposited.")
        if line["Amount"] != payment["TotalAmt"]:
            raise refusals.business("The amount of a linked line must be the amount of the payment.")

    def _check_sale(self, shape: Shape, record: Record, old: Record | None) -> None:
        self._customer(record)
        if not record.get("Line"):
            raise refusals.missing("Line")
        if shape.name == "RefundReceipt":
            self._account(record, "DepositToAccountRef")
        record["TotalAmt"] = _sale_total(record)
        if old and record["TotalAmt"] < self._used(old["Id"]):
            raise refusals.business("The total cannot be less than what is applied to it.")

    def _not_deposited(self, kind: str, record: Record) -> None:
        if kind == "Payment" and self.deposit_of(record["Id"]):
            raise refusals.deposited()

    # Balances.

    def _used(self, id: str, customer: str = "", without: str = "") -> Decimal:
        """How much payments (of that customer, without that one) cover of a transaction."""
        of = self.records["Payment"]
        parts = self._applied.get(id, {}).items()
        return sum((n for p, n in parts if p != without and customer in ("", ref(of[p], "CustomerRef"))), Decimal(0))

    def _open(self, kind: str, target: Record, customer: str) -> Decimal:
        if kind == "JournalEntry":
            return abs(self.postings.receivable_of(kind, target["Id"], customer)) - self._used(target["Id"], customer)
        return Decimal(target["TotalAmt"]) - self._used(target["Id"])

    def _apply(self, payment: Record) -> None:
        used, customer = Decimal(0), ref(payment, "CustomerRef")
        for line in payment["Line"]:
            for kind, id in links(line):
                parts = self._applied.setdefault(id, {})
                parts[payment["Id"]] = parts.get(payment["Id"], Decimal(0)) + line["Amount"]
                used += line["Amount"] if self.postings.receivable_of(kind, id, customer) > 0 else -line["Amount"]
                target = self.records[kind][id]
                self._settle(kind, target)
                self._touch(target)
                line["LineEx"] = _line_ex(target, self._open(kind, target, customer))
        payment["UnappliedAmt"] = payment["TotalAmt"] - used

    def _take_back(self, record: Record) -> None:
        """Forget what an old version of a payment or deposit was linked to."""
        for line in record.get("Line", []):
            for kind, id in links(line):
                self._applied.get(id, {}).pop(record["Id"], None)
                if kind == "Payment":
                    self._unmark_deposited(id, record["Id"])
                elif id in self.records.get(kind, {}):
                    self._settle(kind, self.records[kind][id])
                    self._touch(self.records[kind][id])

    def _unlink(self, kind: str, record: Record) -> None:
        if kind in ("Payment", "Deposit"):
            self._take_back(record)
        for payment in list(self._applied.pop(record["Id"], ())):
            self._drop_lines(self.records["Payment"][payment], record["Id"])

    def _drop_lines(self, payment: Record, target: str) -> None:
        kept = [line for line in payment["Line"] if target not in [id for _, id in links(line)]]
        self._take_back(payment)
        payment["Line"] = kept
        self._bump(payment)
        self._apply(payment)

    def _settle(self, kind: str, target: Record) -> None:
        if kind == "JournalEntry":
            return  # shows neither a balance nor what is linked to it
        target["Balance"] = self._open(kind, target, "")
        if kind == "CreditMemo":
            target["RemainingCredit"] = target["Balance"]
        target["LinkedTxn"] = [{"TxnId": id, "TxnType": "Payment"} for id in self._applied.get(target["Id"], ())]

    def _settle_customers(self, ids: Iterable[str]) -> None:
        for customer in (self.records["Customer"][id] for id in ids if id in self.records["Customer"]):
            customer["Balance"] = customer["BalanceWithJobs"] = self.postings.owed_by(customer["Id"])

    def _mark_deposited(self, deposit: Record) -> None:
        for line in deposit.get("Line", []):
            for kind, id in links(line):
                if kind == "Payment":
                    payment = self.records["Payment"][id]
                    payment["LinkedTxn"] = [{"TxnId": deposit["Id"], "TxnType": "Deposit"}]
                    self._touch(payment)

    def _unmark_deposited(self, payment: str, deposit: str) -> None:
        if self.deposit_of(payment) == deposit:
            self.records["Payment"][payment].pop("LinkedTxn")
            self._touch(self.records["Payment"][payment])


def _indexed(record: Record, field: str) -> str:
    return (ref(record, field) or str(record.get(field) or "")).casefold()


def _updated(record: Record) -> datetime:
    return datetime.fromisoformat(record["MetaData"]["LastUpdatedTime"]).astimezone(UTC)


def _day(text: str) -> date:
    try:
        return datetime.fromisoformat(str(text)).date()
    except ValueError:
        raise Refused("2030", "Invalid Date", f"Invalid date : {text}", element="TxnDate") from None


def _short_enough(record: Record, name: str, most: int) -> None:
    length = len(str(record.get(name) or ""))
    if length > most:
        raise refusals.too_long(name, most, length)


def _deposited_part(payment: Record) -> tuple[object, ...]:
    """What a deposit depends on, so that it cannot change any more."""
    return payment["TotalAmt"], ref(payment, "DepositToAccountRef"), ref(payment, "CustomerRef"), payment["TxnDate"]


def _sale_total(record: Record) -> Decimal:
    lines = [line for line in record["Line"] if line.get("DetailType") != "SubTotalLineDetail"]
    for line in record["Line"]:
        line["Amount"] = amount(line.get("Amount", 0), "Line.Amount")
    tax = amount((record.get("TxnTaxDetail") or {}).get("TotalTax") or 0, "TxnTaxDetail.TotalTax")
    return sum((line["Amount"] for line in lines), tax)


def _nothing(line: Record) -> Record:
    return {**line, "Amount": Decimal(0)}


def _line_ex(target: Record, balance: Decimal) -> Record:
    pairs = {"txnId": target["Id"], "txnOpenBalance": f"{balance:.2f}"}
    if target.get("DocNumber"):
        pairs["txnReferenceNumber"] = target["DocNumber"]
    return {"any": [_name_value(name, value) for name, value in pairs.items()]}


def _name_value(name: str, value: str) -> Record:
    return {
        "name": "{http://schema.intuit.com/finance/v3}NameValue",
        "declaredType": "com.intuit.schema.finance.v3.NameValue",
        "scope": "javax.xml.bind.JAXBElement$GlobalScope",
        "value": {"Name": name, "Value": value},
        "nil": False,
        "globalScope": True,
        "typeSubstituted": False,
    }
