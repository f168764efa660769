import { Type } from '@sinclair/typebox';
import { createApp, eventStream, HttpError } from 'loopshard';
import { sql } from './database.js';
import { IdParams, Problem, Product, Products } from './models.js';
import { stockEvents } from './stock.js';

export const products = createApp();

// A JSON Schema, by TypeBox: query values are converted from text, and defaults are filled in.
const Page = Type.Object({
  search: Type.String({ default: '', maxLength: 100 }),
  after: Type.Integer({ default: 0, minimum: 0 }),
  limit: Type.Integer({ default: 20, minimum: 1, maximum: 100 }),
});

products.get('/products', { query: Page, response: Products }, (req) => {
  const { search, after, limit } = req.query;
  const rows = sql.all`SELECT id, name, price_cents AS priceCents, stock, image FROM products
    WHERE id > ${after} AND instr(lower(name), lower(${search})) > 0 ORDER BY id LIMIT ${limit}`;
  return Products.parse(rows);
});

products.get('/products/:id', { params: IdParams, response: { 200: Product, 404: Problem } }, (req, res) => {
  res.etag();
  return findProduct(req.params.id);
});

products.get('/stock', (req, res) => eventStream(req, res, stockEvents()));

/** @throws HttpError 404 */
export function findProduct(id: number) {
  const row = sql.get`SELECT id, name, price_cents AS priceCents, stock, image FROM products WHERE id = ${id}`;
  if (row === undefined) throw new HttpError(404, `Product ${id} does not exist.`);
  return Product.parse(row);
}
