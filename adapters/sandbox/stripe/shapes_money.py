"""How Stripe's payment, method and balance objects look in version 2026-05-27.dahlia, when new."""

from __future__ import annotations

from typing import Any

from adapters.sandbox.stripe.shapes import ADDRESS, nulls

Body = dict[str, Any]
CARD: Body = {
    "brand": "visa",
    "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
    "country": "US",
    "exp_month": 8,
    "exp_year": 2030,
    "fingerprint": "AOB934RVNwzk6xtn",
    "funding": "credit",
    "last4": "4242",
    "regulated_status": "unregulated",
}
BANK: Body = {
    "account_holder_type": "company",
    "account_type": "checking",
    "bank_name": "STRIPE TEST BANK",
    "fingerprint": "FFDMA0xfhBjWSZLu",
    "last4": "6789",
    "routing_number": "110000000",
}


def billing_details(customer: Body | None) -> Body:
    name, email = (customer["name"], customer["email"]) if customer else (None, None)
    return {"address": dict(ADDRESS), "email": email, "name": name, "phone": None, "tax_id": None}


def payment_method(id: str, created: int, *, type: str, customer: Body) -> Body:
    card = {
        **CARD,
        "display_brand": "visa",
        "generated_from": None,
        "networks": {"available": ["visa"], "preferred": None},
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    bank = {
        **BANK,
        "financial_connections_account": None,
        "networks": {"preferred": "ach", "supported": ["ach"]},
        "status_details": {},
    }
    return {
        "id": id,
        "object": "payment_method",
        "allow_redisplay": "limited",
        "billing_details": billing_details(customer),
        "created": created,
        "customer": customer["id"],
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": type,
        type: card if type == "card" else bank,
    }


def mandate(id: str, now: int, *, method: str) -> Body:
    return {
        "id": id,
        "object": "mandate",
        "customer_acceptance": {
            "accepted_at": now,
            "online": {"ip_address": "203.0.113.7", "user_agent": "Mozilla/5.0"},
            "type": "online",
        },
        "livemode": False,
        "multi_use": {},
        "payment_method": method,
        "payment_method_details": {"type": "us_bank_account", "us_bank_account": {}},
        "status": "active",
        "type": "multi_use",
    }


def setup_intent(id: str, created: int, *, customer: str | None, types: list[str], metadata: Body) -> Body:
    return {
        "id": id,
        "object": "setup_intent",
        **nulls(
            "application automatic_payment_methods cancellation_reason customer_account description "
            "excluded_payment_method_types flow_directions last_setup_error latest_attempt mandate next_action on_behalf_of "
            "payment_method payment_method_configuration_details single_use_mandate"
        ),
        "client_secret": f"{id}_secret_sandbox",
        "created": created,
        "customer": customer,
        "livemode": False,
        "metadata": metadata,
        "payment_method_options": {},
        "payment_method_types": types,
        "status": "requires_payment_method",
        "usage": "off_session",
    }


def checkout_session(id: str, created: int, *, expires_at: int, setup_intent: Body) -> Body:
    return {
        "id": id,
        "object": "checkout.session",
        **nulls(
            "adaptive_pricing after_expiration allow_promotion_codes amount_subtotal amount_total billing_address_collection "
            "cancel_url client_reference_id client_secret collected_information consent consent_collection currency "
            "currency_conversion customer_account customer_creation customer_details customer_email discounts "
            "integration_identifier invoice invoice_creation locale managed_payments origin_context payment_intent "
            "payment_link payment_method_collection payment_method_configuration_details permissions recovered_from "
            "saved_payment_method_options shipping_address_collection shipping_cost submit_type subscription success_url "
            "total_details wallet_options"
        ),
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "created": created,
        "custom_fields": [],
        "custom_text": nulls("after_submit shipping_address submit terms_of_service_acceptance"),
        "customer": setup_intent["customer"],
        "expires_at": expires_at,
        "livemode": False,
        "metadata": {},
        "mode": "setup",
        "payment_method_options": {},
        "payment_method_types": list(setup_intent["payment_method_types"]),
        "payment_status": "no_payment_required",
        "phone_number_collection": {"enabled": False},
        "setup_intent": setup_intent["id"],
        "shipping_options": [],
        "status": "open",
        "ui_mode": "hosted_page",
        "url": f"https://checkout.stripe.com/c/pay/{id}",
    }


def portal_session(id: str, created: int, *, customer: str, return_url: str | None) -> Body:
    return {
        "id": id,
        "object": "billing_portal.session",
        "configuration": "bpc_1SandboxConfiguration000",
        "created": created,
        "customer": customer,
        "customer_account": None,
        "flow": None,
        "livemode": False,
        "locale": None,
        "on_behalf_of": None,
        "return_url": return_url,
        "url": f"https://billing.stripe.com/p/session/{id}",
    }


def payment_intent(id: str, created: int, *, invoice: Body, amount: int, description: str) -> Body:
    return {
        "id": id,
        "object": "payment_intent",
        **nulls(
            "application application_fee_amount automatic_payment_methods canceled_at cancellation_reason customer_account "
            "excluded_payment_method_types last_payment_error latest_charge next_action on_behalf_of payment_method "
            "payment_method_configuration_details processing receipt_email review shipping statement_descriptor "
            "statement_descriptor_suffix transfer_data transfer_group"
        ),
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "capture_method": "automatic",
        "client_secret": f"{id}_secret_sandbox",
        "confirmation_method": "automatic",
        "created": created,
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "description": description,
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": {},
        "payment_details": {"customer_reference": None, "order_reference": invoice["id"]},
        "payment_method_options": {},
        "payment_method_types": invoice["payment_settings"]["payment_method_types"] or ["card", "us_bank_account"],
        "setup_future_usage": None,
        "status": "requires_payment_method",
    }


def invoice_payment(id: str, created: int, *, invoice: Body, intent: str, amount: int) -> Body:
    return {
        "id": id,
        "object": "invoice_payment",
        "amount_paid": None,
        "amount_requested": amount,
        "created": created,
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"payment_intent": intent, "type": "payment_intent"},
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
    }


def charge(id: str, created: int, *, intent: Body, method: Body, mandate: str | None) -> Body:
    return {
        "id": id,
        "object": "charge",
        **nulls(
            "application application_fee application_fee_amount balance_transaction calculated_statement_descriptor "
            "failure_balance_transaction failure_code failure_message on_behalf_of receipt_email receipt_number review "
            "shipping source_transfer statement_descriptor statement_descriptor_suffix transfer_data transfer_group"
        ),
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "billing_details": method["billing_details"],
        "captured": False,
        "created": created,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "fraud_details": {},
        "livemode": False,
        "metadata": {},
        "outcome": _outcome(method["type"]),
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": _method_details(method["type"], mandate),
        "receipt_url": f"https://pay.stripe.com/receipts/{id}",
        "refunded": False,
        "status": "pending",
    }


def _outcome(type: str) -> Body:
    return {
        **nulls("advice_code network_advice_code network_decline_code reason"),
        "network_status": "approved_by_network",
        "risk_level": "normal" if type == "card" else "not_assessed",
        "seller_message": "Payment complete.",
        "type": "authorized",
    }


def _method_details(type: str, mandate: str | None) -> Body:
    if type == "us_bank_account":
        return {"type": type, type: {**BANK, "mandate": mandate, "payment_reference": None}}
    card = {
        **CARD,
        **nulls("amount_authorized authorization_code installments mandate network_transaction_id three_d_secure wallet"),
        "extended_authorization": {"status": "disabled"},
        "incremental_authorization": {"status": "unavailable"},
        "multicapture": {"status": "unavailable"},
        "network": "visa",
        "network_token": {"used": False},
        "overcapture": {"maximum_amount_capturable": 0, "status": "unavailable"},
        "transaction_link_id": None,
    }
    return {"type": "card", "card": card}


def refund(id: str, created: int, *, charge: Body, amount: int, reason: str | None) -> Body:
    card = {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"}
    bank = {"reference": None, "reference_status": None}
    type = charge["payment_method_details"]["type"]
    details = {"type": "card", "card": card} if type == "card" else {"type": "us_bank_transfer", "us_bank_transfer": bank}
    return {
        "id": id,
        "object": "refund",
        **nulls("balance_transaction receipt_number source_transfer_reversal transfer_reversal"),
        "amount": amount,
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "destination_details": details,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "status": "succeeded" if type == "card" else "pending",
    }


EVIDENCE = (
    "access_activity_log billing_address cancellation_policy cancellation_policy_disclosure cancellation_rebuttal "
    "customer_communication customer_email_address customer_name customer_purchase_ip customer_signature "
    "duplicate_charge_documentation duplicate_charge_explanation duplicate_charge_id product_description receipt "
    "refund_policy refund_policy_disclosure refund_refusal_explanation service_date service_documentation shipping_address "
    "shipping_carrier shipping_date shipping_documentation shipping_tracking_number uncategorized_file uncategorized_text"
)


def dispute(id: str, created: int, *, charge: Body, reason: str, status: str, due_by: int | None) -> Body:
    body: Body = {
        "id": id,
        "object": "dispute",
        "amount": charge["amount"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**nulls(EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": due_by,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "status": status,
    }
    if charge["payment_method_details"]["type"] == "card":  # a returned bank debit names no method
        card = {"brand": "visa", "case_type": "chargeback", "network": "visa", "network_reason_code": "10.4"}
        body["payment_method_details"] = {"card": card, "type": "card"}
    return body


def balance_transaction(
    id: str, created: int, *, amount: int, fee: int, currency: str, type: str, category: str, source: str | None,
    description: str, available_on: int,
) -> Body:  # fmt: skip
    what = "Dispute fee" if category.startswith("dispute") else "Stripe processing fees"
    detail = {"amount": fee, "application": None, "currency": currency, "description": what, "type": "stripe_fee"}
    return {
        "id": id,
        "object": "balance_transaction",
        "amount": amount,
        "available_on": available_on,
        "balance_type": "payments",
        "created": created,
        "currency": currency,
        "description": description,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [detail] if fee else [],
        "net": amount - fee,
        "reporting_category": category,
        "source": source,
        "status": "pending",
        "type": type,
    }


def payout(id: str, created: int, *, amount: int, currency: str, arrival_date: int) -> Body:
    return {
        "id": id,
        "object": "payout",
        **nulls(
            "application_fee application_fee_amount balance_transaction failure_balance_transaction failure_code "
            "failure_message original_payout payout_method reversed_by statement_descriptor"
        ),
        "amount": amount,
        "arrival_date": arrival_date,
        "automatic": True,
        "created": created,
        "currency": currency,
        "description": "STRIPE PAYOUT",
        "destination": "ba_1SandboxBankAccount000000",
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "reconciliation_status": "in_progress",
        "source_type": "card",
        "status": "pending",
        "trace_id": {"status": "pending", "value": None},
        "type": "bank_account",
    }
