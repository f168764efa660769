// A page of about 100 kB: a catalogue that React renders for each request.
import { createElement as h } from 'react';

const PRODUCTS = 600;
const SIZES = ['S', 'M', 'L', 'XL'];

/**
 * @typedef {{ id: number, name: string, cents: number, sizes: string[], isNew: boolean }} Product
 */

/**
 * The products of a category. The same category always has the same ones, so that responses can be compared.
 * @param {number} category
 * @returns {Product[]}
 */
function productsOf(category) {
  return Array.from({ length: PRODUCTS }, (_, i) => {
    const number = (category * 7_919 + i * 104_729) % 100_003;
    return {
      id: number,
      name: `Product ${number.toString(36)}`,
      cents: 500 + (number % 9_500),
      sizes: SIZES.filter((_size, at) => ((number >> at) & 1) === 1),
      isNew: number % 10 === 0,
    };
  });
}

/** @param {{ cents: number }} props */
function Price({ cents }) {
  return h('span', { className: 'price' }, `€ ${(cents / 100).toFixed(2)}`);
}

/** @param {{ product: Product }} props */
function ProductItem({ product: { id, name, cents, sizes, isNew } }) {
  return h(
    'li',
    { id: `product-${id}`, className: isNew ? 'product new' : 'product' },
    h('a', { href: `/products/${id}` }, name),
    h(Price, { cents }),
    h(
      'ul',
      { className: 'sizes' },
      sizes.map((size) => h('li', { key: size }, size)),
    ),
  );
}

/**
 * A document for `renderToReadableStream`.
 * @param {{ category: number }} props
 */
export function Catalogue({ category }) {
  return h(
    'html',
    { lang: 'en' },
    h('head', null, h('meta', { charSet: 'utf-8' }), h('title', null, `Category ${category}`)),
    h(
      'body',
      null,
      h('h1', null, `Category ${category}`),
      h(
        'ul',
        null,
        productsOf(category).map((product) => h(ProductItem, { key: product.id, product })),
      ),
    ),
  );
}
