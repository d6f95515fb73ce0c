// Verify a webhook of Tocsin with Node alone: copy the function `verify`.
import { createHmac, timingSafeEqual } from "node:crypto";

const TOLERANCE = 300; // s between the attempt and your clock; an older one may be a replay

/**
 * Return the message of a signed delivery; throw an Error for any other.
 *
 * @param {Record<string, string>} headers  with names in lower case, as Node has them
 * @param {Buffer} body  the bytes as received: parsed and written again they are other bytes
 * @param {string} secret  the signing key, `whsec_` and base64
 */
export function verify(headers, body, secret) {
  const id = headers["webhook-id"];
  const sent = headers["webhook-timestamp"];
  const signatures = headers["webhook-signature"]?.split(" ");
  if (!id || !/^[0-9]+$/.test(sent ?? "") || !signatures) {
    throw new Error("webhook: must have an id, a timestamp and a signature");
  }
  const age = Math.abs(Date.now() / 1000 - Number(sent));
  if (age > TOLERANCE) {
    throw new Error(`webhook: must be at most ${TOLERANCE} s old; got ${age.toFixed()} s`);
  }
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const digest = createHmac("sha256", key).update(`${id}.${sent}.`).update(body).digest("base64");
  const expected = Buffer.from(`v1,${digest}`);
  // There are two signatures while the sender rotates its key.
  const matches = signatures.map((one) => Buffer.from(one)).some(
    (one) => one.length === expected.length && timingSafeEqual(one, expected),
  );
  if (!matches) throw new Error("webhook: the signature must be of the key and of these bytes");
  return JSON.parse(body.toString("utf-8"));
}
