import { scaleLog, scalePoint } from 'd3-scale';
import { count } from '../format.js';

/**
 * One line of a chart: requests/s of a server by size.
 * @typedef {object} Line
 * @property {string} peer id
 * @property {string} title
 * @property {({ x: string, median: number, min: number, max: number })[]} points
 */

/** @typedef {{ title: string, sizes: string[], lines: Line[] }} Panel sizes in order */

const WIDTH = 560;
const HEIGHT = 420;
const MARGIN = { top: 56, right: 24, bottom: 48, left: 64 };
const FOOT = 56;

/** The marks make lines distinguishable without colours. */
const STYLES = [
  { colour: '#b3261e', dash: '' },
  { colour: '#e8710a', dash: '' },
  { colour: '#1a73e8', dash: '6 4' },
  { colour: '#0b5394', dash: '2 3' },
];

/**
 * Draws requests/s by size, with logarithmic axes: a panel for each kind of response, a line for each server, and a bar from its lowest
 * to its highest round.
 * @param {Panel[]} panels
 * @param {string[]} notes below the panels
 * @returns {string} an SVG document
 */
export function drawChart(panels, notes) {
  const width = WIDTH * panels.length;
  const height = HEIGHT + FOOT;
  const foot = notes.map((note, i) => text(MARGIN.left, HEIGHT + 14 + i * 16, note, 'class="note"'));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<style>
  text { font: 13px sans-serif; fill: #202124 } .title { font-weight: bold; font-size: 15px } .note { font-size: 11px; fill: #5f6368 }
  .grid { stroke: #dadce0; stroke-width: 1 } .line { fill: none; stroke-width: 2.5 }
</style>
<rect width="${width}" height="${height}" fill="#ffffff"/>
${panels.map((panel, i) => `<g transform="translate(${i * WIDTH} 0)">\n${drawPanel(panel)}\n</g>`).join('\n')}
${foot.join('\n')}
</svg>
`;
}

/** @param {Panel} panel */
function drawPanel({ title, sizes, lines }) {
  const values = lines.flatMap(({ points }) => points.flatMap(({ min, max }) => [min, max]));
  const x = scalePoint(sizes, [MARGIN.left, WIDTH - MARGIN.right]).padding(0.4);
  const y = scaleLog([Math.min(...values), Math.max(...values)], [HEIGHT - MARGIN.bottom, MARGIN.top]).nice();
  const ticks = y.ticks().filter((tick) => /^[125]/.test(String(tick)));
  const grid = ticks.map(
    (tick) =>
      `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(tick)}" y2="${y(tick)}"/>` +
      text(MARGIN.left - 8, y(tick) + 4, count(tick), 'text-anchor="end"'),
  );
  const names = sizes.map((size) => text(Number(x(size)), HEIGHT - MARGIN.bottom + 24, size, 'text-anchor="middle"'));
  const drawn = lines.map(({ points, title: name }, i) => {
    const { colour, dash } = STYLES[i % STYLES.length];
    const placed = points.map(({ x: size, median, min, max }) => [Number(x(size)), y(median), y(min), y(max)]);
    const legendY = HEIGHT - MARGIN.bottom - 12 - (lines.length - 1 - i) * 18;
    return [
      `<polyline class="line" stroke="${colour}" stroke-dasharray="${dash}" points="${placed.map(([px, py]) => `${px},${py}`).join(' ')}"/>`,
      ...placed.map(
        ([px, py, low, high]) =>
          `<line stroke="${colour}" x1="${px}" x2="${px}" y1="${low}" y2="${high}"/><circle cx="${px}" cy="${py}" r="3.5" fill="${colour}"/>`,
      ),
      `<line class="line" stroke="${colour}" stroke-dasharray="${dash}" x1="${MARGIN.left + 12}" x2="${MARGIN.left + 44}" y1="${legendY - 4}" y2="${legendY - 4}"/>`,
      text(MARGIN.left + 52, legendY, name),
    ].join('\n');
  });
  return [text(MARGIN.left, 28, title, 'class="title"'), ...grid, ...names, ...drawn].join('\n');
}

/**
 * @param {number} x
 * @param {number} y
 * @param {string} content
 * @param {string} [attributes]
 */
function text(x, y, content, attributes = '') {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x}" y="${y}" ${attributes}>${escaped}</text>`;
}

const BAR_WIDTH = 40;

/**
 * Draws the same for a terminal. The length of a bar is relative to the best server at its size, because the rates of 4 kB and 1 MiB have
 * no common scale.
 * @param {Panel} panel
 */
export function drawBars({ title, sizes, lines }) {
  const nameWidth = Math.max(...lines.map((line) => line.title.length));
  const blocks = sizes.map((size) => {
    const found = lines.flatMap(({ title: name, points }) => {
      const point = points.find(({ x }) => x === size);
      return point ? [{ name, median: point.median }] : [];
    });
    const best = Math.max(...found.map(({ median }) => median));
    const bars = found.map(({ name, median }) => {
      const bar = '█'.repeat(Math.max(1, Math.round((median / best) * BAR_WIDTH)));
      return `  ${name.padEnd(nameWidth)}  ${bar} ${count(median)}`;
    });
    return [size, ...bars].join('\n');
  });
  return [title, ...blocks].join('\n');
}
