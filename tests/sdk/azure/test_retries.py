"""Throttling and failures: the SDKs' own retries, which the simulator must meet as Azure does."""

import time

import pytest
from azure.core.exceptions import DecodeError, HttpResponseError, ServiceResponseError


def statuses(azure):
    return [asked["status"] for asked in azure.simulator.requests(azure.account, "subscription")]


def test_a_throttled_client_waits_as_long_as_it_is_told(azure):
    azure.simulator.fault("subscription", {"throttle": {"retryAfterSeconds": 1}}, azure.account, count=2)
    azure.credential()
    start = time.monotonic()
    assert azure.subscription().subscription_id == azure.account.id
    assert time.monotonic() - start >= 2
    assert statuses(azure) == [429, 429, 200]


def test_a_throttled_client_that_does_not_retry_is_told_when_to(azure):
    azure.simulator.fault("subscription", {"throttle": {"retryAfterSeconds": 7}}, azure.account)
    with pytest.raises(HttpResponseError) as caught:
        azure.subscriptions(retry_total=0).subscriptions.get(azure.account.id)
    assert (caught.value.status_code, caught.value.error.code) == (429, "SubscriptionRequestsThrottled")
    headers = caught.value.response.headers
    assert (headers["Retry-After"], headers["x-ms-ratelimit-remaining-subscription-reads"]) == ("7", "0")
    assert "Please try again after '7' seconds." in caught.value.error.message


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_service_that_fails_is_asked_again(azure, status):
    azure.simulator.fault("subscription", {"status": {"code": status}}, azure.account, count=2)
    assert azure.subscription().subscription_id == azure.account.id
    assert statuses(azure) == [status, status, 200]


def test_a_service_that_goes_on_failing_is_given_up(azure):
    azure.simulator.fault("subscription", {"status": {"code": 503}}, azure.account)
    with pytest.raises(HttpResponseError) as caught:
        azure.subscription()
    assert (caught.value.status_code, caught.value.error.code) == (503, "ServiceUnavailable")
    assert statuses(azure) == [503] * 4


def test_a_refusal_is_not_asked_again(azure):
    azure.account.application(subscriptions=[])
    with pytest.raises(HttpResponseError):
        azure.subscription()
    assert statuses(azure) == [403]


def test_a_connection_that_is_cut_is_made_again(azure):
    azure.simulator.fault("subscription", "cut", azure.account, count=1)
    assert azure.subscription().subscription_id == azure.account.id
    assert statuses(azure) == [None, 200]


def test_connections_that_are_always_cut_are_an_error_of_the_transport(azure):
    azure.simulator.fault("subscription", "cut", azure.account)
    with pytest.raises(ServiceResponseError):
        azure.subscriptions(retry_total=0).subscriptions.get(azure.account.id)


def test_half_a_document_is_an_error(azure):
    azure.simulator.fault("subscription", "malformedJson", azure.account)
    with pytest.raises(DecodeError):
        azure.subscriptions().subscriptions.get(azure.account.id)


def test_an_entra_that_fails_is_asked_again(azure):
    azure.simulator.fault("token", {"status": {"code": 503}}, count=1)
    assert azure.credential(retry_backoff_factor=0.01).get_token("https://management.azure.com/.default").token


def test_every_answer_can_be_traced(azure):
    answers = []
    azure.subscriptions(raw_response_hook=answers.append).subscriptions.get(
        azure.account.id, headers={"x-ms-client-request-id": "mine", "x-ms-return-client-request-id": "true"}
    )
    headers = answers[0].http_response.headers
    assert headers["x-ms-client-request-id"] == "mine"
    assert headers["x-ms-request-id"] and headers["x-ms-correlation-request-id"]
    assert int(headers["x-ms-ratelimit-remaining-subscription-reads"]) > 0
    assert headers["Date"].startswith("Mon, 01 Jun 2026")


def test_a_date_to_retry_after_is_obeyed_too(azure):
    azure.simulator.fault("subscription", {"throttle": {"retryAfterSeconds": 2, "retryAfterDate": True}}, azure.account, count=1)
    start = time.monotonic()
    assert azure.subscription().subscription_id == azure.account.id
    assert time.monotonic() - start >= 1  # dates have no fractions
    assert statuses(azure) == [429, 200]


def test_consumption_is_asked_again_by_the_clients_own_pace(make):
    azure = make(agreement="MCA")
    azure.account.application(billing="Reader")
    azure.simulator.fault("balanceSummary", {"throttle": {"retryAfterSeconds": 60}}, azure.account, count=2)
    azure.read(azure.consumption().credits.get, *azure.billing_names())
    assert [asked["status"] for asked in azure.simulator.requests(azure.account, "balanceSummary")] == [429, 429, 200]


@pytest.fixture
def few_reads(azure):
    """Two reads in a row, and none after that."""
    azure.simulator.settings(throttling={"readBucket": 2, "readsPerSecond": 0})
    yield azure
    azure.simulator.settings(throttling={"readBucket": 250, "readsPerSecond": 25})


def test_every_client_gets_all_its_answers_in_the_end(few_reads):
    for _ in range(2):
        assert few_reads.subscription().subscription_id == few_reads.account.id
    with pytest.raises(HttpResponseError) as caught:
        few_reads.subscriptions(retry_total=0).subscriptions.get(few_reads.account.id)
    assert caught.value.status_code == 429
    few_reads.simulator.settings(throttling={"readBucket": 2, "readsPerSecond": 1})
    for _ in range(3):
        assert few_reads.subscription().subscription_id == few_reads.account.id
    asked = statuses(few_reads)
    assert asked[:3] == [200, 200, 429]
    assert asked.count(200) == 5


def test_the_bucket_of_another_client_is_another(few_reads, make):
    left = []
    other = make()
    for azure in (few_reads, few_reads, other):
        hook = {"raw_response_hook": left.append}
        azure.subscriptions(**hook).subscriptions.get(azure.account.id)
    assert [answer.http_response.headers["x-ms-ratelimit-remaining-subscription-reads"] for answer in left] == ["1", "0", "1"]
