import { createApp, HttpError } from 'loopshard';
import { sql, transaction } from './database.js';
import { removeImage, saveImage } from './images.js';
import { IdParams, NewProduct, Problem, Product, ProductChange } from './models.js';
import { findProduct } from './products.js';
import { Report, salesReport } from './report.js';
import { requireAdmin } from './sessions.js';
import { publishStock } from './stock.js';

export const admin = createApp().use(requireAdmin);

admin.post('/products', { body: NewProduct, response: { 201: Product, 409: Problem } }, (req, res) => {
  const { name, priceCents, stock } = req.body;
  const row = sql.get`INSERT INTO products (name, price_cents, stock) VALUES (${name}, ${priceCents}, ${stock})
    ON CONFLICT DO NOTHING RETURNING id, name, price_cents AS priceCents, stock, image`;
  if (row === undefined) throw nameTaken(name);
  const product = Product.parse(row);
  res.status(201).header('location', `/products/${product.id}`);
  return product;
});

admin.patch(
  '/products/:id',
  { params: IdParams, body: ProductChange, response: { 200: Product, '4xx': Problem } },
  (req) => {
    const product = transaction(() => {
      const { id, ...before } = findProduct(req.params.id);
      const { name = before.name, priceCents = before.priceCents, stock = before.stock } = req.body;
      const row = sql.get`UPDATE OR IGNORE products SET name = ${name}, price_cents = ${priceCents}, stock = ${stock}
        WHERE id = ${id} RETURNING id`;
      if (row === undefined) throw nameTaken(name);
      return findProduct(id);
    });
    publishStock({ productId: product.id, stock: product.stock });
    return product;
  },
);

// The handler starts before the body has arrived, and reads it as it arrives.
const image = {
  params: IdParams,
  body: 'stream',
  maxBodyBytes: 2_000_000,
  response: { 200: Product, 404: Problem },
} as const;

admin.put('/products/:id/image', image, async (req) => {
  const { id, image: before } = findProduct(req.params.id);
  const name = await saveImage(req.header('content-type'), req.stream());
  sql.run`UPDATE products SET image = ${`/images/${name}`} WHERE id = ${id}`;
  if (before !== null) await removeImage(before);
  return findProduct(id);
});

// Runs on its own shards, so that a long computation does not slow down the shop.
const heavy = { group: 'reports', maxConcurrency: 1, queueTimeoutMs: 5_000, handlerTimeoutMs: 60_000 } as const;

admin.get('/report', { ...heavy, response: Report }, () => salesReport());

function nameTaken(name: string): HttpError {
  return new HttpError(409, `Product ${name} already exists.`);
}
