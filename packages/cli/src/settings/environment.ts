/** Settings from environment variables: `COMMLIB_BROKER`, and for hbotctl `HBOTCTL_BROKER` before it. */
import { UsageError } from '../terminal/exit-codes.js';
import type { Io } from '../terminal/io.js';
import { type Given, givenSchema, type Source } from './given.js';

/** Setting → the end of its variables' names. */
export const variables = {
  broker: 'BROKER',
  host: 'HOST',
  port: 'PORT',
  btype: 'BTYPE',
  vhost: 'VHOST',
  db: 'DB',
  username: 'USERNAME',
  password: 'PASSWORD',
  passwordFile: 'PASSWORD_FILE',
  tls: 'TLS',
  ca: 'CA',
  cert: 'CERT',
  key: 'KEY',
  servername: 'SERVERNAME',
  insecure: 'INSECURE',
  timeout: 'TIMEOUT',
  connectTimeout: 'CONNECT_TIMEOUT',
  namespace: 'NAMESPACE',
  inboxPrefix: 'INBOX_PREFIX',
} as const satisfies Record<keyof Given, string>;

const numbers = new Set<string>(['port', 'db', 'timeout', 'connectTimeout']);
const switches = new Set<string>(['tls', 'insecure']);
const YES = new Set(['1', 'true', 'yes', 'on']);
const NO = new Set(['0', 'false', 'no', 'off']);

/** Reads the variables; `prefixes` in the order of their rank. @throws {@link UsageError} */
export function fromEnvironment(env: Io['env'], prefixes: readonly string[]): Source {
  const given: Record<string, unknown> = {};
  for (const [setting, end] of Object.entries(variables)) {
    const name = prefixes.map((prefix) => `${prefix}_${end}`).find((candidate) => env[candidate]);
    const text = name === undefined ? undefined : env[name];
    if (name === undefined || text === undefined) continue;
    given[setting] = readVariable(name, setting, text);
    const checked = givenSchema.safeParse({ [setting]: given[setting] });
    if (!checked.success) throw new UsageError(`the variable ${name}: ${checked.error.issues[0]?.message}`);
  }
  return { name: 'the environment', given: givenSchema.parse(given) };
}

function readVariable(name: string, setting: string, text: string): unknown {
  if (numbers.has(setting)) {
    const value = Number(text);
    if (Number.isNaN(value))
      throw new UsageError(`the variable ${name} must be a number, not ${JSON.stringify(text)}`);
    return value;
  }
  if (!switches.has(setting)) return text;
  const word = text.toLowerCase();
  if (YES.has(word)) return true;
  if (NO.has(word)) return false;
  throw new UsageError(`the variable ${name} must be true or false, not ${JSON.stringify(text)}`);
}
