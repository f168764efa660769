import express from 'express';
import { compute, livez, message } from './routes.js';

export const heavy = express().get('/', (_, res) => void res.json(compute()));

export default express()
  .get('/', (_, res) => void res.json(message()))
  .get('/livez', (_, res) => void res.json(livez()))
  .use('/heavy', heavy);
