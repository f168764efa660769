import { z } from 'zod';
import { sql } from './database.js';

export const Report = z.object({
  orders: z.int(),
  revenueCents: z.int(),
  /** Confidence interval of the mean order value: it contains 95 % of the samples. */
  meanOrderCents: z.object({ low: z.number(), high: z.number() }),
});

const SAMPLES = 2_000;
const Totals = z.array(z.object({ totalCents: z.int() }));

/** Estimates the confidence interval of the mean order value by resampling (bootstrapping). Takes long on purpose. */
export function salesReport(): z.infer<typeof Report> {
  const rows = sql.all`SELECT sum(count * price_cents) AS totalCents FROM order_items GROUP BY order_id`;
  const totals = Totals.parse(rows).map(({ totalCents }) => totalCents);
  const means = Array.from({ length: SAMPLES }, () => meanOfSample(totals)).sort((one, other) => one - other);
  return {
    orders: totals.length,
    revenueCents: totals.reduce((sum, total) => sum + total, 0),
    meanOrderCents: { low: means[Math.floor(SAMPLES * 0.025)], high: means[Math.floor(SAMPLES * 0.975)] },
  };
}

function meanOfSample(totals: readonly number[]): number {
  if (totals.length === 0) return 0;
  let sum = 0;
  for (let i = 0; i < totals.length; i++) sum += totals[Math.floor(Math.random() * totals.length)];
  return sum / totals.length;
}
