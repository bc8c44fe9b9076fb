"use strict";
// Signing in without a secret: certificates, tokens of another issuer (workload identity), the environment.

const assert = require("node:assert/strict");
const { after, describe, test } = require("node:test");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const identity = require("@azure/identity");
const tokens = require("../tokens");
const { simulator } = require("../simulator");
const { ARM, Azure, refused } = require("./azure");

const [ISSUER, SUBJECT] = ["https://oidc.example/cluster", "system:serviceaccount:team-a:payg"];
const KEYS = tokens.keys();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "payg-sdk-assertions-"));

/** The token of a ServiceAccount. */
const assertion = (changes = {}, keys = KEYS) =>
  tokens.token(keys, { iss: ISSUER, sub: SUBJECT, aud: ["api://AzureADTokenExchange"], ...changes });

/** A tenant whose application trusts the tokens of a cluster. */
async function trusting() {
  const azure = await Azure.make();
  const federated = { issuer: ISSUER, subject: SUBJECT, audience: "api://AzureADTokenExchange", jwks: { keys: [tokens.jwk(KEYS)] } };
  await azure.application({ clientSecret: null, federated: [federated] });
  return azure;
}

const byAssertion = (azure, token) =>
  new identity.ClientAssertionCredential(azure.tenant, azure.clientId, async () => token, azure.authority());

function byCertificate(azure, pem) {
  return new identity.ClientCertificateCredential(azure.tenant, azure.clientId, { certificate: pem }, azure.authority());
}

/** Fails unless a token of the credential opens the account. */
async function opens(azure, credential) {
  assert.equal((await azure.subscription({ credential })).subscriptionId, azure.id);
}

/** Runs with these variables in the environment. */
async function within(variables, run) {
  Object.assign(process.env, variables);
  try {
    await run();
  } finally {
    for (const name of Object.keys(variables)) delete process.env[name];
  }
}

describe("assertions", () => {
  after(() => fs.rmSync(folder, { recursive: true }));

  test("a certificate takes the place of a secret", async () => {
    const [azure, certificate] = [await Azure.make(), tokens.certificate(KEYS)];
    await azure.application({ clientSecret: null, certificates: [certificate] });
    await opens(azure, byCertificate(azure, certificate + tokens.pem(KEYS)));
  });

  test("a certificate is read from a file", async () => {
    const [azure, certificate, file] = [await Azure.make(), tokens.certificate(KEYS), path.join(folder, "certificate.pem")];
    await azure.application({ clientSecret: null, certificates: [certificate] });
    fs.writeFileSync(file, tokens.pem(KEYS) + certificate);
    await opens(azure, new identity.ClientCertificateCredential(azure.tenant, azure.clientId, file, azure.authority()));
  });

  test("a certificate that is not registered is refused", async () => {
    const azure = await Azure.make();
    await azure.application({ clientSecret: null, certificates: [tokens.certificate(KEYS)] });
    const { message } = await refused(byCertificate(azure, tokens.certificate(KEYS) + tokens.pem(KEYS)).getToken(ARM));
    assert.match(message, /AADSTS700027/);
  });

  test("the token of a ServiceAccount takes the place of a secret", async () => {
    const azure = await trusting();
    await opens(azure, byAssertion(azure, assertion()));
  });

  for (const [code, change] of [
    ["AADSTS700211", { iss: "https://oidc.example/another" }],
    ["AADSTS700213", { sub: "system:serviceaccount:team-b:payg" }],
    ["AADSTS700212", { aud: "api://another" }],
    ["AADSTS700024", { exp: 1 }],
  ]) {
    test(`a token with another ${Object.keys(change)[0]} than is registered is refused`, async () => {
      const azure = await trusting();
      assert.match((await refused(byAssertion(azure, assertion(change)).getToken(ARM))).message, new RegExp(code));
    });
  }

  test("a token with another signature is refused", async () => {
    const azure = await trusting();
    const forged = assertion({}, tokens.keys());
    assert.match((await refused(byAssertion(azure, forged).getToken(ARM))).message, /AADSTS50013/);
  });

  test("an application that trusts no issuer refuses all", async () => {
    const azure = await Azure.make();
    await azure.application({ clientSecret: null });
    assert.match((await refused(byAssertion(azure, assertion()).getToken(ARM))).message, /AADSTS70025/);
  });

  test("workload identity works by what the webhook injects", async () => {
    const [azure, file] = [await trusting(), path.join(folder, "azure-identity-token")];
    fs.writeFileSync(file, assertion());
    const injected = {
      AZURE_CLIENT_ID: azure.clientId,
      AZURE_TENANT_ID: azure.tenant,
      AZURE_FEDERATED_TOKEN_FILE: file,
      AZURE_AUTHORITY_HOST: `${simulator.url}/`,
    };
    await within(injected, async () => {
      const options = { disableInstanceDiscovery: true, ...azure.network() };
      await opens(azure, new identity.WorkloadIdentityCredential(options));
    });
  });

  for (const managedIdentity of ["systemAssigned", "userAssigned"]) {
    test(`an identity of the machine gets a token: ${managedIdentity}`, async () => {
      const azure = await Azure.make();
      await azure.application({ clientSecret: null, managedIdentity });
      await within({ AZURE_POD_IDENTITY_AUTHORITY_HOST: simulator.url }, async () => {
        const chosen = managedIdentity === "userAssigned" ? { clientId: azure.clientId } : {};
        await opens(azure, new identity.ManagedIdentityCredential({ ...chosen, ...azure.network() }));
      });
      await simulator.control("DELETE", `clients/${azure.clientId}`);
    });
  }

  test("a secret works from the environment", async () => {
    const azure = await Azure.make();
    const variables = { AZURE_CLIENT_ID: azure.clientId, AZURE_TENANT_ID: azure.tenant, AZURE_CLIENT_SECRET: azure.secret };
    await within({ ...variables, AZURE_AUTHORITY_HOST: simulator.url }, async () => {
      await opens(azure, new identity.EnvironmentCredential({ disableInstanceDiscovery: true, ...azure.network() }));
    });
  });
});
