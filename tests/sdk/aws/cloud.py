"""The SDK's clients of an account in the simulated AWS. Every answer is held to the SDK's model of it."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from account import Account
from conformity import document, problems
from simulator import Simulator

# A client that asks once, and one that asks again as SDKs of today do.
ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1})
AGAIN = Config(retries={"mode": "standard", "total_max_attempts": 3})


class Aws:
    """An account of the simulated AWS, as a user of the SDK has it."""

    def __init__(self, session: boto3.Session, simulator: Simulator, account: Account) -> None:
        self.session, self.simulator, self.account = session, simulator, account

    def now(self) -> datetime:
        """What the billing clock shows."""
        return datetime.fromisoformat(self.simulator.control("GET", "clock")["billingTime"])

    def client(self, service: str, **changes: Any) -> Any:
        keys = {"aws_access_key_id": self.account.key_id, "aws_secret_access_key": self.account.secret}
        told = {"endpoint_url": self.simulator.url, "verify": str(self.simulator.ca_file), "region_name": "us-east-1", "config": ONCE}
        client = self.session.client(service, **{**keys, **told, **changes})
        client.meta.events.register("after-call", check)
        return client

    def as_session(self, credentials: dict[str, Any]) -> dict[str, str]:
        """What makes a client of the credentials that STS answers."""
        return {
            "aws_access_key_id": credentials["AccessKeyId"],
            "aws_secret_access_key": credentials["SecretAccessKey"],
            "aws_session_token": credentials["SessionToken"],
        }

    def plan(self, **changes: Any) -> dict[str, Any]:
        return answer(self.client("freetier", **changes).get_account_plan_state())

    def upgrade(self, plan: str = "PAID", **changes: Any) -> dict[str, Any]:
        return answer(self.client("freetier", **changes).upgrade_account_plan(accountPlanType=plan))

    def information(self, **changes: Any) -> dict[str, Any]:
        return answer(self.client("account", **changes).get_account_information())

    def credits(self, **fields: Any) -> list[dict[str, Any]]:
        fields = {"accountId": self.account.id, "startDate": self.now(), **fields}
        return answer(self.client("billing").get_credits(**fields))["credits"]

    def identity(self, **changes: Any) -> dict[str, Any]:
        return answer(self.client("sts", **changes).get_caller_identity())

    def assume(self, role: str, client: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
        sts = self.client("sts", **(client or {}))
        return answer(sts.assume_role(RoleArn=role, RoleSessionName="check", **fields))


def answer(whole: dict[str, Any]) -> dict[str, Any]:
    metadata = whole.pop("ResponseMetadata")
    assert metadata["HTTPStatusCode"] == 200
    assert metadata["RequestId"] == metadata["HTTPHeaders"]["x-amzn-requestid"]
    return whole


def check(http_response: Any, parsed: dict[str, Any], model: Any, **_: Any) -> None:
    """Holds every answer, good or bad, to the model."""
    wrong = list(found(http_response, {name: value for name, value in parsed.items() if name != "ResponseMetadata"}, model))
    assert not wrong, "\n".join(wrong)


def found(response: Any, parsed: dict[str, Any], model: Any) -> Iterator[str]:
    """What is wrong with an answer."""
    protocol, headers = model.service_model.metadata["protocol"], response.headers
    kind = {"json": "application/x-amz-json-1.0", "rest-json": "application/json", "query": "text/xml"}[protocol]
    if headers["content-type"] != kind:
        yield f"{headers['content-type']} is no type of the protocol"
    good = response.status_code == 200
    if protocol == "query":
        raw = document(response.content)
        if not good:
            error = raw["ErrorResponse"]
            side = "Sender" if response.status_code < 500 else "Receiver"
            expected = {"Type": side, "Code": parsed["Error"]["Code"], "Message": parsed["Error"]["Message"]}
            if error != {"Error": expected, "RequestId": headers["x-amzn-requestid"]}:
                yield f"{error} is no error of the protocol"
            return
        result = raw[f"{model.name}Response"]
        if result["ResponseMetadata"] != {"RequestId": headers["x-amzn-requestid"]}:
            yield "the id of the request is another one"
        yield from problems(model.output_shape, parsed, result[f"{model.name}Result"])
        return
    raw = json.loads(response.content)
    if good:
        yield from problems(model.output_shape, parsed, raw)
        return
    code = parsed["Error"]["Code"]
    written = headers["x-amzn-errortype"] if protocol == "rest-json" else raw.pop("__type").rpartition("#")[2]
    if written != code or raw.get("message") != parsed["Error"]["Message"]:
        yield f"{raw} is no error of the protocol"
    shape = next((shape for shape in model.error_shapes if shape.name == code), None)
    if shape:
        members = {name: parsed.get(name, raw.get(name)) for name in shape.members if name in raw}
        yield from problems(shape, members, raw)


def code(error: ClientError) -> tuple[int, str]:
    """The status and the code of an error."""
    return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]


def message(error: ClientError) -> str:
    return error.response["Error"]["Message"]
