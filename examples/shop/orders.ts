import { createApp, HttpError } from 'loopshard';
import { z } from 'zod';
import { sql, transaction } from './database.js';
import { IdParams, NewOrder, Order, Problem, StockChange } from './models.js';
import { requireUser, userOf } from './sessions.js';
import { publishStock } from './stock.js';

export const orders = createApp().use(requireUser);

orders.post('/', { body: NewOrder, response: { 201: Order, 409: Problem } }, (req, res) => {
  const { order, changes } = transaction(() => placeOrder(userOf(req).id, req.body.items));
  for (const change of changes) publishStock(change);
  res.status(201).header('location', `/orders/${order.id}`);
  return order;
});

orders.get('/:id', { params: IdParams, response: { 200: Order, 404: Problem } }, (req) =>
  findOrder(req.params.id, userOf(req).id),
);

/** Places an order. Must run in a transaction: if two shards sell the last item, the second one finds that it is sold out. */
function placeOrder(userId: number, items: z.infer<typeof NewOrder>['items']) {
  const Sold = StockChange.extend({ priceCents: z.int() });
  const { id } = z
    .object({ id: z.int() })
    .parse(
      sql.get`INSERT INTO orders (user_id, created_at) VALUES (${userId}, ${new Date().toISOString()}) RETURNING id`,
    );
  const changes = items.map(({ productId, count }) => {
    const row = sql.get`UPDATE products SET stock = stock - ${count} WHERE id = ${productId} AND stock >= ${count}
      RETURNING id AS productId, stock, price_cents AS priceCents`;
    if (row === undefined) throw new HttpError(409, `Product ${productId} is sold out.`, { details: { productId } });
    const { priceCents, ...change } = Sold.parse(row);
    sql.run`INSERT INTO order_items VALUES (${id}, ${productId}, ${count}, ${priceCents})`;
    return change;
  });
  return { order: findOrder(id, userId), changes };
}

/** @throws HttpError 404, also for orders of other users */
function findOrder(id: number, userId: number) {
  const Row = z.object({ id: z.int(), createdAt: z.string() });
  const row = sql.get`SELECT id, created_at AS createdAt FROM orders WHERE id = ${id} AND user_id = ${userId}`;
  if (row === undefined) throw new HttpError(404, `You have no order ${id}.`);
  const items = Order.shape.items.parse(
    sql.all`SELECT product_id AS productId, count, price_cents AS priceCents FROM order_items WHERE order_id = ${id}`,
  );
  const totalCents = items.reduce((sum, { count, priceCents }) => sum + count * priceCents, 0);
  return { ...Row.parse(row), totalCents, items };
}
