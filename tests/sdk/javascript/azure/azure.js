"use strict";
// Accounts in the simulated Azure, and the SDKs' clients of them.

const { randomUUID } = require("node:crypto");
const { BillingManagementClient } = require("@azure/arm-billing");
const { ConsumptionManagementClient } = require("@azure/arm-consumption");
const { SubscriptionClient } = require("@azure/arm-resources-subscriptions");
const { SubscriptionClient: ActionsClient } = require("@azure/arm-subscriptions");
const { ClientSecretCredential } = require("@azure/identity");
const { readsBack } = require("../conformity");
const { simulator } = require("../simulator");

const ARM = "https://management.azure.com/.default";
const BROKER = "api://payg-broker/.default";

/** A tenant of the simulated Azure with an account, by default a free trial in its tenth day, and an application that may read all of it. */
class Azure {
  static async make(settings = {}) {
    const azure = new Azure();
    await azure.application();
    await azure.add(azure.id, { startTime: "2026-05-22T00:00:00Z", ...settings });
    return azure;
  }

  constructor() {
    [this.id, this.tenant, this.clientId] = [randomUUID(), randomUUID(), randomUUID()];
    this.secret = "not-a-secret";
  }

  /** Replaces the application. */
  async application(settings = {}) {
    const ids = { tenantId: this.tenant, clientId: this.clientId, clientSecret: this.secret };
    await simulator.control("POST", "clients", { ...ids, subscriptions: "*", broker: true, ...settings });
  }

  /** Adds an account to the tenant. */
  async add(subscriptionId, settings = {}) {
    await simulator.control("POST", "accounts", { subscriptionId, tenantId: this.tenant, ...settings });
    return subscriptionId;
  }

  /** `spend`, `portal-upgrade`, `cancel`, `leave-unpaid` or `pay`. */
  async do(action, body) {
    await simulator.control("POST", `accounts/${this.id}/${action}`, body);
  }

  /** Whom every client of an SDK trusts, and how patient it is. */
  network() {
    return { tlsOptions: { ca: simulator.ca }, retryOptions: { maxRetries: 3, retryDelayInMs: 1, maxRetryDelayInMs: 10 } };
  }

  authority() {
    return { authorityHost: simulator.url, disableInstanceDiscovery: true, ...this.network() };
  }

  credential({ tenant = this.tenant, clientId = this.clientId, secret = this.secret, ...options } = {}) {
    return new ClientSecretCredential(tenant, clientId, secret, { ...this.authority(), ...options });
  }

  options(changes = {}) {
    // Unless told, the SDKs ask for tokens of the endpoint.
    return { endpoint: simulator.url, credentialScopes: [ARM], ...this.network(), ...changes };
  }

  subscriptions({ credential = this.credential(), ...changes } = {}) {
    return new SubscriptionClient(credential, this.options(changes));
  }

  actions({ credential = this.credential(), ...changes } = {}) {
    return new ActionsClient(credential, this.options(changes));
  }

  billing({ credential = this.credential(), ...changes } = {}) {
    return new BillingManagementClient(credential, this.id, this.options(changes));
  }

  consumption({ credential = this.credential(), ...changes } = {}) {
    return new ConsumptionManagementClient(credential, this.id, this.options(changes));
  }

  subscription(changes) {
    return read((options) => this.subscriptions(changes).subscriptions.get(this.id, options));
  }

  billingProperty() {
    return read((options) => this.billing().billingPropertyOperations.get(options));
  }

  /** The names of the billing account and the billing profile of a customer agreement. */
  async billedBy() {
    const [, , , , account, , profile] = (await this.billingProperty()).billingProfileId.split("/");
    return [account, profile];
  }
}

/** The model that an operation answers, once all of the answer reads back from it. */
async function read(operation) {
  let document;
  const model = await operation({ onResponse: (response) => (document = response.bodyAsText) });
  if (model !== undefined) readsBack(model, JSON.parse(document));
  return model;
}

/** The models of all pages, once all of every page reads back from them; and how many pages there were. */
async function readAll(list) {
  const pages = [];
  const models = [];
  for await (const model of list({ onResponse: (response) => pages.push(JSON.parse(response.bodyAsText)) })) models.push(model);
  readsBack(models, pages.map((page) => page.value));
  return [models, pages.length];
}

/** The error that an operation is refused with, as its status and its code. */
async function refused(operation) {
  const error = await operation.then(
    () => {
      throw new Error("it was not refused");
    },
    (error) => error,
  );
  return { status: error.statusCode, code: error.code, message: error.message, error };
}

module.exports = { ARM, BROKER, Azure, read, readAll, refused };
