/** What a command sees of the world around it; tests give it another one. */
import pc from 'picocolors';

/** The set of colour functions; they return the text unchanged where colours are off. */
export type Colours = ReturnType<typeof pc.createColors>;

/** A stream to write to. */
export interface Output {
  /** Writes text as it is. */
  write(text: string): void;
  readonly isTerminal: boolean;
  readonly colours: Colours;
}

/** The surroundings of one run. */
export interface Io {
  readonly out: Output;
  readonly err: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Fires when the process shall end; its reason is a {@link StopError}. */
  readonly signal: AbortSignal;
}

/** Colours for a terminal, unless `NO_COLOR` is set or it is a dumb one; `FORCE_COLOR` colours pipes too. */
export function coloursFor(isTerminal: boolean, env: Io['env']): Colours {
  const wanted = env.FORCE_COLOR ? env.FORCE_COLOR !== '0' : isTerminal && env.TERM !== 'dumb';
  return pc.createColors(!env.NO_COLOR && wanted);
}

/** Resolves when the process shall end. */
export function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
