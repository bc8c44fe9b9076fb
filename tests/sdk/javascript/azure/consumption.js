"use strict";
// The credit in the shape of 2021-10-01, as @azure/arm-consumption asks for it.

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { Azure, read, readAll, refused } = require("./azure");

/** A customer agreement whose credit the application may read. */
async function agreement(settings = {}) {
  const azure = await Azure.make({ agreement: "MCA", ...settings });
  await azure.application({ billing: "Reader" });
  const [account, profile] = await azure.billedBy();
  return { azure, client: azure.consumption(), account, profile };
}

describe("consumption", () => {
  test("the balance is the credit that is left", async () => {
    const { azure, client, account, profile } = await agreement();
    await azure.do("spend", { amount: "12.5" });
    const balance = await read((options) => client.credits.get(account, profile, options));
    assert.deepEqual(balance.balanceSummary.estimatedBalance, { currency: "USD", value: 187.5 });
    assert.deepEqual([balance.creditCurrency, balance.billingCurrency], ["USD", "USD"]);
    assert.equal(balance.pendingEligibleCharges.value, -12.5);
  });

  test("another currency of invoices comes with its rate", async () => {
    const { client, account, profile } = await agreement({ billingCurrency: { currency: "EUR", exchangeRate: "0.9196" } });
    const balance = await read((options) => client.credits.get(account, profile, options));
    const converted = balance.balanceSummary.estimatedBalanceInBillingCurrency;
    assert.deepEqual([converted.currency, converted.value, converted.exchangeRate], ["EUR", 183.92, 0.9196]);
  });

  test("the credit is a lot of the profile and of the account", async () => {
    const { client, account, profile } = await agreement();
    const [[lot]] = await readAll((options) => client.lotsOperations.listByBillingProfile(account, profile, options));
    assert.deepEqual([lot.source, lot.status, lot.originalAmount.value], ["PromotionalCredit", "Active", 200]);
    assert.equal(lot.expirationDate.toISOString(), "2026-06-21T00:00:00.000Z");
    const [ofAccount] = await readAll((options) => client.lotsOperations.listByBillingAccount(account, options));
    assert.deepEqual(ofAccount, [lot]);
  });

  test("a credit that is spent is complete", async () => {
    const { azure, client, account, profile } = await agreement();
    await azure.do("spend", { amount: "200" });
    const [[lot]] = await readAll((options) => client.lotsOperations.listByBillingProfile(account, profile, options));
    assert.equal(lot.status, "Complete");
  });

  test("what happened to the credit is told", async () => {
    const { client, account, profile } = await agreement({ startTime: "2026-04-01T00:00:00Z", burnPerDay: "4" });
    const list = (options) => client.eventsOperations.listByBillingProfile(account, profile, "2026-01-01", "2026-12-31", options);
    const [events] = await readAll(list);
    const told = events.map(({ eventType, closedBalance }) => [eventType, closedBalance.value]);
    assert.deepEqual(told, [["NewCredit", 200], ["SettledCharges", 80], ["CreditExpired", 0]]);
  });

  test("a credit that is not listed has no content", async () => {
    const { client, account, profile } = await agreement({ lotsListed: false });
    assert.equal((await client.credits.get(account, profile)).balanceSummary, undefined);
    const [lots] = await readAll((options) => client.lotsOperations.listByBillingProfile(account, profile, options));
    assert.deepEqual(lots, []);
  });

  test("a credit without a role on the billing account is forbidden", async () => {
    const { azure, client, account, profile } = await agreement();
    await azure.application();
    const { status, code } = await refused(client.credits.get(account, profile));
    assert.deepEqual([status, code], [403, "AuthorizationFailed"]);
  });
});
