/** A table of what was tried with which peer, printed at the end of a suite. */
export class Matrix {
  readonly #title: string;
  readonly #rows = new Map<string, Map<string, string>>();

  constructor(title: string) {
    this.#title = title;
  }

  /** Runs one cell: what its body returns is written into it (`ok` if nothing), or `FAILED` if it throws. */
  async cell(row: string, column: string, body: () => Promise<unknown>): Promise<void> {
    let text = 'FAILED';
    try {
      const found = await body();
      text = typeof found === 'string' ? found : 'ok';
    } finally {
      this.set(row, column, text);
    }
  }

  set(row: string, column: string, text: string): void {
    const cells = this.#rows.get(row) ?? new Map<string, string>();
    this.#rows.set(row, cells.set(column, text));
  }

  /** The table as text. */
  render(): string {
    const columns = [...new Set([...this.#rows.values()].flatMap((cells) => [...cells.keys()]))];
    const lines = [
      ['', ...columns],
      ...[...this.#rows].map(([row, cells]) => [row, ...columns.map((c) => cells.get(c) ?? '-')]),
    ];
    const widths = ['', ...columns].map((_, i) => Math.max(...lines.map((line) => (line[i] ?? '').length)));
    const rows = lines.map((line) =>
      `  ${line.map((text, i) => text.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd(),
    );
    return [this.#title, ...rows].join('\n');
  }

  print(): void {
    if (this.#rows.size > 0) console.info(`\n${this.render()}\n`);
  }
}
