/** The broker's URL taken apart. It holds a password, so it never appears in a message. */
import { UsageError } from '../terminal/exit-codes.js';
import type { BrokerType } from './given.js';

/** Where a broker is and how it is spoken to. */
export interface Place {
  readonly btype: BrokerType;
  readonly tls: boolean;
  readonly websocket: boolean;
  readonly host: string;
  readonly port: number | undefined;
  /** Of a WebSocket URL, with its query. */
  readonly path: string;
  /** What follows the host of an AMQP URL. */
  readonly vhost: string | undefined;
  /** What follows the host of a Redis URL. */
  readonly db: number | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

const schemes: Readonly<Record<string, Pick<Place, 'btype' | 'tls' | 'websocket'>>> = {
  mqtt: { btype: 'mqtt', tls: false, websocket: false },
  mqtts: { btype: 'mqtt', tls: true, websocket: false },
  ws: { btype: 'mqtt', tls: false, websocket: true },
  wss: { btype: 'mqtt', tls: true, websocket: true },
  amqp: { btype: 'amqp', tls: false, websocket: false },
  amqps: { btype: 'amqp', tls: true, websocket: false },
  redis: { btype: 'redis', tls: false, websocket: false },
  rediss: { btype: 'redis', tls: true, websocket: false },
  kafka: { btype: 'kafka', tls: false, websocket: false },
  kafkas: { btype: 'kafka', tls: true, websocket: false },
};

/** @throws {@link UsageError} that says where the URL came from, never what it is. */
export function readBrokerUrl(text: string, from: string): Place {
  const refuse = (why: string) => new UsageError(`the broker URL of ${from} ${why}`);
  if (!/^[a-z]+:\/\//i.test(text)) throw refuse('must look like mqtt://host:1883');
  if (!URL.canParse(text))
    throw refuse('cannot be read; special characters in a password are written as %40 and so on');
  const url = new URL(text);
  const scheme = url.protocol.slice(0, -1);
  const kind = Object.hasOwn(schemes, scheme) ? schemes[scheme] : undefined;
  if (kind === undefined)
    throw refuse(`begins with ${scheme}://, known are ${Object.keys(schemes).join(', ')}`);
  if (url.hostname === '') throw refuse('names no host');
  const tail = url.pathname.slice(1);
  if (kind.btype === 'redis' && !/^\d{0,9}$/.test(tail)) throw refuse('may end in a database number only');
  if (kind.btype === 'kafka' && tail !== '') throw refuse('has something after the host');
  return {
    ...kind,
    host: url.hostname,
    port: url.port === '' ? undefined : Number(url.port),
    path: kind.websocket ? `${url.pathname || '/'}${url.search}` : '',
    vhost: kind.btype === 'amqp' ? decode(tail) : undefined,
    db: kind.btype === 'redis' && tail !== '' ? Number(tail) : undefined,
    username: decode(url.username),
    password: decode(url.password),
  };
}

function decode(part: string): string | undefined {
  if (part === '') return undefined;
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // A % that begins no escape: taken as it is.
  }
}
