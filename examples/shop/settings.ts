import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';

const Environment = z.object({
  /** Folder for the database and the images. */
  SHOP_DATA: z.string().default('build/shop-data'),
  /** Origins whose pages may call the shop, separated by commas. */
  SHOP_ORIGINS: z.string().default('http://localhost:5173'),
  /** Password of admin@shop.example, an account that is created with the database. */
  SHOP_ADMIN_PASSWORD: z.string().min(8).default('open sesame'),
});

// Every shard has a copy of the process's environment.
const environment = Environment.parse(process.env);
const folder = resolve(environment.SHOP_DATA);

export const settings = {
  databaseFile: join(folder, 'shop.db'),
  imageFolder: join(folder, 'images'),
  origins: environment.SHOP_ORIGINS.split(','),
  adminPassword: environment.SHOP_ADMIN_PASSWORD,
};

mkdirSync(settings.imageFolder, { recursive: true });
