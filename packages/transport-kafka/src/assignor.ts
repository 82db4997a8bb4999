/** Who of a group reads what. Each topic is shared among those who asked for it, which kafkajs' own assigner does not look at. */
import { AssignerProtocol } from './kafkajs.js';
import type { GroupMember } from './protocol.js';

/** The names kafkajs and Java know the same way of sharing by. */
const NAMES = ['RoundRobinAssigner', 'roundrobin'] as const;
const NOTHING = Buffer.alloc(0);

/** Partitions by topic. */
export type Assignment = Readonly<Record<string, readonly number[]>>;

/** What a member says when it joins. */
export function groupProtocols(
  topics: readonly string[],
): { readonly name: string; readonly metadata: Buffer }[] {
  const metadata = AssignerProtocol.MemberMetadata.encode({
    version: 0,
    topics: [...topics],
    userData: NOTHING,
  });
  return NAMES.map((name) => ({ name, metadata }));
}

/** What the leader of a group decides: every partition to the member with the fewest so far among those who want its topic. */
export async function assign(
  members: readonly GroupMember[],
  partitionsOf: (topic: string) => Promise<number>,
): Promise<{ readonly memberId: string; readonly memberAssignment: Buffer }[]> {
  const wanting = new Map<string, string[]>();
  const shares = new Map<string, Record<string, number[]>>();
  const counts = new Map<string, number>();
  for (const { memberId, memberMetadata } of [...members].sort((a, b) =>
    a.memberId < b.memberId ? -1 : 1,
  )) {
    shares.set(memberId, {});
    counts.set(memberId, 0);
    for (const topic of AssignerProtocol.MemberMetadata.decode(memberMetadata)?.topics ?? []) {
      wanting.set(topic, [...(wanting.get(topic) ?? []), memberId]);
    }
  }
  for (const topic of [...wanting.keys()].sort()) {
    const count = await partitionsOf(topic);
    for (let partition = 0; partition < count; partition++) {
      const [first, ...others] = wanting.get(topic) ?? [];
      if (first === undefined) continue;
      const load = (id: string) => counts.get(id) ?? 0;
      const member = others.reduce((least, id) => (load(id) < load(least) ? id : least), first);
      const share = shares.get(member) ?? {};
      share[topic] = [...(share[topic] ?? []), partition];
      counts.set(member, load(member) + 1);
    }
  }
  return [...shares].map(([memberId, assignment]) => ({
    memberId,
    memberAssignment: AssignerProtocol.MemberAssignment.encode({ version: 0, assignment, userData: NOTHING }),
  }));
}

export function readAssignment(buffer: Buffer): Assignment {
  return AssignerProtocol.MemberAssignment.decode(buffer)?.assignment ?? {};
}
