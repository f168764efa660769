import { createApp } from 'loopshard';
import { makeRows, ROWS_SCHEMA } from './rows.js';

export default createApp().get('/', { response: /** @type {object} */ (ROWS_SCHEMA) }, () => makeRows());
