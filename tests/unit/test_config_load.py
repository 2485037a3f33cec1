"""The configuration: what is taken, and how a mistake is told."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.connectwise.settings import ConnectWiseSettings
from connector.config.check import check, secret_values
from connector.config.load import checked, load_config
from connector.config.model import Config
from connector.config.yaml import parse_yaml
from connector.errors import ConfigError

SECRET_NAMES = ("key", "cw_public", "cw_private", "stripe", "qb_client", "qb_refresh")
TEXT = """\
instance: example-msp
company: {name: Example, time_zone: America/New_York, currency: USD}
collect_from: 2026-01-01
secrets: {key: {file: secrets/key}}
psa:
  adapter: connectwise
  mapping: shipped:connectwise
  settings:
    base_url: https://api-na.myconnectwise.net
    company_id: 12345
    public_key: {file: secrets/cw_public}
    private_key: {file: secrets/cw_private}
    client_id: 00000000-0000-0000-0000-000000000000
gateway:
  adapter: stripe
  settings: {secret_key: {file: secrets/stripe}, return_url: https://msp.example}
books:
  adapter: quickbooks
  mapping: shipped:quickbooks
  settings:
    realm_id: 9130350000000001
    client_id: c
    client_secret: {file: secrets/qb_client}
    refresh_token: {file: secrets/qb_refresh}
"""
LINES = TEXT.count("\n")


def config(more: str = "", *, old: str = "", new: str = "", folder: Path = Path("/etc/connector")) -> Config:
    assert old in TEXT

    return checked(parse_yaml(TEXT.replace(old, new) + more, "connector.yaml"), folder=folder)


def told(more: str = "", *, old: str = "", new: str = "") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config(more, old=old, new=new)
    return [str(problem) for problem in caught.value.problems]


def added(line: str) -> list[str]:
    """Of a line after the others, without its place at the beginning."""
    return [problem.removeprefix(f"connector.yaml:{LINES + 1}:") for problem in told(line)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "secrets").mkdir()
    for name in SECRET_NAMES:
        secret = tmp_path / "secrets" / name
        secret.write_text(Fernet.generate_key().decode() if name == "key" else f"{name}-value\n")
        secret.chmod(0o600)
    path = tmp_path / "connector.yaml"
    path.write_text(TEXT + "write_back: {psa_payments: connector}\n")
    return path


def test_a_configuration_is_read_with_its_defaults(file: Path) -> None:
    read = load_config(file)

    assert (read.instance, read.collect_from, read.charging.date) == ("example-msp", date(2026, 1, 1), "due_date")
    assert (read.charging.missing_invoice, read.charging.invoice_early_days, read.write_back.wait_days) == ("hold", 25, 5)
    assert (read.charging.cap_per_charge, read.serve.host, read.sandbox.url) == (None, "127.0.0.1", None)


def test_settings_are_the_adapters_own_model(file: Path) -> None:
    settings = load_config(file).psa.settings

    assert isinstance(settings, ConnectWiseSettings)
    assert settings.company_id == "12345"
    assert settings.public_key.get() == "cw_public-value"


def test_paths_are_relative_to_the_configuration() -> None:
    read = config(old="shipped:connectwise", new="my/own.yaml")

    assert read.psa.mapping == Path("/etc/connector/my/own.yaml")
    assert read.secrets.key.file == Path("/etc/connector/secrets/key")
    assert read.database == "sqlite:////etc/connector/connector.db"


def test_a_full_path_stays_as_it_is() -> None:
    assert config("database: sqlite:////var/lib/c.db").database == "sqlite:////var/lib/c.db"


def test_a_shipped_field_mapping_is_found_by_name() -> None:
    mapping = config().psa.mapping

    assert mapping.name == "connectwise.yaml"
    assert mapping.exists()
    assert told(old="shipped:connectwise", new="shipped:conectwise") == [
        "connector.yaml:7:12: unknown shipped field mapping 'conectwise' (did you mean 'connectwise'?)"
    ]


def test_no_books_and_no_owner_of_psa_payments_are_possible() -> None:
    text = TEXT[: TEXT.index("books:")] + "books: null\n"
    read = checked(parse_yaml(text, "c.yaml"), folder=Path("/x"))

    assert (read.books, read.write_back.psa_payments) == (None, None)


def test_every_mistake_is_told_with_its_place_and_the_allowed_words() -> None:
    more = "charging: {date: due_dat, day: 15}\nlimits: {cancels: 5}\nshedule: {}\n"

    assert told(more, old="adapter: stripe", new="adapter: strip") == [
        "connector.yaml:15:12: unknown adapter 'strip' (did you mean 'stripe'?)",
        "connector.yaml:25:18: date: unknown value 'due_dat' (did you mean 'due_date'?)",
        "connector.yaml:26:10: unknown setting 'cancels' (did you mean 'cancels_percent'?)",
        "connector.yaml:27:1: unknown setting 'shedule' (did you mean 'schedule'?)",
    ]


def test_mistakes_in_an_adapters_settings_have_their_place_too() -> None:
    problems = told(old="    company_id: 12345\n", new="    companyid: 12345\n    read_timeout_s: long\n")

    assert problems == [
        "connector.yaml:8:3: the setting psa.settings.company_id is missing",
        "connector.yaml:10:5: unknown setting 'companyid' (did you mean 'company_id'?)",
        "connector.yaml:11:21: read_timeout_s: should be a number, not 'long'",
    ]


def test_a_missing_part_is_named() -> None:
    problems = told(old="instance: example-msp\n", new="")

    assert problems == ["connector.yaml:1:1: the setting instance is missing"]


def test_an_adapter_for_something_else_is_refused() -> None:
    assert told(old="adapter: stripe", new="adapter: quickbooks") == [
        "connector.yaml:15:12: the adapter 'quickbooks' is for books:, not for gateway:"
    ]


@pytest.mark.parametrize(
    "written", ["sk_live_abc", "{file: a, env: b}", "{sk_live_abc: }", "[sk_live_abc]", "{file: [sk_live_abc]}"]
)
def test_a_secret_written_into_the_file_is_not_repeated(written: str) -> None:
    problems = told(old="{file: secrets/stripe}", new=written)

    assert problems == [
        "connector.yaml:16:26: secret_key: wants {file: PATH} or {env: NAME}; the secret itself never stands in this file"
    ]


def test_a_missing_secret_is_named_like_any_setting() -> None:
    assert told(old="secret_key: {file: secrets/stripe}, ", new="") == [
        "connector.yaml:16:3: the setting gateway.settings.secret_key is missing"
    ]


@pytest.mark.parametrize(
    "written", ["20260101", "0", "86400", "1970-01-02", "01/02/2026", "2026-02-30", "true", "tomorrow", "null"]
)
def test_the_first_day_must_be_a_plain_date(written: str) -> None:
    (problem,) = told(old="collect_from: 2026-01-01", new=f"collect_from: {written}")

    assert problem.startswith("connector.yaml:3:15: collect_from: should")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("charging: {date: day_of_month}", "1: charging: 'date: day_of_month' and 'day' go together"),
        ("charging: {day: 3}", "1: charging: 'date: day_of_month' and 'day' go together"),
        ("charging: {date: day_of_month, day: 32}", "37: day: should be 31 or less, not 32"),
        ("charging: {max_change_percent: 50}", "max_change_percent and max_change_amount go together"),
        ("charging: {cap_per_charge: 0}", "28: cap_per_charge: should be more than 0, not 0"),
        ("charging: {cap_per_charge: a lot}", "28: cap_per_charge: should be a number, not 'a lot'"),
        ("charging: {cap_per_charge: NaN}", "28: cap_per_charge: should be a number, not 'NaN'"),
        ("charging: {cap_per_charge: 10.005}", "28: cap_per_charge: amounts in USD have at most 2 decimal places"),
        ("charging: {release: soon}", "21: release: unknown value 'soon'"),
        ("write_back: {psa_payments: both}", "28: psa_payments: unknown value 'both' (allowed: accounting_sync, connector)"),
        ("serve: {port: true}", "15: port: should not be true"),
        ("serve: {port: 70000}", "15: port: should be 65535 or less, not 70000"),
        ("serve: {port: 80.5}", "15: port: should be a whole number, not 80.5"),
        ("serve: {host: [a]}", "15: host: should be text, not ['a']"),
        ("serve: {public_url: billing.example.com}", "21: public_url: should be an address like https://billing.example.com"),
        ("sandbox: {url: 5}", "16: url: should be an address"),
        ("schedule: {mirror_s: 0}", "22: mirror_s: should be 1 or more, not 0"),
        ("schedule: {mirror_s: null}", "22: mirror_s: should not be empty"),
        ("limits: 5", "9: limits: here should stand settings of its own"),
        ("database: mysql://u:hunter2@h/d", "11: database: should begin with sqlite:/// or postgresql://"),
        ("database: 'sqlite:///:memory:'", "11: database: should name a file"),
        ("database: {url: hunter2}", "11: database: wants an address, or {file: PATH} or {env: NAME}"),
        ("database: [hunter2]", "11: database: should be text"),
    ],
)
def test_a_wrong_value_is_told_in_plain_words(line: str, problem: str) -> None:
    (found,) = added(line)

    assert problem in found
    assert "hunter2" not in found


@pytest.mark.parametrize("name", ["Acme", "ab", "a" * 41, "a_b", "a b", "", "münchen"])
def test_the_owner_marker_is_plain(name: str) -> None:
    (problem,) = told(old="instance: example-msp", new=f"instance: '{name}'")

    assert problem == "connector.yaml:1:11: instance: should be 3 to 40 small letters, digits and dashes"


@pytest.mark.parametrize("zone", ["Mars/Base", "../../etc/passwd", "", "America"])
def test_an_unknown_time_zone_is_refused(zone: str) -> None:
    (problem,) = told(old="America/New_York", new=f"'{zone}'")

    assert problem.endswith("time_zone: should be a time zone like America/New_York")


def test_an_unknown_currency_is_refused() -> None:
    (problem,) = told(old="currency: USD", new="currency: usd")

    assert "currency 'usd' is not supported" in problem


@pytest.mark.parametrize("content", ["", "[]", "hello", "5"])
def test_a_file_without_settings_says_where_to_start(content: str) -> None:
    with pytest.raises(ConfigError, match=r"start from config/connector\.example\.yaml"):
        checked(parse_yaml(content, "c.yaml"), folder=Path())


def test_amounts_are_exact() -> None:
    charging = config("charging: {cap_per_charge: 10000.10, max_change_percent: 50, max_change_amount: 0.30}").charging

    assert (charging.cap_per_charge, charging.max_change_amount) == (Decimal("10000.10"), Decimal("0.30"))


def test_the_database_may_come_as_a_secret(tmp_path: Path) -> None:
    (tmp_path / "db").write_text("postgresql://u:hunter2@h/d\n")
    read = config("database: {file: db}", folder=tmp_path)

    assert read.database == "postgresql://u:hunter2@h/d"
    assert "hunter2" not in repr(read)


def test_a_database_secret_that_is_not_there_is_told_at_its_place() -> None:
    assert added("database: {env: NO_SUCH_VARIABLE}") == [
        "11: database: environment variable NO_SUCH_VARIABLE is not set; it should hold a secret"
    ]


def test_everything_secret_is_known_for_redaction(file: Path) -> None:
    file.write_text(file.read_text() + "database: postgresql://u:hunter2@h/d\n")

    assert {"cw_public-value", "stripe-value", "qb_refresh-value", "hunter2"} < set(secret_values(load_config(file)))


def test_no_secret_is_in_the_configurations_repr(file: Path) -> None:
    assert "-value" not in repr(load_config(file))


# connector check-config


def test_a_right_configuration_has_no_warnings(file: Path) -> None:
    findings = check(file)

    assert [finding.rpartition(": ")[2] for finding in findings] == [
        "the configuration is right",
        "the field mapping is right",
        "the field mapping is right",
    ]


def test_everything_wrong_around_the_configuration_is_told_together(file: Path) -> None:
    (file.parent / "secrets" / "stripe").unlink()
    (file.parent / "secrets" / "cw_public").write_text(" \n")
    (file.parent / "secrets" / "key").write_text("not a key")
    (file.parent / "own.yaml").write_text("version: 1\nadapter: quickbooks\nsections: {paiment: {}}\n")
    file.write_text(file.read_text().replace("shipped:quickbooks", "own.yaml"))
    with pytest.raises(ConfigError) as caught:
        check(file)
    found = str(caught.value)

    assert "secrets/cw_public is empty" in found
    assert "secrets/stripe cannot be read: No such file or directory" in found
    assert "secrets/key holds no usable key" in found
    assert "own.yaml:3:12: unknown section 'paiment' (did you mean 'payment'?)" in found


def test_what_is_allowed_and_unwise_is_a_warning(file: Path) -> None:
    (file.parent / "secrets" / "stripe").chmod(0o644)
    file.write_text(TEXT + 'sandbox: {url: "http://127.0.0.1:8400"}\n')
    warnings = [finding for finding in check(file) if finding.startswith("warning: ")]

    assert len(warnings) == 3
    assert f"chmod 600 {file.parent / 'secrets' / 'stripe'}" in warnings[0]
    assert "write_back.psa_payments is not chosen" in warnings[1]
    assert "the clock is the sandbox's" in warnings[2]


# Whatever stands in the file

names = st.sampled_from(
    [*Config.model_fields, "adapter", "settings", "mapping", "date", "port", "key", "file", "connectwise", "stripe"]
)
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
contents = st.recursive(
    names | st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
    max_leaves=25,
)


def outcome(text: str) -> None:
    try:
        read = checked(parse_yaml(text, "c.yaml"), folder=Path("/x"))
    except ConfigError as error:
        assert error.problems  # noqa: PT017 - the other outcome is a Config
    else:
        assert isinstance(read, Config)


@patient
@given(st.text(max_size=200))
def test_any_text_is_a_configuration_or_a_config_error(text: str) -> None:
    outcome(text)


@patient
@given(contents)
def test_any_yaml_is_a_configuration_or_a_config_error(content: Any) -> None:
    outcome(yaml.safe_dump(content))


@patient
@given(st.dictionaries(names, contents, max_size=4))
def test_a_configuration_with_anything_in_place_of_some_parts_is_read_or_told(parts: dict[str, Any]) -> None:
    outcome(yaml.safe_dump({**yaml.safe_load(TEXT), **parts}))


@patient
@given(st.sampled_from(["psa", "gateway", "books"]), st.sampled_from(["adapter", "mapping", "settings"]), contents)
def test_a_connection_with_anything_in_it_is_read_or_told(role: str, key: str, content: Any) -> None:
    whole = yaml.safe_load(TEXT)
    whole[role][key] = content

    outcome(yaml.safe_dump(whole))


BOOKS = """\
books:
  adapter: quickbooks
  mapping: shipped:quickbooks
  settings:
    realm_id: "1"
    client_id: example
    client_secret: {file: secrets/qb_client}
    refresh_token: {file: secrets/qb_refresh}
"""


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ("method: clearing_account", "clearing, bank, fees"),
        ('method: clearing_account\n  accounts: {clearing: "91", fees: "7"}', "bank"),
        ('method: undeposited_funds\n  accounts: {bank: "35"}', "fees"),
        ("foreign: book", "foreign"),
    ],
)
def test_a_method_of_the_books_names_the_accounts_that_it_lacks(said: str, missing: str) -> None:
    content = re.sub(r"^books:.*?(?=^\S|\Z)", "", TEXT, flags=re.MULTILINE | re.DOTALL) + BOOKS

    with pytest.raises(ConfigError, match=f"accounts: {missing} missing"):
        checked(parse_yaml(f"{content}  {said}\n", "connector.yaml"), folder=Path("/etc/connector"))
