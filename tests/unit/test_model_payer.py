"""Who pays: a company, or a location of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.model.agreement import Payer, company_of, names_of

WORDS = st.text(max_size=30)
COMPANY = Payer(psa="connectwise", id="250", name="Contoso Dental", gateway_customer="cus_1")


@given(WORDS)
def test_a_payer_is_known_again_by_its_key_whatever_the_location_is_called(word: str) -> None:
    payer = COMPANY.at(word)
    again = Payer.of_key(payer.key)

    assert (again.psa, again.id, again.location, again.key) == ("connectwise", "250", payer.location, payer.key)
    assert company_of(payer.key) == COMPANY.key


def test_a_location_is_the_company_in_the_books_and_itself_at_the_gateway() -> None:
    berlin = COMPANY.at(" Berlin   office ")

    assert (berlin.key, berlin.name) == ("connectwise:250@Berlin office", "Contoso Dental, Berlin office")
    assert (berlin.books_name, berlin.gateway_customer) == ("Contoso Dental", "")
    assert COMPANY.at("  ") is COMPANY


def test_a_persons_names_for_it_go_from_the_company_to_the_location() -> None:
    assert names_of("cw:250") == ("250", "cw:250")
    assert names_of("cw:250@Berlin") == ("250", "cw:250", "250@Berlin", "cw:250@Berlin")
