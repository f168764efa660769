import uPlot from 'uplot';
import { formatClock, formatRate, formatUs } from '../format.js';
import type { History, Sample } from '../wire.js';
import { byId, make } from './dom.js';

const WINDOW_S = 600;
const MS_PER_S = 1_000;
const FONT = '11px system-ui, sans-serif';
const AXIS_PX = 52;
/** Distance of ticks on the axes. */
const SPACE_PX = 26;
const X_SPACE_PX = 90;

interface Line {
  name: string;
  /** A property of the style sheet. */
  color: string;
  values: keyof History;
}

interface ChartOptions {
  id: string;
  lines: readonly Line[];
  /** For values and axis. */
  format(value: number): string;
  isLog: boolean;
}

/** A chart of ten minutes. */
class Chart {
  readonly #options: ChartOptions;
  readonly #plotBox: HTMLElement;
  readonly #readout: HTMLElement;
  readonly #title: string;
  #plot: uPlot | undefined;
  #history: History = { at: [], requestsPerS: [], p50Us: [], p99Us: [] };

  constructor(options: ChartOptions) {
    this.#options = options;
    const figure = byId(options.id);
    this.#plotBox = figure.querySelector<HTMLElement>('.plot')!;
    this.#readout = figure.querySelector<HTMLElement>('.readout')!;
    this.#title = figure.querySelector('h2')!.textContent!;
    new ResizeObserver(() => this.#resize()).observe(this.#plotBox);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#create());
  }

  show(history: History): void {
    this.#history = history;
    if (this.#plot === undefined) this.#create();
    else this.#plot.setData(this.#data());
    this.#read(this.#plot?.cursor.idx ?? undefined);
  }

  #data(): uPlot.AlignedData {
    const { at } = this.#history;
    const seconds = at.map((ms) => ms / MS_PER_S);
    return [seconds, ...this.#options.lines.map(({ values }) => this.#history[values])] as uPlot.AlignedData;
  }

  #create(): void {
    this.#plot?.destroy();
    const { clientWidth: width, clientHeight: height } = this.#plotBox;
    this.#plot = new uPlot({ ...this.#settings(), width, height }, this.#data(), this.#plotBox);
  }

  #settings(): Omit<uPlot.Options, 'width' | 'height'> {
    const { lines, format, isLog } = this.#options;
    const style = getComputedStyle(document.documentElement);
    const color = (name: string) => style.getPropertyValue(name);
    const axis = { stroke: color('--quiet'), font: FONT, ticks: { show: false } };
    const grid = { stroke: color('--grid'), width: 1, ...(isLog && { filter: powersOfTen }) };
    return {
      legend: { show: false },
      // On the right, room for half of the last time.
      padding: [6, 18, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
      scales: {
        x: { time: true, range: () => this.#range() },
        y: isLog ? { distr: 3, range: logRange } : { range: (_plot, _min, max) => [0, Math.max(1, max) * 1.1] },
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 24,
          space: X_SPACE_PX,
          values: (_plot, at) => at.map((s) => formatClock(s * MS_PER_S).slice(0, 5)),
        },
        {
          ...axis,
          grid,
          size: AXIS_PX,
          space: SPACE_PX,
          values: (_plot, splits) => splits.map((value) => tick(value, format)),
        },
      ],
      series: [
        {},
        ...lines.map(({ name, color: stroke }) => ({
          label: name,
          stroke: color(stroke),
          width: 1.5,
          points: { show: false },
        })),
      ],
      hooks: { setCursor: [(plot) => this.#read(plot.cursor.idx ?? undefined)] },
    };
  }

  #range(): [number, number] {
    const end = (this.#history.at.at(-1) ?? Date.now()) / MS_PER_S;
    return [end - WINDOW_S, end];
  }

  #resize(): void {
    const { clientWidth: width, clientHeight: height } = this.#plotBox;
    if (width > 0) this.#plot?.setSize({ width, height });
  }

  /** Shows the values at the pointer, or the latest ones. */
  #read(index: number | undefined): void {
    const { lines, format } = this.#options;
    const { at } = this.#history;
    const shown = index ?? at.length - 1;
    const parts = lines.map(({ name, color, values }) => {
      const value = this.#history[values][shown];
      const text = value === null || value === undefined ? '–' : format(value);
      const label = make('i', '', lines.length > 1 ? name : '');
      label.style.setProperty('--series', `var(${color})`);
      return { text: `${name} ${text}`, element: make('span', '', label, ' ', make('b', '', text)) };
    });
    const time = index === undefined ? [] : [make('span', '', formatClock(at[index]))];
    this.#readout.replaceChildren(...time, ...parts.map(({ element }) => element));
    if (index === undefined)
      this.#plotBox.ariaLabel = `${this.#title} over ten minutes; now: ${parts.map(({ text }) => text).join(', ')}`;
  }
}

/** Whole powers of ten around the values. */
function logRange(_plot: uPlot, min: number | null, max: number | null): [number, number] {
  const from = 10 ** Math.floor(Math.log10(Math.max(1, min ?? 100)));
  const to = 10 ** Math.ceil(Math.log10(Math.max(from * 10, max ?? 10_000)));
  return [from, to];
}

/** A logarithmic axis has names and lines for powers of ten only. */
function powersOfTen(_plot: uPlot, splits: number[]): (number | null)[] {
  return splits.map((value) => (Number.isInteger(Math.log10(value)) ? value : null));
}

function tick(value: number | null, format: (value: number) => string): string {
  return value === null ? '' : format(value).replace(/\.0+(?= |$)/, '');
}

/** Both charts, and what they show. */
export class Charts {
  readonly #charts: readonly Chart[];
  #history: History = { at: [], requestsPerS: [], p50Us: [], p99Us: [] };

  constructor() {
    const rate = { id: 'rate-chart', format: formatRate, isLog: false };
    const time = { id: 'time-chart', format: formatUs, isLog: true };
    this.#charts = [
      new Chart({ ...rate, lines: [{ name: 'requests/s', color: '--rate', values: 'requestsPerS' }] }),
      new Chart({
        ...time,
        lines: [
          { name: 'p50', color: '--p50', values: 'p50Us' },
          { name: 'p99', color: '--p99', values: 'p99Us' },
        ],
      }),
    ];
  }

  /** Replaces everything that is shown. */
  begin(history: History): void {
    this.#history = history;
    this.#show();
  }

  add(sample: Sample): void {
    const { at } = this.#history;
    if (at.length > 0 && sample.at <= at[at.length - 1]) return;
    for (const name of Object.keys(this.#history) as (keyof Sample)[]) {
      const column = this.#history[name] as (number | null)[];
      column.push(sample[name]);
      if (column.length > WINDOW_S) column.shift();
    }
    this.#show();
  }

  #show(): void {
    for (const chart of this.#charts) chart.show(this.#history);
  }
}
