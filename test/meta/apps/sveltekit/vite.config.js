import adapter from '@sveltejs/adapter-node';
import { VERSION } from '@sveltejs/kit';
import { sveltekit } from '@sveltejs/kit/vite';

// SvelteKit 2 has its origin from the environment, where it is served.
const paths = VERSION.startsWith('2.') ? {} : { origin: process.env.ORIGIN };

export default { plugins: [sveltekit({ adapter: adapter({ precompress: true }), paths })] };
