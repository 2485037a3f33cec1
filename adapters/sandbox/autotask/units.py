"""Units of what is sold on a contract: one row for each billing period, `price` the amount of the whole row.

What is published, and what is not (marked):
- there is a row for every period from the effective date to the contract's end, and `endDate` is inclusive;
- a change inside a period that was not posted splits its row into dated slices, each priced by its days, which are
  due together (not verified);
- after posting, the posted row stays as it was billed and a further row carries the difference for the rest of the period;
  a change of price alone then waits for the next period (not verified);
- a contract that ends inside a period has a shorter last row, priced by its days (not verified).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

from adapters.sandbox.autotask.periods import Span, number_on, span
from adapters.sandbox.autotask.records import Kind, Records
from adapters.sandbox.autotask.rows import Row, as_date, day_text, four_places

Key = tuple[str, int]  # kind and id of a unit row
_DAY = timedelta(days=1)


class Units:
    def __init__(self, records: Records) -> None:
        self._records = records
        self._waiting: dict[str, dict[Key, None]] = {}  # day on which it is due -> rows that are not posted
        self._prices: list[tuple[date, Kind, int, Decimal]] = []  # prices to come

    # Selling and changing

    def sell(self, kind: Kind, contract: Row, product: Row, *, units: int, price: Decimal, starts: date) -> Row:
        """`price` is the unit price of one period."""
        row = {
            "contractID": contract["id"],
            kind.product_key: product["id"],
            **_priced(kind, price),
            "invoiceDescription": product["invoiceDescription"],
            "_cost": product["unitCost"],
        }
        if kind.name == "service":
            row["unitCost"] = product["unitCost"]
        sold = kind.sold.insert(row)
        self._fill(kind, contract, sold, units=units, price=price, first=max(starts, as_date(contract["startDate"])))
        return sold

    def adjust(self, kind: Kind, sold: Row, on: date, change: int, price: Decimal | None = None) -> None:
        """From `on`: so many units more or fewer, and for those rows another unit price."""
        contract = self._records.contracts.rows[sold["contractID"]]
        type = self._period_type(kind, sold)
        periods: dict[int, list[Row]] = {}
        for row in kind.units.of(kind.sold_key, sold["id"]):
            if row["endDate"][:10] >= on.isoformat():
                number = number_on(as_date(contract["startDate"]), type, as_date(row["startDate"]))
                periods.setdefault(number, []).append(row)
        for rows in periods.values():
            if any("approveAndPostDate" in row for row in rows):
                self._bill_difference(kind, rows, on, change, price)
            else:
                self._change_rows(kind, rows, on, change, price)
        if price is not None:
            self._prices.append((on, kind, sold["id"], price))
            self.refresh()

    def refresh(self) -> None:
        """Prices whose day has come are the unit prices of what is sold."""
        today = self._records.clock.now.date()
        for on, kind, id, price in [item for item in self._prices if item[0] <= today]:
            kind.sold.update(id, _priced(kind, price))
            self._prices.remove((on, kind, id, price))

    def end(self, contract: Row, on: date) -> None:
        """The contract's last day becomes `on`: rows go, are cut, or are added. What was posted stays."""
        self._records.contracts.update(contract["id"], {"endDate": day_text(on)})
        for kind in self._records.kinds.values():
            for sold in kind.sold.of("contractID", contract["id"]):
                self._end_sold(kind, contract, sold, on)

    # Posting

    def waiting(self, through: date) -> Iterator[tuple[Kind, Row]]:
        """Rows that are not posted and are due by that day: with the first day of their period, in advance."""
        for day in sorted(day for day in self._waiting if day <= through.isoformat()):
            for name, id in list(self._waiting[day]):
                kind = self._records.kinds[name]
                yield kind, kind.units.rows[id]

    def posted(self, kind: Kind, row: Row, moment: str) -> None:
        self._forget(kind, row)
        row["approveAndPostDate"] = moment

    def unposted(self, kind: Kind, row: Row) -> None:
        row.pop("approveAndPostDate")
        self._await(kind, row)

    # Rows

    def _fill(self, kind: Kind, contract: Row, sold: Row, *, units: int, price: Decimal, first: date) -> None:
        anchor, last = as_date(contract["startDate"]), as_date(contract["endDate"])
        type = self._period_type(kind, sold)
        number = number_on(anchor, type, first)
        while (period := span(anchor, type, number)).start <= last:
            part = Span(max(period.start, first), min(period.last, last))
            self._insert(kind, sold, part, period.days, units=units, price=price, due=part.start)
            number += 1

    def _insert(self, kind: Kind, sold: Row, part: Span, period_days: int, *, units: int, price: Decimal, due: date) -> None:
        row = {
            "contractID": sold["contractID"],
            kind.sold_key: sold["id"],
            kind.product_key: sold[kind.product_key],
            "_price": price,
            "_days": period_days,
            "_due": due.isoformat(),
            "_cost": sold["_cost"],
            **_amounts(units, price, sold["_cost"], part, period_days),
        }
        self._await(kind, kind.units.insert(row))

    def _bill_difference(self, kind: Kind, rows: list[Row], on: date, change: int, price: Decimal | None) -> None:
        if change == 0:
            return
        first = max(on, min(as_date(row["startDate"]) for row in rows))
        last = max(as_date(row["endDate"]) for row in rows)
        sold = kind.sold.rows[rows[0][kind.sold_key]]
        unit_price = rows[-1]["_price"] if price is None else price
        self._insert(kind, sold, Span(first, last), rows[0]["_days"], units=change, price=unit_price, due=first)

    def _change_rows(self, kind: Kind, rows: list[Row], on: date, change: int, price: Decimal | None) -> None:
        for row in rows:
            unit_price = row["_price"] if price is None else price
            part = Span(as_date(row["startDate"]), as_date(row["endDate"]))
            if part.start < on:
                sold = kind.sold.rows[row[kind.sold_key]]
                rest = Span(on, part.last)
                units, due = row["units"] + change, date.fromisoformat(row["_due"])
                self._insert(kind, sold, rest, row["_days"], units=units, price=unit_price, due=due)
                row.update(_amounts(row["units"], row["_price"], row["_cost"], Span(part.start, on - _DAY), row["_days"]))
            else:
                row["_price"] = unit_price
                row.update(_amounts(row["units"] + change, unit_price, row["_cost"], part, row["_days"]))

    def _end_sold(self, kind: Kind, contract: Row, sold: Row, on: date) -> None:
        rows = kind.units.of(kind.sold_key, sold["id"])
        waiting = [row for row in rows if "approveAndPostDate" not in row and row["endDate"][:10] > on.isoformat()]
        for row in waiting:
            start = as_date(row["startDate"])
            if start > on:
                self._forget(kind, row)
                kind.units.delete(row["id"])
            else:
                row.update(_amounts(row["units"], row["_price"], row["_cost"], Span(start, on), row["_days"]))
        rows = kind.units.of(kind.sold_key, sold["id"])
        if rows and not waiting:
            self._extend(kind, contract, sold, rows, on)

    def _extend(self, kind: Kind, contract: Row, sold: Row, rows: list[Row], on: date) -> None:
        latest = max(rows, key=lambda row: row["endDate"])
        units = sum(row["units"] for row in rows if row["endDate"] == latest["endDate"])
        first = as_date(latest["endDate"]) + _DAY
        if first <= on:
            self._fill(kind, contract, sold, units=units, price=latest["_price"], first=first)

    def _period_type(self, kind: Kind, sold: Row) -> int:
        return int(kind.products.rows[sold[kind.product_key]]["periodType"])

    def _await(self, kind: Kind, row: Row) -> None:
        self._waiting.setdefault(row["_due"], {})[kind.name, row["id"]] = None

    def _forget(self, kind: Kind, row: Row) -> None:
        day = row["_due"]
        self._waiting[day].pop((kind.name, row["id"]))
        if not self._waiting[day]:
            del self._waiting[day]


def _amounts(units: int, price: Decimal, cost: Decimal, part: Span, period_days: int) -> Row:
    amount = _share(units * price, part, period_days)
    return {
        "units": units,
        "startDate": day_text(part.start),
        "endDate": day_text(part.last),
        "price": amount,
        "internalCurrencyPrice": amount,
        "cost": _share(units * cost, part, period_days),
    }


def _share(amount: Decimal, part: Span, period_days: int) -> Decimal:
    return four_places(amount if part.days == period_days else amount * part.days / period_days)


def _priced(kind: Kind, price: Decimal) -> Row:
    adjusted = {"internalCurrencyUnitPrice": price, "internalCurrencyAdjustedPrice": price}
    return {"unitPrice": price, **adjusted, **({"adjustedPrice": price} if kind.name == "bundle" else {})}
