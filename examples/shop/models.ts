/* Schemas of the shop's requests, responses and rows. The types of the handlers are inferred from them. */
import { z } from 'zod';

const Cents = z.int().min(0).max(100_000_000);
const Count = z.int().min(0).max(1_000_000);

export const Product = z.object({
  id: z.int(),
  name: z.string(),
  priceCents: Cents,
  stock: Count,
  image: z.string().nullable(),
});
export const Products = z.array(Product);
export const NewProduct = z.object({ name: z.string().trim().min(1).max(100), priceCents: Cents, stock: Count });
export const ProductChange = NewProduct.partial();

export const Order = z.object({
  id: z.int(),
  createdAt: z.iso.datetime(),
  totalCents: z.int(),
  items: z.array(z.object({ productId: z.int(), count: z.int(), priceCents: Cents })),
});
export const NewOrder = z.object({
  items: z
    .array(z.object({ productId: z.int().positive(), count: z.int().min(1).max(1_000) }))
    .min(1)
    .max(50),
});

export const User = z.object({ id: z.int(), email: z.string(), role: z.enum(['customer', 'admin']) });
export type User = z.infer<typeof User>;
export const Credentials = z.object({ email: z.email().toLowerCase(), password: z.string().min(8).max(200) });

export const StockChange = z.object({ productId: z.int(), stock: Count });
export type StockChange = z.infer<typeof StockChange>;

/** Parameters of a path such as `/products/:id`. */
export const IdParams = z.object({ id: z.coerce.number().int().positive() });
/** The body of an error response of LoopShard or an HttpError. */
export const Problem = z.object({ statusCode: z.int(), code: z.string(), message: z.string() });
