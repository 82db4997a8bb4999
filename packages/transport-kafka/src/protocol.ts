/**
 * The part of kafkajs that this package stands on: its cluster and broker objects, one method per request of the protocol.
 * kafkajs hands the cluster of a consumer to the partition assigners it is made with, which is its documented way to it; its
 * types leave out some methods, so that their presence is looked at once, here.
 */
import type { Cluster, Kafka } from 'kafkajs';

/** A record to send. */
export interface OutRecord {
  readonly key: Buffer | null;
  readonly value: Buffer;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** What one request carries to one topic. */
export interface TopicData {
  readonly topic: string;
  readonly partitions: readonly {
    readonly partition: number;
    readonly firstSequence: number;
    readonly messages: readonly OutRecord[];
  }[];
}

/** A record as kafkajs reads it. */
export interface FetchedRecord {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, Buffer | string | (Buffer | string)[] | undefined>>;
  readonly isControlRecord?: boolean;
  /** Absent for messages of the formats before version 2. */
  readonly batchContext?: {
    readonly firstOffset: string;
    readonly lastOffsetDelta: number;
    readonly inTransaction: boolean;
    readonly producerId: string;
  };
}

export interface FetchedPartition {
  readonly partition: number;
  readonly highWatermark: string;
  readonly abortedTransactions?: readonly { readonly producerId: string; readonly firstOffset: string }[];
  readonly messages: readonly FetchedRecord[];
}

export interface FetchRequest {
  readonly isolationLevel: number;
  readonly maxWaitTime: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly fetchOffset: string;
      readonly maxBytes: number;
    }[];
  }[];
}

export interface TopicMetadata {
  readonly topic: string;
  readonly isInternal?: boolean;
  readonly partitionMetadata: readonly { readonly partitionId: number; readonly leader: number }[];
}

export interface GroupTopics {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
}

export interface GroupMember {
  readonly memberId: string;
  readonly memberMetadata: Buffer;
}

/** A broker, by the requests this package sends. */
export interface BrokerApi {
  apiVersions(): Promise<unknown>;
  metadata(topics: readonly string[]): Promise<{ readonly topicMetadata: readonly TopicMetadata[] }>;
  produce(request: {
    readonly acks: number;
    readonly timeout: number;
    readonly compression: number;
    readonly producerId?: string | undefined;
    readonly producerEpoch?: number | undefined;
    readonly topicData: readonly TopicData[];
  }): Promise<unknown>;
  fetch(request: FetchRequest): Promise<{
    readonly responses: readonly {
      readonly topicName: string;
      readonly partitions: readonly FetchedPartition[];
    }[];
  }>;
  listOffsets(request: {
    readonly replicaId: number;
    readonly isolationLevel: number;
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number; readonly timestamp: number }[];
    }[];
  }): Promise<{ readonly responses: readonly GroupTopics[] }>;
  initProducerId(request: { readonly transactionTimeout: number }): Promise<{
    readonly producerId: string;
    readonly producerEpoch: number;
  }>;
  createTopics(request: {
    readonly topics: readonly {
      readonly topic: string;
      readonly numPartitions: number;
      readonly replicationFactor: number;
      readonly configEntries: readonly { readonly name: string; readonly value: string }[];
    }[];
    readonly timeout: number;
  }): Promise<unknown>;
  deleteTopics(request: { readonly topics: readonly string[]; readonly timeout: number }): Promise<unknown>;
  deleteGroups(groupIds: readonly string[]): Promise<unknown>;
  joinGroup(request: {
    readonly groupId: string;
    readonly memberId: string;
    readonly sessionTimeout: number;
    readonly rebalanceTimeout: number;
    readonly groupProtocols: readonly { readonly name: string; readonly metadata: Buffer }[];
  }): Promise<{
    readonly generationId: number;
    readonly leaderId: string;
    readonly memberId: string;
    readonly groupProtocol: string;
    readonly members: readonly GroupMember[];
  }>;
  syncGroup(request: {
    readonly groupId: string;
    readonly generationId: number;
    readonly memberId: string;
    readonly groupAssignment: readonly { readonly memberId: string; readonly memberAssignment: Buffer }[];
  }): Promise<{ readonly memberAssignment: Buffer }>;
  heartbeat(request: {
    readonly groupId: string;
    readonly groupGenerationId: number;
    readonly memberId: string;
  }): Promise<unknown>;
  leaveGroup(request: { readonly groupId: string; readonly memberId: string }): Promise<unknown>;
  offsetFetch(request: {
    readonly groupId: string;
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number }[];
    }[];
  }): Promise<{ readonly responses: readonly GroupTopics[] }>;
  offsetCommit(request: {
    readonly groupId: string;
    readonly groupGenerationId: number;
    readonly memberId: string;
    readonly topics: readonly GroupTopics[];
  }): Promise<unknown>;
}

const METHODS = [
  'apiVersions',
  'metadata',
  'produce',
  'fetch',
  'listOffsets',
  'initProducerId',
  'createTopics',
  'deleteTopics',
  'deleteGroups',
  'joinGroup',
  'syncGroup',
  'heartbeat',
  'leaveGroup',
  'offsetFetch',
  'offsetCommit',
] as const;

/** @throws `TypeError` when kafkajs has other insides than those this package was written for. */
export function asBroker(value: unknown): BrokerApi {
  if (!isBroker(value)) throw new TypeError('kafkajs has other insides than those of 2.2.4');
  return value;
}

function isBroker(value: unknown): value is BrokerApi {
  return (
    typeof value === 'object' &&
    value !== null &&
    METHODS.every((name) => typeof Reflect.get(value, name) === 'function')
  );
}

/** A cluster of its own connections, two per broker: one for reading, one for everything else. */
export function makeCluster(kafka: Kafka): Cluster {
  let made: Cluster | undefined;
  kafka.consumer({
    groupId: 'commlib', // never joined
    allowAutoTopicCreation: false,
    partitionAssigners: [
      ({ cluster }) => {
        made = cluster;
        return {
          name: 'none',
          version: 0,
          assign: async () => [],
          protocol: () => ({ name: 'none', metadata: Buffer.alloc(0) }),
        };
      },
    ],
  });
  if (!made) throw new TypeError('kafkajs has other insides than those of 2.2.4');
  return made;
}

/**
 * kafkajs looks for waiting requests every millisecond for ever once a connection has had a request, since it takes "not
 * throttled" for a time in the past (`throttledUntil` is -1). Here it looks only while some wait.
 */
export function calm(broker: unknown): void {
  const pool = field(field(broker, 'connectionPool'), 'pool');
  if (!Array.isArray(pool)) return;
  for (const connection of pool) {
    const queue = field(connection, 'requestQueue');
    const look = field(queue, 'scheduleCheckPendingRequests');
    if (typeof queue !== 'object' || queue === null || typeof look !== 'function') continue;
    if (Object.hasOwn(queue, 'scheduleCheckPendingRequests')) continue;
    Object.defineProperty(queue, 'scheduleCheckPendingRequests', {
      value: () => {
        const pending = field(queue, 'pending');
        if (!Array.isArray(pending) || pending.length > 0) look.call(queue);
      },
    });
  }
}

function field(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null ? Reflect.get(of, name) : undefined;
}
