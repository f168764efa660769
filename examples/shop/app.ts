import { createApp } from 'loopshard';
import { admin } from './admin.js';
import { closeDatabase, openDatabase } from './database.js';
import { orders } from './orders.js';
import { products } from './products.js';
import { sessions } from './sessions.js';
import { settings } from './settings.js';
import { closeStock, openStock } from './stock.js';

const app = createApp();

// Each shard has its own database connection and a channel to the other shards.
app.onStart(() => {
  openDatabase();
  openStock();
});
app.onClose(() => {
  closeStock();
  closeDatabase();
});

// Pages of these origins may call the shop with cookies, and read all responses, including 404, 413 and 503 from the HTTP thread.
app.cors({ origins: settings.origins, credentials: true });

app.mount('', sessions);
app.mount('', products);
app.mount('/orders', orders);
app.mount('/admin', admin);
app.files('/images', settings.imageFolder, { immutable: true, maxAgeSeconds: 31_536_000 });

export default app;
