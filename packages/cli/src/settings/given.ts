/** What one source (flags, environment, file) says about the connection. Everything may be missing. */
import * as z from 'zod';

/** Brokers that the tools know by name. */
export const brokerTypes = ['mqtt', 'amqp', 'redis', 'kafka'] as const;
/** One of {@link brokerTypes}. */
export type BrokerType = (typeof brokerTypes)[number];

const seconds = z.number().positive();
const text = z.string().min(1);

/** The settings, as the configuration file has them. Paths in it are relative to the file. */
export const givenSchema = z.strictObject({
  /** `mqtt://user:password@host:1883`; says type, TLS, host and port at once. */
  broker: text.optional(),
  host: text.optional(),
  port: z.number().int().min(1).max(65_535).optional(),
  btype: z.enum(brokerTypes).optional(),
  vhost: text.optional(),
  db: z.number().int().min(0).optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  /** A file whose first line is the password. */
  passwordFile: text.optional(),
  tls: z.boolean().optional(),
  /** PEM files. */
  ca: text.optional(),
  cert: text.optional(),
  key: text.optional(),
  servername: text.optional(),
  insecure: z.boolean().optional(),
  /** Seconds to wait for an answer. */
  timeout: seconds.optional(),
  /** Seconds to wait for the first connection. */
  connectTimeout: seconds.optional(),
  /** Hummingbot's `mqtt_namespace`. */
  namespace: text.optional(),
  /** Answers come back under this prefix. */
  inboxPrefix: text.optional(),
});

/** See {@link givenSchema}. */
export type Given = z.output<typeof givenSchema>;

/** A source and where it is, for messages. */
export interface Source {
  /** `the command line`, `the environment`, or the path of the file. */
  readonly name: string;
  readonly given: Given;
}
