"""Money: whole minor units with a currency. Decimal only at the edges; one rounding place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Self

_ZERO_DECIMAL = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
_THREE_DECIMAL = frozenset("BHD JOD KWD OMR TND".split())
_TWO_DECIMAL = frozenset(
    "AED ARS AUD BGN BRL CAD CHF CNY COP CRC CZK DKK DOP EGP EUR FJD GBP GEL GTQ HKD HNL IDR ILS INR JMD KES"
    " KZT LKR MAD MUR MXN MYR NAD NGN NOK NZD PEN PHP PKR PLN QAR RON RSD SAR SEK SGD THB TRY TTD TZS UAH USD"
    " UYU XCD ZAR".split()
)
# ISK, HUF, TWD and UGX have rules of their own at the gateway (docs.stripe.com/currencies): refused, not guessed.


class MixedCurrency(ValueError):
    """Two currencies met in one sum."""


def exponent(currency: str) -> int:
    """Decimal places of an ISO 4217 code. ValueError for a currency whose rules at the gateway we do not know."""
    if currency in _TWO_DECIMAL:
        return 2
    if currency in _ZERO_DECIMAL:
        return 0
    if currency in _THREE_DECIMAL:
        return 3
    raise ValueError(f"currency {currency!r} is not supported")


@dataclass(frozen=True, slots=True)
class Money:
    """`minor` is in the currency's smallest unit (cents for USD); `currency` is the upper-case ISO 4217 code."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        exponent(self.currency)

    @classmethod
    def zero(cls, currency: str) -> Self:
        return cls(0, currency)

    @classmethod
    def from_major(cls, amount: Decimal | int | str, currency: str) -> Self:
        """Round half away from zero to the currency's minor unit, as the PSAs round a line. The one rounding place."""
        scaled = Decimal(amount).scaleb(exponent(currency))
        return cls(int(scaled.quantize(Decimal(1), rounding=ROUND_HALF_UP)), currency)

    @property
    def major(self) -> Decimal:
        return Decimal(self.minor).scaleb(-exponent(self.currency))

    def __str__(self) -> str:
        return f"{self.major:,.{exponent(self.currency)}f} {self.currency}"

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.minor < other.minor

    def __le__(self, other: Money) -> bool:
        self._same(other)
        return self.minor <= other.minor

    def __gt__(self, other: Money) -> bool:
        return other < self

    def __ge__(self, other: Money) -> bool:
        return other <= self

    def __bool__(self) -> bool:
        return self.minor != 0

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise MixedCurrency(f"{self} and {other} cannot be added or compared: two currencies")


def total(amounts: Iterable[Money], currency: str) -> Money:
    """Sum of an iterable of Money, zero when empty."""
    result = Money.zero(currency)
    for amount in amounts:
        result = result + amount
    return result
