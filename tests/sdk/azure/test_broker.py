"""The upgrade broker, which is ours, follows Resource Manager's conventions: Microsoft's own code for long operations waits
for it. That code is what their clients have for every operation that takes long."""

import time
import uuid

import pytest
from azure.core.exceptions import HttpResponseError, map_error
from azure.core.pipeline.policies import RequestIdPolicy, RetryPolicy
from azure.core.polling import LROPoller
from azure.core.rest import HttpRequest
from azure.mgmt.core import ARMPipelineClient
from azure.mgmt.core.exceptions import ARMErrorFormat
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
from azure.mgmt.core.polling.arm_polling import ARMPolling


class Broker:
    """The broker as a client that Microsoft might have generated for it."""

    def __init__(self, azure) -> None:
        authentication = ARMChallengeAuthenticationPolicy(azure.credential(), "api://payg-broker/.default")
        policies = [RequestIdPolicy(), RetryPolicy(retry_backoff_factor=0.01), authentication]
        self._client = ARMPipelineClient(base_url=f"{azure.simulator.url}/broker", policies=policies)
        self._path = f"/subscriptions/{azure.account.id}/providers/PaygOperator.Broker/upgrade?api-version=2026-11-01"

    def upgrade(self, key=None, accept=True):
        """The answer to the request itself."""
        body = {"properties": {"targetOffer": "PayAsYouGo", "acceptCharges": accept}}
        headers = {"Idempotency-Key": str(key or uuid.uuid4())}
        request = HttpRequest("POST", self._client.format_url(self._path), json=body, headers=headers)
        answer = self._client._pipeline.run(request)
        response = answer.http_response
        response.read()
        if response.status_code not in (200, 202):
            map_error(response.status_code, response, {})
            raise HttpResponseError(response=response, error_format=ARMErrorFormat)
        return answer

    def poller(self, answer, **options):
        return LROPoller(self._client, answer, document, ARMPolling(timeout=0, **options))


def document(answer):
    return answer.http_response.json()


# How the broker answers without a pause between the polls. "Retry-After" as it is by default is a check of its own.
AT_ONCE = {"retryAfterSeconds": 0}


def accepted(azure):
    """The broker, and its answer to a request that it accepts."""
    broker = Broker(azure)
    return broker, broker.upgrade()


def test_an_upgrade_is_a_long_operation(azure):
    response = Broker(azure).upgrade().http_response
    assert response.status_code == 202
    assert response.headers["Retry-After"] == "15"
    for header, kind in (("Azure-AsyncOperation", "operationStatuses"), ("Location", "operationResults")):
        url = response.headers[header]
        assert url.startswith(f"{azure.simulator.url}/broker/subscriptions/{azure.account.id}/")
        assert f"/{kind}/" in url and "api-version=" in url


def test_the_poller_waits_for_an_upgrade_and_fetches_its_result(make):
    broker, answer = accepted(make(broker=AT_ONCE))
    poller = broker.poller(answer)
    assert poller.result(timeout=30) == {"properties": {"status": "Accepted"}}
    assert poller.status() == "Succeeded"


def test_the_poller_can_end_with_the_status(make):
    broker, answer = accepted(make(broker=AT_ONCE))
    poller = broker.poller(answer, lro_options={"final-state-via": "azure-async-operation"})
    result = poller.result(timeout=30)
    assert (result["status"], result["percentComplete"]) == ("Succeeded", 100)
    assert result["properties"] == {"status": "Accepted"}
    assert result["startTime"] <= result["endTime"]


def test_the_poller_goes_on_until_a_stopped_account_works(make):
    azure = make(startTime="2026-05-01T00:00:00Z", reactivationDelaySeconds=86_400, broker=AT_ONCE)
    broker, answer = accepted(azure)
    polling = ARMPolling(timeout=0)
    polling.initialize(broker._client, answer, document)
    assert (polling.status(), polling.finished()) == ("InProgress", False)
    polling.update_status()
    assert (polling.status(), polling.finished()) == ("InProgress", False)
    azure.account.change(reactivationDelaySeconds=0)
    polling.run()
    assert polling.status() == "Succeeded"
    assert polling.resource() == {"properties": {"status": "Converted"}}


def test_the_poller_asks_again_when_the_status_cannot_be_read(make):
    azure = make(broker=AT_ONCE)
    broker, answer = accepted(azure)
    azure.simulator.fault("operationStatus", {"status": {"code": 503}}, azure.account, count=1)
    assert broker.poller(answer).result(timeout=30) == {"properties": {"status": "Accepted"}}
    asked = [asked["status"] for asked in azure.simulator.requests(azure.account, "operationStatus")]
    assert asked == [503, 200, 200]


def test_the_poller_waits_between_its_questions_as_long_as_it_is_told(make):
    azure = make(broker={"operationSeconds": 1, "retryAfterSeconds": 1})
    broker, answer = accepted(azure)
    start = time.monotonic()
    poller = broker.poller(answer)
    assert poller.result(timeout=30) == {"properties": {"status": "Accepted"}}
    assert time.monotonic() - start >= 1
    # Once a second, and once more for the result.
    assert 2 <= len(azure.simulator.requests(azure.account, "operationStatus")) <= 4


@pytest.mark.parametrize("status", ["Failed", "Canceled"])
def test_an_operation_that_does_not_succeed_is_an_error(make, status):
    azure = make(broker={**AT_ONCE, "fails": {"code": "PaymentMethodRequired", "status": status}})
    broker, answer = accepted(azure)
    poller = broker.poller(answer)
    with pytest.raises(HttpResponseError) as caught:
        poller.result(timeout=30)
    assert poller.status() == status
    assert caught.value.error.code == "PaymentMethodRequired"
    assert "can not be upgraded" in caught.value.error.message
    assert azure.subscription().subscription_policies.spending_limit == "On"


def test_a_second_operation_waits_for_the_first(make):
    broker = Broker(make(broker={"operationSeconds": 60}))
    broker.upgrade()
    with pytest.raises(HttpResponseError) as caught:
        broker.upgrade()
    assert (caught.value.status_code, caught.value.error.code) == (409, "OperationInProgress")


def test_the_same_key_is_the_same_operation(azure):
    broker, key = Broker(azure), uuid.uuid4()
    first, second = (broker.upgrade(key).http_response for _ in range(2))
    assert first.headers["Azure-AsyncOperation"] == second.headers["Azure-AsyncOperation"]
    applied = [entry for entry in azure.simulator.control("GET", "ledger") if entry["account"] == azure.account.id]
    assert len(applied) == 1


def test_an_account_that_is_upgraded_has_nothing_to_wait_for(azure):
    azure.account.do("portal-upgrade")
    broker = Broker(azure)
    answer = broker.upgrade()
    assert answer.http_response.status_code == 200
    assert broker.poller(answer).result(timeout=30) == {"status": "AlreadyConverted"}


@pytest.mark.parametrize(
    "code, status",
    [("NotAccountAdministrator", 403), ("PaymentMethodRequired", 422), ("PhoneVerificationRequired", 422), ("OfferNotEligible", 422)],
)
def test_a_rejection_is_an_error_of_resource_manager(make, code, status):
    with pytest.raises(HttpResponseError) as caught:
        Broker(make(rejectUpgrade=code)).upgrade()
    assert (caught.value.status_code, caught.value.error.code) == (status, code)


def test_charges_must_be_accepted(azure):
    with pytest.raises(HttpResponseError) as caught:
        Broker(azure).upgrade(accept=False)
    assert (caught.value.status_code, caught.value.error.code) == (400, "InvalidRequestContent")
    assert "acceptCharges" in caught.value.error.message


def test_a_deleted_account_cannot_be_upgraded(make):
    with pytest.raises(HttpResponseError) as caught:
        Broker(make(startTime="2026-05-01T12:00:00Z", graceDays=0)).upgrade()
    assert (caught.value.status_code, caught.value.error.code) == (410, "SubscriptionDeleted")
