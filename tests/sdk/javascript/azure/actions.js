"use strict";
// What the owner of a subscription does with it, by @azure/arm-subscriptions.

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { Azure, read, refused } = require("./azure");

/** A tenant whose application may write. */
async function contributing(settings) {
  const azure = await Azure.make(settings);
  await azure.application({ role: "Contributor" });
  return azure;
}

describe("actions", () => {
  test("a subscription is cancelled", async () => {
    const azure = await contributing();
    const answer = await read((options) => azure.actions().subscription.cancel(azure.id, options));
    assert.equal(answer.subscriptionId, azure.id);
    assert.equal((await azure.subscription()).state, "Disabled");
  });

  test("a subscription with resources is not cancelled", async () => {
    const azure = await contributing({ hasResources: true });
    const { status, code } = await refused(azure.actions().subscription.cancel(azure.id));
    assert.deepEqual([status, code], [400, "ResourcesExistingOnSubscription"]);
  });

  test("a subscription gets another name", async () => {
    const azure = await contributing();
    const renamed = (options) => azure.actions().subscription.rename(azure.id, { subscriptionName: "Sandbox" }, options);
    assert.equal((await read(renamed)).subscriptionId, azure.id);
    assert.equal((await azure.subscription()).displayName, "Sandbox");
  });

  test("a cancelled pay-as-you-go subscription is enabled again", async () => {
    const azure = await contributing({ offer: "PayAsYouGo" });
    await azure.actions().subscription.cancel(azure.id);
    assert.equal((await read((options) => azure.actions().subscription.enable(azure.id, options))).subscriptionId, azure.id);
    assert.equal((await azure.subscription()).state, "Enabled");
  });

  test("a trial that reached its limit is not enabled", async () => {
    const azure = await contributing();
    await azure.do("spend", { amount: "200" });
    const { status, code } = await refused(azure.actions().subscription.enable(azure.id));
    assert.deepEqual([status, code], [400, "ReactivationNotAllowed"]);
  });

  test("a reader cancels nothing", async () => {
    const azure = await Azure.make();
    const { status, code } = await refused(azure.actions().subscription.cancel(azure.id));
    assert.deepEqual([status, code], [403, "AuthorizationFailed"]);
    assert.equal((await azure.subscription()).state, "Enabled");
  });
});
