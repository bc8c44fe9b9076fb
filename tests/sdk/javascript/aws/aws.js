"use strict";
// Accounts in the simulated AWS, and the SDK's clients of them.

const { randomBytes } = require("node:crypto");
const https = require("node:https");
const { AccountClient, GetAccountInformationCommand } = require("@aws-sdk/client-account");
const { AssumeRoleCommand, AssumeRoleWithWebIdentityCommand, GetCallerIdentityCommand, STSClient } = require("@aws-sdk/client-sts");
const { NodeHttpHandler } = require("@smithy/node-http-handler");
const { simulator } = require("../simulator");
const { billing, freeTier } = require("./services");

const DAY = 86_400_000;
let made = 0;

/** An account of the simulated AWS, by default on the free plan in its tenth day, with a user who may do everything. */
class Aws {
  static async make({ days = 10, ...settings } = {}) {
    const aws = new Aws();
    const startTime = new Date((await aws.now()).getTime() - days * DAY).toISOString();
    await simulator.control("POST", "accounts", { accountId: aws.id, startTime, ...settings });
    await aws.user();
    return aws;
  }

  constructor() {
    this.id = String(222_222_222_222 + made++);
    this.keys = { accessKeyId: `AKIA${randomBytes(8).toString("hex").toUpperCase()}`, secretAccessKey: "not-a-secret" };
    this.userArn = `arn:aws:iam::${this.id}:user/payg`;
  }

  /** What the billing clock shows. */
  async now() {
    return new Date((await simulator.control("GET", "clock")).billingTime);
  }

  /** Replaces the user. */
  async user(allow = ["*"]) {
    await simulator.control("POST", "clients", { accountId: this.id, allow, ...this.keys });
  }

  /** Makes or replaces a role. The answer is its ARN. */
  async role({ name = "payg-operator", allow = ["*"], ...settings } = {}) {
    const roleArn = `arn:aws:iam::${this.id}:role/${name}`;
    await simulator.control("POST", "clients", { accountId: this.id, roleArn, allow, ...settings });
    return roleArn;
  }

  /** `spend`, `portal-upgrade` or `cancel`. */
  async do(action, body) {
    await simulator.control("POST", `accounts/${this.id}/${action}`, body);
  }

  options({ credentials = this.keys, maxAttempts = 1, region = "us-east-1" } = {}) {
    const requestHandler = new NodeHttpHandler({ httpsAgent: new https.Agent({ ca: simulator.ca }) });
    return { endpoint: simulator.url, region, requestHandler, maxAttempts, credentials };
  }

  /** Sends a command by a client of its own. The answer is without what the SDK adds. */
  async send(Client, command, options) {
    const client = new Client(this.options(options));
    try {
      const { $metadata: metadata, ...answer } = await client.send(command);
      if (metadata.httpStatusCode !== 200 || !metadata.requestId) throw new Error(`no id of the request: ${JSON.stringify(metadata)}`);
      return answer;
    } finally {
      client.destroy();
    }
  }

  plan(options) {
    return this.send(freeTier.Client, new freeTier.GetAccountPlanState({}), options);
  }

  upgrade(options, accountPlanType = "PAID") {
    return this.send(freeTier.Client, new freeTier.UpgradeAccountPlan({ accountPlanType }), options);
  }

  async credits(fields = {}) {
    const command = new billing.GetCredits({ accountId: this.id, startDate: await this.now(), ...fields });
    return (await this.send(billing.Client, command)).credits;
  }

  information(options) {
    return this.send(AccountClient, new GetAccountInformationCommand({}), options);
  }

  identity(options) {
    return this.send(STSClient, new GetCallerIdentityCommand({}), options);
  }

  assume(role, { options, ...fields } = {}) {
    return this.send(STSClient, new AssumeRoleCommand({ RoleArn: role, RoleSessionName: "check", ...fields }), options);
  }

  webIdentity(role, token) {
    const fields = { RoleArn: role, RoleSessionName: "check", WebIdentityToken: token };
    return this.send(STSClient, new AssumeRoleWithWebIdentityCommand(fields));
  }
}

/** Makes credentials of what STS answers. */
function asSession({ Credentials: { AccessKeyId, SecretAccessKey, SessionToken } }) {
  return { credentials: { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken } };
}

/** The error that an operation is refused with. */
async function refused(operation) {
  const error = await operation.then(
    () => {
      throw new Error("it was not refused");
    },
    (error) => error,
  );
  return { status: error.$metadata?.httpStatusCode, code: error.name, message: error.message, error };
}

module.exports = { Aws, asSession, refused, DAY };
