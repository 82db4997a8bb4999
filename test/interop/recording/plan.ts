/** One command to send, and under which name it is recorded. */
export interface CommandPlan {
  step: string;
  command: string;
  payload: (replyTo: string) => string | Buffer;
  /** Appended to the reply topic, for reply topics of an unusual form. */
  replySuffix?: string;
  /** As in {@link ActionPlan}, but waited for in vain where an era does not publish it. */
  until?: readonly string[];
}

/** One message that is not a command. */
export interface ActionPlan {
  step: string;
  topic: string;
  payload: string | Buffer;
  /** Pieces of `<stream> <payload>` that have to come before the step is over; all of them, in any order. */
  until?: readonly string[];
}

/** A command in the proper envelope. */
export function command(step: string, name: string, data: unknown): CommandPlan {
  return {
    step,
    command: name,
    payload: (replyTo) => JSON.stringify({ header: { reply_to: replyTo }, data }),
  };
}

/** A command whose whole body is made here. */
export function body(step: string, name: string, make: (replyTo: string) => unknown): CommandPlan {
  return { step, command: name, payload: (replyTo) => JSON.stringify(make(replyTo)) };
}

/** A command whose bytes are made here. */
export function bytes(step: string, name: string, make: (replyTo: string) => string | Buffer): CommandPlan {
  return { step, command: name, payload: make };
}

/** An external event to the strategy. */
export function probe(
  step: string,
  action: string,
  data: object = {},
  until: readonly string[] = [],
): ActionPlan {
  return message(step, `external/event/probe/${action}`, { data }, ['probe/seen ', ...until]);
}

/** Any other message. */
export function message(
  step: string,
  topic: string,
  content: unknown,
  until: readonly string[] = [],
): ActionPlan {
  return { step, topic, payload: typeof content === 'string' ? content : JSON.stringify(content), until };
}
