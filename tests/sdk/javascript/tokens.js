"use strict";
// Keys, certificates and signed tokens, as a cluster or an administrator makes them.

const crypto = require("node:crypto");

const base64url = (text) => Buffer.from(text).toString("base64url");

/** A pair of RSA keys. */
const keys = () => crypto.generateKeyPairSync("rsa", { modulusLength: 2048 });

/** The public key as an issuer publishes it. */
const jwk = ({ publicKey }, kid = "one") => ({ ...publicKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" });

/** A JSON Web Token that is good for ten minutes. */
function token({ privateKey }, claims) {
  const now = Math.floor(Date.now() / 1000);
  const whole = { iat: now, nbf: now, exp: now + 600, ...claims };
  const signed = `${base64url(JSON.stringify({ alg: "RS256", typ: "JWT", kid: "one" }))}.${base64url(JSON.stringify(whole))}`;
  return `${signed}.${crypto.sign("sha256", Buffer.from(signed), privateKey).toString("base64url")}`;
}

/** The claims of a token. */
const claims = (text) => JSON.parse(Buffer.from(text.split(".")[1], "base64url"));

/** A certificate that these keys have signed themselves (X.509 in DER, RFC 5280), in PEM. */
function certificate({ publicKey, privateKey }) {
  const der = (tag, ...parts) => {
    const content = Buffer.concat(parts);
    const size = content.length;
    const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 255];
    return Buffer.concat([Buffer.from([tag, ...length]), content]);
  };
  const sequence = (...parts) => der(0x30, ...parts);
  const sha256WithRsa = sequence(der(0x06, Buffer.from("2a864886f70d01010b", "hex")), der(0x05));
  const commonName = sequence(der(0x06, Buffer.from("550403", "hex")), der(0x0c, Buffer.from("payg")));
  const name = sequence(der(0x31, commonName));
  const time = (days) => der(0x18, Buffer.from(new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]|\.\d+/g, "")));
  const serial = crypto.randomBytes(8);
  serial[0] = 0x01;
  const version3 = der(0xa0, der(0x02, Buffer.from([2])));
  const subjectKey = publicKey.export({ type: "spki", format: "der" });
  const body = sequence(version3, der(0x02, serial), sha256WithRsa, name, sequence(time(-1), time(1)), name, subjectKey);
  const signature = der(0x03, Buffer.from([0]), crypto.sign("sha256", body, privateKey));
  const text = sequence(body, sha256WithRsa, signature).toString("base64").match(/.{1,64}/g).join("\n");
  return `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;
}

/** The private key in PEM. */
const pem = ({ privateKey }) => privateKey.export({ type: "pkcs8", format: "pem" });

module.exports = { keys, jwk, token, claims, certificate, pem };
