import { createApp } from 'loopshard';
import { makeRows } from './rows.js';

export default createApp().get('/', () => makeRows());
