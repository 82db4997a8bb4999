/** What a property works with: connections of its own, names nobody else uses, and the certainty that all of it is ended. */
import {
  type Capabilities,
  type ConnectOptions,
  type Inbound,
  type Intake,
  Node,
  type NodeOptions,
  randomHex,
  type SendOptions,
  type Settlement,
  type SubscribeOptions,
  type Transport,
  type TransportEvent,
  toName,
  within,
} from '@commlib/core';
import type { TestBench, TransportRequest } from './bench.js';
import { ensure, quiet, until } from './check.js';

const CLOSE_MS = 3_000;

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (message: Pick<Inbound, 'payload'>): string =>
  new TextDecoder().decode(message.payload);

/** A group of its own in an at-least-once subscription. */
export const durable = (group: string, maxInFlight = 100): SubscribeOptions => ({
  delivery: 'at-least-once',
  group,
  maxInFlight,
});
export const lossy: SubscribeOptions = { delivery: 'at-most-once', maxInFlight: 1000 };
export const surely: SendOptions = { delivery: 'at-least-once' };

/** Numbered texts. */
export const numbers = (count: number, prefix = ''): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

/** What a subscription got, and what is done with it. */
export interface Collected {
  readonly messages: Inbound[];
  readonly texts: string[];
  readonly intake: Intake;
  /** Settles every message that is not settled yet. */
  settle(outcome: Settlement): void;
}

/** A connection with everything it said. */
export class Link {
  readonly transport: Transport;
  readonly events: TransportEvent[] = [];
  readonly #lab: Lab;

  constructor(lab: Lab, transport: Transport) {
    this.#lab = lab;
    this.transport = transport;
  }

  connect(options: Partial<ConnectOptions> = {}): Promise<void> {
    return quiet(
      this.transport.connect({
        timeoutMs: Math.max(20_000, this.#lab.patienceMs),
        failFast: false,
        ...options,
        onEvent: (event) => {
          this.events.push(event);
          options.onEvent?.(event);
        },
      }),
    );
  }

  /** The states it went through. */
  get states(): string[] {
    return this.events.flatMap((event) => (event.type === 'status' ? [event.status.state] : []));
  }

  get ready(): boolean {
    return this.transport.status.state === 'ready';
  }

  address(name: string): string {
    return this.transport.names.address(toName(name));
  }

  publish(name: string, content: string | Uint8Array, options?: SendOptions): Promise<void> {
    const payload = typeof content === 'string' ? bytes(content) : content;
    return quiet(this.transport.publish(this.address(name), payload, options));
  }

  async subscribe(
    name: string,
    options: SubscribeOptions,
    onMessage: (message: Inbound) => void,
  ): Promise<Intake> {
    const filter = this.transport.names.filter(toName(name));
    const intake = await this.transport.subscribe(filter, options, onMessage);
    if (options.delivery === 'at-least-once') this.#lab.forgetLater(intake);
    return intake;
  }

  /** Collects; `then` is what becomes of each message, nothing when it is `hold`. */
  async collect(
    name: string,
    options: SubscribeOptions = lossy,
    then: Settlement | 'hold' = 'ack',
  ): Promise<Collected> {
    const messages: Inbound[] = [];
    const texts: string[] = [];
    const open: Inbound[] = [];
    const intake = await this.subscribe(name, options, (message) => {
      messages.push(message);
      texts.push(textOf(message));
      if (then === 'hold') open.push(message);
      else message.settle?.(then);
    });
    const settle = (outcome: Settlement) => {
      for (const message of open.splice(0)) message.settle?.(outcome);
    };
    this.#lab.atEnd(() => settle('ack'));
    return { messages, texts, intake, settle };
  }

  close(deadlineMs = CLOSE_MS): Promise<void> {
    return quiet(this.transport.close({ deadlineMs }));
  }
}

/** One property's view of the broker. */
export class Lab {
  readonly bench: TestBench;
  readonly capabilities: Capabilities;
  /** How long a single wait of a property may last, in milliseconds. */
  readonly patienceMs: number;
  readonly #id = `c${randomHex().slice(0, 10)}`;
  #names = 0;
  readonly #links: Link[] = [];
  readonly #nodes: Node[] = [];
  readonly #durable: Intake[] = [];
  readonly #atEnd: (() => void)[] = [];

  constructor(bench: TestBench, capabilities: Capabilities, patienceMs: number) {
    this.bench = bench;
    this.capabilities = capabilities;
    this.patienceMs = patienceMs;
  }

  /** A name that nobody else uses; every transport can carry it, and its levels. */
  name(...levels: string[]): string {
    return ['conformance', `${this.#id}x${this.#names++}`, ...levels].join('.');
  }

  /** A group, or another text of one level, that nobody else uses. */
  word(): string {
    return `${this.#id}g${this.#names++}`;
  }

  /** A connection that is not made yet. */
  link(request: TransportRequest = {}): Link {
    return this.#watch(this.bench.transport(request));
  }

  /** One that the broker will refuse; undefined when the bench has none. */
  stranger(): Link | undefined {
    const transport = this.bench.stranger?.();
    return transport && this.#watch(transport);
  }

  #watch(transport: Transport): Link {
    const link = new Link(this, transport);
    this.#links.push(link);
    return link;
  }

  async connect(request: TransportRequest = {}): Promise<Link> {
    const link = this.link(request);
    await link.connect();
    return link;
  }

  async node(options: Omit<NodeOptions, 'transport'> = {}, request: TransportRequest = {}): Promise<Node> {
    const node = new Node({ onEvent: () => {}, ...options, transport: this.bench.transport(request) });
    this.#nodes.push(node);
    await node.start({ timeoutMs: Math.max(20_000, this.patienceMs) });
    return node;
  }

  until(what: string, holds: () => boolean, seen?: () => unknown): Promise<void> {
    return until(what, holds, this.patienceMs, seen);
  }

  /** Waits until there are as many; fails with what there is. */
  arrived(what: string, list: readonly unknown[], count: number): Promise<void> {
    return this.until(
      `${count} ${what}`,
      () => list.length >= count,
      () => list,
    );
  }

  async ready(...links: readonly { readonly ready: boolean }[]): Promise<void> {
    await this.until('ready again', () => links.every((link) => link.ready));
  }

  cut(): void | Promise<void> {
    return this.bench.cut?.();
  }

  hangUp(): void | Promise<void> {
    return this.bench.hangUp?.();
  }

  block(): void | Promise<void> {
    return this.bench.block?.();
  }

  unblock(): void | Promise<void> {
    return this.bench.unblock?.();
  }

  /** Blocks, and waits until the connection knows. */
  async offline(link: Link): Promise<void> {
    await this.block();
    await this.until('the loss noticed', () => !link.ready);
  }

  /** Cuts, and waits until the connections know it and are back. */
  async interrupt(...links: readonly Link[]): Promise<void> {
    const before = links.map((link) => link.states.length);
    await this.cut();
    await this.until('the loss noticed', () =>
      links.every((link, i) => link.states.length > (before[i] ?? 0)),
    );
    await this.ready(...links);
  }

  /** Settles within the time? */
  async settles(promise: Promise<unknown>, withinMs: number): Promise<boolean> {
    return within(withinMs, promise);
  }

  /** Done before everything is closed: what a property holds back would be waited for. */
  atEnd(act: () => void): void {
    this.#atEnd.push(act);
  }

  /** A handler that does not answer before the property is over. */
  never(): Promise<undefined> {
    return new Promise((resolve) => this.atEnd(() => resolve(undefined)));
  }

  forgetLater(intake: Intake): void {
    this.#durable.push(intake);
  }

  /** Ends everything, whatever state it is in. */
  async end(): Promise<void> {
    for (const act of this.#atEnd) act();
    await this.bench.resume?.();
    await this.bench.unblock?.();
    // Groups of a connection that is closed already stay at the broker.
    await within(CLOSE_MS, Promise.allSettled(this.#durable.map((intake) => intake.close({ forget: true }))));
    const closing = [
      ...this.#nodes.map((node) => node.close({ deadlineMs: CLOSE_MS })),
      ...this.#links.map((link) => link.close()),
    ];
    // Far beyond the deadline, for machines that stand still for seconds: who has not closed by then never will.
    const neverMs = Math.max(CLOSE_MS * 2, this.patienceMs);
    const ended = await within(neverMs, Promise.allSettled(closing));
    await this.bench[Symbol.asyncDispose]();
    ensure(ended, `a connection did not close within ${neverMs} ms; its deadline was ${CLOSE_MS}`);
  }
}
