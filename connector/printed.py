"""Reports on paper: titled tables as one HTML page that needs nothing else, for a browser, a printer, or an auditor's folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_STYLE = """
:root{color-scheme:light;--ink:#17202a;--soft:#5c6773;--line:#cfd5db;--ok:#18794e;--warn:#9a5b00;--bad:#b42318}
*{box-sizing:border-box}body{margin:0;background:#f6f7f9;color:var(--ink);font:15px/1.45 system-ui,sans-serif}
main{max-width:64rem;margin:0 auto;padding:1.5rem 1rem 3rem}h1{font-size:1.5rem;margin:0}h2{font-size:1.05rem;margin:0 0 .4rem}
header{margin-bottom:1rem}header p{margin:.2rem 0}.soft{color:var(--soft)}
.badge{display:inline-block;font-weight:600;padding:.1rem .7rem;border-radius:1rem;border:2px solid currentColor}
.ok{color:var(--ok)}.warn{color:var(--warn)}.bad{color:var(--bad)}
section{background:#fff;border:1px solid var(--line);border-radius:.6rem;padding:1rem;margin:0 0 1rem;overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.25rem .7rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:600;font-size:.85rem}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.d{white-space:nowrap}th:last-child,td:last-child{padding-right:0}tr:last-child td{border-bottom:0}
tr.total td{font-weight:600;border-top:2px solid var(--ink)}section p{margin:.3rem 0}
@page{size:A4;margin:15mm}
@media print{body{background:#fff;font-size:9.5pt}main{max-width:none;padding:0}
section{border:0;border-radius:0;padding:0;margin:0 0 6mm;overflow:visible}
h2{break-after:avoid}thead{display:table-header-group}tr{break-inside:avoid}}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """A titled table. `right`: columns of figures. `totals`: indexes of rows that are sums. `notes` stand below it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[str] = frozenset()
    totals: frozenset[int] = frozenset()
    notes: tuple[str, ...] = ()
    empty: str = "none"

    def __post_init__(self) -> None:
        if wrong := [row for row in self.rows if len(row) != len(self.columns)]:
            raise ValueError(f"{self.title}: {wrong[0]} is not a row of {len(self.columns)} columns")


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """`state`: ok, warn or bad, which colours `verdict`. `lead`: sentences below the title."""

    title: str
    verdict: str
    state: str
    lead: tuple[str, ...]
    sheets: tuple[Sheet, ...]
    foot: str = ""


def page(report: Report) -> str:
    """One file, no scripts, no other assets. It prints on A4 in portrait."""
    lead = "".join(f"<p>{escape(said)}</p>" for said in report.lead)
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(report.title)}</title><style>{_STYLE}</style></head>
<body><main><header><h1>{escape(report.title)}</h1>
<p><span id="verdict" class="badge {report.state}">{escape(report.verdict)}</span></p>{lead}</header>
{"".join(_section(sheet) for sheet in report.sheets)}
<p class="soft">{escape(report.foot)}</p></main></body></html>
"""


def _section(sheet: Sheet) -> str:
    notes = "".join(f'<p class="soft">{escape(said)}</p>' for said in sheet.notes)
    body = _table(sheet) if sheet.rows else f'<p class="soft">{escape(sheet.empty)}</p>'
    return f"<section><h2>{escape(sheet.title)}</h2>{body}{notes}</section>"


def _table(sheet: Sheet) -> str:
    head = _cells(sheet, sheet.columns, "th")
    rows = "".join(
        f"<tr{' class=total' if number in sheet.totals else ''}>{_cells(sheet, row, 'td')}</tr>"
        for number, row in enumerate(sheet.rows)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cells(sheet: Sheet, texts: Iterable[str], tag: str) -> str:
    pairs = zip(sheet.columns, texts, strict=True)
    return "".join(f"<{tag}{_class(column in sheet.right, text)}>{escape(text)}</{tag}>" for column, text in pairs)


def _class(right: bool, text: str) -> str:
    """A date is not broken at its hyphens."""
    return ' class="n"' if right else ' class="d"' if _DATE.fullmatch(text) else ""


# For a spreadsheet


def csv_of(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> bytes:
    """Opens in Excel as it is (byte order mark, CRLF), and no cell of it is taken for a formula."""
    lines = [columns, *rows]
    return ("\ufeff" + "".join(",".join(_cell(text) for text in line) + "\r\n" for line in lines)).encode("utf-8")


def _cell(text: str) -> str:
    """A name that begins like a formula gets an apostrophe; a number, also a negative one, stays a number."""
    risky = text[:1] in ("=", "+", "-", "@", "\t", "\r") and not _is_number(text)
    safe = f"'{text}" if risky else text
    return '"' + safe.replace('"', '""') + '"' if set(safe) & set(',"\r\n') else safe


def _is_number(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isdigit() and text.isascii()
