"use strict";
// What goes wrong on the way, and how the SDK goes on.

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { simulator } = require("../simulator");
const { Aws, refused } = require("./aws");

const AGAIN = { maxAttempts: 3 };

describe("failures", () => {
  for (const [what, kind, first] of [
    ["that is throttled", { throttle: { retryAfterSeconds: 1 } }, 400],
    ["that fails", { status: { code: 500 } }, 500],
    ["that finds no service", { status: { code: 503 } }, 503],
    ["whose connection is cut", "cut", null],
  ]) {
    test(`a read ${what} is asked again`, async () => {
      const aws = await Aws.make();
      await simulator.fault("getAccountPlanState", kind, { account: aws.id, count: 1 });
      assert.equal((await aws.plan(AGAIN)).accountId, aws.id);
      assert.deepEqual(await simulator.statuses(aws.id, "getAccountPlanState"), [first, 200]);
    });
  }

  test("a service that throttles for long is told", async () => {
    const aws = await Aws.make();
    await simulator.fault("getAccountInformation", { throttle: { retryAfterSeconds: 1 } }, { account: aws.id });
    const { status, code } = await refused(aws.information());
    assert.deepEqual([status, code], [429, "TooManyRequestsException"]);
  });

  test("an upgrade whose answer is lost is applied", async () => {
    const aws = await Aws.make();
    await simulator.fault("upgradeAccountPlan", "appliedAnswerLost", { account: aws.id, count: 1 });
    await refused(aws.upgrade());
    assert.equal((await aws.plan()).accountPlanType, "PAID");
    assert.equal((await simulator.upgrades(aws.id)).length, 1);
  });

  test("the SDK asks again for an upgrade whose answer is lost", async () => {
    const aws = await Aws.make();
    await simulator.fault("upgradeAccountPlan", "appliedAnswerLost", { account: aws.id, count: 1 });
    assert.equal((await aws.upgrade(AGAIN)).accountPlanType, "PAID");
    assert.deepEqual(await simulator.statuses(aws.id, "upgradeAccountPlan"), [null, 200]);
    assert.equal((await simulator.upgrades(aws.id)).length, 1);
  });

  test("half an answer is no answer", async () => {
    const aws = await Aws.make();
    await simulator.fault("getAccountPlanState", "malformedJson", { account: aws.id });
    assert.equal((await refused(aws.plan())).code, "SyntaxError");
  });
});
