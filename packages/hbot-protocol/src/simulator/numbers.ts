/** Numbers as Hummingbot has them. */

/** At most so many decimals, without the dust of binary fractions. */
export function round(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}

/**
 * A number in numpy's positional notation, as trades have it: at most six decimals, no zeros at the end, but always the
 * point (`100` is `"100."`).
 */
export function positional(value: number): string {
  const text = value.toFixed(6).replace(/0+$/, '');
  return text.includes('.') ? text : `${text}.`;
}
