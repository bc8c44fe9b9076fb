"use strict";
// Plans, credits and the upgrade, in each phase of an account's life.

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { simulator } = require("../simulator");
const { Aws, DAY, refused } = require("./aws");

describe("plans", () => {
  test("an account on the free plan is described", async () => {
    const [start, end] = [new Date(), new Date()].map((date) => new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth())));
    end.setUTCMonth(end.getUTCMonth() + 6);
    const aws = await Aws.make({ startTime: start.toISOString() });
    assert.deepEqual(await aws.plan(), {
      accountId: aws.id,
      accountPlanType: "FREE",
      accountPlanStatus: "ACTIVE",
      accountPlanRemainingCredits: { amount: 100, unit: "USD" },
      accountPlanExpirationDate: end,
    });
  });

  for (const [what, settings, expected] of [
    ["whose credit is spent has expired", { burnPerDay: "20" }, ["FREE", "EXPIRED", 0]],
    ["whose months are over has expired", { days: 200, closesAtOnce: false }, ["FREE", "EXPIRED", 100]],
    ["that is still to start has not started", { days: -3 }, ["FREE", "NOT_STARTED", 100]],
    ["that is paid is active without a credit", { plan: "Paid", burnPerDay: "20" }, ["PAID", "ACTIVE", 0]],
    ["in use has less than was granted", { burnPerDay: "2.5" }, ["FREE", "ACTIVE", 75]],
    ["without a credit has no figure", { credit: null }, ["FREE", "ACTIVE", undefined]],
  ]) {
    test(`a plan ${what}`, async () => {
      const plan = await (await Aws.make(settings)).plan();
      assert.deepEqual([plan.accountPlanType, plan.accountPlanStatus, plan.accountPlanRemainingCredits?.amount], expected);
    });
  }

  test("an account without a record has no plan", async () => {
    const aws = await Aws.make({ plan: "None" });
    for (const operation of ["plan", "upgrade"]) {
      const { status, code, message } = await refused(aws[operation]());
      assert.deepEqual([status, code, message], [400, "ResourceNotFoundException", `Missing data for account: ${aws.id}`]);
    }
  });

  test("an account that nobody upgrades is gone", async () => {
    const aws = await Aws.make({ days: 400 });
    assert.equal((await refused(aws.plan())).code, "UnrecognizedClientException");
  });

  test("the account tells when it was made and whether it is open", async () => {
    const aws = await Aws.make();
    const information = await aws.information();
    assert.deepEqual([information.AccountId, information.AccountState], [aws.id, "ACTIVE"]);
    assert.ok(information.AccountCreatedDate instanceof Date);
    await aws.do("cancel");
    assert.equal((await aws.information()).AccountState, "CLOSED");
  });
});

describe("upgrades", () => {
  test("an upgrade is applied at once, and once", async () => {
    const aws = await Aws.make();
    const paid = { accountId: aws.id, accountPlanType: "PAID", accountPlanStatus: "ACTIVE" };
    assert.deepEqual(await aws.upgrade(), paid);
    assert.deepEqual(await aws.upgrade(), paid);
    const plan = await aws.plan();
    assert.deepEqual([plan.accountPlanType, plan.accountPlanExpirationDate], ["PAID", undefined]);
    assert.deepEqual((await simulator.upgrades(aws.id)).map(({ by }) => by), [{ caller: aws.userArn }]);
  });

  for (const [what, settings, expected] of [
    ["of an expired plan brings it back", { burnPerDay: "20" }, "ACTIVE"],
    ["of an expired plan that shows late says that it has expired", { burnPerDay: "20", upgradeSeconds: 600 }, "EXPIRED"],
    ["of a plan that is still to start says so until it shows", { days: -3, upgradeSeconds: 600 }, "NOT_STARTED"],
  ]) {
    test(`an upgrade ${what}`, async () => {
      const aws = await Aws.make(settings);
      assert.deepEqual(await aws.upgrade(), { accountId: aws.id, accountPlanType: "PAID", accountPlanStatus: expected });
      assert.equal((await aws.plan()).accountPlanStatus, expected);
    });
  }

  for (const [what, settings, action, plan, code] of [
    ["that is rejected", { rejectUpgrade: { code: "ValidationException", message: "No payment method." } }, undefined, "PAID", "ValidationException"],
    ["to the free plan", {}, undefined, "FREE", "ValidationException"],
    ["to a plan that there is not", {}, undefined, "GOLD", "ValidationException"],
    ["of a closed account", {}, "cancel", "PAID", "ValidationException"],
  ]) {
    test(`an upgrade ${what} is not applied`, async () => {
      const aws = await Aws.make(settings);
      if (action) await aws.do(action);
      const answer = await refused(aws.upgrade({}, plan));
      assert.deepEqual([answer.status, answer.code], [400, code]);
      assert.deepEqual(await simulator.upgrades(aws.id), []);
    });
  }

  test("nobody upgrades without the permission", async () => {
    const aws = await Aws.make();
    await aws.user(["freetier:GetAccountPlanState"]);
    const { status, code, message } = await refused(aws.upgrade());
    assert.deepEqual([status, code], [400, "AccessDeniedException"]);
    assert.ok(message.startsWith(`User: ${aws.userArn} is not authorized to perform: freetier:UpgradeAccountPlan`), message);
  });
});

describe("credits", () => {
  test("the credit is described", async () => {
    const aws = await Aws.make({ burnPerDay: "1" });
    const [credit] = await aws.credits();
    const dollars = (currencyAmount) => ({ currencyCode: "USD", currencyAmount });
    assert.deepEqual([credit.accountId, credit.creditType, credit.creditStatus], [aws.id, "Promotion", "ENABLED"]);
    assert.deepEqual([credit.initialAmount, credit.estimatedAmount], [dollars("100.00"), dollars("90.00")]);
    assert.ok(credit.startDate instanceof Date && credit.endDate > credit.startDate);
    assert.equal(credit.exhaustDate, undefined);
  });

  test("a credit that is spent tells when", async () => {
    const [credit] = await (await Aws.make({ burnPerDay: "20", days: 10 })).credits();
    assert.equal((credit.exhaustDate - credit.startDate) / DAY, 5);
  });

  test("there can be no credit", async () => {
    assert.deepEqual(await (await Aws.make({ credit: null })).credits(), []);
    assert.deepEqual(await (await Aws.make({ creditsListed: false })).credits(), []);
  });

  test("a period must be within the last year", async () => {
    const aws = await Aws.make();
    const { code, error } = await refused(aws.credits({ startDate: new Date((await aws.now()).getTime() - 370 * DAY) }));
    assert.equal(code, "ValidationException");
    assert.deepEqual([error.reason, error.fieldList.map(({ name }) => name)], ["fieldValidationFailed", ["startDate"]]);
  });

  test("the credits of another account are not told", async () => {
    const [aws, other] = [await Aws.make(), await Aws.make()];
    assert.equal((await refused(aws.credits({ accountId: other.id }))).code, "AccessDeniedException");
  });
});
