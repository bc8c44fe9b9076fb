"use strict";
// What goes wrong on the way, and how the SDKs go on.

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { simulator } = require("../simulator");
const { ARM, Azure, refused } = require("./azure");

describe("failures", () => {
  for (const [what, kind, first] of [
    ["a request that is throttled", { throttle: { retryAfterSeconds: 1 } }, 429],
    ["a request that is throttled until a date", { throttle: { retryAfterSeconds: 1, retryAfterDate: true } }, 429],
    ["a request that finds no service", { status: { code: 503 } }, 503],
    ["a request whose connection is cut", "cut", null],
  ]) {
    test(`${what} is asked again`, async () => {
      const azure = await Azure.make();
      await simulator.fault("subscription", kind, { account: azure.id, count: 1 });
      assert.equal((await azure.subscription()).subscriptionId, azure.id);
      assert.deepEqual(await simulator.statuses(azure.id, "subscription"), [first, 200]);
    });
  }

  test("a service that is down for long is told", async () => {
    const azure = await Azure.make();
    await simulator.fault("subscription", { status: { code: 503 } }, { account: azure.id });
    const { status, code } = await refused(azure.subscription());
    assert.deepEqual([status, code], [503, "ServiceUnavailable"]);
  });

  test("half an answer is no answer", async () => {
    const azure = await Azure.make();
    await simulator.fault("subscription", "malformedJson", { account: azure.id });
    const { error } = await refused(azure.subscriptions().subscriptions.get(azure.id));
    assert.equal(error.code, "PARSE_ERROR");
  });

  test("a token endpoint that is down for a moment is asked again", async () => {
    const azure = await Azure.make();
    await simulator.fault("token", { status: { code: 503 } }, { count: 1 });
    assert.ok((await azure.credential().getToken(ARM)).token);
  });

  test("a terms' field that is missing is undefined", async () => {
    const azure = await Azure.make();
    await simulator.fault("subscription", { missingField: { name: "subscriptionPolicies.quotaId" } }, { account: azure.id });
    assert.equal((await azure.subscription()).subscriptionPolicies.quotaId, undefined);
  });
});
