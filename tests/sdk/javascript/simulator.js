"use strict";
// `payg-dev simulator` as a process, and a client of its control API (crates/simulator/README.md).

const { spawn } = require("node:child_process");
const { after, afterEach, before } = require("node:test");
const fs = require("node:fs");
const https = require("node:https");
const os = require("node:os");
const path = require("node:path");

const simulator = {
  /** Its address, and the certificate authority to trust: there once the tests run. */
  url: undefined,
  ca: undefined,

  /** A call of the control API; the answer is the document. */
  async control(method, path, body) {
    const answer = await request(method, `${this.url}/_sim/${path}`, this.ca, body === undefined ? undefined : JSON.stringify(body));
    if (answer.status >= 400) throw new Error(`${method} /_sim/${path}: ${answer.status} ${answer.text}`);
    return answer.text === "" ? undefined : JSON.parse(answer.text);
  },

  async fault(operation, kind, { account = null, count = null } = {}) {
    await this.control("POST", "faults", { operation, kind, account, count });
  },

  /** How the requests of an operation on the account were answered; null: the connection was cut. */
  async statuses(account, operation) {
    const asked = await this.control("GET", `requests?account=${account}&operation=${operation}`);
    return asked.map(({ status }) => status);
  },

  /** What was really applied to the account. */
  async upgrades(account) {
    return (await this.control("GET", "ledger")).filter((entry) => entry.account === account);
  },
};

function request(method, url, ca, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    const sent = https.request(url, { method, ca, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (part) => (text += part));
      answer.on("end", () => resolve({ status: answer.statusCode, text }));
      answer.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/**
 * Has all tests of this process use one simulator. `start` is what its billing clock shows at first: accounts start before it, so
 * that the phases of their lives need no waiting.
 */
function run(start) {
  let running;
  let folder;

  before(async () => {
    // Nothing of the environment may lead anywhere but to the simulator.
    for (const name of Object.keys(process.env)) {
      if (/^(AZURE_|MSI_|IDENTITY_|IMDS_|AWS_)|_PROXY$/i.test(name)) delete process.env[name];
    }
    // Nobody's own configuration may lead elsewhere, nor the machine's credentials.
    Object.assign(process.env, { AWS_CONFIG_FILE: os.devNull, AWS_SHARED_CREDENTIALS_FILE: os.devNull, AWS_EC2_METADATA_DISABLED: "true" });
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "payg-sdk-"));
    const [caFile, urlFile, log] = ["ca.pem", "url", "simulator.log"].map((name) => path.join(folder, name));
    const clock = ["--billing-start", start, "--billing-origin", new Date().toISOString(), "--billing-rate", "1"];
    const output = fs.openSync(log, "w");
    // setpriv: it ends with this process, however that ends.
    const command = ["--pdeathsig", "KILL", process.env.PAYG_DEV, "simulator", "--ca-file", caFile, "--url-file", urlFile, ...clock];
    running = spawn("setpriv", command, { stdio: ["ignore", output, output] });
    const deadline = Date.now() + 30_000;
    while (!fs.existsSync(urlFile)) {
      if (running.exitCode !== null || Date.now() > deadline) {
        throw new Error(`the simulator did not start: ${fs.readFileSync(log, "utf8")}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    simulator.url = fs.readFileSync(urlFile, "utf8");
    simulator.ca = fs.readFileSync(caFile, "utf8");
  });

  afterEach(() => simulator.control("DELETE", "faults"));

  after(async () => {
    running.kill();
    if (running.exitCode === null && running.signalCode === null) await new Promise((resolve) => running.once("exit", resolve));
    fs.rmSync(folder, { recursive: true });
  });
}

module.exports = { simulator, run };
