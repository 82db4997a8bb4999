import { milliseconds } from '../util/check.js';

/** How something that holds a resource is closed. */
export interface CloseOptions {
  /** Handlers still running then are no longer waited for, in milliseconds. Default 10 000. */
  readonly deadlineMs?: number | undefined;
}

export function closeDeadline({ deadlineMs = 10_000 }: CloseOptions): number {
  return milliseconds(deadlineMs, 'deadlineMs');
}
