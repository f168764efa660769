/* Numbers and times as people read them. Runs in browsers and in Node.js. */

const US_PER_MS = 1_000;
const US_PER_S = 1_000_000;
const US_PER_MIN = 60 * US_PER_S;
const US_PER_H = 60 * US_PER_MIN;
const MEGA = 1_000_000;
const MIB = 2 ** 20;

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** Three significant digits, such as `1.24`, `12.4` or `124`. */
function digits(value: number): string {
  if (value < 10) return value.toFixed(2);
  return value < 100 ? value.toFixed(1) : value.toFixed(0);
}

/** A time such as `480 µs`, `12.4 ms`, `3.21 s`, `3 min 12 s` or `2 h 5 min`. */
export function formatUs(us: number): string {
  if (us <= 0) return '0';
  if (us < US_PER_MS) return `${Math.max(1, Math.round(us))} µs`;
  if (us < 999.5 * US_PER_MS) return `${digits(us / US_PER_MS)} ms`;
  if (us < US_PER_MIN) return `${digits(us / US_PER_S)} s`;
  if (us < US_PER_H) return `${Math.floor(us / US_PER_MIN)} min ${Math.floor((us % US_PER_MIN) / US_PER_S)} s`;
  return `${whole.format(Math.floor(us / US_PER_H))} h ${Math.floor((us % US_PER_H) / US_PER_MIN)} min`;
}

/** A count such as `1,234` or `12.3 M`. */
export function formatCount(count: number): string {
  return count < MEGA ? whole.format(count) : `${digits(count / MEGA)} M`;
}

/** A count with its noun, such as `1 stream` or `1,234 streams`. */
export function countOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** A rate such as `0.25`, `7.5` or `1,234`. */
export function formatRate(perS: number): string {
  if (perS === 0) return '0';
  return perS < 100 ? digits(perS) : formatCount(perS);
}

/** A share such as `87 %`. */
export function formatShare(share: number): string {
  return `${Math.round(Math.min(1, Math.max(0, share)) * 100)} %`;
}

export function formatMib(bytes: number): string {
  return `${whole.format(bytes / MIB)} MiB`;
}

/** A time of day such as `14:03:59`. @param at milliseconds since 1970 */
export function formatClock(at: number): string {
  return new Date(at).toTimeString().slice(0, 8);
}
