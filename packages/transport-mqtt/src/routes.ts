/**
 * From a message to the subscribers it is for, each of them once.
 *
 * MQTT 5 brokers may send a copy for each matching filter, or one for all: the subscription identifiers in the copies say
 * for which. Without identifiers (3.1.1) there is one copy, and the filters are matched here.
 */
import { type CommlibError, FilterTree } from '@commlib/core';
import type { IPublishPacket } from 'mqtt';
import type { Link } from './link.js';

export type QoS = 0 | 1 | 2;

/** One local subscriber. */
export interface Member {
  readonly qos: QoS;
  readonly onPacket: (packet: IPublishPacket) => void;
  /** The link on which the broker confirmed a SUBSCRIBE sent after this member joined. */
  confirmedOn: Link | undefined;
  /** The broker said no before it ever said yes: its joining fails. */
  refused: CommlibError | undefined;
}

/** A filter, as the broker knows it. */
export interface Entry {
  /** With `$share/<group>/` in front where there is a group. */
  readonly filter: string;
  readonly levels: readonly string[];
  readonly shared: boolean;
  members: Set<Member>;
  /** The end of the last operation. */
  last: Promise<void>;
  /** Subscription identifiers in use, oldest first. */
  identifiers: number[];
}

/** What one SUBSCRIBE was sent for. */
interface Route {
  readonly entry: Entry;
  /** Members for whom the retained messages are. */
  readonly retainedFor: ReadonlySet<Member>;
}

/** Messages sent under an earlier identifier of a filter may still be on their way, but not for so many. */
const KEPT_IDENTIFIERS = 32;
const LAST_IDENTIFIER = 268_435_455;

export class Routes {
  readonly #tree = new FilterTree<Entry>();
  readonly #byIdentifier = new Map<number, Route>();
  #lastIdentifier = 0;

  add(entry: Entry): void {
    this.#tree.add(entry.levels, entry);
  }

  delete(entry: Entry): void {
    this.#tree.delete(entry.levels, entry);
    this.forget(entry);
  }

  /** A new link knows none of the old identifiers. */
  forget(entry: Entry): void {
    for (const identifier of entry.identifiers) this.#byIdentifier.delete(identifier);
    entry.identifiers = [];
  }

  /** An identifier for a SUBSCRIBE on behalf of these members; undefined where the broker has none. */
  identify(link: Link, entry: Entry, joining: Iterable<Member>): number | undefined {
    if (!link.limits.subscriptionIdentifiers) return undefined;
    const identifier = this.#lastIdentifier === LAST_IDENTIFIER ? 1 : this.#lastIdentifier + 1;
    this.#lastIdentifier = identifier;
    this.#byIdentifier.set(identifier, { entry, retainedFor: new Set(joining) });
    entry.identifiers.push(identifier);
    const old = entry.identifiers.length > KEPT_IDENTIFIERS ? entry.identifiers.shift() : undefined;
    if (old !== undefined) this.#byIdentifier.delete(old);
    return identifier;
  }

  /** Hands a message to the members it is for. */
  deliver(link: Link, packet: IPublishPacket): void {
    if (!link.limits.subscriptionIdentifiers) {
      this.#tree.match(packet.topic.split('/'), (entry) => deliver(entry, entry.members, packet));
      return;
    }
    const identifier = packet.properties?.subscriptionIdentifier;
    if (typeof identifier === 'number') this.#identified(identifier, packet);
    else if (identifier) for (const one of identifier) this.#identified(one, packet);
    else this.#unidentified(packet);
  }

  /**
   * RabbitMQ (4.0, measured) leaves the identifier out of retained messages, against §3.3.4: they are for the members who joined
   * last on the filter that they answer, which there is the topic itself.
   */
  #unidentified(packet: IPublishPacket): void {
    const matching: Entry[] = [];
    this.#tree.match(packet.topic.split('/'), (entry) => matching.push(entry));
    const exact = matching.filter((entry) => entry.filter === packet.topic);
    for (const entry of packet.retain && exact.length > 0 ? exact : matching) {
      const route = this.#byIdentifier.get(entry.identifiers.at(-1) ?? 0);
      deliver(entry, packet.retain && route ? route.retainedFor : entry.members, packet);
    }
  }

  #identified(identifier: number, packet: IPublishPacket): void {
    const route = this.#byIdentifier.get(identifier);
    if (route) deliver(route.entry, packet.retain ? route.retainedFor : route.entry.members, packet);
  }
}

function deliver(entry: Entry, members: ReadonlySet<Member>, packet: IPublishPacket): void {
  if (!entry.shared) {
    for (const member of members) if (entry.members.has(member)) member.onPacket(packet);
    return;
  }
  // Members of one group share the messages here as they do at the broker: the next one gets it, and goes to the end.
  const [next] = entry.members;
  if (next === undefined) return;
  entry.members.delete(next);
  entry.members.add(next);
  next.onPacket(packet);
}
