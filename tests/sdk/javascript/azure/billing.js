"use strict";
// Billing in the shape of 2020-05-01, as @azure/arm-billing asks for it.

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { Azure, read, readAll, refused } = require("./azure");

/** A customer agreement whose billing account the application may read. */
async function agreement(settings = {}) {
  const azure = await Azure.make({ agreement: "MCA", ...settings });
  await azure.application({ billing: "Reader" });
  return azure;
}

describe("billing", () => {
  test("a classic account says whose it is and nothing of its credit", async () => {
    const property = await (await Azure.make()).billingProperty();
    assert.equal(property.accountAdminNotificationEmailAddress, "jan@contoso.example");
    assert.equal(property.isAccountAdmin, false);
    assert.equal(property.billingProfileId, undefined);
  });

  test("a customer agreement tells its billing profile", async () => {
    const azure = await agreement();
    const property = await azure.billingProperty();
    assert.ok(property.billingProfileId.startsWith(`${property.billingAccountId}/billingProfiles/`));
    assert.deepEqual([property.billingProfileStatus, property.billingProfileSpendingLimit], ["Active", "On"]);
    assert.deepEqual([property.billingTenantId, property.skuDescription], [azure.tenant, "Microsoft Azure Plan"]);
  });

  for (const [what, action, status, reason, limit] of [
    ["whose credit is spent", "spend", "Disabled", "SpendingLimitReached", "On"],
    ["that is upgraded", "portal-upgrade", "Active", undefined, "Off"],
  ]) {
    test(`the profile of a customer agreement ${what} says so`, async () => {
      const azure = await agreement();
      await azure.do(action, action === "spend" ? { amount: "200" } : undefined);
      const property = await azure.billingProperty();
      const told = [property.billingProfileStatus, property.billingProfileStatusReasonCode, property.billingProfileSpendingLimit];
      assert.deepEqual(told, [status, reason, limit]);
      const [account, name] = await azure.billedBy();
      const profile = await read((options) => azure.billing().billingProfiles.get(account, name, options));
      assert.deepEqual([profile.status, profile.statusReasonCode, profile.spendingLimit], [status, reason, limit]);
    });
  }

  test("the billing account is listed as it is got", async () => {
    const azure = await agreement();
    const [name] = await azure.billedBy();
    const [[listed]] = await readAll((options) => azure.billing().billingAccounts.list(options));
    assert.deepEqual([listed.name, listed.agreementType], [name, "MicrosoftCustomerAgreement"]);
    assert.deepEqual([listed.accountType, listed.accountStatus, listed.soldTo.country], ["Individual", "Active", "NL"]);
    assert.deepEqual(await read((options) => azure.billing().billingAccounts.get(name, options)), listed);
  });

  test("the billing profile is listed as it is got", async () => {
    const azure = await agreement();
    const [account, name] = await azure.billedBy();
    const profiles = azure.billing().billingProfiles;
    const [[listed]] = await readAll((options) => profiles.listByBillingAccount(account, options));
    assert.deepEqual([listed.name, listed.currency, listed.invoiceDay], [name, "USD", 5]);
    assert.deepEqual(listed.enabledAzurePlans, [{ skuId: "0001", skuDescription: "Microsoft Azure Plan" }]);
    assert.deepEqual(await read((options) => profiles.get(account, name, options)), listed);
  });

  test("the subscriptions of a billing profile are listed", async () => {
    const azure = await agreement();
    const [account, name] = await azure.billedBy();
    const subscriptions = azure.billing().billingSubscriptions;
    const [listed] = await readAll((options) => subscriptions.listByBillingProfile(account, name, options));
    const told = listed.map(({ subscriptionId, subscriptionBillingStatus, skuId }) => [subscriptionId, subscriptionBillingStatus, skuId]);
    assert.deepEqual(told, [[azure.id, "Active", "0001"]]);
  });

  test("a subscription that is disabled is inactive", async () => {
    const azure = await agreement();
    await azure.do("spend", { amount: "200" });
    const [account] = await azure.billedBy();
    const got = await read((options) => azure.billing().billingSubscriptions.get(account, { ...options }));
    assert.deepEqual([got.subscriptionId, got.subscriptionBillingStatus], [azure.id, "Inactive"]);
  });

  test("the account administrator of a classic account sees why it stopped", async () => {
    const azure = await Azure.make();
    await azure.application({ billing: "AccountAdministrator" });
    await azure.do("spend", { amount: "200" });
    const [[account]] = await readAll((options) => azure.billing().billingAccounts.list(options));
    assert.deepEqual([account.agreementType, account.notificationEmailAddress], ["MicrosoftOnlineServicesProgram", "jan@contoso.example"]);
    const subscriptions = azure.billing().billingSubscriptions;
    const [[one]] = await readAll((options) => subscriptions.listByBillingAccount(account.name, options));
    assert.deepEqual([one.subscriptionBillingStatus, one.suspensionReasons], ["Inactive", ["SpendingLimitReached"]]);
  });

  test("a service principal sees no classic billing account", async () => {
    const azure = await Azure.make();
    const [listed] = await readAll((options) => azure.billing().billingAccounts.list(options));
    assert.deepEqual(listed, []);
    const name = (await azure.billingProperty()).billingAccountId.split("/").at(-1);
    const { status, code } = await refused(azure.billing().billingAccounts.get(name));
    assert.deepEqual([status, code], [401, "Unauthorized"]);
  });

  test("a billing profile without a role on it is forbidden", async () => {
    const azure = await Azure.make({ agreement: "MCA" });
    const { status, code } = await refused(azure.billing().billingProfiles.get(...(await azure.billedBy())));
    assert.deepEqual([status, code], [403, "AuthorizationFailed"]);
  });

  test("an unknown billing account is not found", async () => {
    const { status, code } = await refused((await agreement()).billing().billingAccounts.get("none"));
    assert.deepEqual([status, code], [404, "NotFound"]);
  });

  test("a reader may lack the billing property", async () => {
    const azure = await Azure.make();
    await azure.application({ billingProperty: false });
    const { status, code } = await refused(azure.billingProperty());
    assert.deepEqual([status, code], [403, "AuthorizationFailed"]);
  });
});
