/**
 * A build of a meta-framework, and how its documentation serves it.
 * @typedef {object} Framework
 * @property {string} id its folder in apps/
 * @property {string} title
 * @property {Release[]} releases the newest first; the first one that the Node.js in use can run is tested
 * @property {string[]} build the command, a program of its packages
 * @property {[module: string, exported: string] | [module: string]} onNode what node:http is given; without an export, the module listens
 * itself
 * @property {string[]} served modules that shards serve
 * @property {import('./asks.js').Expectations} expected
 */

/**
 * @typedef {object} Release
 * @property {string} node the oldest version of Node.js that it supports
 * @property {Record<string, string>} packages
 */

const REACT = { react: '19.3.1', 'react-dom': '19.3.1' };
const EXPRESS = { express: '5.3.0' };

/**
 * @param {string} version of all packages of React Router
 * @param {string} vite
 */
function reactRouter(version, vite) {
  const names = ['react-router', '@react-router/dev', '@react-router/express', '@react-router/node'];
  const packages = Object.fromEntries(names.map((name) => [name, version]));
  return { ...packages, ...REACT, ...EXPRESS, isbot: '5.2.3', typescript: '5.9.3', vite };
}

/** @type {Framework[]} */
export const FRAMEWORKS = [
  {
    id: 'react-router',
    title: 'React Router',
    releases: [
      { node: '22.22.0', packages: reactRouter('8.4.0', '8.3.8') },
      { node: '20.19.0', packages: reactRouter('7.18.4', '7.3.8') },
    ],
    build: ['react-router', 'build'],
    onNode: ['app.js', 'default'],
    served: ['app.js'],
    expected: { form: 302, invalid: 200, hasError: true },
  },
  {
    id: 'sveltekit',
    title: 'SvelteKit',
    releases: [
      {
        node: '22.17.0',
        packages: {
          '@sveltejs/kit': '3.2.0',
          '@sveltejs/adapter-node': '6.0.1',
          '@sveltejs/vite-plugin-svelte': '7.3.1',
          svelte: '5.57.3',
          typescript: '6.0.3',
          vite: '8.3.8',
        },
      },
      {
        node: '20.19.0',
        packages: {
          '@sveltejs/kit': '2.70.4',
          '@sveltejs/adapter-node': '5.5.7',
          '@sveltejs/vite-plugin-svelte': '6.2.4',
          svelte: '5.57.3',
          vite: '7.3.8',
        },
      },
    ],
    build: ['vite', 'build'],
    onNode: ['build/handler.js', 'handler'],
    // The latter listens itself.
    served: ['app.js', 'build/index.js'],
    expected: { form: 303, invalid: 400, hasError: true },
  },
  {
    id: 'astro',
    title: 'Astro',
    releases: [
      { node: '22.12.0', packages: { astro: '7.3.5', '@astrojs/node': '11.1.6', ...EXPRESS } },
      { node: '20.19.0', packages: { astro: '5.18.2', '@astrojs/node': '9.5.5', ...EXPRESS } },
    ],
    build: ['astro', 'build'],
    onNode: ['app.js', 'default'],
    served: ['app.js'],
    expected: { form: 303, invalid: 200, hasError: true },
  },
  {
    id: 'next',
    title: 'Next.js',
    releases: [{ node: '20.19.0', packages: { next: '16.4.6', ...REACT } }],
    build: ['next', 'build'],
    onNode: ['app.js', 'default'],
    served: ['app.js'],
    expected: { form: 303, moved: 308, hasError: false },
  },
  {
    id: 'nuxt',
    title: 'Nuxt',
    releases: [
      { node: '22.19.0', packages: { nuxt: '4.5.2', vue: '3.5.45', 'vue-router': '5.5.1' } },
      { node: '20.19.0', packages: { nuxt: '3.21.11', vue: '3.5.45', 'vue-router': '4.6.5' } },
    ],
    build: ['nuxt', 'build'],
    onNode: ['.output/server/index.mjs'],
    served: ['.output/server/index.mjs'],
    expected: { form: 303, invalid: 400, hasRanges: false, hasError: true },
  },
];
