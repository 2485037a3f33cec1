"""The status page: one HTML page without scripts or other assets, for a billing admin's browser or phone."""

from __future__ import annotations

from html import escape

from connector.serve.facts import Facts

STYLE = """
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#17202a;--soft:#5c6773;--line:#dfe3e8;--ok:#18794e;--warn:#9a5b00;
--bad:#b42318}
@media (prefers-color-scheme:dark){:root{--bg:#12161b;--card:#1b2128;--ink:#e8ecf1;--soft:#9aa5b1;--line:#2c343d;--ok:#4cc38a;
--warn:#f0b429;--bad:#ff8b7e}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 3rem}h1{font-size:1.5rem;margin:0}h2{font-size:1.05rem;margin:0 0 .5rem}
header{display:flex;flex-wrap:wrap;gap:.75rem;align-items:baseline;margin-bottom:1rem}
.badge{font-weight:600;padding:.1rem .7rem;border-radius:1rem;border:2px solid currentColor}
.ok{color:var(--ok)}.degraded{color:var(--warn)}.failing{color:var(--bad)}
section{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1rem;margin:0 0 1rem;overflow-x:auto}
.grid{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(16rem,1fr))}.grid section{margin:0}
.grid{margin-bottom:1rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line);
vertical-align:top}tr:last-child td{border-bottom:0}th{color:var(--soft);font-weight:600;font-size:.85rem}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}th:last-child,td:last-child{padding-right:0}
section p{margin:.25rem 0}.soft{color:var(--soft)}code{font-size:.9em}
"""
WORDS = {
    "ok": "all is well",
    "degraded": "late, or something needs attention",
    "failing": "needs a person now",
    "waiting": "not yet due",
    "held": "on hold",
    "released": "being collected",
    "ready": "waiting to be written back",
    "running": "being written back",
    "done": "written back",
    "parked": "needs attention",
    "awaiting_enrolment": "waiting for a payment method",
    "not_collected": "not opted in",
}


def render(facts: Facts, *, company: str, version: str) -> str:
    """Counts and totals only: the page may stand on a wall."""
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="30"><title>{escape(company)}: PSA Connector is {facts.status}</title>
<style>{STYLE}</style></head>
<body><main><header><h1>{escape(company)}</h1>
<span id="status" class="badge {facts.status}">{facts.status}: {WORDS[facts.status]}</span>
<span class="soft">as of {facts.now:%Y-%m-%d %H:%M} UTC</span></header>
{_notices(facts)}{_parked(facts)}{_connections(facts)}
<div class="grid">{_counts("Billing units", facts.units)}{_counts("Payers", facts.payers)}{_planned(facts)}
{_counts("Holds", facts.holds)}{_deliveries(facts)}{_tokens(facts)}</div>
<p class="soft">PSA Connector {escape(version)}. Names and amounts: <code>connector status</code>.
Mismatches: <code>connector reconcile</code>.</p></main></body></html>"""


def message_page(title: str, sentence: str) -> str:
    """A page for a customer whose link cannot be opened now."""
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}</title><style>{STYLE}</style></head>
<body><main><h1>{escape(title)}</h1><p>{escape(sentence)}</p></main></body></html>"""


def _notices(facts: Facts) -> str:
    stopped = ["<strong class=failing>Charging is paused: nothing is released until <code>connector resume</code>.</strong>"]
    watching = ["<strong class=degraded>Shadow mode: everything is computed, nothing is charged or written anywhere.</strong>"]
    said = [
        *(watching if facts.shadow else []),
        *(stopped if facts.paused else []),
        *(escape(notice) for notice in facts.notices),
    ]
    if facts.attention:
        said.append(f"{facts.attention} agreements or plans need attention: <code>connector status</code> names them.")
    return f'<section id="notices"><h2>To do</h2>{"".join(f"<p>{text}</p>" for text in said)}</section>' if said else ""


def _parked(facts: Facts) -> str:
    if not facts.parked:
        return ""
    rows = "".join(
        f'<tr><td>{escape(item.number)}</td><td>{escape(item.target)}</td><td class="n">{item.since:%Y-%m-%d %H:%M}</td></tr>'
        for item in facts.parked
    )
    head = '<tr><th>no.</th><th>to</th><th class="n">since (UTC)</th></tr>'
    said = "<p>Why, and what to type for each: <code>connector parked</code>.</p>"
    return f'<section id="parked"><h2>Needs attention</h2>{said}<table>{head}{rows}</table></section>'


def _connections(facts: Facts) -> str:
    rows = "".join(
        # Not the error itself: it may name a customer.
        f'<tr><td>{escape(c.name)}</td><td class="{"failing" if facts.is_down(c) else "ok"}">'
        f'{"down" if facts.is_down(c) else "works"}</td><td class="n">{_ago(facts.lag_s(c))}</td></tr>'
        for c in facts.connections
    )
    body = rows or '<tr><td colspan="3">The agent has not finished its first round.</td></tr>'
    head = '<tr><th>connection or flow</th><th>now</th><th class="n">last worked</th></tr>'
    return f'<section id="connections"><h2>Connections</h2><table>{head}{body}</table></section>'


def _counts(title: str, counts: dict[str, int]) -> str:
    rows = "".join(
        f'<tr><td>{escape(WORDS.get(name, name.replace("_", " ")))}</td><td class="n">{number}</td></tr>'
        for name, number in sorted(counts.items())
    )
    return f"<section><h2>{title}</h2><table>{rows or '<tr><td class=soft>none</td></tr>'}</table></section>"


def _planned(facts: Facts) -> str:
    rows = ""
    for key, amount in facts.planned.items():
        state, number = key.split()[0], facts.planned_counts.get(key, 0)
        rows += f'<tr><td>{WORDS.get(state, state)}</td><td class="n">{number}</td><td class="n">{escape(str(amount))}</td></tr>'
    return f"<section><h2>Planned charges</h2><table>{rows or '<tr><td class=soft>none</td></tr>'}</table></section>"


def _deliveries(facts: Facts) -> str:
    return _counts(
        "Payments to PSA and books", {name: n for name, n in facts.deliveries.items() if n or name in ("done", "parked")}
    )


def _tokens(facts: Facts) -> str:
    if not facts.token_days:
        return ""
    return _counts("Token days left", facts.token_days)


def _ago(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    if seconds < 90:
        return "just now"
    if seconds < 5400:
        return f"{seconds / 60:.0f} minutes ago"
    return f"{seconds / 3600:.0f} hours ago" if seconds < 172_800 else f"{seconds / 86_400:.0f} days ago"
