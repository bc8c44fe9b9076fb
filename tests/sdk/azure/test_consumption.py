"""The credit of a customer agreement, as azure-mgmt-consumption reads it."""

from datetime import datetime, timezone
from decimal import Decimal

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.consumption.models import EventType, LotSource, Status


def made(make, **settings):
    azure = make(agreement="MCA", **settings)
    azure.account.application(billing="Reader")
    return azure


@pytest.fixture
def azure(make):
    """An account under a customer agreement, whose billing the application may read."""
    return made(make)


def summary(azure):
    return azure.read(azure.consumption().credits.get, *azure.billing_names()).properties


def lots(azure):
    return azure.read_all(azure.consumption().lots.list_by_billing_profile, *azure.billing_names())


def events(azure, start="2026-05-01", end="2026-07-01"):
    names = azure.billing_names()
    return azure.read_all(azure.consumption().events.list_by_billing_profile, *names, start_date=start, end_date=end)


def test_the_balance_is_the_credit_that_is_left(azure):
    azure.account.do("spend", {"amount": "142.69"})
    properties = summary(azure)
    balance = properties.balance_summary
    assert (balance.estimated_balance.value, balance.estimated_balance.currency) == (Decimal("57.31"), "USD")
    assert properties.expired_credit.value == 0
    assert (properties.credit_currency, properties.billing_currency) == ("USD", "USD")
    assert properties.is_estimated_balance is True


def test_a_balance_that_is_spent_is_a_number_and_not_missing(azure):
    azure.account.do("spend", {"amount": "200"})
    assert summary(azure).balance_summary.estimated_balance.value == 0


def test_a_credit_that_expires_leaves_no_balance(make):
    properties = summary(made(make, startTime="2026-05-01T00:00:00Z"))
    assert properties.balance_summary.estimated_balance.value == 0
    assert properties.expired_credit.value == 200


def test_an_invoice_in_another_currency_has_its_exchange_rate(make):
    azure = made(make, billingCurrency={"currency": "EUR", "exchangeRate": "0.5"})
    properties = summary(azure)
    other = properties.balance_summary.estimated_balance_in_billing_currency
    assert (other.value, other.currency, other.exchange_rate) == (100, "EUR", Decimal("0.5"))
    assert (properties.credit_currency, properties.billing_currency) == ("USD", "EUR")


def test_a_credit_that_is_not_listed_has_no_content(make):
    azure = made(make, lotsListed=False)
    assert azure.consumption().credits.get(*azure.billing_names()) is None
    assert azure.simulator.requests(azure.account, "balanceSummary")[-1]["status"] == 204
    assert lots(azure) == []


def test_a_balance_without_a_billing_role_is_refused(azure):
    azure.account.application()
    with pytest.raises(HttpResponseError) as caught:
        summary(azure)
    assert (caught.value.status_code, caught.value.error.code) == (403, "AuthorizationFailed")


def test_the_credit_is_a_lot(azure):
    [lot] = lots(azure)
    properties = lot.properties
    assert lot.type == "Microsoft.Consumption/lots"
    assert (properties.source, properties.status) == (LotSource.PROMOTIONAL_CREDIT, Status.ACTIVE)
    assert (properties.original_amount.value, properties.original_amount.currency) == (200, "USD")
    assert properties.start_date == datetime(2026, 5, 22, tzinfo=timezone.utc)
    assert properties.expiration_date == datetime(2026, 6, 21, tzinfo=timezone.utc)


def test_a_lot_that_is_spent_is_complete(azure):
    azure.account.do("spend", {"amount": "200"})
    assert lots(azure)[0].properties.status == Status.COMPLETE


def test_a_lot_that_is_over_has_expired(make):
    assert lots(made(make, startTime="2026-05-01T00:00:00Z"))[0].properties.status == Status.EXPIRED


def test_lots_are_listed_of_the_whole_account_too(azure):
    account = azure.billing_names()[0]
    listed = azure.read_all(azure.consumption().lots.list_by_billing_account, account)
    assert [lot.as_dict() for lot in listed] == [lot.as_dict() for lot in lots(azure)]


def test_the_grant_is_an_event(azure):
    [event] = events(azure)
    assert event.event_type == EventType.NEW_CREDIT
    assert (event.new_credit.value, event.closed_balance.value) == (200, 200)
    assert event.transaction_date == datetime(2026, 5, 22, tzinfo=timezone.utc)


def test_the_events_say_where_the_credit_went(make):
    azure = made(make, startTime="2026-04-20T00:00:00Z", burnPerDay="1")
    listed = events(azure, start="2026-04-01")
    kinds = [event.event_type for event in listed]
    assert kinds == [EventType.NEW_CREDIT, EventType.SETTLED_CHARGES, EventType.SETTLED_CHARGES, EventType.CREDIT_EXPIRED]
    assert [event.charges.value for event in listed] == [0, -11, -19, 0]
    assert [event.closed_balance.value for event in listed] == [200, 189, 170, 0]
    assert listed[-1].credit_expired.value == -170
    assert listed[-1].transaction_date == datetime(2026, 5, 20, tzinfo=timezone.utc)


def test_events_come_in_pages(make):
    azure = made(make, startTime="2026-04-20T00:00:00Z", burnPerDay="1")
    azure.simulator.settings(pageSize=2)
    assert len(events(azure, start="2026-04-01")) == 4
    assert azure.pages() == 2


def test_events_outside_the_dates_are_not_listed(azure):
    assert events(azure, start="2026-06-01") == []
