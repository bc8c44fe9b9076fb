"use strict";
// Tokens of Microsoft Entra, as @azure/identity gets them, and what Resource Manager says to a token that is none.

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { claims } = require("../tokens");
const { simulator } = require("../simulator");
const { ARM, BROKER, Azure, refused } = require("./azure");

/** A credential with a token that is given. */
const given = (token) => ({ getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3_600_000 }) });

describe("credentials", () => {
  test("a secret gets a token for an hour", async () => {
    const { token, expiresOnTimestamp } = await (await Azure.make()).credential().getToken(ARM);
    assert.equal(token.split(".").length, 3);
    const seconds = (expiresOnTimestamp - Date.now()) / 1000;
    assert.ok(3500 < seconds && seconds <= 3600, `${seconds}`);
  });

  test("a token says whose it is, for whom and about whom", async () => {
    const azure = await Azure.make();
    const told = claims((await azure.credential().getToken(ARM)).token);
    assert.deepEqual([told.aud, told.appid, told.tid], ["https://management.azure.com", azure.clientId, azure.tenant]);
    assert.equal(told.iss, `https://sts.windows.net/${azure.tenant}/`);
    assert.ok(told.sub && told.sub === told.oid);
  });

  test("a token is asked for once and kept", async () => {
    const credential = (await Azure.make()).credential();
    assert.equal((await credential.getToken(ARM)).token, (await credential.getToken(ARM)).token);
  });

  test("another audience gets another token", async () => {
    const credential = (await Azure.make()).credential();
    const told = claims((await credential.getToken(BROKER)).token);
    assert.equal(told.aud, "api://payg-broker");
    assert.notEqual((await credential.getToken(ARM)).token, (await credential.getToken(BROKER)).token);
  });

  test("the older audience of Resource Manager is as good", async () => {
    const azure = await Azure.make();
    const client = azure.subscriptions({ credentialScopes: ["https://management.core.windows.net//.default"] });
    assert.equal((await client.subscriptions.get(azure.id)).subscriptionId, azure.id);
  });

  test("an authority with a slash at its end is the same one", async () => {
    const azure = await Azure.make();
    assert.ok((await azure.credential({ authorityHost: `${simulator.url}/` }).getToken(ARM)).token);
  });

  for (const [what, code, changes] of [
    ["a wrong secret", "AADSTS7000215", { secret: "another" }],
    ["an unknown application", "AADSTS700016", { clientId: "00000000-0000-4a00-9000-00000000dead" }],
    ["an unknown tenant", "AADSTS90002", { tenant: "00000000-0000-4a00-9000-00000000dead" }],
  ]) {
    test(`${what} is refused`, async () => {
      const { message } = await refused((await Azure.make()).credential(changes).getToken(ARM));
      assert.match(message, new RegExp(code));
      assert.doesNotMatch(message, /another|not-a-secret/);
    });
  }

  test("an unknown resource is refused", async () => {
    const { message } = await refused((await Azure.make()).credential().getToken("https://graph.example/.default"));
    assert.match(message, /AADSTS500011/);
  });

  test("two resources at once are refused", async () => {
    const { message } = await refused((await Azure.make()).credential().getToken([ARM, BROKER]));
    assert.match(message, /AADSTS70011/);
  });

  test("a token that is none is challenged", async () => {
    const azure = await Azure.make();
    const { status, code, error } = await refused(azure.subscription({ credential: given("no.such.token") }));
    assert.deepEqual([status, code], [401, "InvalidAuthenticationToken"]);
    const challenge = error.response.headers.get("www-authenticate");
    assert.ok(challenge.startsWith(`Bearer authorization_uri="${simulator.url}/${azure.tenant}", error="invalid_token"`), challenge);
  });

  test("a token for another audience is refused", async () => {
    const azure = await Azure.make();
    const { token } = await azure.credential().getToken(BROKER);
    const { status, code } = await refused(azure.subscription({ credential: given(token) }));
    assert.deepEqual([status, code], [401, "InvalidAuthenticationTokenAudience"]);
  });

  test("a token of another tenant is from the wrong issuer", async () => {
    const [azure, other] = [await Azure.make(), await Azure.make()];
    const { status, code, error } = await refused(other.subscription({ credential: azure.credential() }));
    assert.deepEqual([status, code], [401, "InvalidAuthenticationTokenTenant"]);
    const challenge = error.response.headers.get("www-authenticate");
    assert.ok(challenge.startsWith(`Bearer authorization_uri="${simulator.url}/${other.tenant}", error="invalid_token"`), challenge);
  });

  test("a token that has expired is refused", async () => {
    const azure = await Azure.make();
    await azure.application({ tokenLifetimeSeconds: 0 });
    const { token } = await azure.credential().getToken(ARM);
    const { status, code } = await refused(azure.subscription({ credential: given(token) }));
    assert.deepEqual([status, code], [401, "ExpiredAuthenticationToken"]);
  });
});
