import { H3 } from 'h3';
import { compute, livez, message } from './routes.js';

export const heavy = new H3().get('/', compute);

export default new H3().get('/', message).get('/livez', livez).mount('/heavy', heavy);
