/** Compares what a page says that a program prints with what it printed. `…` stands for what differs from run to run. */
import { stripVTControlCharacters } from 'node:util';

/** What a terminal would show as text: no colours, no trailing space, none of npm's own remarks. */
export function plain(output: string): string {
  const lines = stripVTControlCharacters(output).replaceAll('\r', '').split('\n');
  return lines
    .filter((line) => !/^npm (warn|notice)/.test(line))
    .map((line) => line.trimEnd())
    .join('\n')
    .trim();
}

/**
 * A pattern for the text of a page. `…` within a line is anything on that line; a line that is only `…` is any number of
 * lines, none included.
 */
export function patternOf(expected: string): string {
  const lines = expected.trim().split('\n');
  const open = lines.at(-1)?.trim() === '…';
  if (open) lines.pop();
  const pattern = lines.map((line, i) => {
    const end = i === lines.length - 1 ? '' : '\\n';
    if (line.trim() === '…') return '(?:.*\\n)*?';
    return (
      line
        .trimEnd()
        .replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
        .replaceAll('…', '.*?') + end
    );
  });
  return pattern.join('') + (open ? '(?:\\n[\\s\\S]*)?' : '');
}

/** Whether a program that has ended printed exactly this. */
export function printed(output: string, expected: string): boolean {
  return new RegExp(`^${patternOf(expected)}$`).test(plain(output));
}

/** Whether a program that still runs has printed this by now, and perhaps more. */
export function hasPrinted(output: string, expected: string): boolean {
  return new RegExp(`^${patternOf(expected)}(?:\\n|$)`).test(plain(output));
}
