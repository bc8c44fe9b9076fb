"use strict";
// Subscriptions, as @azure/arm-resources-subscriptions reads them, in each phase of an account's life.

const assert = require("node:assert/strict");
const { randomUUID } = require("node:crypto");
const { afterEach, describe, test } = require("node:test");
const { simulator } = require("../simulator");
const { Azure, read, readAll, refused } = require("./azure");

const TRIAL = "FreeTrial_2014-09-01";
const PAYG = "PayAsYouGo_2014-09-01";

/** What tells the phase. */
async function shown(azure) {
  const { state, subscriptionPolicies: policies } = await azure.subscription();
  return [state, policies.quotaId, policies.spendingLimit];
}

describe("subscriptions", () => {
  afterEach(() => simulator.control("POST", "settings", { pageSize: 100 }));

  test("a subscription reads back field by field", async () => {
    const azure = await Azure.make();
    const subscription = await azure.subscription();
    assert.equal(subscription.id, `/subscriptions/${azure.id}`);
    assert.deepEqual([subscription.subscriptionId, subscription.tenantId], [azure.id, azure.tenant]);
    assert.deepEqual([subscription.displayName, subscription.authorizationSource], ["Azure subscription 1", "RoleBased"]);
    assert.equal(subscription.subscriptionPolicies.locationPlacementId, "Public_2014-09-01");
  });

  for (const [what, settings, actions, expected] of [
    ["a trial is enabled and limited", {}, [], ["Enabled", TRIAL, "On"]],
    ["a trial can be warned on its last day", { startTime: "2026-05-02T12:00:00Z", warned: true }, [], ["Warned", TRIAL, "On"]],
    ["an upgraded trial keeps its offer while benefits are left", {}, ["portal-upgrade"], ["Enabled", TRIAL, "Off"]],
    ["an upgraded trial is converted when its credit is spent", {}, ["portal-upgrade", "spend"], ["Enabled", PAYG, "Off"]],
    ["a trial without credit is disabled", {}, ["spend"], ["Disabled", TRIAL, "On"]],
    ["a trial after its thirty days is disabled", { startTime: "2026-05-01T00:00:00Z" }, [], ["Disabled", TRIAL, "On"]],
    ["a disabled trial that is upgraded works again", { startTime: "2026-05-01T00:00:00Z" }, ["portal-upgrade"], ["Enabled", PAYG, "Off"]],
    ["a trial after its grace is deleted", { startTime: "2026-05-01T12:00:00Z", graceDays: 0 }, [], ["Deleted", TRIAL, "On"]],
    ["a pay-as-you-go account has no limit", { offer: "PayAsYouGo" }, [], ["Enabled", PAYG, "Off"]],
    ["an invoice that is not paid shows", { offer: "PayAsYouGo" }, ["leave-unpaid"], ["PastDue", PAYG, "Off"]],
    ["an Imagine account shows its own offer", { offer: "Imagine" }, [], ["Enabled", "DreamSpark_2015-02-01", "On"]],
  ]) {
    test(what, async () => {
      const azure = await Azure.make(settings);
      for (const action of actions) await azure.do(action, action === "spend" ? { amount: "200" } : undefined);
      assert.deepEqual(await shown(azure), expected);
    });
  }

  test("a deleted trial is not found in the end", async () => {
    const azure = await Azure.make({ startTime: "2026-01-01T00:00:00Z", graceDays: 30 });
    const { status, code } = await refused(azure.subscription());
    assert.deepEqual([status, code], [404, "SubscriptionNotFound"]);
  });

  test("an unknown subscription is not found", async () => {
    const azure = await Azure.make();
    const { status, code } = await refused(azure.subscriptions().subscriptions.get(randomUUID()));
    assert.deepEqual([status, code], [404, "SubscriptionNotFound"]);
  });

  test("a subscription without a role is forbidden", async () => {
    const azure = await Azure.make();
    await azure.application({ subscriptions: [] });
    const { status, code, message } = await refused(azure.subscription());
    assert.deepEqual([status, code], [403, "AuthorizationFailed"]);
    assert.match(message, /'Microsoft.Resources\/subscriptions\/read'/);
  });

  test("a malformed subscription id is refused", async () => {
    const { status, code } = await refused((await Azure.make()).subscriptions().subscriptions.get("not-a-guid"));
    assert.deepEqual([status, code], [400, "InvalidSubscriptionId"]);
  });

  test("an api-version that never was is refused", async () => {
    const { status, code } = await refused((await Azure.make()).subscription({ apiVersion: "1999-01-01" }));
    assert.deepEqual([status, code], [400, "InvalidApiVersionParameter"]);
  });

  for (const apiVersion of ["2016-06-01", "2018-06-01", "2019-06-01", "2019-11-01", "2020-01-01", "2021-01-01", "2022-12-01"]) {
    test(`${apiVersion} is served`, async () => {
      const azure = await Azure.make();
      const subscription = await azure.subscription({ apiVersion });
      assert.equal(subscription.tenantId, apiVersion === "2016-06-01" ? undefined : azure.tenant);
      assert.equal(subscription.subscriptionPolicies.quotaId, TRIAL);
    });
  }

  test("all subscriptions of the tenant are listed", async () => {
    const azure = await Azure.make();
    const ids = [azure.id, await azure.add(randomUUID()), await azure.add(randomUUID(), { offer: "PayAsYouGo" })];
    await Azure.make();
    const [listed] = await readAll((options) => azure.subscriptions().subscriptions.list(options));
    assert.deepEqual(listed.map(({ subscriptionId }) => subscriptionId).sort(), ids.sort());
  });

  test("subscriptions come in pages, and end with the last", async () => {
    const azure = await Azure.make();
    for (let one = 0; one < 4; one++) await azure.add(randomUUID());
    await simulator.control("POST", "settings", { pageSize: 2 });
    const [listed, pages] = await readAll((options) => azure.subscriptions().subscriptions.list(options));
    assert.deepEqual([listed.length, pages], [5, 3]);
  });

  test("a list that fits into one page is asked for once", async () => {
    const azure = await Azure.make();
    const [listed, pages] = await readAll((options) => azure.subscriptions().subscriptions.list(options));
    assert.deepEqual([listed.length, pages], [1, 1]);
  });

  test("a client that may read none lists none", async () => {
    const azure = await Azure.make();
    await azure.application({ subscriptions: [] });
    const [listed] = await readAll((options) => azure.subscriptions().subscriptions.list(options));
    assert.deepEqual(listed, []);
  });

  test("the tenant is listed", async () => {
    const azure = await Azure.make();
    const [[tenant]] = await readAll((options) => azure.subscriptions().tenants.list(options));
    assert.deepEqual([tenant.id, tenant.tenantId], [`/tenants/${azure.tenant}`, azure.tenant]);
  });

  test("a listed subscription is as it is got", async () => {
    const azure = await Azure.make();
    const [[listed]] = await readAll((options) => azure.subscriptions().subscriptions.list(options));
    assert.deepEqual(listed, await read((options) => azure.subscriptions().subscriptions.get(azure.id, options)));
  });
});
