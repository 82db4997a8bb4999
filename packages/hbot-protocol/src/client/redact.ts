/** Secrets in `config` replies: a bot sends its whole configuration, `mqtt_password` included, in clear text. */

/** What stands in the place of a secret. */
export const REDACTED = '[redacted]';

const SECRET =
  /passw|passphrase|secret|mnemonic|credential|api_?key|private_?key|(?:access|auth|bearer|bot|telegram|api|refresh)_?token/i;
/** In the middle of a text, too, and up to the last `@`: passwords hold one now and then. */
const URL_CREDENTIALS = /:\/\/[^/\s]*@/g;

/** True for configuration keys whose value is nobody's business. Only the last part of a dotted key counts. */
export function isSecretKey(key: string): boolean {
  return SECRET.test(key.split('.').at(-1) ?? key);
}

/** A copy in which secrets are replaced, at any depth. Empty ones stay: that none is set is worth knowing. */
export function redact<T>(value: T): T;
export function redact(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(URL_CREDENTIALS, `://${REDACTED}@`);
  if (Array.isArray(value))
    return isSecretPair(value) ? [value[0], hidden(value[1])] : value.map((item) => redact(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, isSecretKey(key) ? hidden(item) : redact(item)]),
  );
}

/** `["mqtt_bridge.mqtt_password", "…"]`, as in `changes`. */
function isSecretPair(value: readonly unknown[]): value is [string, unknown] {
  return value.length === 2 && typeof value[0] === 'string' && isSecretKey(value[0]);
}

function hidden(value: unknown): unknown {
  return value === '' || value === null || value === undefined ? value : REDACTED;
}
