/** Returns a page of a table, as from a database driver: new objects each time. */

const NAMES = ['Ada Lovelace', 'Grace Hopper', 'Konrad Zuse', 'Edsger Dijkstra', 'Barbara Liskov', 'Donald Knuth'];
const COUNT = 100;

/** @param {number} [count] */
export function makeRows(count = COUNT) {
  return Array.from({ length: count }, (_, i) => ({
    id: 10_000 + i * 7,
    name: NAMES[i % NAMES.length],
    email: `user${i}@example.org`,
    price: Math.round(i * 1_037.5) / 100,
    active: i % 3 === 0,
    note: i % 5 === 0 ? 'said "yes"\nand then no more' : 'nothing special to be said',
  }));
}

export const ROWS_BODY = JSON.stringify(makeRows());

export const ROWS_SCHEMA = {
  type: 'array',
  items: {
    type: 'object',
    properties: {
      id: { type: 'integer' },
      name: { type: 'string' },
      email: { type: 'string' },
      price: { type: 'number' },
      active: { type: 'boolean' },
      note: { type: 'string' },
    },
    required: ['id', 'name', 'email', 'price', 'active', 'note'],
  },
};
