import { type CommlibVersion, commlibVersions } from './python-peer.js';

/** Where the outcome of a row is written. */
export interface Findings {
  /** Runs one cell: what its body returns is written into it (`yes` if nothing), or `FAILED` if it throws. */
  find(row: string, version: CommlibVersion, body: () => Promise<string | undefined>): Promise<void>;
}

/** What was tried with which version, and what came of it. */
export class TableOfVersions implements Findings {
  readonly #rows: Map<string, Map<CommlibVersion, string>>;

  /** @param rows in the order in which they are printed, whatever the order in which they are found */
  constructor(rows: readonly string[]) {
    this.#rows = new Map(rows.map((row) => [row, new Map()]));
  }

  async find(row: string, version: CommlibVersion, body: () => Promise<string | undefined>): Promise<void> {
    let text = 'FAILED';
    try {
      text = (await body()) ?? 'yes';
    } finally {
      this.#rows.get(row)?.set(version, text);
    }
  }

  /** True when every cell was tried and none failed. */
  get complete(): boolean {
    return [...this.#rows.values()].every((cells) =>
      commlibVersions.every((version) => (cells.get(version) ?? 'FAILED') !== 'FAILED'),
    );
  }

  /** As a table of Markdown, each reason a numbered note below it. */
  markdown(): string {
    const notes: string[] = [];
    const cell = (text: string | undefined): string => {
      if (text === undefined) return 'not run';
      const [, reason] = /^no: (.*)$/s.exec(text) ?? [];
      if (reason === undefined) return text;
      if (!notes.includes(reason)) notes.push(reason);
      return `no (${notes.indexOf(reason) + 1})`;
    };
    const lines = [
      ['', ...commlibVersions],
      ...[...this.#rows].map(([row, cells]) => [row, ...commlibVersions.map((v) => cell(cells.get(v)))]),
    ];
    const widths = ['', ...commlibVersions].map((_, i) =>
      Math.max(...lines.map((line) => (line[i] ?? '').length)),
    );
    const written = lines.map(
      (line) => `| ${line.map((text, i) => text.padEnd(widths[i] ?? 0)).join(' | ')} |`,
    );
    const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
    const table = [written[0], rule, ...written.slice(1)].join('\n');
    return notes.length === 0
      ? table
      : `${table}\n\n${notes.map((note, i) => `${i + 1}. ${note}`).join('\n')}`;
  }

  print(title: string): void {
    if ([...this.#rows.values()].some((cells) => cells.size > 0))
      console.info(`\n${title}\n\n${this.markdown()}\n`);
  }
}
