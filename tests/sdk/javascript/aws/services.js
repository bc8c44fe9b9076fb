"use strict";
// Free Tier and Billing. Their clients (@aws-sdk/client-freetier and -billing) are not on every npm registry that CI may have. A
// client of the AWS SDK is generated: the operations' shapes from the service's model, around the SDK's own protocol, signer,
// retries and transport. Here are the shapes, from the same models; all the rest is the SDK's.

const { AccountClient } = require("@aws-sdk/client-account");
const { AwsJson1_0Protocol } = require("@aws-sdk/core/protocols");
const { ServiceException, makeBuilder } = require("@smithy/core/client");
const { getEndpointPlugin } = require("@smithy/core/endpoints");
const { TypeRegistry } = require("@smithy/core/schema");

const [STRING, DOUBLE, DATE_TIME, EPOCH_SECONDS] = [0, 1, 5, 7];
const BUILT_IN = {
  UseFIPS: { type: "builtInParams", name: "useFipsEndpoint" },
  Endpoint: { type: "builtInParams", name: "endpoint" },
  Region: { type: "builtInParams", name: "region" },
  UseDualStack: { type: "builtInParams", name: "useDualstackEndpoint" },
};

/** A service of protocol JSON 1.0: its client, and a command for each operation. */
function service(signingName, target, operations, errors) {
  const namespace = `com.amazonaws.${signingName}`;
  const structure = (name, members) => [3, namespace, name, 0, Object.keys(members), Object.values(members).map(shape)];
  const shape = (member) => {
    if (Array.isArray(member)) return [1, namespace, "List", 0, shape(member[0])];
    return typeof member === "object" ? structure("Structure", member) : member;
  };
  const registry = TypeRegistry.for(namespace);
  for (const [name, members] of Object.entries(errors)) {
    class Exception extends ServiceException {
      constructor(options) {
        super({ name, $fault: "client", ...options });
      }
    }
    const all = { message: STRING, ...members };
    registry.registerError([-3, namespace, name, { error: "client" }, Object.keys(all), Object.values(all).map(shape)], Exception);
  }
  const command = makeBuilder(BUILT_IN, target, `${target}Client`, getEndpointPlugin);
  const commands = Object.entries(operations).map(([name, { input, output }]) => {
    const schema = [9, namespace, name, 0, () => structure(`${name}Request`, input), () => structure(`${name}Response`, output)];
    return [name, class extends command({}, () => [], name, schema) {}];
  });
  const scheme = ({ region }) => ({
    schemeId: "aws.auth#sigv4",
    signingProperties: { name: signingName, region },
    propertiesExtractor: (config, context) => ({ signingProperties: { config, context } }),
  });
  class Client extends AccountClient {
    constructor(configuration) {
      super({
        ...configuration,
        signingName,
        protocol: AwsJson1_0Protocol,
        protocolSettings: { defaultNamespace: namespace, serviceTarget: target, errorTypeRegistries: [registry] },
        httpAuthSchemeProvider: (parameters) => [scheme(parameters)],
      });
    }
  }
  return { Client, ...Object.fromEntries(commands) };
}

// https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_Operations_AWS_Free_Tier.html
const PLAN = { accountId: STRING, accountPlanType: STRING, accountPlanStatus: STRING };
const freeTier = service(
  "freetier",
  "AWSFreeTierService",
  {
    GetAccountPlanState: {
      input: {},
      output: { ...PLAN, accountPlanRemainingCredits: { amount: DOUBLE, unit: STRING }, accountPlanExpirationDate: DATE_TIME },
    },
    UpgradeAccountPlan: { input: { accountPlanType: STRING }, output: PLAN },
  },
  { AccessDeniedException: {}, InternalServerException: {}, ResourceNotFoundException: {}, ThrottlingException: {}, ValidationException: {} },
);

// https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_Operations_AWS_Billing.html
const AMOUNT = { currencyCode: STRING, currencyAmount: STRING };
const billing = service(
  "billing",
  "AWSBilling",
  {
    GetCredits: {
      input: { accountId: STRING, startDate: EPOCH_SECONDS, endDate: EPOCH_SECONDS },
      output: {
        credits: [
          {
            accountId: STRING,
            creditStatus: STRING,
            creditType: STRING,
            initialAmount: AMOUNT,
            remainingAmount: AMOUNT,
            estimatedAmount: AMOUNT,
            startDate: EPOCH_SECONDS,
            endDate: EPOCH_SECONDS,
            exhaustDate: EPOCH_SECONDS,
          },
        ],
      },
    },
  },
  { AccessDeniedException: {}, ValidationException: { reason: STRING, fieldList: [{ name: STRING, message: STRING }] } },
);

module.exports = { freeTier, billing };
