/** The one wildcard grammar: `+` is one level, `#` the rest including none; neither matches a first level that begins with `$`. */
import { getOrMake } from '../util/get-or-make.js';

/** Does an address, given as levels, satisfy a filter, given as levels? */
export function matches(filter: readonly string[], address: readonly string[]): boolean {
  const first = filter[0];
  if ((first === '+' || first === '#') && address[0]?.startsWith('$')) return false;
  for (let i = 0; i < filter.length; i++) {
    const level = filter[i];
    if (level === '#') return true;
    if (i >= address.length) return false;
    if (level !== '+' && level !== address[i]) return false;
  }
  return filter.length === address.length;
}

interface Branch<T> {
  children: Map<string, Branch<T>> | undefined;
  values: Set<T> | undefined;
}

/**
 * Filters with values, found by address. Looking one up costs by the number of levels (and of wildcards met on the
 * way), not by the number of filters.
 */
export class FilterTree<T> {
  readonly #root: Branch<T> = { children: undefined, values: undefined };

  add(filter: readonly string[], value: T): void {
    let branch = this.#root;
    for (const level of filter) {
      branch.children ??= new Map();
      branch = getOrMake(branch.children, level, () => ({ children: undefined, values: undefined }));
    }
    branch.values ??= new Set();
    branch.values.add(value);
  }

  /** Takes a value away, and the branches that are empty then. */
  delete(filter: readonly string[], value: T): void {
    const path: [Branch<T>, string][] = [];
    let branch = this.#root;
    for (const level of filter) {
      const next = branch.children?.get(level);
      if (next === undefined) return;
      path.push([branch, level]);
      branch = next;
    }
    branch.values?.delete(value);
    for (const [parent, level] of path.reverse()) {
      const child = parent.children?.get(level);
      if (child === undefined || child.values?.size || child.children?.size) return;
      parent.children?.delete(level);
    }
  }

  /** Calls `found` for each value whose filter matches. */
  match(address: readonly string[], found: (value: T) => void): void {
    this.#walk(this.#root, address, 0, found);
  }

  #walk(branch: Branch<T>, address: readonly string[], depth: number, found: (value: T) => void): void {
    const children = branch.children;
    const wild = depth > 0 || !address[0]?.startsWith('$');
    if (depth === address.length) {
      if (branch.values) for (const value of branch.values) found(value);
    } else if (children) {
      const level = address[depth] as string;
      // A published level is never + or #, but an address from a foreign broker may be anything.
      const exact = level === '+' || level === '#' ? undefined : children.get(level);
      if (exact) this.#walk(exact, address, depth + 1, found);
      const any = wild ? children.get('+') : undefined;
      if (any) this.#walk(any, address, depth + 1, found);
    }
    const rest = wild ? children?.get('#') : undefined;
    if (rest?.values) for (const value of rest.values) found(value);
  }
}
