import { randomBytes } from 'node:crypto';
import { DatabaseSync } from '@photostructure/sqlite';
import { hashPassword } from './passwords.js';
import { settings } from './settings.js';

type Sql = ReturnType<InstanceType<typeof DatabaseSync>['createTagStore']>;

/* Each shard has its own connection to the same file. Readers never wait (WAL). Writers wait for each other: BEGIN IMMEDIATE takes the
   lock at the start, so that nothing a transaction has read changes before it writes. */
let database: InstanceType<typeof DatabaseSync>;

/** Runs SQL. Statements are prepared once: sql.get`SELECT … WHERE id = ${id}`. */
export let sql: Sql;

/** How long a writer waits for writers of other shards. */
const LOCK_TIMEOUT_MS = 5_000;

export function openDatabase(): void {
  database = new DatabaseSync(settings.databaseFile, { timeout: LOCK_TIMEOUT_MS, enableForeignKeyConstraints: true });
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
  sql = database.createTagStore();
  transaction(createTables);
}

export function closeDatabase(): void {
  database.close();
}

/** Runs `work` in a transaction. It is synchronous, so requests of the same shard cannot interleave. */
export function transaction<T>(work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}

/** Creates the tables on the first shard that starts; the others wait for the lock and then find them. */
function createTables(): void {
  if (sql.get`SELECT 1 FROM sqlite_schema WHERE name = 'users'` !== undefined) return;
  database.exec(`
    CREATE TABLE secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
    CREATE TABLE users (
      id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, password TEXT NOT NULL, role TEXT NOT NULL
    ) STRICT;
    CREATE TABLE refresh_tokens (
      hash TEXT PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users, expires_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE products (
      id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, price_cents INTEGER NOT NULL,
      stock INTEGER NOT NULL CHECK (stock >= 0), image TEXT
    ) STRICT;
    CREATE TABLE orders (
      id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users, created_at TEXT NOT NULL
    ) STRICT;
    CREATE TABLE order_items (
      order_id INTEGER NOT NULL REFERENCES orders, product_id INTEGER NOT NULL REFERENCES products,
      count INTEGER NOT NULL, price_cents INTEGER NOT NULL, PRIMARY KEY (order_id, product_id)
    ) STRICT;
    INSERT INTO products (name, price_cents, stock) VALUES ('Pen', 250, 100), ('Notebook', 800, 40), ('Desk lamp', 4900, 3);
  `);
  sql.run`INSERT INTO secrets VALUES ('session', ${randomBytes(32)})`;
  sql.run`INSERT INTO users (email, password, role)
    VALUES ('admin@shop.example', ${hashPassword(settings.adminPassword)}, 'admin')`;
}
