import express from 'express';
import { MESSAGE } from '../../http/servers/workload.js';

export default express().get('/', (_, res) => void res.json({ message: MESSAGE.message }));
