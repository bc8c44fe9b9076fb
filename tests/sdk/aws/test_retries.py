"""Throttling and failures: the SDK's own retries, which the simulator must meet as AWS does."""

import pytest
from botocore.exceptions import ConnectionClosedError
from botocore.parsers import ResponseParserError

from cloud import AGAIN, code

OPERATIONS = {"plan": "getAccountPlanState", "credits": "getCredits", "information": "getAccountInformation", "identity": "getCallerIdentity"}
EVERY = pytest.mark.parametrize("operation", ["plan", "information", "identity"])
THROTTLE = {"throttle": {"retryAfterSeconds": 7}}


@EVERY
def test_a_throttled_client_asks_again(aws, naps, operation):
    aws.simulator.fault(OPERATIONS[operation], THROTTLE, aws.account, count=2)
    getattr(aws, operation)(config=AGAIN)
    throttled = 429 if operation == "information" else 400
    assert aws.account.statuses(OPERATIONS[operation]) == [throttled, throttled, 200]
    assert len(naps) == 2


@pytest.mark.parametrize(
    ("operation", "service", "name"),
    [("plan", "freetier", "ThrottlingException"), ("credits", "billing", "ThrottlingException"), ("information", "account", "TooManyRequestsException")],
)
def test_throttling_is_told_by_its_modelled_class(aws, refused, operation, service, name):
    aws.simulator.fault(OPERATIONS[operation], THROTTLE, aws.account)
    error = refused(getattr(aws, operation))
    assert isinstance(error, getattr(aws.client(service).exceptions, name))
    assert "retry-after" not in error.response["ResponseMetadata"]["HTTPHeaders"]


def test_the_throttling_of_sts_has_a_code(aws, refused):
    aws.simulator.fault("getCallerIdentity", THROTTLE, aws.account)
    assert code(refused(aws.identity)) == (400, "Throttling")


@EVERY
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_service_that_fails_is_asked_again(aws, naps, operation, status):
    aws.simulator.fault(OPERATIONS[operation], {"status": {"code": status}}, aws.account, count=2)
    getattr(aws, operation)(config=AGAIN)
    assert aws.account.statuses(OPERATIONS[operation]) == [status, status, 200]


@pytest.mark.parametrize(("operation", "service"), [("plan", "freetier"), ("credits", "billing"), ("information", "account")])
def test_an_internal_error_is_told_by_its_modelled_class(aws, refused, operation, service):
    aws.simulator.fault(OPERATIONS[operation], {"status": {"code": 500}}, aws.account)
    error = refused(getattr(aws, operation))
    assert isinstance(error, aws.client(service).exceptions.InternalServerException)
    assert code(error) == (500, "InternalServerException")


def test_a_service_that_goes_on_failing_is_given_up(aws, naps, refused):
    aws.simulator.fault("getAccountPlanState", {"status": {"code": 503}}, aws.account)
    error = refused(aws.plan, config=AGAIN)
    assert code(error) == (503, "ServiceUnavailableException")
    assert aws.account.statuses("getAccountPlanState") == [503] * 3


def test_a_refusal_is_not_asked_again(aws, naps, refused):
    aws.account.user(allow=[])
    refused(aws.plan, config=AGAIN)
    assert (aws.account.statuses("getAccountPlanState"), naps) == ([400], [])


def test_a_connection_that_is_cut_is_made_again(aws, naps):
    aws.simulator.fault("getAccountPlanState", "cut", aws.account, count=1)
    assert aws.plan(config=AGAIN)["accountId"] == aws.account.id
    assert aws.account.statuses("getAccountPlanState") == [None, 200]


def test_connections_that_are_always_cut_are_an_error_of_the_transport(aws):
    aws.simulator.fault("getAccountPlanState", "cut", aws.account)
    with pytest.raises(ConnectionClosedError):
        aws.plan()


def test_half_a_document_is_an_error(aws):
    aws.simulator.fault("getCallerIdentity", "malformedJson", aws.account)
    with pytest.raises(ResponseParserError):
        aws.identity()


def test_an_answer_is_dated_by_the_billing_clock(aws):
    headers = aws.client("freetier").get_account_plan_state()["ResponseMetadata"]["HTTPHeaders"]
    assert headers["date"].split()[2:4] == aws.now().strftime("%b %Y").split()
