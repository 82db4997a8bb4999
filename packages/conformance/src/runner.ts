/** What the kit needs of a test runner. `describe` and `test` of vitest and of `node:test` fit as they are. */

/** Options as both vitest and `node:test` read them; each ignores what it does not know. */
export interface RunnerOptions {
  /** Ends the test as failed, in milliseconds. The kit's own deadline comes before it, and says what was awaited. */
  readonly timeout?: number;
  /** The tests of a suite may run at once, in the words of vitest. */
  readonly concurrent?: boolean;
  /** How many of them, in the words of `node:test`. */
  readonly concurrency?: number;
}

/** A test runner. */
export interface Runner {
  describe(name: string, options: RunnerOptions, body: () => void): unknown;
  test(name: string, options: RunnerOptions, body: () => Promise<void>): unknown;
}
