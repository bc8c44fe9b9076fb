"use strict";
// Signatures, roles, and tokens of other issuers.

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { fromTemporaryCredentials } = require("@aws-sdk/credential-providers");
const tokens = require("../tokens");
const { simulator } = require("../simulator");
const { Aws, asSession, refused } = require("./aws");

const [ISSUER, SUBJECT] = ["https://oidc.example/cluster", "system:serviceaccount:team-a:payg"];
const KEYS = tokens.keys();

describe("signatures", () => {
  for (const [operation, status, json] of [
    ["plan", 400, ["InvalidSignatureException", "UnrecognizedClientException", "ExpiredTokenException"]],
    ["information", 403, ["InvalidSignatureException", "UnrecognizedClientException", "ExpiredTokenException"]],
    ["identity", 403, ["SignatureDoesNotMatch", "InvalidClientTokenId", "ExpiredToken"]],
  ]) {
    test(`a key and a session are taken: ${operation}`, async () => {
      const aws = await Aws.make();
      await aws[operation]();
      const role = await aws.role({ trust: { principals: ["*"] } });
      await aws[operation](asSession(await aws.assume(role)));
    });

    test(`a session without its token is refused: ${operation}`, async () => {
      const aws = await Aws.make();
      const { credentials } = asSession(await aws.assume(await aws.role({ trust: { principals: ["*"] } })));
      const answer = await refused(aws[operation]({ credentials: { ...credentials, sessionToken: undefined } }));
      assert.deepEqual([answer.status, answer.code], [status, json[1]]);
    });

    test(`a wrong secret is found: ${operation}`, async () => {
      const aws = await Aws.make();
      const answer = await refused(aws[operation]({ credentials: { ...aws.keys, secretAccessKey: "another" } }));
      assert.deepEqual([answer.status, answer.code], [status, json[0]]);
    });

    test(`an unknown key is refused: ${operation}`, async () => {
      const aws = await Aws.make();
      const answer = await refused(aws[operation]({ credentials: { ...aws.keys, accessKeyId: "AKIANOBODYNOBODYNOBO" } }));
      assert.deepEqual([answer.status, answer.code], [status, json[1]]);
    });

    test(`a session that has expired is refused: ${operation}`, async () => {
      const aws = await Aws.make();
      const role = await aws.role({ sessionSeconds: 0, trust: { principals: ["*"] } });
      const answer = await refused(aws[operation](asSession(await aws.assume(role))));
      assert.deepEqual([answer.status, answer.code], [status, json[2]]);
    });

    test(`another region is refused: ${operation}`, async () => {
      const answer = await refused((await Aws.make())[operation]({ region: "eu-west-1" }));
      assert.deepEqual([answer.status, answer.code], [status, json[0]]);
    });
  }
});

describe("roles", () => {
  test("a user is told who it is", async () => {
    const aws = await Aws.make();
    const identity = await aws.identity();
    assert.deepEqual([identity.Account, identity.Arn], [aws.id, aws.userArn]);
    assert.match(identity.UserId, /^AIDA/);
  });

  test("a role is assumed with its external id", async () => {
    const aws = await Aws.make();
    const role = await aws.role({ trust: { principals: [aws.userArn], externalId: "tenant/42" } });
    const assumed = await aws.assume(role, { ExternalId: "tenant/42" });
    const arn = `arn:aws:sts::${aws.id}:assumed-role/payg-operator/check`;
    assert.equal(assumed.AssumedRoleUser.Arn, arn);
    assert.equal((await aws.identity(asSession(assumed))).Arn, arn);
    await aws.upgrade(asSession(assumed));
    assert.deepEqual((await simulator.upgrades(aws.id)).map(({ by }) => by), [{ caller: arn }]);
  });

  test("a role is not assumed without its external id", async () => {
    const aws = await Aws.make();
    const role = await aws.role({ trust: { principals: [aws.userArn], externalId: "tenant/42" } });
    const { status, code, message } = await refused(aws.assume(role));
    assert.deepEqual([status, code], [403, "AccessDenied"]);
    assert.equal(message, `User: ${aws.userArn} is not authorized to perform: sts:AssumeRole on resource: ${role}`);
  });

  test("a session lasts as long as it was asked for", async () => {
    const aws = await Aws.make();
    const role = await aws.role({ trust: { principals: ["*"] } });
    const { Credentials: credentials } = await aws.assume(role, { DurationSeconds: 900 });
    const left = (credentials.Expiration - Date.now()) / 1000;
    assert.ok(890 < left && left <= 900, `${left}`);
  });

  test("a session cannot be longer than the role allows", async () => {
    const aws = await Aws.make();
    const role = await aws.role({ trust: { principals: ["*"] } });
    const { status, code } = await refused(aws.assume(role, { DurationSeconds: 7200 }));
    assert.deepEqual([status, code], [400, "ValidationError"]);
  });

  test("the SDK's provider of temporary credentials assumes a role", async () => {
    const aws = await Aws.make();
    const role = await aws.role({ trust: { principals: [aws.userArn], externalId: "x-1" } });
    const params = { RoleArn: role, ExternalId: "x-1", RoleSessionName: "provider" };
    const { endpoint, region, requestHandler } = aws.options();
    const credentials = fromTemporaryCredentials({ masterCredentials: aws.keys, params, clientConfig: { endpoint, region, requestHandler } });
    assert.equal((await aws.identity({ credentials })).Arn, `arn:aws:sts::${aws.id}:assumed-role/payg-operator/provider`);
  });
});

describe("web identities", () => {
  /** The token of a ServiceAccount. */
  const token = (changes = {}, keys = KEYS) => tokens.token(keys, { iss: ISSUER, sub: SUBJECT, aud: ["sts.amazonaws.com"], ...changes });

  /** An account with a role that trusts the tokens of a cluster. */
  async function trusting() {
    const aws = await Aws.make();
    const federated = { issuer: ISSUER, subject: SUBJECT, audience: "sts.amazonaws.com", jwks: { keys: [tokens.jwk(KEYS)] } };
    return [aws, await aws.role({ trust: { federated: [federated] } })];
  }

  test("the token of a ServiceAccount gets a session of the role", async () => {
    const [aws, role] = await trusting();
    const assumed = await aws.webIdentity(role, token());
    assert.deepEqual([assumed.SubjectFromWebIdentityToken, assumed.Audience], [SUBJECT, "sts.amazonaws.com"]);
    assert.equal((await aws.plan(asSession(assumed))).accountId, aws.id);
  });

  for (const [what, made, status, code] of [
    ["of another issuer", () => token({ iss: "https://oidc.example/another" }), 400, "InvalidIdentityTokenException"],
    ["of another ServiceAccount", () => token({ sub: "system:serviceaccount:team-b:payg" }), 403, "AccessDenied"],
    ["for another audience", () => token({ aud: "another" }), 400, "InvalidIdentityTokenException"],
    ["that has expired", () => token({ exp: 1 }), 400, "ExpiredTokenException"],
    ["with another signature", () => token({}, tokens.keys()), 400, "InvalidIdentityTokenException"],
    ["that is none", () => "no.such.token", 400, "InvalidIdentityTokenException"],
  ]) {
    test(`a token ${what} is refused`, async () => {
      const [aws, role] = await trusting();
      const answer = await refused(aws.webIdentity(role, made()));
      assert.deepEqual([answer.status, answer.code], [status, code]);
    });
  }
});
